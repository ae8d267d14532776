"""The additions to moto for services, what scales and releases them, queues and secrets: what is sent is answered."""

from __future__ import annotations

import json
from typing import Any

import pytest

from tests.emulator.release_support import Make, canary, make_platform
from tests.emulator.support import error_of

pytestmark = pytest.mark.requirement("W8.2")


# --- ECS -------------------------------------------------------------------------------------------------------------


def make_service(client: Make, name: str, **parameters: Any) -> dict[str, Any]:
    """A service that ECS itself deploys."""
    ecs = client("ecs")
    ecs.create_cluster(clusterName=name)
    container = {"name": "web", "image": "registry.example.com/web", "memory": 128}
    ecs.register_task_definition(family=name, containerDefinitions=[container])
    parameters = {"taskDefinition": name, "desiredCount": 1, **parameters}
    return dict(ecs.create_service(cluster=name, serviceName=name, **parameters)["service"])


def described(client: Make, name: str) -> dict[str, Any]:
    return dict(client("ecs").describe_services(cluster=name, services=[name])["services"][0])


KEPT: list[tuple[str, Any, Any]] = [
    ("healthCheckGracePeriodSeconds", 30, 90),
    ("enableExecuteCommand", True, False),
    ("enableECSManagedTags", True, False),
    ("availabilityZoneRebalancing", "ENABLED", "DISABLED"),
    (
        "capacityProviderStrategy",
        [{"capacityProvider": "FARGATE", "base": 1, "weight": 1}],
        [{"capacityProvider": "FARGATE_SPOT", "base": 0, "weight": 3}],
    ),
    ("deploymentConfiguration", {"maximumPercent": 150}, {"maximumPercent": 200}),
]


@pytest.mark.parametrize(("parameter", "first", "second"), KEPT)
def test_service_keeps_its_attributes(parameter: str, first: Any, second: Any, client: Make) -> None:
    name = f"kept-{parameter}"
    assert make_service(client, name, **{parameter: first})[parameter] == first
    client("ecs").update_service(cluster=name, service=name, desiredCount=2)
    assert described(client, name)[parameter] == first
    client("ecs").update_service(cluster=name, service=name, **{parameter: second})
    assert described(client, name)[parameter] == second
    assert ("launchType" in described(client, name)) == (parameter != "capacityProviderStrategy")


def test_update_keeps_unsent_members_of_a_deployment_configuration(client: Make) -> None:
    breaker = {"enable": True, "rollback": True}
    make_service(client, "breaker", deploymentConfiguration={"deploymentCircuitBreaker": breaker})
    client("ecs").update_service(cluster="breaker", service="breaker", deploymentConfiguration={"maximumPercent": 150})
    assert described(client, "breaker")["deploymentConfiguration"] == {
        "deploymentCircuitBreaker": breaker,
        "maximumPercent": 150,
    }


def test_a_service_has_the_tasks_it_wants_and_its_deployment_is_done(client: Make) -> None:
    make_service(client, "counted", desiredCount=3)
    ecs = client("ecs")
    for count in (3, 5, 0):
        ecs.update_service(cluster="counted", service="counted", desiredCount=count)
        service = described(client, "counted")
        assert (service["desiredCount"], service["runningCount"], service["pendingCount"]) == (count, count, 0)
        assert service["deployments"][0]["rolloutState"] == "COMPLETED"
        (cluster,) = ecs.describe_clusters(clusters=["counted"])["clusters"]
        assert (cluster["runningTasksCount"], cluster["pendingTasksCount"]) == (count, 0)
    container = {"name": "web", "image": "registry.example.com/web:2", "memory": 128}
    revision = ecs.register_task_definition(family="counted", containerDefinitions=[container])["taskDefinition"]
    ecs.update_service(cluster="counted", service="counted", taskDefinition=revision["taskDefinitionArn"])
    assert described(client, "counted")["deployments"][0]["taskDefinition"] == revision["taskDefinitionArn"]


