"""The database's schema as alembic migrations, forward only: the service's version before each runs on it, too."""
