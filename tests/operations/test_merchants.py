"""`make merchant` and `make merchants` against the local AWS, whose functions run, and a real PostgreSQL behind one."""

from __future__ import annotations

import io
import json
import secrets
import zipfile
from collections.abc import Iterator
from contextlib import contextmanager

import psycopg
import pytest

from emulator import process
from operations.failover.epochs import Epochs
from operations.merchants.command import Administration
from operations.outcome import Failed, Refused
from payments.api_keys import ApiKey, KeyMode
from payments.migrate import migrate
from payments.roles import RIGHTS, Process
from payments.scopes import Scope
from settings import load
from settings.naming import ADMINISTER_MERCHANTS
from tests.emulator.roles import make_role
from tests.emulator.support import client_for
from tests.operations.support import REPOSITORY, Commands
from tests.payments.logins import PASSWORD, create_logins, logins, user_of
from tests.postgresql import Postgresql
from tests.warm_aws import LocalAws

pytestmark = [pytest.mark.requirement("Q3"), pytest.mark.usefixtures("function")]

NAMES, REGION = load("local").names, load("local").primary.name
FIRST = "made"


def code() -> bytes:
    """The function's own code, without its packages: those of this machine stand for them."""
    archive = io.BytesIO()
    service = REPOSITORY / "services" / "payments"
    with zipfile.ZipFile(archive, "w") as zipped:
        zipped.write(REPOSITORY / "lambda" / "administer_merchants" / "handler.py", "handler.py")
        for root, base in ((service / "payments", service), (REPOSITORY / "shared", REPOSITORY)):
            for path in sorted(root.rglob("*.py")):
                zipped.write(path, str(path.relative_to(base)))
    return archive.getvalue()


@contextmanager
def database_of(server: Postgresql) -> Iterator[str]:
    """A database with the schema and the logins of the processes."""
    name = f"merchants_{secrets.token_hex(4)}"
    server.execute(f"DROP ROLE IF EXISTS {', '.join(RIGHTS)}")  # another master's, whom other tests have
    server.execute(f"CREATE DATABASE {name}")
    with server.connect() as connection:
        create_logins(connection, FIRST)
    migrate(lambda: server.connect(database=name), logins=logins(FIRST))
    yield name
    server.execute(f"DROP DATABASE {name} WITH (FORCE)")
    server.execute(f"DROP ROLE IF EXISTS {', '.join((*logins(FIRST), *RIGHTS))}")


