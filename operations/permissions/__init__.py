"""The permissions that a life of the platform uses, statement by statement."""
