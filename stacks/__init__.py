"""The stacks: what is deployed together."""
