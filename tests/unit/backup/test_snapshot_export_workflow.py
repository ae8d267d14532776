"""The workflow of snapshot exports (W3.2): its states, retries, end and logs."""

from __future__ import annotations

import json
from typing import Any

import pytest

from tests.backups import synthesize_backups
from tests.synthesized import Synthesized, path_of, region_of
from tests.unit.backup.support import CLUSTER, changed, only


def workflow(platform: Synthesized) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(only(platform, "aws_sfn_state_machine")["definition"])
    return found


@pytest.mark.requirement("W3.2")
def test_workflow_names_the_role_bucket_and_key_of_the_stack(backups: Synthesized) -> None:
    """Its definition holds names, not references: each must be that of the thing that is meant."""
    definition = workflow(backups)
    start = definition["States"]["StartTheExport"]["Parameters"]
    role = backups.resource("aws_iam_role", "snapshot-export/export-role")
    assert start["IamRoleArn"] == f"arn:aws:iam::123456789012:role/{role['name']}"
    assert start["S3BucketName"] == backups.resource("aws_s3_bucket", "primary/buckets/backups/bucket")["bucket"]
    assert start["S3Prefix"] == f"exports/{CLUSTER}"
    alias = definition["States"]["FindTheKey"]["Parameters"]["KeyId"]
    (aliased,) = [
        one
        for one in backups.resources("aws_kms_alias").values()
        if one["name"] == alias and region_of(one) == "primary"
    ]
    assert path_of(backups.by_id(aliased["target_key_id"])).endswith("primary/keys/objects")
    topic = only(backups, "aws_sns_topic")["name"]
    assert definition["States"]["Tell"]["Parameters"]["TopicArn"] == f"arn:aws:sns:us-east-2:123456789012:{topic}"
    assert definition["States"]["IsItOurs"]["Choices"][0]["StringEquals"] == CLUSTER


@pytest.mark.requirement("W3.2")
def test_every_call_of_the_workflow_is_retried_and_its_failure_notified(backups: Synthesized) -> None:
    tasks = {name: state for name, state in workflow(backups)["States"].items() if state["Type"] == "Task"}
    assert len(tasks) == 6
    for name, task in tasks.items():
        assert task["Resource"].startswith("arn:aws:states:::aws-sdk:"), "no code where a call will do"
        assert all(retry["MaxAttempts"] > 1 and retry["BackoffRate"] > 1 for retry in task["Retry"])
        assert task["Catch"][-1]["ErrorEquals"] == ["States.ALL"]
        assert task["Catch"][-1]["Next"] == ("Failed" if name == "Tell" else "Tell")


@pytest.mark.requirement("W3.2")
def test_the_workflow_ends_after_the_hours_of_settings() -> None:
    assert workflow(synthesize_backups(changed(export_timeout_hours=3)))["TimeoutSeconds"] == 3 * 3600


@pytest.mark.requirement("W3.2")
@pytest.mark.requirement("W5.3")
def test_the_workflow_logs_for_30_days_under_our_key_and_is_traced(backups: Synthesized) -> None:
    machine, group = only(backups, "aws_sfn_state_machine"), only(backups, "aws_cloudwatch_log_group")
    assert machine["type"] == "STANDARD"
    assert machine["tracing_configuration"] == {"enabled": True}
    logging = machine["logging_configuration"]
    assert (logging["level"], logging["include_execution_data"]) == ("ALL", True)
    assert logging["log_destination"].endswith(".arn}:*")
    assert group["name"] == "/aws/vendedlogs/states/payments/local/snapshot-export"
    assert group["retention_in_days"] == 30
    assert path_of(backups.by_id(group["kms_key_id"])).endswith("primary/keys/logs")
