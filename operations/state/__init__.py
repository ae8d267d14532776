"""`bootstrap`: the bucket and key of Terraform's state."""
