"""IAM policies: those of a synthesized configuration, and how AWS evaluates them.

A leaf: it imports no other package of this project, and knows neither Terraform's commands nor the local AWS.
"""
