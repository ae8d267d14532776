"""A service behind a load balancer that CodeDeploy releases, for the tests of releases and of functions."""

from __future__ import annotations

import io
import json
import time
import zipfile
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from tests.emulator.roles import make_role
from tests.emulator.support import Client

Make = Callable[..., Client]

SECONDS_TO_HAPPEN = 60.0
"""Far more than anything here takes: what has not happened by then is a failure."""

LONGEST_MINUTES = 2880
"""The longest that CodeDeploy waits anywhere. On the clock of these tests it is minutes: as good as for ever."""

STICKINESS = {"Enabled": True, "DurationSeconds": 60}

REPORTING_FUNCTION = """
import json, os
import boto3

def handle(event, context):
    print("asked", json.dumps(event))
    boto3.client("codedeploy").put_lifecycle_event_hook_execution_status(
        deploymentId=event["DeploymentId"],
        lifecycleEventHookExecutionId=event["LifecycleEventHookExecutionId"],
        status=os.environ["ANSWER"],
    )
"""


def eventually(happened: Callable[[], Any]) -> Any:
    """What ``happened`` returns as soon as it is true."""
    deadline = time.monotonic() + SECONDS_TO_HAPPEN
    while time.monotonic() < deadline:
        found = happened()
        if found:
            return found
        time.sleep(0.02)
    raise AssertionError(f"it did not happen within {SECONDS_TO_HAPPEN:g} s")


def zipped(code: str) -> bytes:
    """A function's code, whose handler is ``handler.handle``."""
    archive = io.BytesIO()
    with zipfile.ZipFile(archive, "w") as file:
        file.writestr("handler.py", code)
    return archive.getvalue()


def make_function(client: Make, name: str, code: str, **parameters: Any) -> str:
    """A Lambda function; returns its ARN."""
    role = make_role(client, "lambda.amazonaws.com", "function")
    configuration = {"Runtime": "python3.13", "Handler": "handler.handle", "Role": role, "Timeout": 30, **parameters}
    made = client("lambda").create_function(FunctionName=name, Code={"ZipFile": zipped(code)}, **configuration)
    return str(made["FunctionArn"])


