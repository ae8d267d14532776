"""Checks of the synthesized configuration: checkov's rules, IAM policies, encryption, order of creation."""
