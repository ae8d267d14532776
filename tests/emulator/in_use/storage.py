"""Buckets, backups, events, logs and releases."""

from __future__ import annotations

from functools import partial

from tests.emulator.in_use.networks import ROLE
from tests.emulator.in_use.refusals import Use, World, refused

INVALID = "InvalidRequestException"


@refused("aws_s3_bucket", "its objects", operation="s3:DeleteBucket", code="BucketNotEmpty", status=409)
def bucket_with_a_version(world: World) -> Use:
    """A version counts as an object."""
    s3, name = world("s3"), world.name()
    s3.create_bucket(Bucket=name, CreateBucketConfiguration={"LocationConstraint": "us-east-2"})
    s3.put_bucket_versioning(Bucket=name, VersioningConfiguration={"Status": "Enabled"})
    version = s3.put_object(Bucket=name, Key="one", Body=b"1")["VersionId"]
    marker = s3.delete_object(Bucket=name, Key="one")["VersionId"]

    def end() -> None:
        for one in (version, marker):
            s3.delete_object(Bucket=name, Key="one", VersionId=one)

    return Use(lambda: s3.delete_bucket(Bucket=name), end)


@refused("aws_backup_vault", "its recovery points", operation="backup:DeleteBackupVault", code=INVALID)
def vault_with_a_recovery_point(world: World) -> Use:
    backup, vault = world("backup"), {"BackupVaultName": world.name()}
    backup.create_backup_vault(**vault)
    cluster = "arn:aws:rds:us-east-2:123456789012:cluster:in-use"
    point = backup.start_backup_job(**vault, ResourceArn=cluster, IamRoleArn=ROLE)["RecoveryPointArn"]
    return Use(
        lambda: backup.delete_backup_vault(**vault),
        lambda: backup.delete_recovery_point(**vault, RecoveryPointArn=point),
    )


@refused("aws_backup_plan", "aws_backup_selection", operation="backup:DeleteBackupPlan", code=INVALID)
def plan_with_a_selection(world: World) -> Use:
    backup, name = world("backup"), world.name()
    backup.create_backup_vault(BackupVaultName=name)
    rule = {"RuleName": "daily", "TargetBackupVaultName": name}
    plan = backup.create_backup_plan(BackupPlan={"BackupPlanName": name, "Rules": [rule]})["BackupPlanId"]
    selection = backup.create_backup_selection(
        BackupPlanId=plan, BackupSelection={"SelectionName": "all", "IamRoleArn": ROLE, "Resources": ["*"]}
    )["SelectionId"]
    return Use(
        lambda: backup.delete_backup_plan(BackupPlanId=plan),
        lambda: backup.delete_backup_selection(BackupPlanId=plan, SelectionId=selection),
    )


@refused(
    "aws_backup_restore_testing_plan",
    "aws_backup_restore_testing_selection",
    operation="backup:DeleteRestoreTestingPlan",
    code=INVALID,
)
def restore_test_with_a_selection(world: World) -> Use:
    backup, name = world("backup"), world.name().replace("-", "_")
    points = {"Algorithm": "LATEST_WITHIN_WINDOW", "IncludeVaults": ["*"], "RecoveryPointTypes": ["SNAPSHOT"]}
    backup.create_restore_testing_plan(
        RestoreTestingPlan={
            "RestoreTestingPlanName": name,
            "ScheduleExpression": "rate(1 day)",
            "RecoveryPointSelection": points,
        }
    )
    backup.create_restore_testing_selection(
        RestoreTestingPlanName=name,
        RestoreTestingSelection={
            "RestoreTestingSelectionName": "all",
            "IamRoleArn": ROLE,
            "ProtectedResourceType": "Aurora",
            "ProtectedResourceArns": ["*"],
        },
    )
    return Use(
        lambda: backup.delete_restore_testing_plan(RestoreTestingPlanName=name),
        lambda: backup.delete_restore_testing_selection(RestoreTestingPlanName=name, RestoreTestingSelectionName="all"),
    )


@refused(
    "aws_cloudwatch_event_rule",
    "aws_cloudwatch_event_target",
    operation="events:DeleteRule",
    code="ValidationException",
)
def rule_with_a_target(world: World) -> Use:
    events, name = world("events"), world.name()
    events.put_rule(Name=name, ScheduleExpression="rate(1 day)")
    events.put_targets(Rule=name, Targets=[{"Id": "one", "Arn": "arn:aws:sqs:us-east-2:123456789012:queue"}])
    return Use(lambda: events.delete_rule(Name=name), lambda: events.remove_targets(Rule=name, Ids=["one"]))


