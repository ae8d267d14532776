"""`make migrate` against the local AWS, whose functions run, and a real PostgreSQL behind the function."""

from __future__ import annotations

import io
import json
import secrets
import zipfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from emulator import process
from operations.deployment.migrate import CONFIG
from payments.migrate import MIGRATIONS
from payments.roles import RIGHTS, Process
from settings import load
from tests.emulator.roles import make_role
from tests.emulator.support import client_for
from tests.operations.support import REPOSITORY, Commands, environment_file
from tests.postgresql import Postgresql
from tests.warm_aws import LocalAws

pytestmark = pytest.mark.requirement("Q1", "W7.1")

HEAD = max(path.name.partition("_")[0] for path in (MIGRATIONS / "versions").glob("[0-9]*.py"))
MASTER, ROLE = "migrating_master", "migrated_application"


def code() -> bytes:
    """The function's own code, without its packages: those of this machine stand for them."""
    archive = io.BytesIO()
    service, shared = REPOSITORY / "services" / "payments", REPOSITORY / "shared"
    with zipfile.ZipFile(archive, "w") as zipped:
        zipped.write(REPOSITORY / "lambda" / "prepare_database" / "handler.py", "handler.py")
        for path in sorted((service / "payments").rglob("*.py")):
            zipped.write(path, str(path.relative_to(service)))
        for path in sorted(shared.glob("*.py")):
            zipped.write(path, str(path.relative_to(REPOSITORY)))
    return archive.getvalue()


class Function:
    """`prepare-database` of the local environment, deployed to the local AWS, with a database that it can reach."""

    def __init__(self, aws: process.Server, server: Postgresql, database: str) -> None:
        make = client_for(aws)
        password = secrets.token_hex(8)
        server.execute(f"CREATE ROLE {MASTER} LOGIN CREATEROLE PASSWORD '{password}'")
        server.execute(f"ALTER DATABASE {database} OWNER TO {MASTER}")
        value = json.dumps({"username": MASTER, "password": password})
        self.secret = make("secretsmanager").create_secret(Name=f"master-{database}", SecretString=value)["ARN"]
        self.name = load("local").names.of("prepare-database")
        self.client: Any = make("lambda")
        role = make_role(make, "lambda.amazonaws.com", self.name)
        self.client.create_function(
            FunctionName=self.name,
            Role=role,
            Runtime="python3.13",
            Handler="handler.handler",
            Code={"ZipFile": code()},
            Timeout=60,
            Environment={
                "Variables": {
                    "DATABASE_HOST": server.host,
                    "DATABASE_PORT": str(server.port),
                    "DATABASE_NAME": database,
                    "DATABASE_LOGIN": "secret",
                    "DATABASE_SECRET_ARN": self.secret,
                    "DATABASE_CA_FILE": str(server.ca),
                    "DATABASE_LOGINS": json.dumps({ROLE: Process.API}),
                }
            },
        )


def test_the_command_waits_longer_than_the_function_may_take() -> None:
    from modules.database.schema import TIMEOUT_SECONDS

    assert CONFIG.read_timeout > TIMEOUT_SECONDS  # type: ignore[attr-defined]


@pytest.fixture
def function(empty_aws: LocalAws, postgresql: Postgresql, tmp_path: Path) -> Iterator[tuple[Function, Commands]]:
    database = f"migrated_{secrets.token_hex(4)}"
    postgresql.execute(f"DROP ROLE IF EXISTS {', '.join(RIGHTS)}")  # another master's, whom other tests have
    postgresql.execute(f"CREATE DATABASE {database}")
    with empty_aws(tmp_path / "aws") as aws:
        yield Function(aws, postgresql, database), Commands(aws)
    postgresql.execute(f"DROP DATABASE {database} WITH (FORCE)")
    postgresql.execute(f"DROP ROLE IF EXISTS {', '.join((ROLE, *RIGHTS, MASTER))}")


def test_the_schema_is_brought_up_to_date_and_again_without_harm(
    function: tuple[Function, Commands], postgresql: Postgresql
) -> None:
    _, run = function
    for _ in range(2):
        result = run("migrate", "local")
        assert result.returncode == 0, result.stderr
        assert f"the schema is at step {HEAD}" in result.stdout
    assert postgresql.execute(f"SELECT rolcanlogin FROM pg_roles WHERE rolname = '{ROLE}'") == [(True,)]


def test_migration_failure_is_one_line_with_its_error_type_and_exit_code_1(
    function: tuple[Function, Commands], postgresql: Postgresql
) -> None:
    _, run = function
    postgresql.execute(f"ALTER ROLE {MASTER} PASSWORD 'another'")
    result = run("migrate", "local")
    assert result.returncode == 1
    assert result.stderr.strip() == (
        "payments-prepare-database-local: OperationalError; its log is /payments/local/prepare-database"
    )


def test_an_environment_that_is_not_deployed_is_a_line_and_exit_code_2(run: Commands) -> None:
    result = run("migrate", "local")
    assert result.returncode == 2
    assert result.stderr.strip() == (
        "there is no function payments-prepare-database-local in us-east-2; deploy the environment"
    )


def test_an_environment_of_another_account_is_refused(run: Commands, tmp_path: Path) -> None:
    result = run("migrate", str(environment_file(tmp_path, "other", account_id='"999999999999"')))
    assert result.returncode == 2
    assert "999999999999" in result.stderr
