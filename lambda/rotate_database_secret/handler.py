"""Rotates the passwords of a PostgreSQL database (W3.3), by one of two strategies.

- Alternating users, for a secret that names a master secret (`masterarn`). There are two users, NAME and NAME_clone,
  and each rotation gives the one that nobody uses a new password and makes it the current one. The other's keeps
  working until the next rotation, so that no login fails, also not one with a value that was read a while ago.
- Single user, for a secret that names none, such as the master's. PostgreSQL keeps one password a user: from the
  moment it is changed the old one is refused. So the change and the move of AWSCURRENT are next to each other, in
  setSecret: between the end of ALTER ROLE and the effect of UpdateSecretVersionStage, one call, AWSCURRENT is refused.
  An error in there puts the old password back. Only if the function is killed right there does AWSCURRENT stay refused
  until it is called again; AWSPENDING is what opens the database meanwhile.

A second user is a member of the first and works as it (`ALTER ROLE NAME_clone SET role = NAME`): what the first may,
now or later, so may the second, and whatever either makes is the first's. Settings, connection limit and validity are
brought in line at each of its rotations. The password itself is never sent: its SCRAM-SHA-256 verifier is.

A secret is JSON as RDS has it: engine (postgres or aurora-postgresql), host, username, password; port, dbname,
masterarn and ssl may be left out. https://docs.aws.amazon.com/secretsmanager/latest/userguide/reference_secret_json_structure.html
Connections are by TLS, to a server that a certificate of rds-ca-bundle.pem vouches for, and never otherwise: a secret
with `"ssl": false` is refused.

The environment may say:

- APPLICATION_USER: the first of the two users that may be made, with all privileges on its database, if it is not there
  yet, and whose current password may be set if it does not open the database, as after a restore. No other is:
  whoever may write a secret could otherwise take any user's place;
- PASSWORD_LENGTH and EXCLUDED_CHARACTERS: of new passwords, in place of those below.

Permissions, beside logs and network: on its secrets secretsmanager:DescribeSecret, GetSecretValue, PutSecretValue,
UpdateSecretVersionStage and ListSecretVersionIds (of the master secret, where another function rotates it,
GetSecretValue alone), secretsmanager:GetRandomPassword on *, and kms:Decrypt and kms:GenerateDataKey on their key by
way of Secrets Manager. The master user needs CREATEROLE; from PostgreSQL 16 on it must have made the first user.
"""

from __future__ import annotations

import base64
import functools
import itertools
import json
import os
import re
import ssl
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from pg8000.exceptions import DatabaseError, InterfaceError
from pg8000.native import Connection, identifier, literal
from scramp import ScramMechanism
from secret_rotation import CURRENT, PENDING, PREVIOUS, Refused, Secret, Steps, log, run

BUNDLE = Path(__file__).with_name("rds-ca-bundle.pem")
SUFFIX = "_clone"  # as AWS's own rotation functions have it
LONGEST_NAME = 63  # bytes that PostgreSQL keeps of a name
ENGINES = {"postgres", "aurora-postgresql"}
SECONDS_PER_CALL = 10.0
PASSWORD_LENGTH = 40
# Beside letters and digits only - . _ and ~ are left, which mean nothing in URLs, connection strings and shells.
# RDS takes no / @ " or space: https://docs.aws.amazon.com/AmazonRDS/latest/APIReference/API_CreateDBCluster.html
EXCLUDED_CHARACTERS = " !\"#$%&'()*+,/:;<=>?@[\\]^`{|}"
SCRAM_ITERATIONS = 4096  # PostgreSQL's own: each login pays for them
EXISTING_USERS = "SELECT rolname FROM pg_roles WHERE rolname IN (:first, :second)"
# https://www.postgresql.org/docs/current/errcodes-appendix.html
WRONG_CREDENTIALS = {"28000", "28P01"}
INSUFFICIENT_PRIVILEGE = "42501"
# Lists of names: a value as a whole would be one name (GUC_LIST_QUOTE in src/backend/utils/misc/guc_tables.c).
LISTS_OF_NAMES = {"local_preload_libraries", "search_path", "session_preload_libraries", "temp_tablespaces"}


def handler(event: Mapping[str, str], _context: object) -> None:
    """Make one step of a rotation. Whatever fails is said without a word of what is secret."""
    run(event, Steps(create=_create, set=_set, test=_test, cause=_cause))


