"""Service, database, functions, secrets, logs and dashboard, in the template."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest

from payment_api.settings import Settings
from payments.roles import Process
from tests.payment_api.support import Template, as_list

RUNBOOK = Path(__file__).parents[2] / "docs" / "runbooks" / "payment-api.md"


@pytest.mark.requirement("P3.1")
def test_the_service_runs_the_image_by_digest_on_graviton_hardened(api: Template, settings: Settings) -> None:
    task = api.one("AWS::ECS::TaskDefinition")
    assert task["RuntimePlatform"] == {"CpuArchitecture": "ARM64", "OperatingSystemFamily": "LINUX"}
    assert task["TaskRoleArn"] != task["ExecutionRoleArn"]
    (container,) = task["ContainerDefinitions"]
    assert settings.service.image.partition("@")[2] in json.dumps(container["Image"])
    assert (container["ReadonlyRootFilesystem"], container["User"]) == (True, "1000")
    assert container["LogConfiguration"]["Options"]["mode"] == "non-blocking"
    assert "HealthCheck" in container
    assert not container.get("Secrets")


@pytest.mark.requirement("P1.3", "P3.1")
def test_tasks_are_in_private_subnets_without_public_address_and_egress(api: Template) -> None:
    service = api.one("AWS::ECS::Service")
    network = service["NetworkConfiguration"]["AwsvpcConfiguration"]
    assert network["AssignPublicIp"] == "DISABLED"
    assert all("private" in one["Ref"] for one in network["Subnets"])
    groups = {one["Fn::GetAtt"][0] for one in network["SecurityGroups"]}
    assert groups == {
        api.id_of("AWS::EC2::SecurityGroup", "servicegroup"),
        api.id_of("AWS::EC2::SecurityGroup", "endpointsclients"),
    }
    alone = [
        one for one in api.of("AWS::EC2::SecurityGroupEgress").values() if one["GroupId"]["Fn::GetAtt"][0] in groups
    ]
    inline = [rule for id_ in groups for rule in api.of("AWS::EC2::SecurityGroup")[id_].get("SecurityGroupEgress", [])]
    addresses = {rule["CidrIp"] for rule in [*alone, *inline] if "CidrIp" in rule}
    assert addresses <= {"255.255.255.255/32"}, "CDK's rule for nobody"
    reached = {str(one.get("DestinationSecurityGroupId", {}).get("Fn::GetAtt", [""])[0]) for one in alone} - {""}
    assert {name[:8] for name in reached} == {"endpoint", "database"}


@pytest.mark.requirement("P3.1")
def test_deployments_that_fail_roll_back(api: Template) -> None:
    deployment = api.one("AWS::ECS::Service")["DeploymentConfiguration"]
    assert deployment["DeploymentCircuitBreaker"] == {"Enable": True, "Rollback": True}
    assert deployment["MinimumHealthyPercent"] == 100


@pytest.mark.requirement("P3.1")
def test_service_scales_at_70_percent_cpu_and_80_percent_memory(api: Template, settings: Settings) -> None:
    target = api.one("AWS::ApplicationAutoScaling::ScalableTarget")
    assert (target["MinCapacity"], target["MaxCapacity"]) == (
        settings.service.min_tasks,
        settings.service.max_tasks,
    )
    policies = [
        one["TargetTrackingScalingPolicyConfiguration"]
        for one in api.of("AWS::ApplicationAutoScaling::ScalingPolicy").values()
    ]
    found = {one["PredefinedMetricSpecification"]["PredefinedMetricType"]: one["TargetValue"] for one in policies}
    assert found == {"ECSServiceAverageCPUUtilization": 70, "ECSServiceAverageMemoryUtilization": 80}


@pytest.mark.requirement("P4.1", "P4.4")
def test_the_database_has_a_writer_and_two_readers_encrypted(api: Template) -> None:
    cluster = api.one("AWS::RDS::DBCluster")
    assert cluster["StorageEncrypted"] is True
    assert "encryptiondatabase" in cluster["KmsKeyId"]["Fn::GetAtt"][0]
    assert cluster["Engine"] == "aurora-postgresql"
    instances = api.of("AWS::RDS::DBInstance").values()
    assert sorted(one["PromotionTier"] for one in instances) == [0, 1, 1]
    for one in instances:
        assert one["PubliclyAccessible"] is False
        assert one["EnablePerformanceInsights"] is True
        assert "PerformanceInsightsKMSKeyId" in one
    subnets = api.one("AWS::RDS::DBSubnetGroup")["SubnetIds"]
    assert len(subnets) == 3
    assert all("database" in one["Ref"] for one in subnets)
    parameters = api.one("AWS::RDS::DBClusterParameterGroup")["Parameters"]
    assert parameters["rds.force_ssl"] == "1"
    assert cluster["EnableCloudwatchLogsExports"] == ["postgresql"]


@pytest.mark.requirement("P4.2")
def test_applications_log_in_by_iam_and_know_no_password(api: Template, settings: Settings) -> None:
    assert api.one("AWS::RDS::DBCluster")["EnableIAMDatabaseAuthentication"] is True
    logins = [one for _, one in api.statements() if "rds-db:connect" in as_list(one["Action"])]
    users = {
        str(resource).rpartition("/")[2].rstrip("'\"]}") for one in logins for resource in as_list(one["Resource"])
    }
    assert users == set(settings.database.logins)
    readers = {
        id_
        for id_, one in api.statements()
        if "secretsmanager:GetSecretValue" in as_list(one["Action"])
        and settings.secrets.database in json.dumps(one["Resource"])
    }
    assert all("prepare" in id_ or "rotate" in id_ for id_ in readers)
    (prepared,) = api.of("Custom::PreparedDatabase").values()
    assert {user: Process(process) for user, process in prepared["Logins"].items()} == settings.database.logins
    assert set(prepared["Logins"].values()) == set(Process), "each process has one login"
    service = api.resources[api.id_of("AWS::ECS::Service")]
    assert api.id_of("Custom::PreparedDatabase") in service["DependsOn"]


@pytest.mark.requirement("P3.2")
def test_messages_outlast_an_outage_and_the_function_gives_up_what_fails_alone(
    api: Template, settings: Settings
) -> None:
    queues = api.of("AWS::SQS::Queue")
    dead = api.id_of("AWS::SQS::Queue", "deadletters")
    payments = next(one for id_, one in queues.items() if id_ != dead)
    assert payments["RedrivePolicy"]["deadLetterTargetArn"] == {"Fn::GetAtt": [dead, "Arn"]}
    assert payments["RedrivePolicy"]["maxReceiveCount"] == 1000
    assert payments["VisibilityTimeout"] >= 6 * settings.processing.timeout_seconds
    assert all("KmsMasterKeyId" in one and one["MessageRetentionPeriod"] == 14 * 86400 for one in queues.values())
    source = api.one("AWS::Lambda::EventSourceMapping")
    assert source["FunctionResponseTypes"] == ["ReportBatchItemFailures"]
    assert source["ScalingConfig"] == {"MaximumConcurrency": settings.processing.concurrency}
    function = api.one("AWS::Lambda::Function", "processingprocesspayment")
    assert function["ReservedConcurrentExecutions"] == settings.processing.concurrency
    variables = function["Environment"]["Variables"]
    assert variables["PROCESSING_TRIES"] == str(settings.processing.tries)
    assert variables["DEAD_LETTER_QUEUE_URL"] == {"Ref": dead}


@pytest.mark.requirement("P3.2", "P1.3")
def test_only_functions_that_call_the_acquirer_reach_it(api: Template, settings: Settings) -> None:
    group = api.id_of("AWS::EC2::SecurityGroup", "acquirerclients")
    allowed = api.of("AWS::EC2::SecurityGroup")[group]["SecurityGroupEgress"]
    assert [(one["CidrIp"], one["FromPort"]) for one in allowed] == [
        (block, 443) for block in settings.network.acquirer_networks
    ]
    members = {
        id_[:24]
        for id_, one in api.of("AWS::Lambda::Function").items()
        if group in json.dumps(one.get("VpcConfig", {}))
    }
    assert {"processingprocesspayment"[:24], "processingreconcilepayments"[:24]} == members


@pytest.mark.requirement("P3.3")
def test_every_wildcard_resource_belongs_to_actions_without_resource_types(api: Template, replica: Template) -> None:
    describes = ("ec2:Describe", "elasticloadbalancing:Describe")
    free = {
        "ecr:GetAuthorizationToken",
        "secretsmanager:GetRandomPassword",
        "xray:PutTelemetryRecords",
        "xray:PutTraceSegments",
    }
    for template in (api, replica):
        for id_, one in template.statements():
            actions = set(as_list(one["Action"]))
            assert not {action for action in actions if action == "*" or action.endswith(":*")}, id_
            if "*" in as_list(one["Resource"]):
                rest = {action for action in actions - free if not action.startswith(describes)}
                assert not rest or one["Effect"] == "Deny", (id_, rest)


@pytest.mark.requirement("P3.3")
def test_each_function_and_task_has_a_role_of_its_own(api: Template) -> None:
    roles = [json.dumps(one["Role"]) for one in api.of("AWS::Lambda::Function").values()]
    assert len(set(roles)) == len(roles)


@pytest.mark.requirement("P4.5")
def test_secrets_are_imported_and_rotate_every_thirty_days(api: Template, settings: Settings) -> None:
    assert not api.of("AWS::SecretsManager::Secret", none_is_right=True)
    schedules = api.of("AWS::SecretsManager::RotationSchedule").values()
    rotated = {json.dumps(one["SecretId"]) for one in schedules}
    assert any(settings.secrets.database in one for one in rotated)
    assert all(one["RotationRules"] == {"ScheduleExpression": "rate(30 days)"} for one in schedules)


@pytest.mark.requirement("P4.5")
def test_a_secret_is_attached_to_one_database_once(api: Template) -> None:
    """AWS refuses a second attachment: https://github.com/aws/aws-cdk/issues/11040, /24657."""
    attached = [json.dumps(one["SecretId"]) for one in api.of("AWS::SecretsManager::SecretTargetAttachment").values()]
    assert attached
    assert len(set(attached)) == len(attached)


