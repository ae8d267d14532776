"""The backups of a cluster, by the real Terraform, in a local AWS: made, left as they are, used, and destroyed."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator
from typing import Any

import pytest

from emulator import process
from emulator.inventory import leftovers
from emulator.record import Call, read_calls, read_violations
from policy.evaluation import Decision, Request, evaluate
from policy.iam import policies
from settings import load
from tests.backups import synthesize_backups
from tests.emulator.support import Client, Terraform, client_for
from tests.synthesized import Synthesized

pytestmark = [pytest.mark.requirement("W3.2"), pytest.mark.requirement("W3.4")]

CLUSTER = "payments-database-local"
ROLE = "arn:aws:sts::123456789012:assumed-role/payments-snapshot-export-machine-local/states"
SECONDS_TO_WAIT = 60.0


@pytest.fixture(scope="module")
def synthesized() -> Synthesized:
    return synthesize_backups(load("local"))


@pytest.fixture(scope="module")
def applied(
    synthesized: Synthesized, terraform_variables: dict[str, str], tmp_path_factory: pytest.TempPathFactory
) -> Iterator[tuple[Terraform, process.Server]]:
    """Applied once; all tests here look at it, and the last destroys it."""
    with process.running(tmp_path_factory.mktemp("aws"), seconds_per_minute=0.05) as server:
        environment = {**process.complete_environment(server.url), **terraform_variables}
        directory = tmp_path_factory.mktemp("terraform") / "backups"
        terraform = Terraform.initialized(synthesized.directory, directory, environment)
        terraform.apply()
        yield terraform, server


def test_a_second_plan_is_empty(applied: tuple[Terraform, process.Server]) -> None:
    terraform, server = applied
    terraform.assert_nothing_to_do()
    assert read_violations(server.directory) == []


def test_a_snapshot_is_exported_by_the_platforms_own_rule_machine_and_roles(
    applied: tuple[Terraform, process.Server], synthesized: Synthesized
) -> None:
    _, server = applied
    name = process.take_snapshot(server, "us-east-2", CLUSTER).removeprefix("rds:")
    client = client_for(server)
    assert _ended(client("stepfunctions")) == "SUCCEEDED"
    bucket = "payments-backups-local-123456789012-us-east-2"
    record = client("s3").get_object(Bucket=bucket, Key=f"exports/{CLUSTER}/{name}.json")
    kept = json.loads(record["Body"].read())
    key = client("kms").describe_key(KeyId="alias/payments-objects-local")["KeyMetadata"]["Arn"]
    assert kept["Export"]["KmsKeyId"] == key
    assert kept["Export"]["IamRoleArn"] == "arn:aws:iam::123456789012:role/payments-snapshot-export-local"
    exported = client("s3").head_object(Bucket=bucket, Key=f"exports/{CLUSTER}/{name}/export_info_{name}.json")
    assert exported["SSEKMSKeyId"] == key

    (policy,) = [
        policy
        for policy in policies(synthesized.configuration, account_id="123456789012")
        if "snapshot-export_machine-policy" in policy.owner
    ]
    calls = [call for call in read_calls(server.directory) if call.assumed_role == ROLE]
    assert {call.operation for call in calls} >= {"StartExportTask", "DescribeExportTasks", "PutObject", "DescribeKey"}
    assert [call.action for call in calls if not _allowed(policy.document, call)] == []


def _ended(states: Client) -> str:
    deadline = time.monotonic() + SECONDS_TO_WAIT
    machine = "arn:aws:states:us-east-2:123456789012:stateMachine:payments-snapshot-export-local"
    while True:
        (execution,) = states.list_executions(stateMachineArn=machine)["executions"]
        if execution["status"] != "RUNNING":
            return str(execution["status"])
        assert time.monotonic() < deadline
        time.sleep(0.05)


def _allowed(document: dict[str, Any], call: Call) -> bool:
    """Whether a statement allows the action on some resource: the conditions are those of other calls."""
    return any(
        evaluate(
            {"Statement": [statement | {"Resource": ["*"]}]}, Request(action=call.action, resource="x", principal="y")
        )
        is Decision.ALLOW
        for statement in document["Statement"]
        if statement["Effect"] == "Allow"
    )


def test_nothing_is_left(applied: tuple[Terraform, process.Server]) -> None:
    terraform, server = applied
    assert {"backup vault", "backup plan", "workflow", "event rule", "restore test"} <= {
        leftover.kind for leftover in leftovers(server.url)
    }
    terraform.destroy()
    left = leftovers(server.url)
    assert left == []
    calls = read_calls(server.directory)
    assert [(call.operation, call.error) for call in calls if call.status >= 500] == []
    assert read_violations(server.directory) == []