@dataclass(frozen=True, kw_only=True)
class Login:
    """What a secret says: who enters which database where."""

    host: str
    port: int
    database: str
    username: str
    password: str = field(repr=False)
    master_arn: str
    values: Mapping[str, Any] = field(repr=False)

    @staticmethod
    def of(text: str) -> Login:
        """Read a secret's JSON.

        Raises:
            Refused: it lacks something, or asks for what is not done.
        """
        values = _object(text)
        for name in ("engine", "host", "username", "password"):
            if not (isinstance(values.get(name), str) and values[name]):
                raise Refused(f"the secret has no {name}")
        if values["engine"] not in ENGINES:
            raise Refused(f"the secret's engine is none of {', '.join(sorted(ENGINES))}")
        if str(values.get("ssl", True)).lower() != "true":
            raise Refused("the secret asks for a connection without TLS; none is made")
        return Login(
            host=values["host"],
            port=_port(values.get("port") or 5432),
            database=values.get("dbname") or "postgres",
            username=values["username"],
            password=values["password"],
            master_arn=values.get("masterarn") or "",
            values=values,
        )

    @property
    def first_user(self) -> str:
        """The first of the two users between whom rotations alternate."""
        return self.username.removesuffix(SUFFIX)

    @property
    def other_user(self) -> str:
        """The one of the two who is not this one."""
        if self.username.endswith(SUFFIX):
            return self.first_user
        other = self.username + SUFFIX
        if len(other.encode()) > LONGEST_NAME:
            raise Refused(f"the user's name is too long: with {SUFFIX} it would have more than {LONGEST_NAME} bytes")
        return other

    @property
    def place(self) -> tuple[str, int]:
        """Where the database is."""
        return self.host, self.port

    def enters_as(self, other: Login) -> bool:
        """Whether it is the same user's of the same database."""
        return (self.place, self.username) == (other.place, other.username)

    def has(self, *, username: str, password: str) -> str:
        """The JSON of the same secret with another user and password."""
        return json.dumps({**self.values, "username": username, "password": password})


def _object(text: str) -> dict[str, Any]:
    try:
        values = json.loads(text)
    except ValueError:
        values = None
    if not isinstance(values, dict):
        raise Refused("the secret is no JSON object")
    return values


def _port(value: object) -> int:
    text = str(value)
    if not (text.isascii() and text.isdigit() and 0 < int(text) < 2**16):
        raise Refused("the secret's port is no port")
    return int(text)


def _create(secret: Secret) -> None:
    """Keep a new password, of the same user or of the other one, under AWSPENDING."""
    if secret.pending_if_made() is not None:
        return
    current = Login.of(secret.current())
    username = current.other_user if current.master_arn else current.username
    secret.put_pending(current.has(username=username, password=_random_password(secret)))


def _random_password(secret: Secret) -> str:
    length = int(os.environ.get("PASSWORD_LENGTH", PASSWORD_LENGTH))
    return secret.random_password(length, excluded=os.environ.get("EXCLUDED_CHARACTERS", EXCLUDED_CHARACTERS))


def _set(secret: Secret) -> None:
    current, pending = Login.of(secret.current()), Login.of(secret.pending())
    if pending.place != current.place:
        raise Refused("the pending secret is of another database than the current one")
    expected = current.other_user if current.master_arn else current.username
    if pending.username != expected:
        raise Refused("the pending secret is of a user whom this rotation has nothing to do with")
    if current.master_arn:
        _set_other_user(secret, current, pending)
    else:
        _set_own_password(secret, current, pending)


def _test(secret: Secret) -> None:
    """Log in with the new password, and see that the user is who it should be."""
    pending = Login.of(secret.pending())
    with _connected(pending) as connection:
        user = pending.first_user if pending.master_arn else pending.username
        if connection.run("SELECT current_user = :user", user=user) != [[True]]:
            raise Refused("the new user does not work as the first one")


def _set_own_password(secret: Secret, current: Login, pending: Login) -> None:
    if _opens(pending):  # an earlier call was ended between the two
        secret.promote()
        return
    # What an earlier rotation has left may be in a version that has no stage any more.
    known = _first_that_opens(
        itertools.chain([current], (login for login in _readable(secret) if login.enters_as(current)))
    )
    with _connected(known) as connection:
        try:
            connection.run(_new_password(pending))
            secret.promote()
        except Exception:
            if not secret.reread().is_current:  # otherwise it is done, and only the answer was lost
                _take_back(current, pending)
                raise


def _take_back(current: Login, pending: Login) -> None:
    """Let the current secret open the database again. The connection may be what has failed: this is a new one."""
    if _opens(pending):
        with _connected(pending) as connection:
            connection.run(_new_password(current))


def _set_other_user(secret: Secret, current: Login, pending: Login) -> None:
    if _opens(pending):
        return
    master = _master(secret, current)
    repair = not _opens(current)
    if repair and current.first_user != os.environ.get("APPLICATION_USER"):
        raise Refused("the current secret does not open the database, and its user is not APPLICATION_USER")
    with _connected(master) as connection:
        # In one transaction: a user that can log in has all that it should have.
        connection.run("BEGIN")
        for login in (current, pending) if repair else (pending,):
            _bring_up(connection, login)
        connection.run("COMMIT")


