"""A night's snapshot of the deployed platform's database is exported (W3.2)."""

from __future__ import annotations

from typing import Any

import pytest

from emulator.record import Call, read_calls
from iam.evaluation import Decision, Request, evaluate
from iam.synthesized import policies
from tests.lifecycle import parts
from tests.lifecycle.exporting import Exported
from tests.synthesized import Synthesized

pytestmark = pytest.mark.lifecycle

EXPORT_MACHINE = "arn:aws:sts::123456789012:assumed-role/payments-snapshot-export-machine-local/states"


@pytest.mark.requirement("W3.2")
def test_nightly_snapshot_is_exported_by_the_platforms_rule_state_machine_and_roles(
    exported: Exported, platform: Synthesized
) -> None:
    assert exported.status == "SUCCEEDED"
    assert exported.record["Export"]["KmsKeyId"] == exported.key_of_export
    assert exported.record["Export"]["IamRoleArn"] == "arn:aws:iam::123456789012:role/payments-snapshot-export-local"
    (policy,) = [
        policy
        for policy in policies(platform.configuration, account_id="123456789012")
        if "snapshot-export_machine-policy" in policy.owner
    ]
    calls = [call for call in read_calls(parts.place() / "export") if call.assumed_role == EXPORT_MACHINE]
    assert {call.operation for call in calls} >= {"StartExportTask", "DescribeExportTasks", "PutObject", "DescribeKey"}
    assert [call.action for call in calls if not allowed(policy.document, call)] == []


def allowed(document: dict[str, Any], call: Call) -> bool:
    """Whether a statement allows the action on some resource: the conditions are those of other calls."""
    request = Request(action=call.action, resource="x", principal="y")
    return any(
        evaluate({"Statement": [statement | {"Resource": ["*"]}]}, request) is Decision.ALLOW
        for statement in document["Statement"]
        if statement["Effect"] == "Allow"
    )
