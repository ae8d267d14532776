"""Aurora PostgreSQL: clusters of both regions, their secrets, rotation, schema, reader scaling and alarms."""