def _master(secret: Secret, current: Login) -> Login:
    """The login of the master, also while its own password is about to change."""
    values = (secret.of_another(current.master_arn, stage) for stage in (CURRENT, PENDING, PREVIOUS))
    masters = (Login.of(value) for value in values if value is not None)
    master = _first_that_opens(login for login in masters if login.place == current.place)
    if master.username in {current.first_user, current.username, current.other_user}:
        raise Refused("the master is one of the users that alternate")
    return master


def _bring_up(connection: Connection, login: Login) -> None:
    """Make a user, if there is none, and let it be what it should be, with this password."""
    first = login.first_user
    there = {name for (name,) in _rows(connection, EXISTING_USERS, first=first, second=login.username)}
    if first not in there:
        if first != os.environ.get("APPLICATION_USER"):
            raise Refused("the first user is not there, and it is not APPLICATION_USER")
        connection.run(f"CREATE ROLE {identifier(first)} LOGIN")
        connection.run(f"GRANT ALL ON DATABASE {identifier(login.database)} TO {identifier(first)}")
    if login.username != first:
        if login.username not in there:
            connection.run(f"CREATE ROLE {identifier(login.username)} LOGIN")
        _let_be_like(connection, first, login.username)
    connection.run(f"ALTER ROLE {identifier(login.username)} LOGIN")
    connection.run(_new_password(login))


def _let_be_like(connection: Connection, first: str, second: str) -> None:
    """Give the second user what the first one has."""
    connection.run(f"GRANT {identifier(first)} TO {identifier(second)}")
    ((limit, until),) = _rows(
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
    rows = _rows(
        connection,
        "SELECT coalesce(datname, ''), unnest(setconfig) FROM pg_db_role_setting "
        "JOIN pg_roles ON pg_roles.oid = setrole LEFT JOIN pg_database ON pg_database.oid = setdatabase "
        "WHERE rolname = :user",
        user=user,
    )
    split = ((database, *setting.partition("=")) for database, setting in rows)
    return {(database, name): value for database, name, _, value in split}


def _change_setting(connection: Connection, user: str, database: str, name: str, value: str | None) -> None:
    """Change one setting, or take it away; one that only a superuser may change is said and left."""
    where = f" IN DATABASE {identifier(database)}" if database else ""
    change = f"RESET {_name(name)}" if value is None else f"SET {_name(name)} TO {_setting(name, value)}"
    connection.run("SAVEPOINT setting")
    try:
        connection.run(f"ALTER ROLE {identifier(user)}{where} {change}")
    except DatabaseError as error:
        if _code(error) != INSUFFICIENT_PRIVILEGE:
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


def _new_password(login: Login) -> str:
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


def _readable(secret: Secret) -> Iterator[Login]:
    """The logins among the secret's former values; what was once in it need not have been one."""
    previous = secret.previous()
    for value in itertools.chain([] if previous is None else [previous], secret.staged_no_more()):
        with suppress(Refused):
            yield Login.of(value)


def _first_that_opens(logins: Iterable[Login]) -> Login:
    for login in logins:
        if _opens(login):
            return login
    raise Refused("no version of the secret opens the database")


def _opens(login: Login) -> bool:
    """Whether the database takes a login. Any other trouble than wrong credentials is an error, and says nothing."""
    try:
        with _connected(login):
            return True
    except DatabaseError as error:
        if _code(error) not in WRONG_CREDENTIALS:
            raise
        return False


@contextmanager
def _connected(login: Login) -> Iterator[Connection]:
    connection = Connection(
        login.username,
        host=login.host,
        port=login.port,
        database=login.database,
        password=login.password,
        timeout=SECONDS_PER_CALL,
        ssl_context=_verification(),
        application_name="rotate_database_secret",
    )
    try:
        yield connection
    finally:
        with suppress(InterfaceError, OSError):  # it may be broken, which is what an error in here says
            connection.close()


@functools.cache
def _verification() -> ssl.SSLContext:
    """TLS 1.2 or newer, the host's name and the certificate's issuer checked: the defaults for a client of its own."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.load_verify_locations(BUNDLE)
    return context


def _rows(connection: Connection, statement: str, **values: object) -> list[Any]:
    return list(connection.run(statement, **values) or [])


def _code(error: DatabaseError) -> str:
    """The SQLSTATE of an error that the server has sent."""
    told = error.args[0] if error.args else None
    return str(told.get("C", "")) if isinstance(told, dict) else ""


def _cause(error: Exception) -> str | None:
    """What went wrong with the database, without its words: they may quote a statement."""
    if isinstance(error, DatabaseError):
        return f"PostgreSQL: SQLSTATE {_code(error)}"
    if isinstance(error, ssl.SSLCertVerificationError):
        return f"the database's certificate is not accepted: {error.verify_message}"
    if isinstance(error, InterfaceError) and str(error) == "Server refuses SSL":
        return "the database does not speak TLS; nothing was sent to it"
    if isinstance(error, InterfaceError):
        reason = error.__cause__
        return f"no connection to the database: {getattr(reason, 'strerror', None) or type(reason or error).__name__}"
    return None
