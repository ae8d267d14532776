"""The backup plan (W3.4): selection, copies, retention, roles, and alarms on what fails or never runs."""

from __future__ import annotations

import json
import re
from typing import Any

import pytest
from moto.iam.aws_managed_policies import aws_managed_policies_data

from tests.backups import synthesize_backups
from tests.synthesized import Synthesized, path_of, region_of
from tests.unit.backup.support import CLUSTER, VAULT_NAME, changed, only, statements_of

TAG = {"backup": VAULT_NAME}


@pytest.mark.requirement("W3.4")
def test_daily_and_monthly_backups_are_copied_to_the_recovery_region_and_kept_as_settings_say() -> None:
    backups = synthesize_backups(
        changed(
            daily_retention_days=8,
            monthly_retention_months=2,
            daily_copy_retention_days=9,
            monthly_copy_retention_months=3,
            start_utc="05:07",
            start_window_minutes=61,
            completion_window_minutes=121,
        )
    )
    rules = {rule["rule_name"]: rule for rule in only(backups, "aws_backup_plan")["rule"]}
    assert {name: rule["schedule"] for name, rule in rules.items()} == {
        "daily": "cron(7 5 ? * * *)",
        "monthly": "cron(7 5 1 * ? *)",
    }
    kept = {name: (rule["lifecycle"], rule["copy_action"][0]["lifecycle"]) for name, rule in rules.items()}
    assert kept == {
        "daily": ({"delete_after": 8}, {"delete_after": 9}),  # nothing moves to cold storage, which Aurora has not
        "monthly": ({"delete_after": 62}, {"delete_after": 93}),
    }
    for rule in rules.values():
        vault = backups.by_id(rule["target_vault_name"])
        copies = backups.by_id(rule["copy_action"][0]["destination_vault_arn"])
        assert (region_of(vault), region_of(copies)) == ("primary", "recovery")
        assert (rule["start_window"], rule["completion_window"]) == (61, 121)


@pytest.mark.requirement("W3.4")
def test_cluster_is_selected_by_its_arn_as_tags_alone_depend_on_the_accounts_opt_in(backups: Synthesized) -> None:
    selection = only(backups, "aws_backup_selection")
    (arn,) = selection["resources"]
    assert backups.by_id(arn) == only(backups, "aws_rds_cluster")
    assert not {"selection_tag", "not_resources", "condition"} & selection.keys()
    assert only(backups, "aws_rds_cluster")["tags"] == TAG
    assert path_of(backups.by_id(selection["iam_role_arn"])).endswith("primary/backups/role")


@pytest.mark.requirement("W3.4")
@pytest.mark.parametrize(
    ("path", "managed"),
    [
        ("primary/backups/policy", "AWSBackupServiceRolePolicyForBackup"),
        ("primary/restore-test/policy", "AWSBackupServiceRolePolicyForRestores"),
    ],
)
def test_permissions_for_aurora_are_within_the_managed_policies_of_aws(
    backups: Synthesized, path: str, managed: str
) -> None:
    own = {action for statement in statements_of(backups, path).values() for action in statement["actions"]}
    document = _managed()[managed]["Document"]
    awss = {action for statement in document["Statement"] for action in _listed(statement["Action"])}
    keys = {action for action in own if action.startswith("kms:")}
    assert own - keys <= awss
    assert {"kms:CreateGrant", "kms:DescribeKey"} <= keys
    without_instances = {action for action in awss if re.match(r"rds:(?!.*(DBInstance|DBSnapshot|Tenant))", action)}
    left_out = {
        "rds:DescribeDBClusterAutomatedBackups", "rds:DeleteDBClusterAutomatedBackup", "rds:ModifyDBCluster",  # PITR
        "rds:RestoreDBClusterToPointInTime",
        "rds:ModifyDBClusterSnapshotAttribute",  # it shares a snapshot with other accounts, and there are none
    }  # fmt: skip
    assert without_instances - left_out <= own


def _managed() -> dict[str, Any]:
    data = aws_managed_policies_data
    found: dict[str, Any] = json.loads(data) if isinstance(data, str) else data
    return found


def _listed(value: str | list[str]) -> list[str]:
    return [value] if isinstance(value, str) else value


@pytest.mark.requirement("W3.4")
def test_roles_delete_only_recovery_points_of_aws_backup(backups: Synthesized) -> None:
    for path in ("primary/backups/policy", "primary/restore-test/policy"):
        for statement in statements_of(backups, path).values():
            if any(action.startswith("rds:Delete") for action in statement["actions"]):
                resources = [one for one in statement["resources"] if not one.endswith(f":cluster:{CLUSTER}")]
                assert all("awsbackup" in one for one in resources)
            if "rds:DeleteDBCluster" in statement["actions"]:
                assert statement["resources"] == ["arn:aws:rds:us-east-2:123456789012:cluster:awsbackup-restore-test-*"]


