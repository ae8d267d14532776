"""Backups of the database: vaults, the plan and its copies, exports of snapshots, and what says that they fail."""

from __future__ import annotations

import json
import re
from typing import Any

import pytest
from moto.iam.aws_managed_policies import aws_managed_policies_data

from policy.iam import policies
from settings import Settings, load
from settings.backups import VaultLock
from settings.naming import Names
from tests.backups import synthesize_backups
from tests.synthesized import Block, Synthesized, path_of, region_of

VAULT_NAME = "payments-backups-local"
CLUSTER = "payments-database-local"
TAG = {"backup": VAULT_NAME}


def changed(*, protected: bool = False, **backups: Any) -> Settings:
    settings = load("local")
    other = settings.backups.model_copy(update=backups)
    return settings.model_copy(update={"backups": other, "protected": protected})


@pytest.fixture(scope="module")
def backups() -> Synthesized:
    return synthesize_backups(load("local"))


@pytest.fixture(scope="module")
def protected() -> Synthesized:
    return synthesize_backups(changed(protected=True))


def only(platform: Synthesized, type_: str) -> Block:
    (block,) = platform.resources(type_).values()
    return block


def statements_of(platform: Synthesized, path: str) -> dict[str, Block]:
    return platform.statements(platform.resource("aws_iam_role_policy", path)["policy"])


# --- Vaults ----------------------------------------------------------------------------------------------------------


@pytest.mark.requirement("W3.4")
@pytest.mark.requirement("W4.4")
def test_each_region_has_a_vault_under_its_own_key(backups: Synthesized) -> None:
    vaults = list(backups.resources("aws_backup_vault").values())
    assert {region_of(vault) for vault in vaults} == {"primary", "recovery"}
    for vault in vaults:
        assert path_of(backups.by_id(vault["kms_key_arn"])).endswith(f"{region_of(vault)}/keys/backups")
        assert vault["name"] == VAULT_NAME


@pytest.mark.requirement("W3.4")
def test_vaults_of_an_unprotected_environment_can_be_destroyed_with_what_is_in_them(backups: Synthesized) -> None:
    for vault in backups.resources("aws_backup_vault").values():
        assert vault["force_destroy"] is True
        assert vault["lifecycle"] == {"prevent_destroy": False}
    assert not backups.resources("aws_backup_vault_lock_configuration")
    assert not backups.resources("aws_backup_vault_policy")


@pytest.mark.requirement("W3.4")
def test_vaults_of_a_protected_environment_are_locked_and_refuse_deletion(protected: Synthesized) -> None:
    for vault in protected.resources("aws_backup_vault").values():
        assert vault["force_destroy"] is False
        assert vault["lifecycle"] == {"prevent_destroy": True}
    locks = protected.resources("aws_backup_vault_lock_configuration").values()
    assert {region_of(lock) for lock in locks} == {"primary", "recovery"}
    for lock in locks:
        assert (lock["min_retention_days"], lock["max_retention_days"]) == (7, 3720)
        assert "changeable_for_days" not in lock, "that would be a lock that nobody can take back"
    refusals = protected.resources("aws_backup_vault_policy").values()
    assert {region_of(refusal) for refusal in refusals} == {"primary", "recovery"}
    for refusal in refusals:
        (statement,) = protected.statements(refusal["policy"]).values()
        assert statement["effect"] == "Deny"
        assert statement["principals"] == [{"type": "*", "identifiers": ["*"]}]
        assert {"backup:DeleteRecoveryPoint", "backup:DeleteBackupVault"} <= set(statement["actions"])
        assert "condition" not in statement


@pytest.mark.requirement("W3.4")
def test_a_compliance_lock_has_its_days_of_grace() -> None:
    lock = load("local").backups.lock.model_copy(update={"mode": VaultLock.COMPLIANCE, "grace_days": 11})
    locks = synthesize_backups(changed(protected=True, lock=lock)).resources("aws_backup_vault_lock_configuration")
    assert [block["changeable_for_days"] for block in locks.values()] == [11, 11]


# --- The plan --------------------------------------------------------------------------------------------------------


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
def test_this_environments_tag_selects_what_is_backed_up(backups: Synthesized) -> None:
    selection = only(backups, "aws_backup_selection")
    assert selection["selection_tag"] == [{"type": "STRINGEQUALS", "key": "backup", "value": VAULT_NAME}]
    assert not {"resources", "not_resources", "condition"} & selection.keys()
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
def test_roles_do_for_aurora_what_awss_own_do_and_nothing_else(backups: Synthesized, path: str, managed: str) -> None:
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
    }  # fmt: skip
    assert without_instances - left_out <= own