def test_targets_come_and_go_with_the_tasks(client: Make) -> None:
    platform = make_platform(client, "targets", traffic=canary(10))
    before = platform.targets(platform.blue)
    ecs = client("ecs")
    ecs.update_service(cluster="targets", service="targets", desiredCount=5)
    after = platform.targets(platform.blue)
    assert (len(before), len(set(after))) == (2, 5)
    assert set(before) < set(after)
    assert {address.rpartition(".")[0] for address in after} == {"10.0.0", "10.0.1"}
    assert platform.service()["taskSets"][0]["runningCount"] == 5
    ecs.update_service(cluster="targets", service="targets", desiredCount=1)
    assert len(platform.targets(platform.blue)) == 1
    ecs.delete_service(cluster="targets", service="targets", force=True)
    assert platform.targets(platform.blue) == []


def test_only_codedeploy_changes_a_service_that_it_releases(client: Make) -> None:
    platform = make_platform(client, "released", traffic=canary(10))
    before = platform.service()
    ecs = client("ecs")
    changes: list[dict[str, Any]] = [
        {"taskDefinition": platform.register_task_definition()},
        {"loadBalancers": []},
        {"networkConfiguration": before["networkConfiguration"]},
        {"platformVersion": "1.4.0"},
    ]
    for change in changes:
        assert (
            error_of(
                lambda change=change: ecs.update_service(cluster="released", service="released", **change)  # type: ignore[misc]
            )
            == "InvalidParameterException"
        )
    assert platform.service() == before


@pytest.mark.parametrize("kind", ["unknown", "detached"])
def test_service_requires_a_target_group_attached_to_a_load_balancer(kind: str, client: Make) -> None:
    arn = "arn:aws:elasticloadbalancing:us-east-2:123456789012:targetgroup/unknown/0123456789abcdef"
    if kind == "detached":
        vpc = client("ec2").create_vpc(CidrBlock="10.0.0.0/16")["Vpc"]["VpcId"]
        made = client("elbv2").create_target_group(Name="detached", VpcId=vpc, Protocol="HTTP", Port=80)
        arn = made["TargetGroups"][0]["TargetGroupArn"]
    load_balancer = {"targetGroupArn": arn, "containerName": "web", "containerPort": 80}
    assert error_of(lambda: make_service(client, f"group-{kind}", loadBalancers=[load_balancer])) == (
        "InvalidParameterException"
    )


# --- Application Auto Scaling ----------------------------------------------------------------------------------------


def register(client: Make, name: str, **parameters: Any) -> tuple[dict[str, str], str]:
    """A scalable target: what names it, and its ARN."""
    make_service(client, name)
    named = {
        "ServiceNamespace": "ecs",
        "ScalableDimension": "ecs:service:DesiredCount",
        "ResourceId": f"service/{name}/{name}",
    }
    target = client("application-autoscaling").register_scalable_target(**named, MinCapacity=1, **parameters)
    return named, target["ScalableTargetARN"]


def test_a_scalable_target_keeps_its_tags(client: Make) -> None:
    scaling = client("application-autoscaling")
    _, first = register(client, "tagged-1", MaxCapacity=2, Tags={"a": "1"})
    _, second = register(client, "tagged-2", MaxCapacity=2)
    scaling.tag_resource(ResourceARN=first, Tags={"b": "2", "c": "3"})
    scaling.untag_resource(ResourceARN=first, TagKeys=["c", "unknown"])
    assert scaling.list_tags_for_resource(ResourceARN=first)["Tags"] == {"a": "1", "b": "2"}
    assert scaling.list_tags_for_resource(ResourceARN=second)["Tags"] == {}


def test_tags_of_an_unknown_target_are_its_own_error(client: Make) -> None:
    scaling = client("application-autoscaling")
    arn = "arn:aws:application-autoscaling:us-east-2:123456789012:scalable-target/unknown"
    for call in (
        lambda: scaling.list_tags_for_resource(ResourceARN=arn),
        lambda: scaling.tag_resource(ResourceARN=arn, Tags={"a": "1"}),
        lambda: scaling.untag_resource(ResourceARN=arn, TagKeys=["a"]),
    ):
        assert error_of(call) == "ResourceNotFoundException"


