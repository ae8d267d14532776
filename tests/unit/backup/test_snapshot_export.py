"""Snapshot exports (W3.2): what starts them, their roles, and alarms on those that end badly."""

from __future__ import annotations

import json

import pytest

from settings.naming import Names
from tests.synthesized import Synthesized, path_of
from tests.unit.backup.support import CLUSTER, statements_of


@pytest.mark.requirement("W3.2")
def test_new_automated_snapshots_of_the_cluster_start_the_export(backups: Synthesized) -> None:
    rule = backups.resource("aws_cloudwatch_event_rule", "snapshot-export/rule")
    assert json.loads(rule["event_pattern"]) == {
        "source": ["aws.rds"],
        "detail-type": ["RDS DB Cluster Snapshot Event"],
        "detail": {"EventID": ["RDS-EVENT-0169"], "SourceIdentifier": [{"prefix": f"rds:{CLUSTER}-"}]},
    }
    target = backups.resource("aws_cloudwatch_event_target", "snapshot-export/target")
    assert path_of(backups.by_id(target["arn"])).endswith("snapshot-export/state-machine")
    assert path_of(backups.by_id(target["dead_letter_config"]["arn"])).endswith("undelivered/queue")
    statements = statements_of(backups, "snapshot-export/rule-policy")
    assert [(one["actions"], one["resources"]) for one in statements.values()] == [
        (["states:StartExecution"], [target["arn"]])
    ]


@pytest.mark.requirement("W3.2")
def test_rds_writes_exports_into_the_clusters_folder_only(backups: Synthesized) -> None:
    statements = statements_of(backups, "snapshot-export/export-policy")
    (resource,) = statements["WriteExports"]["resources"]
    assert resource.endswith(f".arn}}/exports/{CLUSTER}/*")
    assert path_of(backups.by_id(resource.partition("/exports")[0])).endswith("primary/buckets/backups/bucket")
    (trusted,) = backups.statements(
        backups.resource("aws_iam_role", "snapshot-export/export-role")["assume_role_policy"]
    ).values()
    assert trusted["principals"] == [{"type": "Service", "identifiers": ["export.rds.amazonaws.com"]}]


@pytest.mark.requirement("W3.2")
def test_the_workflow_passes_the_export_role_to_rds_and_no_other(backups: Synthesized) -> None:
    statements = statements_of(backups, "snapshot-export/machine-policy")
    passing = [one for one in statements.values() if "iam:PassRole" in one["actions"]]
    (statement,) = passing
    assert [path_of(backups.by_id(one)).rpartition("/")[2] for one in statement["resources"]] == ["export-role"]
    (condition,) = statement["condition"]
    assert condition["variable"] == "iam:PassedToService"
    assert all(value.endswith("rds.amazonaws.com") for value in condition["values"])


@pytest.mark.requirement("W3.2")
@pytest.mark.parametrize("metric", ["ExecutionsFailed", "ExecutionsTimedOut", "ExecutionsAborted"])
def test_an_export_that_ends_badly_alarms(backups: Synthesized, metric: str) -> None:
    (alarm,) = [
        one for one in backups.resources("aws_cloudwatch_metric_alarm").values() if one.get("metric_name") == metric
    ]
    assert path_of(backups.by_id(alarm["dimensions"]["StateMachineArn"])).endswith("state-machine")
    assert (alarm["comparison_operator"], alarm["threshold"]) == ("GreaterThanThreshold", 0)
    assert [path_of(backups.by_id(one)) for one in alarm["alarm_actions"]] == ["payment-platform/primary/alarms/topic"]


@pytest.mark.requirement("W3.2")
@pytest.mark.requirement("W0.4")
def test_longest_allowed_names_fit_resources_named_after_the_cluster() -> None:
    """An export's name is the cluster's with a date: RDS takes 60 characters, AWS Backup 50 for its own."""
    tightest = Names("abcdefghijkl", "mnopqrstuvwx", "123456789012")
    assert not list(tightest.too_long(["us-east-2"]))
    assert list(Names("abcdefghijkl", "mnopqrstuvwxyz", "123456789012").too_long(["us-east-2"]))
    assert len(tightest.of("database") + "-2026-11-22-03-07") + 1 <= 60
    assert len(tightest.of("restore-test")) + 1 <= 50
    assert len(tightest.of("snapshot-export-machine")) + 1 <= 64
