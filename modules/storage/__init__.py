"""S3 buckets and their replication across regions."""
