"""The stacks: units of deployment."""
