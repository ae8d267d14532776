"""What is synthesized, as text for those who review a change: docs/snapshot, which `make snapshot` writes."""
