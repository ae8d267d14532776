"""`failover`: moves the platform to its other region, and back."""
