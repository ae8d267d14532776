"""Logins of a PostgreSQL database whose passwords rotate: what a secret says, connections, and users in pairs."""
