"""The database's schema (W3.1): when it is made, and what its function may read."""

from __future__ import annotations

import json

import pytest

from modules.database.secrets import USERNAMES
from payments.roles import Process
from payments.settings import DatabaseLogin, DatabaseSettings, MigrationSettings
from settings import Settings, load
from tests.synthesized import Block, Synthesized, path_of, synthesize
from tests.unit.payments.support import understood

pytestmark = pytest.mark.requirement("P3.2", "Q2")


@pytest.mark.requirement("Q1", "W7.1")
def test_migration_runs_after_its_prerequisites_and_before_everything_that_needs_the_schema(
    platform: Synthesized,
) -> None:
    call = platform.resource("aws_lambda_invocation", "primary/payments-schema/call")
    own = platform.resource("aws_lambda_function", "primary/payments-schema/function/function")
    assert json.loads(call["input"]) == {
        "code": own["source_code_hash"],
        "operators": True,
    }  # other code is called again
    assert call["lifecycle_scope"] == "CRUD"
    needed = [path_of(block_of(platform, address)).split("/primary/")[1] for address in call["depends_on"]]
    assert "database-secrets/master-version" in needed
    assert "payments-schema/function/policy" in needed
    assert len([path for path in needed if path.startswith("database/instances/")]) == 3
    assert any(path.startswith("payments-schema/function/group/egress") for path in needed)
    address = next(address for address, _, block in platform.blocks if block == call)
    for path in ("process-payment/function", "reconcile-payments/function"):
        waiting = platform.resource("aws_lambda_function", f"primary/payments-processing/{path}")
        assert address in waiting["depends_on"]
    for purpose in ("master", *USERNAMES):
        rotation = platform.resource("aws_secretsmanager_secret_rotation", f"primary/database-rotation/{purpose}")
        assert address in rotation["depends_on"]


def block_of(platform: Synthesized, address: str) -> Block:
    return platform.by_id("${" + address + ".id}")


@pytest.mark.requirement("Q1", "W3.3")
def test_the_preparation_understands_its_environment_and_reads_the_masters_secret_alone(
    platform: Synthesized, monkeypatch: pytest.MonkeyPatch
) -> None:
    own = platform.resource("aws_lambda_function", "primary/payments-schema/function/function")
    variables = own["environment"]["variables"]
    master = platform.resource("aws_secretsmanager_secret", "primary/database-secrets/master")
    arn = f"arn:aws:secretsmanager:us-east-2:123456789012:secret:{master['name']}"
    assert variables["DATABASE_SECRET_ARN"] == arn
    assert understood(DatabaseSettings, variables, monkeypatch).login is DatabaseLogin.SECRET
    migration = understood(MigrationSettings, {**variables, "AWS_REGION": "us-east-2"}, monkeypatch)
    rotation = platform.resource("aws_lambda_function", "primary/database-rotation/function/function")
    assert list(migration.database_logins.values()) == list(Process), "each process has one login"
    assert ",".join(migration.database_logins) == rotation["environment"]["variables"]["APPLICATION_USERS"]
    policy = platform.resource("aws_iam_role_policy", "primary/payments-schema/function/policy")
    read_ = platform.statements(policy["policy"])["ReadTheMastersLogin"]
    assert read_["resources"] == [f"{arn}-??????"]


@pytest.mark.requirement("Q1")
def test_migration_on_deploy_can_be_disabled() -> None:
    values = load("local").model_dump()
    values["processing"]["migrate_on_deploy"] = False
    without = synthesize(Settings.model_validate(values))
    assert not [one for one in without.resources("aws_lambda_invocation").values() if "schema" in path_of(one)]