delivery_refused = partial(refused, code="ConflictException")


def _delivery(world: World) -> tuple[Use, Use]:
    logs, name = world("logs"), world.name()
    source = "arn:aws:bedrock:us-east-2:123456789012:knowledge-base/EXAMPLE"
    logs.create_log_group(logGroupName=name)
    logs.put_delivery_source(name=name, resourceArn=source, logType="APPLICATION_LOGS")
    group = f"arn:aws:logs:us-east-2:123456789012:log-group:{name}"
    destination = logs.put_delivery_destination(
        name=name, deliveryDestinationConfiguration={"destinationResourceArn": group}
    )["deliveryDestination"]["arn"]
    id_ = logs.create_delivery(deliverySourceName=name, deliveryDestinationArn=destination)["delivery"]["id"]

    def end() -> None:
        logs.delete_delivery(id=id_)

    return (
        Use(lambda: logs.delete_delivery_source(name=name), end),
        Use(lambda: logs.delete_delivery_destination(name=name), end),
    )


@delivery_refused(
    "aws_cloudwatch_log_delivery_source", "aws_cloudwatch_log_delivery", operation="logs:DeleteDeliverySource"
)
def source_of_a_delivery(world: World) -> Use:
    return _delivery(world)[0]


@delivery_refused(
    "aws_cloudwatch_log_delivery_destination",
    "aws_cloudwatch_log_delivery",
    operation="logs:DeleteDeliveryDestination",
)
def destination_of_a_delivery(world: World) -> Use:
    return _delivery(world)[1]


@refused(
    "aws_codedeploy_deployment_config",
    "aws_codedeploy_deployment_group",
    operation="codedeploy:DeleteDeploymentConfig",
    code="DeploymentConfigInUseException",
)
def configuration_of_a_deployment_group(world: World) -> Use:
    codedeploy, name = world("codedeploy"), world.name()
    codedeploy.create_application(applicationName=name, computePlatform="Server")
    codedeploy.create_deployment_config(deploymentConfigName=name)
    group = {"applicationName": name, "deploymentGroupName": name}
    codedeploy.create_deployment_group(**group, deploymentConfigName=name, serviceRoleArn=ROLE)
    return Use(
        lambda: codedeploy.delete_deployment_config(deploymentConfigName=name),
        lambda: codedeploy.delete_deployment_group(**group),
    )


@refused(
    "aws_config_delivery_channel",
    "aws_config_configuration_recorder_status",
    operation="config:DeleteDeliveryChannel",
    code="LastDeliveryChannelDeleteFailedException",
)
def channel_of_a_recorder(world: World) -> Use:
    config, bucket = world("config"), world.name()
    world("s3").create_bucket(Bucket=bucket, CreateBucketConfiguration={"LocationConstraint": "us-east-2"})
    config.put_configuration_recorder(ConfigurationRecorder={"name": "recorder", "roleARN": ROLE})
    config.put_delivery_channel(DeliveryChannel={"name": "channel", "s3BucketName": bucket})
    config.start_configuration_recorder(ConfigurationRecorderName="recorder")

    def end() -> None:
        config.stop_configuration_recorder(ConfigurationRecorderName="recorder")

    return Use(lambda: config.delete_delivery_channel(DeliveryChannelName="channel"), end)


@refused(
    "aws_cloudwatch_metric_alarm",
    "aws_cloudwatch_composite_alarm",
    operation="cloudwatch:DeleteAlarms",
    code="ValidationError",
)
def alarm_of_a_composite(world: World) -> Use:
    cloudwatch, name = world("cloudwatch"), world.name()
    cloudwatch.put_metric_alarm(
        AlarmName=name, ComparisonOperator="GreaterThanThreshold", EvaluationPeriods=1, Threshold=1,
        MetricName="m", Namespace="n", Period=60, Statistic="Sum",
    )  # fmt: skip
    cloudwatch.put_composite_alarm(AlarmName=f"{name}-composite", AlarmRule=f"ALARM({name})")
    return Use(
        lambda: cloudwatch.delete_alarms(AlarmNames=[name]),
        lambda: cloudwatch.delete_alarms(AlarmNames=[f"{name}-composite"]),
    )
