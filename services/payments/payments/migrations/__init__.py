"""The database's schema, forward only: each step works under the version of the service before it and after it."""