def _managed() -> dict[str, Any]:
    data = aws_managed_policies_data
    found: dict[str, Any] = json.loads(data) if isinstance(data, str) else data
    return found


def _listed(value: str | list[str]) -> list[str]:
    return [value] if isinstance(value, str) else value


@pytest.mark.requirement("W3.4")
def test_roles_delete_only_what_aws_backup_has_made(backups: Synthesized) -> None:
    for path in ("primary/backups/policy", "primary/restore-test/policy"):
        for statement in statements_of(backups, path).values():
            if any(action.startswith("rds:Delete") for action in statement["actions"]):
                resources = [one for one in statement["resources"] if not one.endswith(f":cluster:{CLUSTER}")]
                assert all("awsbackup" in one for one in resources)
            if "rds:DeleteDBCluster" in statement["actions"]:
                assert statement["resources"] == ["arn:aws:rds:us-east-2:123456789012:cluster:awsbackup-restore-test-*"]


@pytest.mark.requirement("W3.4")
def test_a_backup_is_restored_once_a_month_in_the_databases_own_subnets(backups: Synthesized) -> None:
    plan = only(backups, "aws_backup_restore_testing_plan")
    assert re.fullmatch(r"[a-zA-Z0-9_]{1,50}", plan["name"])
    assert plan["schedule_expression"] == "cron(30 4 2 * ? *)"
    (points,) = plan["recovery_point_selection"]
    assert [region_of(backups.by_id(vault)) for vault in points["include_vaults"]] == ["primary"]
    selection = only(backups, "aws_backup_restore_testing_selection")
    assert selection["protected_resource_type"] == "Aurora"
    cluster = backups.by_id(selection["restore_metadata_overrides"]["dbSubnetGroupName"])
    assert cluster is only(backups, "aws_rds_cluster")


# --- Exports ---------------------------------------------------------------------------------------------------------


def workflow(platform: Synthesized) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(only(platform, "aws_sfn_state_machine")["definition"])
    return found


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
def test_the_workflow_names_what_is_there(backups: Synthesized) -> None:
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
def test_every_call_of_the_workflow_is_retried_and_its_failure_told(backups: Synthesized) -> None:
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
        one for one in backups.resources("aws_cloudwatch_metric_alarm").values() if one["metric_name"] == metric
    ]
    assert path_of(backups.by_id(alarm["dimensions"]["StateMachineArn"])).endswith("state-machine")
    assert (alarm["comparison_operator"], alarm["threshold"]) == ("GreaterThanThreshold", 0)
    assert [path_of(backups.by_id(one)) for one in alarm["alarm_actions"]] == ["payment-platform/primary/alarms/topic"]


# --- What says that it fails -----------------------------------------------------------------------------------------


@pytest.mark.requirement("W3.2")
@pytest.mark.requirement("W3.4")
@pytest.mark.parametrize("metric", ["ExecutionsSucceeded", "NumberOfBackupJobsCompleted", "NumberOfCopyJobsCompleted"])
def test_two_days_without_export_backup_or_copy_alarm(backups: Synthesized, metric: str) -> None:
    """What never runs fails never: it must be missed."""
    (alarm,) = [
        one for one in backups.resources("aws_cloudwatch_metric_alarm").values() if one["metric_name"] == metric
    ]
    assert alarm["treat_missing_data"] == "breaching"
    assert (alarm["period"], alarm["evaluation_periods"], alarm["statistic"]) == (86_400, 2, "Sum")
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


@pytest.mark.requirement("W3.2")
@pytest.mark.requirement("W0.4")
def test_names_that_settings_allow_fit_what_is_named_after_the_cluster() -> None:
    """An export's name is the cluster's with a date: RDS takes 60 characters, AWS Backup 50 for its own."""
    tightest = Names("abcdefghijkl", "mnopqrstuvwx", "123456789012")
    assert not list(tightest.too_long(["us-east-2"]))
    assert list(Names("abcdefghijkl", "mnopqrstuvwxyz", "123456789012").too_long(["us-east-2"]))
    assert len(tightest.of("database") + "-2026-11-22-03-07") + 1 <= 60
    assert len(tightest.of("restore-test")) + 1 <= 50
    assert len(tightest.of("snapshot-export-machine")) + 1 <= 64


@pytest.mark.requirement("W3.2")
@pytest.mark.requirement("W3.4")
def test_every_policy_is_known(protected: Synthesized) -> None:
    owners = {policy.owner.split(".")[0] for policy in policies(protected.configuration, account_id="123456789012")}
    assert "aws_backup_vault_policy" in owners