def test_the_alarms_of_a_policy_change_and_go_with_it(client: Make) -> None:
    scaling, cloudwatch = client("application-autoscaling"), client("cloudwatch")
    named, _ = register(client, "policies", MaxCapacity=2)

    def put(target: float) -> dict[str, Any]:
        configuration = {
            "TargetValue": target,
            "PredefinedMetricSpecification": {"PredefinedMetricType": "ECSServiceAverageCPUUtilization"},
        }
        return dict(
            scaling.put_scaling_policy(
                **named,
                PolicyName="cpu",
                PolicyType="TargetTrackingScaling",
                TargetTrackingScalingPolicyConfiguration=configuration,
            )
        )

    def alarms() -> set[str]:
        found = cloudwatch.describe_alarms(AlarmNamePrefix="TargetTracking-service/policies/")["MetricAlarms"]
        return {alarm["AlarmName"] for alarm in found}

    first, second = put(50), put(60)
    assert first["PolicyARN"] == second["PolicyARN"]
    assert alarms() == {alarm["AlarmName"] for alarm in second["Alarms"]}
    scaling.delete_scaling_policy(**named, PolicyName="cpu")
    assert alarms() == set()


# --- CodeDeploy: what is only stored ---------------------------------------------------------------------------------


def test_a_deployment_configuration_is_kept(client: Make) -> None:
    codedeploy = client("codedeploy")
    for name, share in (("kept-10", 10), ("kept-25", 25)):
        codedeploy.create_deployment_config(
            deploymentConfigName=name, computePlatform="ECS", trafficRoutingConfig=canary(share)
        )
    for name, share in (("kept-10", 10), ("kept-25", 25)):
        info = codedeploy.get_deployment_config(deploymentConfigName=name)["deploymentConfigInfo"]
        assert (info["trafficRoutingConfig"], info["computePlatform"]) == (canary(share), "ECS")
    assert {"kept-10", "kept-25"} < set(codedeploy.list_deployment_configs()["deploymentConfigsList"])
    codedeploy.delete_deployment_config(deploymentConfigName="kept-10")
    assert error_of(lambda: codedeploy.get_deployment_config(deploymentConfigName="kept-10")) == (
        "DeploymentConfigDoesNotExistException"
    )
    assert error_of(lambda: codedeploy.create_deployment_config(deploymentConfigName="kept-25")) == (
        "DeploymentConfigAlreadyExistsException"
    )
    assert error_of(
        lambda: codedeploy.delete_deployment_config(deploymentConfigName="CodeDeployDefault.ECSAllAtOnce")
    ) == ("InvalidOperationException")


def test_a_deployment_group_is_kept_changed_and_deleted(client: Make) -> None:
    make_platform(client, "grouped", traffic=canary(10))
    codedeploy = client("codedeploy")
    assert error_of(lambda: codedeploy.delete_deployment_config(deploymentConfigName="grouped")) == (
        "DeploymentConfigInUseException"
    )

    def group(name: str = "grouped") -> dict[str, Any]:
        answer = codedeploy.get_deployment_group(applicationName="grouped", deploymentGroupName=name)
        return dict(answer["deploymentGroupInfo"])

    before = group()
    assert before["alarmConfiguration"] == {"enabled": True, "alarms": [{"name": "grouped-watched"}]}
    assert "lastAttemptedDeployment" not in before
    changes: dict[str, Any] = {
        "alarmConfiguration": {"enabled": False, "alarms": [{"name": "another"}]},
        "deploymentConfigName": "CodeDeployDefault.ECSCanary10Percent5Minutes",
        "autoRollbackConfiguration": {"enabled": True, "events": ["DEPLOYMENT_FAILURE"]},
    }
    codedeploy.update_deployment_group(
        applicationName="grouped", currentDeploymentGroupName="grouped", newDeploymentGroupName="renamed", **changes
    )
    assert group("renamed") == {**before, **changes, "deploymentGroupName": "renamed"}
    codedeploy.delete_deployment_group(applicationName="grouped", deploymentGroupName="renamed")
    assert error_of(lambda: group("renamed")) == "DeploymentGroupDoesNotExistException"
    codedeploy.delete_deployment_config(deploymentConfigName="grouped")
    codedeploy.delete_application(applicationName="grouped")
    assert error_of(lambda: codedeploy.get_application(applicationName="grouped")) == (
        "ApplicationDoesNotExistException"
    )