@pytest.fixture(scope="module")
def function(
    empty_aws: LocalAws, postgresql: Postgresql, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[process.Server]:
    """The function of the local environment with the administration's login."""
    with database_of(postgresql) as database, empty_aws(tmp_path_factory.mktemp("aws")) as aws:
        make = client_for(aws)
        login = json.dumps({"username": user_of(Process.ADMINISTRATION, FIRST), "password": PASSWORD})
        peppers = json.dumps({"current": "first", "peppers": {"first": "p" * 64}})
        found = make("secretsmanager")
        make("lambda").create_function(
            FunctionName=NAMES.of(ADMINISTER_MERCHANTS),
            Role=make_role(make, "lambda.amazonaws.com", "administer-merchants"),
            Runtime="python3.13",
            Handler="handler.handler",
            Code={"ZipFile": code()},
            Timeout=60,
            Environment={
                "Variables": {
                    "DATABASE_HOST": postgresql.host,
                    "DATABASE_PORT": str(postgresql.port),
                    "DATABASE_NAME": database,
                    "DATABASE_LOGIN": "secret",
                    "DATABASE_SECRET_ARN": found.create_secret(Name="login", SecretString=login)["ARN"],
                    "DATABASE_CA_FILE": str(postgresql.ca),
                    "API_KEY_PEPPERS_SECRET_ARN": found.create_secret(Name="peppers", SecretString=peppers)["ARN"],
                }
            },
        )
        yield aws


@pytest.fixture(scope="module")
def administration(function: process.Server) -> Administration:
    return Administration(client=client_for(function)("lambda"), names=NAMES, region=REGION)


def test_command_makes_a_merchant_and_prints_its_key_alone(
    function: process.Server, administration: Administration
) -> None:
    made = Commands(function)("merchant", "a-shop", "--scopes", "payments:read", "--days", "30")
    assert made.returncode == 0, made.stderr
    (line,) = made.stdout.splitlines()
    said = json.loads(line)
    key = ApiKey.parse(said["key"])
    assert key
    assert (key.mode, key.id, said["scopes"]) == (KeyMode.TEST, said["id"], [Scope.PAYMENTS_READ])
    (listed,) = administration.perform(["keys", "list", "a-shop"])
    assert "key" not in listed
    assert listed["id"] == key.id
    logs = client_for(function)("logs").filter_log_events(logGroupName=f"/aws/lambda/{NAMES.of(ADMINISTER_MERCHANTS)}")
    written = json.dumps(logs["events"])
    assert key.id in written, "who made which key is logged"
    assert key.text not in written


def test_key_is_rotated_and_revoked(administration: Administration) -> None:
    first = administration.make_key("b-shop")
    second = administration.make_key("b-shop")
    assert first["merchant_id"] == second["merchant_id"]
    after, before = administration.perform(["keys", "rotate", first["id"], "--overlap-hours", "1"])
    assert after["key"] != first["key"]
    assert before["id"] == first["id"]
    assert before["expires_at"]
    (revoked,) = administration.perform(["keys", "revoke", second["id"]])
    assert revoked["revoked_at"]


@pytest.mark.requirement("Q6")
def test_differences_from_settlement_files_are_listed_and_resolved(
    function: process.Server, administration: Administration, postgresql: Postgresql
) -> None:
    ((database,),) = postgresql.execute("SELECT datname FROM pg_database WHERE datname ~ '^merchants_'")
    with postgresql.connect(database=database) as connection:
        connection.execute("INSERT INTO payments.settlement_files (name, version) VALUES ('file', '1')")
        connection.execute(
            "INSERT INTO payments.settlement_differences (subject, kind, file_id) SELECT 'file', 'incomplete', max(id)"
            " FROM payments.settlement_files"
        )
    listed = Commands(function)("settlement")
    assert listed.returncode == 0, listed.stderr
    found = json.loads(listed.stdout)
    assert (found["kind"], found["file"]) == ("incomplete", "file")
    administration.perform(["settlement", "resolve", found["id"], "another file came"])
    (closed,) = administration.perform(["settlement", "differences", "--all"])
    assert (closed["explanation"], closed["closed_by"]) == (
        "another file came",
        user_of(Process.ADMINISTRATION, FIRST),
    )
    with pytest.raises(Refused, match="no open difference"):
        administration.perform(["settlement", "resolve", found["id"], "again"])


@pytest.mark.requirement("Q4")
def test_epoch_of_a_failover_begins_once_and_is_found_by_the_next_run(
    function: process.Server, administration: Administration
) -> None:
    epochs = Epochs(administration=administration, cause="failover to us-west-2")
    assert not epochs.has_begun()
    for _ in range(2):
        epochs.begin()
        assert epochs.has_begun()
    listed = Commands(function)("epochs")
    assert listed.returncode == 0, listed.stderr
    assert [json.loads(line)["cause"] for line in listed.stdout.splitlines()] == [epochs.cause]
    with pytest.raises(Refused, match="argument cause: has 1 to 128 characters"):
        administration.perform(["epochs", "begin", " "])


def test_what_does_not_exist_or_is_misspelt_is_refused_in_a_sentence(administration: Administration) -> None:
    for arguments, sentence in {
        ("keys", "list", "nobody"): "there is no merchant of this name",
        ("make", "No Name"): "the name of a merchant has small letters",
        ("keys", "create", "b-shop", "--scopes", "everything"): "argument --scopes: are among",
        ("anything",): "invalid choice: 'anything'",
    }.items():
        with pytest.raises(Refused, match=sentence):
            administration.perform(arguments)


def test_environment_that_is_not_deployed_is_refused(administration: Administration) -> None:
    other = Administration(client=administration.client, names=load("staging").names, region=REGION)
    with pytest.raises(Refused, match="deploy the environment"):
        other.perform(["list"])


def test_failure_is_the_type_of_its_error(administration: Administration, postgresql: Postgresql) -> None:
    user = user_of(Process.ADMINISTRATION, FIRST)
    postgresql.execute(f"ALTER ROLE {user} PASSWORD 'another'")
    try:
        with pytest.raises(Failed, match="OperationalError; its log is /payments/local/administer-merchants"):
            administration.perform(["list"])
    finally:
        postgresql.execute(f"ALTER ROLE {user} PASSWORD '{PASSWORD}'")
    with pytest.raises(psycopg.errors.InsufficientPrivilege), postgresql.connect(user=user, password=PASSWORD) as own:
        own.execute("CREATE ROLE anybody")
