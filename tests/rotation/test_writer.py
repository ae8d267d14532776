"""Rotation with several hosts (W3.3, W3.5): passwords are changed at the one that has the writer."""

from __future__ import annotations

import socket
from collections.abc import Callable, Iterator

import psycopg
import pytest
from psycopg import sql

from shared.postgresql_rotation import connection
from shared.secret_rotation.steps import RotationFailed
from tests.postgresql import Postgresql, running
from tests.rotation.conftest import MASTER_PASSWORD, USER_PASSWORD
from tests.rotation.support import Database, Vault

pytestmark = [pytest.mark.requirement("W3.3"), pytest.mark.requirement("W3.5")]

# Both are in the certificates of all servers of tests; here each leads to another one.
WRITER, READER = "localhost", "127.0.0.1"


@pytest.fixture(scope="module")
def other_server() -> Iterator[Postgresql]:
    """The cluster of the other region: it takes logins, and no writes."""
    with running() as server:
        yield server


@pytest.fixture
def reader(other_server: Postgresql, own_database: Database) -> Iterator[Database]:
    """The database's copy at the other server: the same users with their first passwords."""
    copy = Database(other_server, own_database.name, own_database.master, own_database.user)
    with other_server.connect() as superuser:
        superuser.execute("SET default_transaction_read_only TO off")
        for user, password in ((copy.master, MASTER_PASSWORD), (copy.user, USER_PASSWORD)):
            superuser.execute(sql.SQL("CREATE ROLE {} LOGIN PASSWORD {}").format(sql.Identifier(user), password))
        superuser.execute(sql.SQL("CREATE DATABASE {}").format(sql.Identifier(copy.name)))
    other_server.configure(default_transaction_read_only="on")
    yield copy
    other_server.configure(default_transaction_read_only="off")


@pytest.fixture
def lead(monkeypatch: pytest.MonkeyPatch, own_database: Database, other_server: Postgresql) -> Callable[..., None]:
    """Has the two names lead to ports, and DATABASE_HOST list them in an order."""
    connect = socket.create_connection
    both = own_database.server.ca.with_name("both.pem")
    both.write_bytes(own_database.server.ca.read_bytes() + other_server.ca.read_bytes())
    monkeypatch.setattr(connection, "BUNDLE", both)
    connection.verification.cache_clear()
    monkeypatch.setattr(connection, "_last_writer", [])

    def lead(*hosts: str, **ports: int) -> None:
        at = {WRITER: own_database.server.port, READER: other_server.port} | {
            {"writer": WRITER, "reader": READER}[name]: port for name, port in ports.items()
        }
        monkeypatch.setenv("DATABASE_HOST", ",".join(hosts))
        monkeypatch.setattr(
            socket, "create_connection", lambda address, *more: connect(("127.0.0.1", at[address[0]]), *more)
        )

    return lead


@pytest.fixture
def closed_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as free:
        return int(free.getsockname()[1])


@pytest.mark.parametrize("hosts", [(WRITER, READER), (READER, WRITER)])
@pytest.mark.parametrize("which", ["master", "application"])
def test_password_is_changed_at_the_writer_whichever_host_is_listed_first(
    vault: Vault,
    own_database: Database,
    reader: Database,
    lead: Callable[..., None],
    request: pytest.FixtureRequest,
    hosts: tuple[str, str],
    which: str,
) -> None:
    arn: str = request.getfixturevalue(which)
    before = vault.value(arn)
    lead(*hosts)
    for _ in range(2):
        vault.rotate(arn)
    assert own_database.opens(vault.value(arn))
    assert vault.value(arn)["password"] != before["password"]
    with pytest.raises(psycopg.OperationalError):
        reader.enter(vault.value(arn) | {"username": before["username"]})


@pytest.mark.usefixtures("reader")
@pytest.mark.parametrize("hosts", [(WRITER, READER), (READER, WRITER)])
def test_region_that_is_lost_hinders_no_rotation(
    vault: Vault,
    own_database: Database,
    application: str,
    lead: Callable[..., None],
    closed_port: int,
    hosts: tuple[str, str],
) -> None:
    lead(*hosts, reader=closed_port)
    vault.rotate(application)
    assert own_database.opens(vault.value(application))


@pytest.mark.usefixtures("reader")
def test_without_a_writer_nothing_is_changed(
    vault: Vault, own_database: Database, master: str, lead: Callable[..., None], closed_port: int
) -> None:
    lead(READER, WRITER, writer=closed_port)
    with pytest.raises(RotationFailed, match="no connection to the database: Connection refused"):
        vault.rotate(master)
    assert own_database.opens(own_database.secret(own_database.master, MASTER_PASSWORD))


def test_missing_writer_is_reported(
    vault: Vault, own_database: Database, reader: Database, master: str, lead: Callable[..., None]
) -> None:
    lead(READER, WRITER, writer=reader.server.port)
    with pytest.raises(RotationFailed, match="none of the database's hosts has the writer"):
        vault.rotate(master)
    assert own_database.opens(own_database.secret(own_database.master, MASTER_PASSWORD))


@pytest.mark.usefixtures("reader")
def test_host_of_the_secret_does_not_matter_where_hosts_are_listed(
    vault: Vault, own_database: Database, lead: Callable[..., None]
) -> None:
    """As after a restore in the other region: the secret still names the cluster that is lost."""
    secret = own_database.secret(own_database.master, MASTER_PASSWORD) | {"host": "lost.example.com"}
    arn = vault.make(secret)
    lead(WRITER)
    vault.rotate(arn)
    assert own_database.opens(vault.value(arn))


def test_promoted_replica_finds_the_master_in_its_own_region(vault: Vault, own_database: Database, master: str) -> None:
    """A replica's value names the master by the ARN of the region that is lost."""
    elsewhere = master.replace("us-east-2", "us-west-2")
    arn = vault.make(own_database.secret(own_database.user, USER_PASSWORD, masterarn=elsewhere))
    vault.rotate(arn)
    assert own_database.opens(vault.value(arn))
