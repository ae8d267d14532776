"""IAM policies of the plan and deploy roles, a module for each policy."""