@dataclass(frozen=True)
class Platform:
    """What a release needs; everything in it bears its ``name``."""

    client: Make
    name: str
    blue: str
    green: str
    listener: str
    test_listener: str
    rules: list[str]

    def register_task_definition(self, container: str = "web", port: int = 8443) -> str:
        """A new revision; returns its ARN."""
        container_definition = {
            "name": container,
            "image": "registry.example.com/web@sha256:0",
            "portMappings": [{"containerPort": port}],
        }
        answer = self.client("ecs").register_task_definition(
            family=self.name, networkMode="awsvpc", requiresCompatibilities=["FARGATE"], cpu="256", memory="512",
            containerDefinitions=[container_definition],
        )  # fmt: skip
        return str(answer["taskDefinition"]["taskDefinitionArn"])

    def release(
        self, task_definition: str, hooks: dict[str, str] | None = None, container: str = "web", **parameters: Any
    ) -> str:
        """Begin a release; returns its id."""
        properties = {
            "TaskDefinition": task_definition,
            "LoadBalancerInfo": {"ContainerName": container, "ContainerPort": 8443},
            **parameters,
        }
        service = {"TargetService": {"Type": "AWS::ECS::Service", "Properties": properties}}
        listed = [{name: function} for name, function in (hooks or {}).items()]
        return self.deploy(json.dumps({"version": 0.0, "Resources": [service], "Hooks": listed}))

    def deploy(self, appspec: str, **parameters: Any) -> str:
        """Begin a deployment of ``appspec``; returns its id."""
        revision = {"revisionType": "AppSpecContent", "appSpecContent": {"content": appspec}}
        codedeploy = self.client("codedeploy")
        answer = codedeploy.create_deployment(
            applicationName=self.name, deploymentGroupName=self.name, revision=revision, **parameters
        )
        return str(answer["deploymentId"])

    def info(self, deployment_id: str) -> dict[str, Any]:
        """What CodeDeploy says of a deployment."""
        return dict(self.client("codedeploy").get_deployment(deploymentId=deployment_id)["deploymentInfo"])

    def ended(self, deployment_id: str) -> dict[str, Any]:
        """What CodeDeploy says of a deployment once it has ended."""
        eventually(lambda: self.info(deployment_id)["status"] in ("Succeeded", "Failed", "Stopped"))
        return self.info(deployment_id)

    def target(self, deployment_id: str) -> dict[str, Any]:
        """What CodeDeploy says of the one target of a deployment."""
        codedeploy = self.client("codedeploy")
        target_ids = codedeploy.list_deployment_targets(deploymentId=deployment_id)["targetIds"]
        assert target_ids == [f"{self.name}:{self.name}"]
        many = codedeploy.batch_get_deployment_targets(deploymentId=deployment_id, targetIds=target_ids)
        (target,) = many["deploymentTargets"]
        assert target["deploymentTargetType"] == "ECSTarget"
        return dict(target["ecsTarget"])

    def traffic(self, deployment_id: str) -> dict[str, float]:
        """The share of each task set, by its label."""
        sets = self.target(deployment_id)["taskSetsInfo"]
        return {tasks["taskSetLabel"]: tasks["trafficWeight"] for tasks in sets}

    def events(self, deployment_id: str) -> dict[str, str]:
        """The status of each lifecycle event."""
        events = self.target(deployment_id)["lifecycleEvents"]
        return {event["lifecycleEventName"]: event["status"] for event in events}

    def weights(self, rule: str) -> dict[str, int]:
        """The weight of each target group in a rule."""
        (found,) = self.client("elbv2").describe_rules(RuleArns=[rule])["Rules"]
        return _weights(found["Actions"])

    def test_weights(self) -> dict[str, int]:
        """The weight of each target group in the test listener."""
        (found,) = self.client("elbv2").describe_listeners(ListenerArns=[self.test_listener])["Listeners"]
        return _weights(found["DefaultActions"])

    def service(self) -> dict[str, Any]:
        """What ECS says of the service."""
        (found,) = self.client("ecs").describe_services(cluster=self.name, services=[self.name])["services"]
        return dict(found)

    def primary(self) -> tuple[str, str]:
        """Task definition and target group of the primary task set, which are those of the service itself."""
        service = self.service()
        (primary,) = [tasks for tasks in service["taskSets"] if tasks["status"] == "PRIMARY"]
        assert service["taskDefinition"] == primary["taskDefinition"]
        assert service["loadBalancers"] == primary["loadBalancers"]
        return primary["taskDefinition"], primary["loadBalancers"][0]["targetGroupArn"]

    def targets(self, target_group: str) -> list[str]:
        """The addresses registered with a target group."""
        health = self.client("elbv2").describe_target_health(TargetGroupArn=target_group)
        return [target["Target"]["Id"] for target in health["TargetHealthDescriptions"]]

    def set_alarm(self, name: str, state: str) -> None:
        """Make an alarm, and set its state."""
        cloudwatch = self.client("cloudwatch")
        cloudwatch.put_metric_alarm(
            AlarmName=name, ComparisonOperator="GreaterThanThreshold", EvaluationPeriods=1, Threshold=1,
            MetricName="m", Namespace="n", Period=60, Statistic="Sum",
        )  # fmt: skip
        cloudwatch.set_alarm_state(AlarmName=name, StateValue=state, StateReason="a test")


def _weights(actions: list[dict[str, Any]]) -> dict[str, int]:
    (forward,) = [action for action in actions if action["Type"] == "forward"]
    if "ForwardConfig" not in forward:
        return {forward["TargetGroupArn"]: 1}
    return {group["TargetGroupArn"]: group["Weight"] for group in forward["ForwardConfig"]["TargetGroups"]}


def canary(percentage: int, minutes: int = LONGEST_MINUTES) -> dict[str, Any]:
    """Traffic that shifts in two steps."""
    share = {"canaryPercentage": percentage, "canaryInterval": minutes}
    return {"type": "TimeBasedCanary", "timeBasedCanary": share}


