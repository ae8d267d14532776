"""The additions for backups and workflows: what is sent is what is answered, and unknown ids are errors."""

from __future__ import annotations

import json
import uuid
from collections.abc import Callable

import pytest

from emulator import process
from tests.emulator.support import Client, error_of

pytestmark = pytest.mark.requirement("W8.2")

Make = Callable[..., Client]
ROLES = ["arn:aws:iam::123456789012:role/first", "arn:aws:iam::123456789012:role/second"]


@pytest.fixture
def name() -> str:
    return f"a{uuid.uuid4().hex}"


@pytest.fixture
def plan_id(client: Make, name: str) -> str:
    """A backup plan."""
    rule = {"RuleName": "daily", "TargetBackupVaultName": name}
    return str(
        client("backup").create_backup_plan(BackupPlan={"BackupPlanName": name, "Rules": [rule]})["BackupPlanId"]
    )


def test_a_plan_changes_and_keeps_its_id(client: Make, name: str, plan_id: str) -> None:
    backup = client("backup")
    versions = set()
    for days in (7, 35):
        rule = {"RuleName": "daily", "TargetBackupVaultName": name, "Lifecycle": {"DeleteAfterDays": days}}
        answer = backup.update_backup_plan(BackupPlanId=plan_id, BackupPlan={"BackupPlanName": name, "Rules": [rule]})
        versions.add(answer["VersionId"])
        assert answer["BackupPlanId"] == plan_id
        (found,) = backup.get_backup_plan(BackupPlanId=plan_id)["BackupPlan"]["Rules"]
        assert found["Lifecycle"] == {"DeleteAfterDays": days}
    assert len(versions) == 2


def test_a_selection_is_kept_and_holds_its_plan(client: Make, name: str, plan_id: str) -> None:
    backup = client("backup")
    ids = []
    for number, role in enumerate(ROLES):
        tags = [{"ConditionType": "STRINGEQUALS", "ConditionKey": "backup", "ConditionValue": str(number)}]
        selection = {"SelectionName": f"{name}-{number}", "IamRoleArn": role, "ListOfTags": tags}
        ids.append(backup.create_backup_selection(BackupPlanId=plan_id, BackupSelection=selection)["SelectionId"])
        found = backup.get_backup_selection(BackupPlanId=plan_id, SelectionId=ids[-1])
        assert found["BackupSelection"] == selection
        again = {"BackupPlanId": plan_id, "BackupSelection": selection}
        assert error_of(lambda again=again: backup.create_backup_selection(**again)) == "AlreadyExistsException"  # type: ignore[misc]
    listed = backup.list_backup_selections(BackupPlanId=plan_id)["BackupSelectionsList"]
    assert [one["IamRoleArn"] for one in listed] == ROLES
    assert error_of(lambda: backup.delete_backup_plan(BackupPlanId=plan_id)) == "InvalidRequestException"
    for one in ids:
        backup.delete_backup_selection(BackupPlanId=plan_id, SelectionId=one)
    gone = {"BackupPlanId": plan_id, "SelectionId": ids[0]}
    assert error_of(lambda: backup.get_backup_selection(**gone)) == "ResourceNotFoundException"
    backup.delete_backup_plan(BackupPlanId=plan_id)
    assert error_of(lambda: backup.list_backup_selections(BackupPlanId=plan_id)) == "ResourceNotFoundException"


def test_vault_has_its_policy_and_is_empty(client: Make, name: str) -> None:
    backup = client("backup")
    backup.create_backup_vault(BackupVaultName=name)
    assert error_of(lambda: backup.get_backup_vault_access_policy(BackupVaultName=name)) == "ResourceNotFoundException"
    for action in ("backup:DeleteBackupVault", "backup:DeleteRecoveryPoint"):
        policy = json.dumps({"Version": "2012-10-17", "Statement": [{"Effect": "Deny", "Action": action}]})
        backup.put_backup_vault_access_policy(BackupVaultName=name, Policy=policy)
        assert backup.get_backup_vault_access_policy(BackupVaultName=name)["Policy"] == policy
    backup.delete_backup_vault_access_policy(BackupVaultName=name)
    assert error_of(lambda: backup.get_backup_vault_access_policy(BackupVaultName=name)) == "ResourceNotFoundException"
    assert backup.list_recovery_points_by_backup_vault(BackupVaultName=name)["RecoveryPoints"] == []
    unknown = {"BackupVaultName": "unknown"}
    assert error_of(lambda: backup.list_recovery_points_by_backup_vault(**unknown)) == "ResourceNotFoundException"


