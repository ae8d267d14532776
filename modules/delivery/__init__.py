"""Deployment from CI: the OIDC plan and deploy roles, and their permissions."""