def make_platform(
    client: Make,
    name: str,
    *,
    traffic: dict[str, Any],
    bake_minutes: int = 0,
    ready_minutes: int | None = None,
    capacity_provider_strategy: list[dict[str, Any]] | None = None,
) -> Platform:
    """Make everything that a release needs."""
    ec2, elbv2, ecs = client("ec2"), client("elbv2"), client("ecs")
    vpc = ec2.create_vpc(CidrBlock="10.0.0.0/16")["Vpc"]["VpcId"]
    subnets = [
        ec2.create_subnet(VpcId=vpc, CidrBlock=cidr, AvailabilityZone=zone)["Subnet"]["SubnetId"]
        for cidr, zone in (("10.0.0.0/24", "us-east-2a"), ("10.0.1.0/24", "us-east-2b"))
    ]
    security_group = ec2.create_security_group(GroupName=name, Description=name, VpcId=vpc)["GroupId"]
    load_balancer = elbv2.create_load_balancer(Name=name, Subnets=subnets)["LoadBalancers"][0]["LoadBalancerArn"]
    blue, green, other = (
        elbv2.create_target_group(Name=f"{name}-{kind}", VpcId=vpc, TargetType="ip", Port=8443, Protocol="HTTPS")[
            "TargetGroups"
        ][0]["TargetGroupArn"]
        for kind in ("blue", "green", "other")
    )
    refused = [{"Type": "fixed-response", "FixedResponseConfig": {"StatusCode": "403"}}]
    listener, test_listener = (
        elbv2.create_listener(LoadBalancerArn=load_balancer, Protocol="HTTP", Port=port, DefaultActions=actions)[
            "Listeners"
        ][0]["ListenerArn"]
        for port, actions in ((80, refused), (9000, [{"Type": "forward", "TargetGroupArn": blue}]))
    )
    forwards = [
        {"Type": "forward", "TargetGroupArn": blue},
        {
            "Type": "forward",
            "Order": 1,
            "ForwardConfig": {
                "TargetGroups": [{"TargetGroupArn": blue, "Weight": 100}],
                "TargetGroupStickinessConfig": STICKINESS,
            },
        },
        {"Type": "forward", "ForwardConfig": {"TargetGroups": [{"TargetGroupArn": other, "Weight": 7}]}},
    ]
    rules = [
        elbv2.create_rule(
            ListenerArn=listener,
            Priority=priority,
            Conditions=[{"Field": "path-pattern", "PathPatternConfig": {"Values": [f"/{priority}/*"]}}],
            Actions=[action],
        )["Rules"][0]["RuleArn"]
        for priority, action in enumerate(forwards, start=1)
    ]
    platform = Platform(client, name, blue, green, listener, test_listener, rules)
    ecs.create_cluster(clusterName=name)
    capacity: dict[str, Any] = (
        {"capacityProviderStrategy": capacity_provider_strategy}
        if capacity_provider_strategy
        else {"launchType": "FARGATE"}
    )
    ecs.create_service(
        cluster=name, serviceName=name, desiredCount=2, taskDefinition=platform.register_task_definition(),
        deploymentController={"type": "CODE_DEPLOY"},
        loadBalancers=[{"targetGroupArn": blue, "containerName": "web", "containerPort": 8443}],
        networkConfiguration={"awsvpcConfiguration": {"subnets": subnets, "securityGroups": [security_group]}},
        **capacity,
    )  # fmt: skip
    _make_deployment_group(platform, traffic, bake_minutes, ready_minutes)
    return platform


def _make_deployment_group(
    platform: Platform, traffic: dict[str, Any], bake_minutes: int, ready_minutes: int | None
) -> None:
    codedeploy, name = platform.client("codedeploy"), platform.name
    codedeploy.create_application(applicationName=name, computePlatform="ECS")
    codedeploy.create_deployment_config(deploymentConfigName=name, computePlatform="ECS", trafficRoutingConfig=traffic)
    ready: dict[str, Any] = (
        {"actionOnTimeout": "CONTINUE_DEPLOYMENT"}
        if ready_minutes is None
        else {"actionOnTimeout": "STOP_DEPLOYMENT", "waitTimeInMinutes": ready_minutes}
    )
    pair = {
        "targetGroups": [{"name": f"{name}-blue"}, {"name": f"{name}-green"}],
        "prodTrafficRoute": {"listenerArns": [platform.listener]},
        "testTrafficRoute": {"listenerArns": [platform.test_listener]},
    }
    codedeploy.create_deployment_group(
        applicationName=name,
        deploymentGroupName=name,
        deploymentConfigName=name,
        serviceRoleArn="arn:aws:iam::123456789012:role/codedeploy",
        deploymentStyle={"deploymentType": "BLUE_GREEN", "deploymentOption": "WITH_TRAFFIC_CONTROL"},
        ecsServices=[{"clusterName": name, "serviceName": name}],
        loadBalancerInfo={"targetGroupPairInfoList": [pair]},
        alarmConfiguration={"enabled": True, "alarms": [{"name": f"{name}-watched"}]},
        autoRollbackConfiguration={
            "enabled": True,
            "events": ["DEPLOYMENT_FAILURE", "DEPLOYMENT_STOP_ON_ALARM", "DEPLOYMENT_STOP_ON_REQUEST"],
        },
        blueGreenDeploymentConfiguration={
            "deploymentReadyOption": ready,
            "terminateBlueInstancesOnDeploymentSuccess": {
                "action": "TERMINATE",
                "terminationWaitTimeInMinutes": bake_minutes,
            },
        },
    )


def appspec(**changes: Any) -> str:
    """An AppSpec of a service, with ``changes`` to its properties."""
    properties = {"TaskDefinition": "x", "LoadBalancerInfo": {"ContainerName": "web", "ContainerPort": 8443}, **changes}
    service = {"Type": "AWS::ECS::Service", "Properties": properties}
    return json.dumps({"version": 0.0, "Resources": [{"TargetService": service}]})
