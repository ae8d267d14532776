"""What there may be, and nothing else: tables of all resources with their attributes, and of who may do what."""
