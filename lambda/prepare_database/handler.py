"""Prepares a database for the payments service: users and schema, before anything starts that needs them.

As a custom resource of CloudFormation, where users log in by IAM (P4.2): when the stack is created, and whenever this
code or a migration changes.

1. It creates the users of the event, one for each kind of process. Each may log in by IAM (`GRANT rds_iam`) and has no
   password.
2. It brings the schema up to date (payments.migrate), and gives each user the rights of its process and no others.

The event's ResourceProperties hold Logins: the users' names, and the process of each (payments.roles.Process).

As a plain function, where users log in by password (W3.3): called by Terraform whenever this code changes, or by `make
migrate`. It brings the schema up to date and gives the users of DATABASE_LOGINS the rights of their processes: each is
the first of the two users that the rotation of a secret alternates, of which the second is a member. One that the
rotation has not created yet is created here, without a password; an existing one keeps its own. Where the event says
whether operators may read the database ("operators"), OPERATOR_ROLE may log in or not (payments.operators). The
response is the schema's version. When Terraform destroys the invocation, nothing is done.

In a run that gives each process its login for the first time, users that exist keep the rights that they had: those of
all processes, for the version before. The next run takes them away.

Each part is idempotent. Existing users stay, and nothing is ever dropped: a database is deleted whole with its stack,
or outlives it.

Environment variables: those of payments.settings for the database (DATABASE_..., with the secret of the master user),
and AWS_REGION. Connections are by verified TLS.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from contextlib import closing, suppress
from typing import Any

import psycopg
from psycopg import sql

from payments import logs
from payments.migrate import migrate
from payments.operators import admit, shut_out
from payments.roles import Process
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
        return {"version": bring_up_to_date(operators=event.get("operators"))}
    except Exception as error:  # noqa: BLE001 - whatever it is, Terraform would show its message
        logs.error("not prepared", error)
        raise PreparationFailed(type(error).__name__) from None


def _for_cloudformation(event: dict[str, Any], context: Any) -> None:
    """Handle an event of CloudFormation, and respond: without a response it would wait for an hour."""
    try:
        if event["RequestType"] != "Delete":
            properties = event["ResourceProperties"]
            prepare({user: Process(process) for user, process in properties["Logins"].items()})
        respond(event, context.log_stream_name, id_=APPLICATION)
    except Exception as error:  # whatever it is, CloudFormation needs a response
        # The type alone: the message of a database's error may quote values.
        respond(event, context.log_stream_name, id_=APPLICATION, failed=type(error).__name__)
        raise


def bring_up_to_date(*, operators: bool | None = None) -> str:
    """Bring the schema up to date, and give the users of DATABASE_LOGINS the rights of their processes.

    ``operators`` says whether OPERATOR_ROLE may log in; None leaves that as it is.

    Returns:
        The schema's version.
    """
    settings = read(MigrationSettings)
    database = read(DatabaseSettings).database(settings.aws_region, application=APPLICATION)
    with closing(database.connect()) as connection:
        for user in settings.database_logins:
            _create_if_missing(connection, user)
    version = migrate(database.connect, logins=settings.database_logins)
    if settings.operator_role and operators is not None:
        with closing(database.connect()) as connection:
            connection.autocommit = True
            (admit if operators else shut_out)(connection, settings.operator_role)
    logs.info("prepared", version=version)
    return version


def _create_if_missing(connection: psycopg.Connection[Any], user: str) -> None:
    """Create a user. The rotation may create it at the same moment."""
    if connection.execute("SELECT 1 FROM pg_roles WHERE rolname = %s", (user,)).fetchone():
        return
    with suppress(psycopg.errors.DuplicateObject, psycopg.errors.UniqueViolation):
        connection.execute(sql.SQL("CREATE ROLE {} LOGIN").format(sql.Identifier(user)))


def prepare(logins: Mapping[str, Process]) -> str:
    """Create the users and bring the schema up to date.

    Returns:
        The schema's version.
    """
    region = read(MigrationSettings).aws_region
    database = read(DatabaseSettings).database(region, application=APPLICATION)
    with closing(database.connect()) as connection:
        connection.autocommit = True
        create_users(connection, logins)
    version = migrate(database.connect, logins=logins)
    logs.info("prepared", version=version, users=list(logins))
    return version


def create_users(connection: psycopg.Connection[Any], users: Iterable[str]) -> None:
    """Create the users, who log in by IAM.

    ``connection`` is the master user's, in autocommit mode.
    """
    connection.execute("REVOKE ALL ON SCHEMA public FROM PUBLIC")
    for user in users:
        _create_or_alter(connection, user)
        connection.execute(sql.SQL("GRANT {} TO {}").format(sql.Identifier(IAM_ROLE), sql.Identifier(user)))


def _create_or_alter(connection: psycopg.Connection[Any], user: str) -> None:
    """Create a user without any right, or bring an existing one in line."""
    found = connection.execute("SELECT 1 FROM pg_roles WHERE rolname = %s", (user,)).fetchone()
    verb = sql.SQL("ALTER ROLE" if found else "CREATE ROLE")
    connection.execute(sql.SQL("{} {} LOGIN NOCREATEDB NOCREATEROLE PASSWORD NULL").format(verb, sql.Identifier(user)))
