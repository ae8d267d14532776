"""A blue/green service in a local AWS, and the release command upon it, in this process or in one of its own."""

from __future__ import annotations

import io
import itertools
import json
import os
import subprocess
import sys
import threading
import time
import zipfile
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from rich.console import Console

from emulator import process
from emulator.record import read_calls
from operations.region import Region
from operations.release.command import run
from operations.release.request import Request
from settings import load
from settings.naming import MADE_BY, SETTINGS
from tests.emulator.roles import make_role
from tests.emulator.support import Client, client_for
from tests.operations.support import REPOSITORY, environment_file

SECONDS_TO_WAIT = 60.0
SECONDS_BETWEEN_LOOKS = 0.05
OLD, NEW, NEWER = (f"registry.example.com/payments/web@sha256:{digit * 64}" for digit in "124")
SIDECAR = f"registry.example.com/proxy@sha256:{'3' * 64}"
NUMBERS = itertools.count()

REPORTS = """
import boto3
def handler(event, context):
    boto3.client("codedeploy").put_lifecycle_event_hook_execution_status(
        deploymentId=event["DeploymentId"],
        lifecycleEventHookExecutionId=event["LifecycleEventHookExecutionId"],
        status="{status}",
    )
"""

HOLDS = """
import boto3, json
def handler(event, context):
    boto3.client("ssm").put_parameter(Name="{parameter}", Type="String", Value=json.dumps(event))
"""


@dataclass(frozen=True)
class Ended:
    """How the command ended in this process."""

    code: int
    text: str