@pytest.mark.parametrize(
    ("resource", "role"),
    [("arn:aws:rds:us-east-2:123456789012:cluster:one", "first"), ("arn:aws:s3:::a-bucket", "second")],
)
def test_a_recovery_point_is_kept_with_what_was_sent_until_it_is_deleted(
    client: Make, name: str, resource: str, role: str
) -> None:
    backup = client("backup")
    backup.create_backup_vault(BackupVaultName=name)
    arn = f"arn:aws:iam::123456789012:role/{role}"
    sent = {"BackupVaultName": name, "ResourceArn": resource, "IamRoleArn": arn}
    point = {"BackupVaultName": name, "RecoveryPointArn": backup.start_backup_job(**sent)["RecoveryPointArn"]}
    found = backup.describe_recovery_point(**point)
    assert {key: found[key] for key in (*sent, "Status")} == sent | {"Status": "COMPLETED"}
    (listed,) = backup.list_recovery_points_by_backup_vault(BackupVaultName=name)["RecoveryPoints"]
    assert (listed["RecoveryPointArn"], listed["IamRoleArn"]) == (point["RecoveryPointArn"], arn)
    backup.delete_recovery_point(**point)
    assert error_of(lambda: backup.describe_recovery_point(**point)) == "ResourceNotFoundException"
    elsewhere = sent | {"BackupVaultName": "unknown"}
    assert error_of(lambda: backup.start_backup_job(**elsewhere)) == "ResourceNotFoundException"


@pytest.mark.parametrize("tags", [{"one": "1"}, {"two": "2", "three": "3"}])
def test_tags_of_a_vault_are_found(client: Make, name: str, tags: dict[str, str]) -> None:
    backup = client("backup")
    arn = backup.create_backup_vault(BackupVaultName=name, BackupVaultTags=tags)["BackupVaultArn"]
    assert backup.list_tags(ResourceArn=arn)["Tags"] == tags


def test_a_restore_test_is_kept_and_changes(client: Make, name: str) -> None:
    backup = client("backup")
    points = {"Algorithm": "LATEST_WITHIN_WINDOW", "IncludeVaults": ["*"], "RecoveryPointTypes": ["SNAPSHOT"]}
    schedules = ["cron(0 1 * * ? *)", "cron(0 2 * * ? *)"]
    plan = {"RestoreTestingPlanName": name, "ScheduleExpression": schedules[0], "RecoveryPointSelection": points}
    backup.create_restore_testing_plan(RestoreTestingPlan=plan, Tags={"a": "b"})
    assert error_of(lambda: backup.create_restore_testing_plan(RestoreTestingPlan=plan)) == "AlreadyExistsException"
    found = backup.get_restore_testing_plan(RestoreTestingPlanName=name)["RestoreTestingPlan"]
    assert (found["ScheduleExpression"], found["RecoveryPointSelection"]) == (schedules[0], points)
    assert backup.list_tags(ResourceArn=found["RestoreTestingPlanArn"])["Tags"] == {"a": "b"}
    backup.update_restore_testing_plan(
        RestoreTestingPlanName=name, RestoreTestingPlan={"ScheduleExpression": schedules[1]}
    )
    found = backup.get_restore_testing_plan(RestoreTestingPlanName=name)["RestoreTestingPlan"]
    assert found["ScheduleExpression"] == schedules[1]
    selection = {"RestoreTestingSelectionName": name, "ProtectedResourceType": "Aurora", "IamRoleArn": ROLES[0]}
    arns = {"ProtectedResourceArns": ["*"]}
    backup.create_restore_testing_selection(RestoreTestingPlanName=name, RestoreTestingSelection=selection | arns)
    both = {"RestoreTestingPlanName": name, "RestoreTestingSelectionName": name}
    for role in ROLES:
        backup.update_restore_testing_selection(**both, RestoreTestingSelection={"IamRoleArn": role})
        assert backup.get_restore_testing_selection(**both)["RestoreTestingSelection"]["IamRoleArn"] == role
    assert (
        error_of(lambda: backup.delete_restore_testing_plan(RestoreTestingPlanName=name)) == "InvalidRequestException"
    )
    backup.delete_restore_testing_selection(**both)
    assert error_of(lambda: backup.get_restore_testing_selection(**both)) == "ResourceNotFoundException"
    backup.delete_restore_testing_plan(RestoreTestingPlanName=name)
    gone = {"RestoreTestingPlanName": name}
    assert error_of(lambda: backup.get_restore_testing_plan(**gone)) == "ResourceNotFoundException"


