"""What becomes of an operation after it was accepted: asked of the acquirer once, answered once, and never lost."""