def test_a_deployment_group_needs_a_service_that_codedeploy_may_release_and_a_configuration(client: Make) -> None:
    make_service(client, "unreleasable")
    codedeploy = client("codedeploy")
    codedeploy.create_application(applicationName="unreleasable", computePlatform="ECS")

    def create(service: str, config: str = "CodeDeployDefault.ECSAllAtOnce") -> str:
        return error_of(
            lambda: codedeploy.create_deployment_group(
                applicationName="unreleasable",
                deploymentGroupName="g",
                deploymentConfigName=config,
                serviceRoleArn="arn:aws:iam::123456789012:role/r",
                ecsServices=[{"clusterName": "unreleasable", "serviceName": service}],
            )
        )

    assert create("unreleasable") == create("nobody") == "InvalidECSServiceException"
    assert create("unreleasable", "nothing") == "DeploymentConfigDoesNotExistException"


def test_deployment_group_for_ecs_requires_service_target_groups_and_style(client: Make) -> None:
    make_platform(client, "complete", traffic=canary(10))
    codedeploy = client("codedeploy")
    made = codedeploy.get_deployment_group(applicationName="complete", deploymentGroupName="complete")
    required = {
        "ecsServices": "InvalidECSServiceException",
        "loadBalancerInfo": "InvalidLoadBalancerInfoException",
        "deploymentStyle": "InvalidDeploymentStyleException",
        "blueGreenDeploymentConfiguration": "InvalidBlueGreenDeploymentConfigurationException",
    }
    complete = {name: made["deploymentGroupInfo"][name] for name in ("applicationName", "serviceRoleArn", *required)}
    for missing, code in required.items():
        sent = {name: value for name, value in complete.items() if name != missing}
        assert (
            error_of(lambda sent=sent: codedeploy.create_deployment_group(deploymentGroupName="other", **sent))  # type: ignore[misc]
            == code
        )
    codedeploy.create_deployment_group(deploymentGroupName="other", **complete)
    made = codedeploy.get_deployment_group(applicationName="complete", deploymentGroupName="other")
    assert made["deploymentGroupInfo"]["deploymentConfigName"] == "CodeDeployDefault.ECSAllAtOnce"


# --- SQS -------------------------------------------------------------------------------------------------------------


def test_redrive_policies_have_awss_format(client: Make) -> None:
    sqs = client("sqs")
    dead, alive = (sqs.create_queue(QueueName=name)["QueueUrl"] for name in ("dead", "alive"))
    arn = sqs.get_queue_attributes(QueueUrl=dead, AttributeNames=["QueueArn"])["Attributes"]["QueueArn"]

    def attributes(url: str, *names: str) -> dict[str, str]:
        return dict(sqs.get_queue_attributes(QueueUrl=url, AttributeNames=list(names)).get("Attributes", {}))

    for count in (3, 5):
        redrive = json.dumps({"deadLetterTargetArn": arn, "maxReceiveCount": count})
        sqs.set_queue_attributes(QueueUrl=alive, Attributes={"RedrivePolicy": redrive})
        assert attributes(alive, "RedrivePolicy") == {
            "RedrivePolicy": f'{{"deadLetterTargetArn":"{arn}","maxReceiveCount":{count}}}'
        }
    assert attributes(dead, "RedriveAllowPolicy") == {}
    for allowed in ('{"redrivePermission":"denyAll"}', '{"redrivePermission":"allowAll"}'):
        sqs.set_queue_attributes(QueueUrl=dead, Attributes={"RedriveAllowPolicy": allowed})
        assert attributes(dead, "RedriveAllowPolicy") == {"RedriveAllowPolicy": allowed}
        assert attributes(dead, "All")["RedriveAllowPolicy"] == allowed
    assert "RedriveAllowPolicy" not in attributes(dead, "QueueArn")
    assert "RedriveAllowPolicy" not in attributes(alive, "All")


