"""Deployment with Terraform: synthesize, plan, apply, destroy, on AWS and on the local AWS; migrations."""