class World:
    """The service `web` of an environment of its own: everything that a release needs of the platform."""

    def __init__(self, server: process.Server, folder: Path, *, canary_minutes: int = 1) -> None:
        self.server = server
        self.file = environment_file(folder, "mine", environment_suffix=f'"t{next(NUMBERS)}"')
        self.settings = load(str(self.file))
        self.name = self.settings.names.of("web")
        self.cluster = self.settings.names.of("cluster")
        self.region = region = "us-east-2"
        make = client_for(server)
        self.client: Callable[[str], Client] = lambda service: make(service, region)
        self.ecs, self.codedeploy = self.client("ecs"), self.client("codedeploy")
        self.running_alarm, self.alarm = (self.settings.names.alarm(f"web-{one}-slow") for one in ("blue", "green"))
        self._make_traffic()
        self._make_service()
        self._make_group(canary_minutes)
        self.answer_hook_with("Succeeded")

    def _make_traffic(self) -> None:
        ec2, elbv2 = self.client("ec2"), self.client("elbv2")
        vpc = ec2.create_vpc(CidrBlock="10.0.0.0/16")["Vpc"]["VpcId"]
        self.subnets = [
            ec2.create_subnet(VpcId=vpc, CidrBlock=f"10.0.{n}.0/24", AvailabilityZone=f"{self.region}{zone}")["Subnet"][
                "SubnetId"
            ]
            for n, zone in enumerate("ab")
        ]
        self.group = ec2.create_security_group(VpcId=vpc, GroupName=self.name, Description="tasks")["GroupId"]
        balancer = elbv2.create_load_balancer(Name=self.name, Subnets=self.subnets)["LoadBalancers"][0]
        self.target_groups = {
            colour: elbv2.create_target_group(
                Name=self.settings.names.target_group("web", colour),
                Protocol="HTTPS",
                Port=8443,
                VpcId=vpc,
                TargetType="ip",
            )["TargetGroups"][0]["TargetGroupArn"]
            for colour in ("blue", "green")
        }
        self.listeners = [
            elbv2.create_listener(
                LoadBalancerArn=balancer["LoadBalancerArn"],
                Protocol="HTTP",
                Port=port,
                DefaultActions=[{"Type": "forward", "TargetGroupArn": self.target_groups["blue"]}],
            )["Listeners"][0]["ListenerArn"]
            for port in (80, 8080)
        ]

    def _make_service(self) -> None:
        self.ecs.create_cluster(clusterName=self.cluster, capacityProviders=["FARGATE", "FARGATE_SPOT"])
        role = "arn:aws:iam::123456789012:role/" + self.name
        containers = [
            {
                "name": name,
                "image": image,
                "essential": True,
                "readonlyRootFilesystem": True,
                "portMappings": [{"containerPort": port, "hostPort": port, "protocol": "tcp"}],
                "environment": [{"name": "LOG_LEVEL", "value": "info"}],
                "mountPoints": [{"sourceVolume": "tmp", "containerPath": "/tmp"}],
            }
            for name, image, port in (("proxy", SIDECAR, 9000), ("web", OLD, 8443))
        ]
        self.task_definition = self.ecs.register_task_definition(
            family=self.name,
            containerDefinitions=containers,
            taskRoleArn=role,
            executionRoleArn=role,
            networkMode="awsvpc",
            requiresCompatibilities=["FARGATE"],
            cpu="512",
            memory="1024",
            runtimePlatform={"cpuArchitecture": "ARM64", "operatingSystemFamily": "LINUX"},
            volumes=[{"name": "tmp"}],
            tags=[{"key": "owner", "value": "platform-engineering"}, {"key": MADE_BY, "value": SETTINGS}],
        )["taskDefinition"]["taskDefinitionArn"]
        self.ecs.create_service(
            cluster=self.cluster,
            serviceName=self.name,
            taskDefinition=self.task_definition,
            desiredCount=2,
            capacityProviderStrategy=[{"capacityProvider": "FARGATE", "base": 1, "weight": 1}],
            platformVersion="1.4.0",
            deploymentController={"type": "CODE_DEPLOY"},
            networkConfiguration={"awsvpcConfiguration": {"subnets": self.subnets, "securityGroups": [self.group]}},
            loadBalancers=[
                {"targetGroupArn": self.target_groups["blue"], "containerName": "web", "containerPort": 8443}
            ],
        )

        self.suspend_scaling(False)

    def _make_group(self, canary_minutes: int) -> None:
        self.codedeploy.create_application(applicationName=self.name, computePlatform="ECS")
        self.codedeploy.create_deployment_config(
            deploymentConfigName=self.name,
            computePlatform="ECS",
            trafficRoutingConfig={
                "type": "TimeBasedCanary",
                "timeBasedCanary": {"canaryPercentage": 10, "canaryInterval": canary_minutes},
            },
        )
        for name in (self.running_alarm, self.alarm):
            self.client("cloudwatch").put_metric_alarm(
                AlarmName=name,
                Namespace="AWS/ApplicationELB",
                MetricName="TargetResponseTime",
                Statistic="Average",
                Period=60,
                EvaluationPeriods=1,
                Threshold=1.0,
                ComparisonOperator="GreaterThanThreshold",
            )
            self.set_alarm("OK", name)
        pair = {
            "targetGroups": [{"name": self.settings.names.target_group("web", one)} for one in self.target_groups],
            "prodTrafficRoute": {"listenerArns": [self.listeners[0]]},
            "testTrafficRoute": {"listenerArns": [self.listeners[1]]},
        }
        self.codedeploy.create_deployment_group(
            applicationName=self.name,
            deploymentGroupName=self.name,
            deploymentConfigName=self.name,
            serviceRoleArn="arn:aws:iam::123456789012:role/" + self.name,
            deploymentStyle={"deploymentType": "BLUE_GREEN", "deploymentOption": "WITH_TRAFFIC_CONTROL"},
            ecsServices=[{"clusterName": self.cluster, "serviceName": self.name}],
            loadBalancerInfo={"targetGroupPairInfoList": [pair]},
            blueGreenDeploymentConfiguration={
                "deploymentReadyOption": {"actionOnTimeout": "CONTINUE_DEPLOYMENT"},
                "terminateBlueInstancesOnDeploymentSuccess": {"action": "TERMINATE", "terminationWaitTimeInMinutes": 1},
            },
            autoRollbackConfiguration={
                "enabled": True,
                "events": ["DEPLOYMENT_FAILURE", "DEPLOYMENT_STOP_ON_ALARM", "DEPLOYMENT_STOP_ON_REQUEST"],
            },
            alarmConfiguration={"enabled": True, "alarms": [{"name": self.running_alarm}, {"name": self.alarm}]},
        )

    # --- what a test changes ---

    def answer_hook_with(self, status: str) -> None:
        """Make the smoke-test function one that says ``status``."""
        self.make_hook(zipped(REPORTS.format(status=status)))

    def hold_hook(self) -> None:
        """Make the smoke-test function one that keeps its event and says nothing, until `release_hook`."""
        self.make_hook(zipped(HOLDS.format(parameter=f"/{self.name}/hook")))

    def hook_is_held(self) -> bool:
        return bool(self.client("ssm").get_parameters(Names=[f"/{self.name}/hook"])["Parameters"])

    def release_hook(self) -> None:
        """Say that the smoke test, which is held, has succeeded."""
        event = json.loads(self.client("ssm").get_parameter(Name=f"/{self.name}/hook")["Parameter"]["Value"])
        self.codedeploy.put_lifecycle_event_hook_execution_status(
            deploymentId=event["DeploymentId"],
            lifecycleEventHookExecutionId=event["LifecycleEventHookExecutionId"],
            status="Succeeded",
        )

    def make_hook(self, code: bytes, **variables: str) -> None:
        """Make the smoke-test function, or another one in its place."""
        functions, name = self.client("lambda"), self.settings.names.of("smoke-test")
        if name in [one["FunctionName"] for one in functions.list_functions()["Functions"]]:
            functions.delete_function(FunctionName=name)
        made = make_role(self.client, "lambda.amazonaws.com", f"{self.name}-{next(NUMBERS)}")
        functions.create_function(
            FunctionName=name,
            Runtime="python3.13",
            Role=made,
            Handler="handler.handler",
            Code={"ZipFile": code},
            Timeout=30,
            Environment={"Variables": variables},
        )

    def suspend_scaling(self, scale_in: bool) -> None:
        """The service's scalable target, as `make deploy` or, with scale-in suspended, `make failover` leaves it."""
        self.client("application-autoscaling").register_scalable_target(
            ServiceNamespace="ecs",
            ResourceId=f"service/{self.cluster}/{self.name}",
            ScalableDimension="ecs:service:DesiredCount",
            MinCapacity=2,
            MaxCapacity=6,
            SuspendedState={
                "DynamicScalingInSuspended": scale_in,
                "DynamicScalingOutSuspended": False,
                "ScheduledScalingSuspended": False,
            },
        )

    def set_alarm(self, state: str, name: str = "") -> None:
        self.client("cloudwatch").set_alarm_state(
            AlarmName=name or self.alarm, StateValue=state, StateReason=f"a test says {state}"
        )

    def deploy_settings(self, **changes: Any) -> str:
        """What Terraform does when settings of the task have changed: a new revision, and the one before goes."""
        found = self.ecs.describe_task_definition(taskDefinition=self.task_definition, include=["TAGS"])
        accepted = self.ecs.meta.service_model.operation_model("RegisterTaskDefinition").input_shape.members
        kept = {name: value for name, value in found["taskDefinition"].items() if name in accepted}
        made = self.ecs.register_task_definition(**{**kept, "tags": found["tags"], **changes})
        self.ecs.deregister_task_definition(taskDefinition=self.task_definition)
        self.task_definition = made["taskDefinition"]["taskDefinitionArn"]
        return str(self.task_definition)

    # --- the command ---

    def run(self, image: str | None = None, **asked: Any) -> Ended:
        """Run the command in this process; errors are raised, as they are to the commands' common end."""
        said = io.StringIO()
        console = Console(file=said, width=200, highlight=False, soft_wrap=True)
        request = Request(service="web", image=image, environment=str(self.file), **asked)
        return Ended(run(request, self.settings, console, seconds_between_looks=SECONDS_BETWEEN_LOOKS), said.getvalue())

    def start(self, *arguments: str) -> subprocess.Popen[str]:
        """Start the command in a process of its own."""
        command = [sys.executable, "-u", "-m", "operations", "release", "web", "--environment", str(self.file)]
        return subprocess.Popen(
            [*command, *arguments],
            cwd=REPOSITORY,
            env=process.complete_environment(self.server.url, os.environ),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )

    # --- what is so ---

    @property
    def service(self) -> dict[str, Any]:
        found: dict[str, Any] = self.ecs.describe_services(cluster=self.cluster, services=[self.name])["services"][0]
        return found

    @property
    def suspended(self) -> list[str]:
        """What scaling of the service is suspended."""
        answer = self.client("application-autoscaling").describe_scalable_targets(
            ServiceNamespace="ecs", ResourceIds=[f"service/{self.cluster}/{self.name}"]
        )
        return [name for name, is_on in answer["ScalableTargets"][0]["SuspendedState"].items() if is_on]

    @property
    def primary(self) -> dict[str, Any]:
        (found,) = [one for one in self.service["taskSets"] if one["status"] == "PRIMARY"]
        return dict(found)

    def running_task_definition(self) -> dict[str, Any]:
        found = self.ecs.describe_task_definition(taskDefinition=self.primary["taskDefinition"], include=["TAGS"])
        return dict(found)

    def running_image(self) -> str:
        containers = self.running_task_definition()["taskDefinition"]["containerDefinitions"]
        (image,) = [one["image"] for one in containers if one["name"] == "web"]
        return str(image)

    def deployments(self) -> list[str]:
        found = self.codedeploy.list_deployments(applicationName=self.name, deploymentGroupName=self.name)
        return list(found["deployments"])

    def deployment(self, identity: str) -> dict[str, Any]:
        return dict(self.codedeploy.get_deployment(deploymentId=identity)["deploymentInfo"])

    def revisions(self) -> list[str]:
        return list(self.ecs.list_task_definitions(familyPrefix=self.name)["taskDefinitionArns"])

    def weights(self, listener: int = 0) -> dict[str, int]:
        """The share of each colour in a listener's default action."""
        answer = self.client("elbv2").describe_listeners(ListenerArns=[self.listeners[listener]])
        (action,) = answer["Listeners"][0]["DefaultActions"]
        groups = action.get("ForwardConfig", {}).get("TargetGroups", [])
        colours = {arn: colour for colour, arn in self.target_groups.items()}
        return {colours[one["TargetGroupArn"]]: one["Weight"] for one in groups}

    def green_percent(self) -> int:
        return self.weights().get("green", 0)

    def looks(self) -> int:
        """How often the state of a deployment was asked for."""
        return [call.operation for call in read_calls(self.server.directory)].count("GetDeployment")

    def writes(self) -> list[str]:
        reads = ("Get", "Describe", "List")
        calls = read_calls(self.server.directory)
        return [call.operation for call in calls if not call.operation.startswith(reads)]


