"""The constructs of the platform, one noun a file. A module builds; the stack wires."""
