"""AWS Backup and snapshot exports: vaults, plans, restore tests, exports to S3."""