def test_a_queue_keeps_its_policy_when_something_else_is_set(client: Make) -> None:
    sqs = client("sqs")
    url = sqs.create_queue(QueueName="with-policy")["QueueUrl"]

    def policy() -> str | None:
        found = sqs.get_queue_attributes(QueueUrl=url, AttributeNames=["Policy"]).get("Attributes", {})
        return None if "Policy" not in found else str(found["Policy"])

    assert policy() is None
    for statement in ("first", "second"):
        allowed = {"Sid": statement, "Effect": "Allow", "Principal": "*", "Action": "sqs:SendMessage", "Resource": "*"}
        sent = json.dumps({"Version": "2012-10-17", "Statement": [allowed]})
        sqs.set_queue_attributes(QueueUrl=url, Attributes={"Policy": sent})
        sqs.set_queue_attributes(QueueUrl=url, Attributes={"VisibilityTimeout": "60"})
        assert policy() == sent
    sqs.set_queue_attributes(QueueUrl=url, Attributes={"Policy": ""})
    assert not policy()


# --- Secrets Manager -------------------------------------------------------------------------------------------------


def test_replica_is_found_by_name_and_by_partial_and_complete_arn(client: Make) -> None:
    arn = client("secretsmanager").create_secret(
        Name="everywhere", SecretString="s", AddReplicaRegions=[{"Region": "us-west-2"}]
    )["ARN"]
    for region in ("us-east-2", "us-west-2"):
        own = arn.replace("us-east-2", region)
        for name in ("everywhere", own, own[: -len("-abcdef")]):
            found = client("secretsmanager", region).get_secret_value(SecretId=name)
            assert (found["ARN"], found["SecretString"]) == (own, "s"), name


def test_replica_has_the_value_to_which_the_current_stage_was_moved(client: Make) -> None:
    secrets = client("secretsmanager")
    first = secrets.create_secret(Name="staged", SecretString="old", AddReplicaRegions=[{"Region": "us-west-2"}])
    second = secrets.put_secret_value(SecretId="staged", SecretString="new", VersionStages=["AWSPENDING"])
    secrets.update_secret_version_stage(
        SecretId="staged", VersionStage="AWSCURRENT",
        MoveToVersionId=second["VersionId"], RemoveFromVersionId=first["VersionId"],
    )  # fmt: skip
    for region in ("us-east-2", "us-west-2"):
        assert client("secretsmanager", region).get_secret_value(SecretId="staged")["SecretString"] == "new"


def test_each_replica_of_a_secret_keeps_its_key(client: Make) -> None:
    secrets = client("secretsmanager")
    replicas = [{"Region": "us-west-2", "KmsKeyId": "alias/west"}, {"Region": "eu-west-1"}]
    secrets.create_secret(Name="replicated", SecretString="s", AddReplicaRegions=replicas)
    secrets.replicate_secret_to_regions(
        SecretId="replicated", AddReplicaRegions=[{"Region": "us-east-1", "KmsKeyId": "alias/east"}]
    )
    status = secrets.describe_secret(SecretId="replicated")["ReplicationStatus"]
    assert {entry["Region"]: entry["KmsKeyId"] for entry in status} == {
        "us-west-2": "alias/west",
        "eu-west-1": "alias/aws/secretsmanager",
        "us-east-1": "alias/east",
    }