@pytest.mark.requirement("W3.2")
@pytest.mark.requirement("W3.4")
@pytest.mark.parametrize("metric", ["ExecutionsSucceeded", "NumberOfBackupJobsCompleted", "NumberOfCopyJobsCompleted"])
def test_two_days_without_export_backup_or_copy_alarm(backups: Synthesized, metric: str) -> None:
    """What never runs fails never: it must be missed."""
    found = [
        (alarm, one["metric"], [query["expression"] for query in alarm["metric_query"] if "expression" in query])
        for alarm in backups.resources("aws_cloudwatch_metric_alarm").values()
        for one in alarm.get("metric_query", ())
        if one.get("metric", {}).get("metric_name") == metric
    ]
    ((alarm, watched, expressions),) = found
    assert alarm["treat_missing_data"] == "breaching"
    assert (watched["period"], watched["stat"]) == (86_400, "Sum")
    assert (alarm["datapoints_to_alarm"], alarm["evaluation_periods"]) == (2, 3)
    assert [one.partition("(")[0] for one in expressions] == ["FILL"], "a day without data counts, and no day before it"
    assert (alarm["comparison_operator"], alarm["threshold"]) == ("LessThanThreshold", 1)
    assert alarm["alarm_actions"]


@pytest.mark.requirement("W3.4")
@pytest.mark.parametrize(
    ("path", "kinds", "detail"),
    [
        (
            "backups/failures",
            ["Backup Job State Change", "Copy Job State Change"],
            {
                "state": ["ABORTED", "EXPIRED", "FAILED", "PARTIAL"],
                "iamRoleArn": ["arn:aws:iam::123456789012:role/payments-backups-local"],
            },
        ),
        (
            "restore-test/failures",
            ["Restore Job State Change"],
            {
                "status": ["ABORTED", "FAILED"],
                "iamRoleArn": ["arn:aws:iam::123456789012:role/payments-restore-test-local"],
            },
        ),
    ],
)
def test_a_job_of_this_environment_that_fails_goes_to_a_queue_that_alarms(
    backups: Synthesized, path: str, kinds: list[str], detail: dict[str, Any]
) -> None:
    rule = backups.resource("aws_cloudwatch_event_rule", f"{path}-rule")
    assert json.loads(rule["event_pattern"]) == {"source": ["aws.backup"], "detail-type": kinds, "detail": detail}
    roles = {f"arn:aws:iam::123456789012:role/{role['name']}" for role in backups.resources("aws_iam_role").values()}
    assert set(detail["iamRoleArn"]) <= roles
    target = backups.resource("aws_cloudwatch_event_target", f"{path}-target")
    queue = backups.by_id(target["arn"])
    assert path_of(queue).endswith(f"{path}/queue")
    policy = backups.resource("aws_sqs_queue_policy", f"{path}/policy")
    statement = backups.statements(policy["policy"])["WriteByTheRule"]
    conditions = {one["variable"]: one["values"] for one in statement["condition"]}
    assert conditions["aws:SourceArn"] == [f"arn:aws:events:us-east-2:123456789012:rule/{rule['name']}"]
    alarm = backups.resource("aws_cloudwatch_metric_alarm", f"{path}/alarm")
    assert path_of(backups.by_id(alarm["dimensions"]["QueueName"])).endswith(f"{path}/queue")
    assert alarm["alarm_actions"]


@pytest.mark.requirement("W3.4")
@pytest.mark.requirement("W5.2")
def test_an_alarm_on_failed_jobs_names_the_jobs_whose_events_its_rule_matches_and_no_others(
    backups: Synthesized,
) -> None:
    jobs = {"Backup": "backup", "Copy": "copy", "Restore": "restore test"}
    named = {}
    for rule in backups.resources("aws_cloudwatch_event_rule").values():
        pattern = json.loads(rule["event_pattern"])
        if pattern["source"] != ["aws.backup"]:
            continue
        path = path_of(rule).partition("/")[2].removesuffix("-rule")
        alarm = backups.resource("aws_cloudwatch_metric_alarm", f"{path}/alarm")
        meaning = alarm["alarm_description"].partition(":")[0].lower()
        matched = {jobs[kind.partition(" ")[0]] for kind in pattern["detail-type"]}
        named[path] = {job for job in jobs.values() if job in meaning} == matched
    assert named == {"primary/backups/failures": True, "primary/restore-test/failures": True}
