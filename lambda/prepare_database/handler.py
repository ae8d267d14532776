"""Makes a database ready for the payments service, before anything starts that needs it. Called in one of two ways.

As a custom resource of CloudFormation, where users log in by IAM (P4.2), when the stack is made and whenever this code
or the schema's steps change:

1. the users of the event are made, with a role in common that owns nothing; each may log in by a token of IAM
   (`GRANT rds_iam`) and has no password;
2. the schema is brought up to date (payments.migrate), and the role may use it.

The event's ResourceProperties hold Users (names) and Role.

As a function (by Terraform whenever this code changes, or `make migrate`), where users log in by password (W3.3): the
schema is brought up to date, and APPLICATION_ROLE may use it, the first of the two users that the rotation of the
application's secret alternates; the second is its member. The role is made here if the rotation has not been yet,
without a password; one that is there is left as it is. The answer is the step that the schema is at. Where Terraform
destroys what calls it, nothing is done.

Each part may be repeated. Users that are there stay, and nothing is ever dropped: when the stack goes, so does the
database, or it outlives it as a whole.

The environment says where the database is, and which secret the master user's is: DATABASE_... of payments.settings,
and AWS_REGION. Connections are by TLS that is verified.
"""

from __future__ import annotations

import json
import urllib.request
from collections.abc import Mapping, Sequence
from contextlib import closing, suppress
from typing import Any

import psycopg
from psycopg import sql

from payments import logs
from payments.migrate import migrate
from payments.settings import DatabaseSettings, MigrationSettings, read

APPLICATION = "prepare_database"
IAM_ROLE = "rds_iam"  # RDS makes it; a member logs in with a token
ANSWER_SECONDS = 10

logs.configure()


class PreparationFailed(Exception):
    """The database is not ready. The message is the kind of what went wrong: its own words may hold what was sent."""


def handler(event: dict[str, Any], context: Any) -> dict[str, str]:
    """Do what CloudFormation, Terraform or a person asks.

    Raises:
        PreparationFailed: it could not be done; it may be repeated.
    """
    if "ResponseURL" in event:
        _for_cloudformation(event, context)
        return {}
    if event.get("tf", {}).get("action") == "delete":
        return {}
    try:
        return {"version": bring_up_to_date()}
    except Exception as error:  # noqa: BLE001 - whatever it is, its words are not for Terraform to show
        logs.error("not prepared", error)
        raise PreparationFailed(type(error).__name__) from None


def _for_cloudformation(event: dict[str, Any], context: Any) -> None:
    """Do what CloudFormation asks, and tell it how that ended: without an answer it would wait for an hour."""
    try:
        if event["RequestType"] != "Delete":
            properties = event["ResourceProperties"]
            prepare(properties["Users"], properties["Role"])
        answer(event, context.log_stream_name)
    except Exception as error:  # whatever it is, CloudFormation must be told
        # The kind alone: the message of a database's error may hold what was sent.
        answer(event, context.log_stream_name, failed=type(error).__name__)
        raise


def bring_up_to_date() -> str:
    """Bring the schema up to date, and let APPLICATION_ROLE use it.

    Returns:
        The step that the schema is at.
    """
    settings = read(MigrationSettings)
    database = read(DatabaseSettings).database(settings.aws_region, application=APPLICATION)
    if settings.application_role:
        with closing(database.connect()) as connection:
            _make_if_missing(connection, settings.application_role)
    version = migrate(database.connect, application_role=settings.application_role)
    logs.info("prepared", version=version)
    return version


def _make_if_missing(connection: psycopg.Connection[Any], role: str) -> None:
    """The rotation may make it at the same moment."""
    if connection.execute("SELECT 1 FROM pg_roles WHERE rolname = %s", (role,)).fetchone():
        return
    with suppress(psycopg.errors.DuplicateObject, psycopg.errors.UniqueViolation):
        connection.execute(sql.SQL("CREATE ROLE {} LOGIN").format(sql.Identifier(role)))


def prepare(users: Sequence[str], role: str) -> str:
    """Make the users and bring the schema up to date.

    Returns:
        The step that the schema is at.
    """
    region = read(MigrationSettings).aws_region
    database = read(DatabaseSettings).database(region, application=APPLICATION)
    with closing(database.connect()) as connection:
        connection.autocommit = True
        make_users(connection, users, role)
    version = migrate(database.connect, application_role=role)
    logs.info("prepared", version=version, users=list(users))
    return version


def make_users(connection: psycopg.Connection[Any], users: Sequence[str], role: str) -> None:
    """Make the role that users have in common, and each user that is not there yet.

    ``connection`` is the master user's, and commits by itself.
    """
    _make(connection, role, "NOLOGIN")
    connection.execute("REVOKE ALL ON SCHEMA public FROM PUBLIC")
    for user in users:
        _make(connection, user, "LOGIN")
        for granted in (IAM_ROLE, role):
            connection.execute(sql.SQL("GRANT {} TO {}").format(sql.Identifier(granted), sql.Identifier(user)))


def _make(connection: psycopg.Connection[Any], name: str, attribute: str) -> None:
    """A role, with nothing that a role may have but what is said. One that is there is brought in line."""
    found = connection.execute("SELECT 1 FROM pg_roles WHERE rolname = %s", (name,)).fetchone()
    attributes = sql.SQL(f"{attribute} NOCREATEDB NOCREATEROLE")
    verb = sql.SQL("ALTER ROLE" if found else "CREATE ROLE")
    connection.execute(sql.SQL("{} {} {} PASSWORD NULL").format(verb, sql.Identifier(name), attributes))


def answer(event: Mapping[str, Any], log_stream: str, *, failed: str = "") -> None:
    """Tell CloudFormation how it ended.

    https://docs.aws.amazon.com/AWSCloudFormation/latest/UserGuide/crpg-ref-responses.html
    """
    body = {
        "Status": "FAILED" if failed else "SUCCESS",
        "Reason": f"{failed or 'done'}; see the log stream {log_stream}",
        "PhysicalResourceId": event.get("PhysicalResourceId") or APPLICATION,
        **{name: event[name] for name in ("StackId", "RequestId", "LogicalResourceId")},
    }
    request = urllib.request.Request(  # noqa: S310  # CloudFormation's own address, by HTTPS
        event["ResponseURL"], data=json.dumps(body).encode(), method="PUT", headers={"Content-Type": ""}
    )
    with urllib.request.urlopen(request, timeout=ANSWER_SECONDS):  # noqa: S310
        pass
