"""Deployment from CI: the OIDC plan and deploy roles, and what they may do."""