@pytest.mark.requirement("P4.4")
def test_everything_that_keeps_data_is_under_a_key_of_ours(api: Template) -> None:
    for type_, field in {
        "AWS::Logs::LogGroup": "KmsKeyId",
        "AWS::SQS::Queue": "KmsMasterKeyId",
        "AWS::SNS::Topic": "KmsMasterKeyId",
        "AWS::RDS::DBCluster": "KmsKeyId",
        "AWS::CloudTrail::Trail": "KMSKeyId",
    }.items():
        found = api.of(type_)
        assert found
        assert all(field in one for one in found.values()), type_
    own = [one for id_, one in api.of("AWS::Lambda::Function").items() if id_.startswith(("processing", "rotation"))]
    assert own
    assert all("KmsKeyArn" in one for one in own)


@pytest.mark.requirement("P5.2")
def test_audit_logs_are_kept_for_exactly_seven_years(api: Template, settings: Settings) -> None:
    kept = {json.dumps(one["LogGroupName"]): one["RetentionInDays"] for one in api.of("AWS::Logs::LogGroup").values()}
    audit = {name: days for name, days in kept.items() if days == 2557}
    for part in ("audit", "network-flows", "gateway-access", "aws-waf-logs", "/aws/rds/cluster"):
        assert any(part in name for name in audit), part
    assert set(kept.values()) == {2557, settings.observability.log_retention_days}


