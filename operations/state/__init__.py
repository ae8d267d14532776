"""`bootstrap`: the bucket and key of Terraform's state, and their replica in the recovery region."""
