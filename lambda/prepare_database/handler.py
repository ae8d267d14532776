"""Prepares a database for the payments service: users and schema, before anything starts that needs them.

As a custom resource of CloudFormation, where users log in by IAM (P4.2): when the stack is created, and whenever this
code or a migration changes.

1. It creates the users of the event, and a role that they share and that owns nothing. Each may log in by IAM
   (`GRANT rds_iam`) and has no password.
2. It brings the schema up to date (payments.migrate), and grants the role the application's rights.

The event's ResourceProperties hold Users (names) and Role.

As a plain function, where users log in by password (W3.3): called by Terraform whenever this code changes, or by `make
migrate`. It brings the schema up to date and grants APPLICATION_ROLE the application's rights: the first of the two
users that the rotation of the application's secret alternates, of which the second is a member. If the rotation has not
created that role yet, it is created here, without a password; an existing one is left as it is. The response is the
schema's version. When Terraform destroys the invocation, nothing is done.

Each part is idempotent. Existing users stay, and nothing is ever dropped: a database is deleted whole with its stack,
or outlives it.

Environment variables: those of payments.settings for the database (DATABASE_..., with the secret of the master user),
and AWS_REGION. Connections are by verified TLS.
"""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import closing, suppress
from typing import Any

import psycopg
from psycopg import sql

from payments import logs
from payments.migrate import migrate
from payments.settings import DatabaseSettings, MigrationSettings, read
from shared.custom_resource import respond

APPLICATION = "prepare_database"
IAM_ROLE = "rds_iam"  # RDS creates it; its members log in with a token

logs.configure()


class PreparationFailed(Exception):
    """The database is not ready. The message is the type of the error, whose own message may quote values."""


def handler(event: dict[str, Any], context: Any) -> dict[str, str]:
    """Handle an event of CloudFormation, or a call of Terraform or of a person.

    Raises:
        PreparationFailed: the database could not be prepared; the call may be repeated.
    """
    if "ResponseURL" in event:
        _for_cloudformation(event, context)
        return {}
    if event.get("tf", {}).get("action") == "delete":
        return {}
    try:
        return {"version": bring_up_to_date()}
    except Exception as error:  # noqa: BLE001 - whatever it is, Terraform would show its message
        logs.error("not prepared", error)
        raise PreparationFailed(type(error).__name__) from None


def _for_cloudformation(event: dict[str, Any], context: Any) -> None:
    """Handle an event of CloudFormation, and respond: without a response it would wait for an hour."""
    try:
        if event["RequestType"] != "Delete":
            properties = event["ResourceProperties"]
            prepare(properties["Users"], properties["Role"])
        respond(event, context.log_stream_name, id_=APPLICATION)
    except Exception as error:  # whatever it is, CloudFormation needs a response
        # The type alone: the message of a database's error may quote values.
        respond(event, context.log_stream_name, id_=APPLICATION, failed=type(error).__name__)
        raise


def bring_up_to_date() -> str:
    """Bring the schema up to date, and grant APPLICATION_ROLE the application's rights.

    Returns:
        The schema's version.
    """
    settings = read(MigrationSettings)
    database = read(DatabaseSettings).database(settings.aws_region, application=APPLICATION)
    if settings.application_role:
        with closing(database.connect()) as connection:
            _create_if_missing(connection, settings.application_role)
    version = migrate(database.connect, application_role=settings.application_role)
    logs.info("prepared", version=version)
    return version


def _create_if_missing(connection: psycopg.Connection[Any], role: str) -> None:
    """Create a role. The rotation may create it at the same moment."""
    if connection.execute("SELECT 1 FROM pg_roles WHERE rolname = %s", (role,)).fetchone():
        return
    with suppress(psycopg.errors.DuplicateObject, psycopg.errors.UniqueViolation):
        connection.execute(sql.SQL("CREATE ROLE {} LOGIN").format(sql.Identifier(role)))


def prepare(users: Sequence[str], role: str) -> str:
    """Create the users and bring the schema up to date.

    Returns:
        The schema's version.
    """
    region = read(MigrationSettings).aws_region
    database = read(DatabaseSettings).database(region, application=APPLICATION)
    with closing(database.connect()) as connection:
        connection.autocommit = True
        create_users(connection, users, role)
    version = migrate(database.connect, application_role=role)
    logs.info("prepared", version=version, users=list(users))
    return version


def create_users(connection: psycopg.Connection[Any], users: Sequence[str], role: str) -> None:
    """Create the role that the users share, and the users.

    ``connection`` is the master user's, in autocommit mode.
    """
    _create_or_alter(connection, role, "NOLOGIN")
    connection.execute("REVOKE ALL ON SCHEMA public FROM PUBLIC")
    for user in users:
        _create_or_alter(connection, user, "LOGIN")
        for granted in (IAM_ROLE, role):
            connection.execute(sql.SQL("GRANT {} TO {}").format(sql.Identifier(granted), sql.Identifier(user)))


def _create_or_alter(connection: psycopg.Connection[Any], name: str, attribute: str) -> None:
    """Create a role with this attribute alone, or bring an existing one in line."""
    found = connection.execute("SELECT 1 FROM pg_roles WHERE rolname = %s", (name,)).fetchone()
    attributes = sql.SQL(f"{attribute} NOCREATEDB NOCREATEROLE")
    verb = sql.SQL("ALTER ROLE" if found else "CREATE ROLE")
    connection.execute(sql.SQL("{} {} {} PASSWORD NULL").format(verb, sql.Identifier(name), attributes))