@pytest.mark.parametrize(("target", "result"), [("End", "OK"), ("Nowhere", "OK"), ("", "FAIL")])
def test_a_definition_is_parsed_before_it_is_stored(client: Make, target: str, result: str) -> None:
    """What the parser takes is not all right yet: that states exist is looked at by a validator, in the tests."""
    text = json.dumps({"StartAt": target, "States": {"End": {"Type": "Succeed"}}}) if target else "{"
    answer = client("stepfunctions").validate_state_machine_definition(definition=text)
    assert answer["result"] == result
    assert bool(answer["diagnostics"]) == (result == "FAIL")


def test_published_versions_are_listed(client: Make, name: str) -> None:
    states = client("stepfunctions")
    definition = '{"StartAt": "End", "States": {"End": {"Type": "Succeed"}}}'
    arn = states.create_state_machine(name=name, definition=definition, roleArn=ROLES[0])["stateMachineArn"]
    assert states.list_state_machine_versions(stateMachineArn=arn)["stateMachineVersions"] == []
    states.update_state_machine(stateMachineArn=arn, definition=definition, publish=True)
    (version,) = states.list_state_machine_versions(stateMachineArn=arn)["stateMachineVersions"]
    assert version["stateMachineVersionArn"] == f"{arn}:1"


def test_a_snapshot_of_an_unknown_cluster_is_an_error(aws: process.Server) -> None:
    with pytest.raises(process.EmulatorError, match="nowhere"):
        process.take_snapshot(aws, "us-east-2", "nowhere")


def test_export_of_a_missing_snapshot_is_an_error_of_rds(client: Make, name: str) -> None:
    sent = {
        "ExportTaskIdentifier": name,
        "SourceArn": f"arn:aws:rds:us-east-2:123456789012:cluster-snapshot:{name}",
        "S3BucketName": name,
        "IamRoleArn": ROLES[0],
        "KmsKeyId": "alias/nobodys",
    }
    rds, iam = client("rds"), client("iam")
    assert error_of(lambda: rds.start_export_task(**sent)) == "InvalidS3BucketFault"
    client("s3").create_bucket(Bucket=name, CreateBucketConfiguration={"LocationConstraint": "us-east-2"})
    sent["IamRoleArn"] = f"arn:aws:iam::123456789012:role/{name}"
    assert error_of(lambda: rds.start_export_task(**sent)) == "IamRoleNotFound"
    iam.create_role(RoleName=name, AssumeRolePolicyDocument="{}")
    assert error_of(lambda: rds.start_export_task(**sent)) == "KMSKeyNotAccessibleFault"
    sent["KmsKeyId"] = client("kms").create_key()["KeyMetadata"]["Arn"]
    assert error_of(lambda: rds.start_export_task(**sent)) == "DBClusterSnapshotNotFoundFault"
