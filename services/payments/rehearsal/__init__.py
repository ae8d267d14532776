"""What stands in for the rest of the world when the payments service is tried: an acquirer, customers, accidents."""
