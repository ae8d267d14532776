"""Alembic's environment: runs the migrations on the connection that :func:`payments.migrate.migrate` has opened."""

from __future__ import annotations

from alembic import context

from payments.migrate import SCHEMA

context.configure(
    connection=context.config.attributes["connection"],
    version_table="schema_version",
    version_table_schema=SCHEMA,
    transaction_per_migration=True,
)
with context.begin_transaction():
    context.run_migrations()
