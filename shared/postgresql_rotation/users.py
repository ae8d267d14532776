"""Users of a database: a pair that alternates, of which the second is like the first, and new passwords."""

from __future__ import annotations

import base64
import os
import re

from pg8000.exceptions import DatabaseError
from pg8000.native import Connection, identifier, literal
from scramp import ScramMechanism

from shared.postgresql_rotation.connection import code, rows
from shared.postgresql_rotation.login import Login
from shared.secret_rotation import RotationRefused, log

SCRAM_ITERATIONS = 4096  # PostgreSQL's own: each login pays for them
EXISTING_USERS = "SELECT rolname FROM pg_roles WHERE rolname IN (:first, :second)"
INSUFFICIENT_PRIVILEGE = "42501"
# Lists of names: a value as a whole would be one name (GUC_LIST_QUOTE in src/backend/utils/misc/guc_tables.c).
LISTS_OF_NAMES = {"local_preload_libraries", "search_path", "session_preload_libraries", "temp_tablespaces"}


def application_users() -> set[str]:
    """The first users that a rotation may make, and whose passwords it may set again."""
    return set(os.environ.get("APPLICATION_USERS", "").split(",")) - {""}


def bring_up(connection: Connection, login: Login) -> None:
    """Create a user if it does not exist, and set its attributes and this password."""
    first = login.first_user
    there = {name for (name,) in rows(connection, EXISTING_USERS, first=first, second=login.username)}
    if first not in there:
        if first not in application_users():
            raise RotationRefused("the first user is not there, and it is not among APPLICATION_USERS")
        connection.run(f"CREATE ROLE {identifier(first)} LOGIN")
        connection.run(f"GRANT CONNECT ON DATABASE {identifier(login.database)} TO {identifier(first)}")
    if login.username != first:
        if login.username not in there:
            connection.run(f"CREATE ROLE {identifier(login.username)} LOGIN")
        _let_be_like(connection, first, login.username)
    connection.run(f"ALTER ROLE {identifier(login.username)} LOGIN")
    connection.run(new_password(login))


def _let_be_like(connection: Connection, first: str, second: str) -> None:
    """Give the second user the attributes of the first."""
    try:
        connection.run(f"GRANT {identifier(first)} TO {identifier(second)}")
    except DatabaseError as error:
        if code(error) != INSUFFICIENT_PRIVILEGE:
            raise
        # From PostgreSQL 16 on: as after the restore of a dump, whose roles another user created.
        raise RotationRefused(
            "the master did not make the first user, and may not administer it: let who made it GRANT it to the "
            "master WITH ADMIN OPTION"
        ) from None
    ((limit, until),) = rows(
        connection,
        "SELECT rolconnlimit, coalesce(rolvaliduntil::text, 'infinity') FROM pg_roles WHERE rolname = :first",
        first=first,
    )
    connection.run(f"ALTER ROLE {identifier(second)} CONNECTION LIMIT {int(limit)} VALID UNTIL {literal(str(until))}")
    wanted = {("", "role"): first, **_settings(connection, first)}
    found = _settings(connection, second)
    for database, name in found.keys() - wanted.keys():
        _change_setting(connection, second, database, name, None)
    for (database, name), value in wanted.items():
        if found.get((database, name)) != value:
            _change_setting(connection, second, database, name, value)


def _settings(connection: Connection, user: str) -> dict[tuple[str, str], str]:
    """A user's settings by database ("" for all) and name."""
    found = rows(
        connection,
        "SELECT coalesce(datname, ''), unnest(setconfig) FROM pg_db_role_setting "
        "JOIN pg_roles ON pg_roles.oid = setrole LEFT JOIN pg_database ON pg_database.oid = setdatabase "
        "WHERE rolname = :user",
        user=user,
    )
    split = ((database, *setting.partition("=")) for database, setting in found)
    return {(database, name): value for database, name, _, value in split}


def _change_setting(connection: Connection, user: str, database: str, name: str, value: str | None) -> None:
    """Change or reset one setting; one that only a superuser may change is logged and skipped."""
    where = f" IN DATABASE {identifier(database)}" if database else ""
    change = f"RESET {_name(name)}" if value is None else f"SET {_name(name)} TO {_setting(name, value)}"
    connection.run("SAVEPOINT setting")
    try:
        connection.run(f"ALTER ROLE {identifier(user)}{where} {change}")
    except DatabaseError as error:
        if code(error) != INSUFFICIENT_PRIVILEGE:
            raise
        connection.run("ROLLBACK TO SAVEPOINT setting")
        log("a setting of the first user is not given to the second: the master may not", setting=name)
    connection.run("RELEASE SAVEPOINT setting")


def _name(setting: str) -> str:
    return ".".join(identifier(part) for part in setting.split("."))


def _setting(name: str, value: str) -> str:
    if name.lower() not in LISTS_OF_NAMES:
        return str(literal(value))
    found = re.findall(r'"((?:[^"]|"")*)"|([^",\s]+)', value)
    names = [quoted.replace('""', '"') or plain.lower() for quoted, plain in found]
    return ", ".join(literal(one) for one in names) or "''"


def new_password(login: Login) -> str:
    """The statement that sets a password, with its verifier: neither the server's log nor an error has the password.

    https://www.postgresql.org/docs/current/protocol-message-formats.html, and for the form catalog-pg-authid.html.
    """
    salt, stored_key, server_key, iterations = ScramMechanism("SCRAM-SHA-256").make_auth_info(
        login.password, iteration_count=SCRAM_ITERATIONS
    )
    verifier = f"SCRAM-SHA-256${iterations}:{_base64(salt)}${_base64(stored_key)}:{_base64(server_key)}"
    return f"ALTER ROLE {identifier(login.username)} PASSWORD {literal(verifier)}"


def _base64(data: bytes) -> str:
    return base64.b64encode(data).decode()