@pytest.mark.requirement("P5.2")
def test_the_trail_covers_all_regions_validated_with_the_data_events_of_documents(api: Template) -> None:
    trail = api.one("AWS::CloudTrail::Trail")
    assert (trail["IsLogging"], trail["IsMultiRegionTrail"], trail["EnableLogFileValidation"]) == (True, True, True)
    assert "CloudWatchLogsLogGroupArn" in trail
    assert "documentsbucket" in json.dumps(trail["EventSelectors"])


@pytest.mark.requirement("P5.1")
def test_the_dashboard_shows_processing_time_and_success_rate(api: Template) -> None:
    from shared import payment_metrics as metrics

    body = json.dumps(api.one("AWS::CloudWatch::Dashboard")["DashboardBody"])
    for text in ("transaction processing time", "success rate", metrics.NAMESPACE, *(
        one.name for one in (metrics.PROCESSING_TIME, metrics.SUCCEEDED, metrics.FAILED, metrics.STARTED)
    ), metrics.ENVIRONMENT_DIMENSION):  # fmt: skip
        assert text in body
    assert not re.search(rf"\b{metrics.SERVICE_DIMENSION}\b", body), "the reconciler settles payments, too"


@pytest.mark.requirement("P5.1")
def test_every_alarm_notifies_the_encrypted_topic_and_names_its_runbook(api: Template) -> None:
    topic = api.id_of("AWS::SNS::Topic")
    alarms = {id_: one for id_, one in api.of("AWS::CloudWatch::Alarm").items() if id_.startswith("observability")}
    headings = {line[3:] for line in RUNBOOK.read_text().splitlines() if line.startswith("## ")}
    assert alarms
    assert {one["AlarmDescription"].rpartition("#")[2] for one in alarms.values()} == headings
    for one in alarms.values():
        assert one["AlarmActions"] == [{"Ref": topic}]
        assert "docs/runbooks/payment-api.md#" in one["AlarmDescription"]


@pytest.mark.requirement("P3.2", "P4.5", "P5.1")
def test_every_function_alarms_on_errors_and_throttles(api: Template) -> None:
    watched = {
        (one["MetricName"], one["Dimensions"][0]["Value"]["Ref"])
        for one in api.of("AWS::CloudWatch::Alarm").values()
        if one.get("Namespace") == "AWS/Lambda" and one["AlarmActions"]
    }
    own = [id_ for id_ in api.of("AWS::Lambda::Function") if not id_.startswith("Custom")]
    assert own
    assert watched == {(metric, id_) for metric in ("Errors", "Throttles") for id_ in own}


@pytest.mark.requirement("P6.1")
def test_stack_has_the_outputs_of_its_resources(api: Template) -> None:
    outputs = api.content["Outputs"]
    assert {"AlbDnsName", "ApiEndpoint", "DashboardUrl"} <= set(outputs)
    assert not [name for name in outputs if "Endpoint" in name and "execute-api" in json.dumps(outputs[name])]