def zipped(handler: str) -> bytes:
    """A function's code of one module."""
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w") as archive:
        archive.writestr("handler.py", handler)
    return packed.getvalue()


def until(condition: Callable[[], object], what: str) -> None:
    """Wait for something to be so; a test that waits in vain says for what."""
    deadline = time.monotonic() + SECONDS_TO_WAIT
    while not condition():
        assert time.monotonic() < deadline, f"in vain: {what}"
        time.sleep(SECONDS_BETWEEN_LOOKS)


class Meanwhile:
    """Does something as soon as it is time, beside a command that is at work."""

    def __init__(self, condition: Callable[[], object], action: Callable[[], object]) -> None:
        self._condition, self._action = condition, action
        self._errors: list[Exception] = []
        self._thread = threading.Thread(target=self._run, daemon=True)

    def _run(self) -> None:
        try:
            until(self._condition, "what something else waits for")
            self._action()
        except Exception as error:  # noqa: BLE001 - it is raised where the test waits
            self._errors.append(error)

    def __enter__(self) -> None:
        self._thread.start()

    def __exit__(self, *_error: object) -> None:
        self._thread.join(SECONDS_TO_WAIT)
        assert not self._errors, self._errors


__all__ = ["NEW", "NEWER", "OLD", "SIDECAR", "Ended", "Meanwhile", "Region", "World", "until"]
