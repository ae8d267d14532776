"""Rotating logins of a PostgreSQL database: secrets, connections, and alternating users."""
