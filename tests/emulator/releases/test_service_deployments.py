"""Canary deployments by ECS itself, as the local AWS plays them: stages, traffic, hook, alarms, permissions, rollback.

https://docs.aws.amazon.com/AmazonECS/latest/developerguide/canary-deployment.html
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import pytest

from tests.emulator.release_support import LONGEST_MINUTES, Make, eventually, make_function
from tests.emulator.roles import make_role
from tests.emulator.support import error_of

pytestmark = pytest.mark.requirement("P6.7", "P6.5")

OVER = ("SUCCESSFUL", "ROLLBACK_SUCCESSFUL", "ROLLBACK_FAILED")
HOOK = """
import os
def handle(event, context):
    details = event["executionDetails"]
    print("weights", sorted(details["testTrafficWeights"].values()), event["lifecycleStage"], event["resourceArn"])
    return {"hookStatus": os.environ["ANSWER"]}
"""


@dataclass(frozen=True)
class Canary:
    """A service with a canary; everything in it bears its ``name``."""

    client: Make
    name: str
    blue: str
    green: str
    rule: str
    test_rule: str

    def task_definition(self) -> str:
        container = {"name": "web", "image": "registry/web@sha256:0", "portMappings": [{"containerPort": 8443}]}
        made = self.client("ecs").register_task_definition(
            family=self.name, networkMode="awsvpc", requiresCompatibilities=["FARGATE"], cpu="256", memory="512",
            containerDefinitions=[container],
        )  # fmt: skip
        return str(made["taskDefinition"]["taskDefinitionArn"])

    def deploy(self) -> dict[str, Any]:
        """Give the service a new version; returns what ECS says of the deployment."""
        self.client("ecs").update_service(cluster=self.name, service=self.name, taskDefinition=self.task_definition())
        return self.latest()

    def latest(self) -> dict[str, Any]:
        ecs = self.client("ecs")
        found = ecs.list_service_deployments(cluster=self.name, service=self.name)["serviceDeployments"]
        arns = [found[0]["serviceDeploymentArn"]]
        return dict(ecs.describe_service_deployments(serviceDeploymentArns=arns)["serviceDeployments"][0])

    def ended(self) -> dict[str, Any]:
        eventually(lambda: self.latest()["status"] in OVER)
        return self.latest()

    def weights(self, rule: str) -> dict[str, int]:
        (found,) = self.client("elbv2").describe_rules(RuleArns=[rule])["Rules"]
        groups = found["Actions"][0]["ForwardConfig"]["TargetGroups"]
        return {one["TargetGroupArn"]: one["Weight"] for one in groups}

    def targets(self, target_group: str) -> int:
        health = self.client("elbv2").describe_target_health(TargetGroupArn=target_group)
        return len(health["TargetHealthDescriptions"])

    def task_definition_in_use(self) -> str:
        (found,) = self.client("ecs").describe_services(cluster=self.name, services=[self.name])["services"]
        return str(found["taskDefinition"])

    def ring(self, state: str) -> None:
        cloudwatch = self.client("cloudwatch")
        cloudwatch.put_metric_alarm(
            AlarmName=self.name, ComparisonOperator="GreaterThanThreshold", EvaluationPeriods=1, Threshold=1,
            MetricName="m", Namespace="n", Period=60, Statistic="Sum",
        )  # fmt: skip
        cloudwatch.set_alarm_state(AlarmName=self.name, StateValue=state, StateReason="a test")


def make(client: Make, name: str, *, answer: str = "SUCCEEDED", shifts: bool = True, minutes: int = 0) -> Canary:
    """A service with a canary of 10 %, whose hook gives ``answer``; ``shifts`` is what the role there is allowed."""
    ec2, elbv2, ecs = client("ec2"), client("elbv2"), client("ecs")
    vpc = ec2.create_vpc(CidrBlock="10.0.0.0/16")["Vpc"]["VpcId"]
    subnets = [
        ec2.create_subnet(VpcId=vpc, CidrBlock=cidr, AvailabilityZone=zone)["Subnet"]["SubnetId"]
        for cidr, zone in (("10.0.0.0/24", "us-east-2a"), ("10.0.1.0/24", "us-east-2b"))
    ]
    group = ec2.create_security_group(GroupName=name, Description=name, VpcId=vpc)["GroupId"]
    balancer = elbv2.create_load_balancer(Name=name, Subnets=subnets)["LoadBalancers"][0]["LoadBalancerArn"]
    blue, green = (
        elbv2.create_target_group(Name=f"{name}-{kind}", VpcId=vpc, TargetType="ip", Port=8443, Protocol="HTTPS")[
            "TargetGroups"
        ][0]["TargetGroupArn"]
        for kind in ("blue", "green")
    )
    rule, test_rule = (_rule(elbv2, balancer, port, blue, green) for port in (80, 9000))
    resource = [rule, test_rule] if shifts else ["arn:aws:elasticloadbalancing:us-east-2:123456789012:none"]
    modify = {"Effect": "Allow", "Action": "elasticloadbalancing:ModifyRule", "Resource": resource}
    role = make_role(client, "ecs.amazonaws.com", f"{name}-traffic", modify)
    hook = make_function(client, name, HOOK, Environment={"Variables": {"ANSWER": answer}})
    invoke = {"Effect": "Allow", "Action": "lambda:InvokeFunction", "Resource": hook}
    canary = Canary(client, name, blue, green, rule, test_rule)
    ecs.create_cluster(clusterName=name)
    ecs.create_service(
        cluster=name,
        serviceName=name,
        desiredCount=2,
        taskDefinition=canary.task_definition(),
        launchType="FARGATE",
        deploymentConfiguration={
            "strategy": "CANARY",
            "canaryConfiguration": {"canaryPercent": 10, "canaryBakeTimeInMinutes": minutes},
            "bakeTimeInMinutes": 0,
            "alarms": {"alarmNames": [name], "enable": True, "rollback": True},
            "lifecycleHooks": [
                {
                    "hookTargetArn": hook,
                    "roleArn": make_role(client, "ecs.amazonaws.com", f"{name}-hook", invoke),
                    "lifecycleStages": ["POST_TEST_TRAFFIC_SHIFT"],
                }
            ],
        },
        loadBalancers=[
            {
                "targetGroupArn": blue,
                "containerName": "web",
                "containerPort": 8443,
                "advancedConfiguration": {
                    "alternateTargetGroupArn": green,
                    "productionListenerRule": rule,
                    "testListenerRule": test_rule,
                    "roleArn": role,
                },
            }
        ],
        networkConfiguration={"awsvpcConfiguration": {"subnets": subnets, "securityGroups": [group]}},
    )
    return canary


def _rule(elbv2: Any, balancer: str, port: int, blue: str, green: str) -> str:
    refused = [{"Type": "fixed-response", "FixedResponseConfig": {"StatusCode": "404"}}]
    listener = elbv2.create_listener(LoadBalancerArn=balancer, Protocol="HTTP", Port=port, DefaultActions=refused)
    weighted = [{"TargetGroupArn": blue, "Weight": 100}, {"TargetGroupArn": green, "Weight": 0}]
    made = elbv2.create_rule(
        ListenerArn=listener["Listeners"][0]["ListenerArn"],
        Priority=1,
        Conditions=[{"Field": "path-pattern", "PathPatternConfig": {"Values": ["/*"]}}],
        Actions=[{"Type": "forward", "ForwardConfig": {"TargetGroups": weighted}}],
    )
    return str(made["Rules"][0]["RuleArn"])


def test_canary_gets_its_share_then_everything_and_the_next_goes_the_other_way(
    client: Make, run: Callable[[], None]
) -> None:
    one = make(client, "sharing", minutes=LONGEST_MINUTES)
    before = one.task_definition_in_use()
    one.deploy()
    eventually(lambda: one.weights(one.rule) == {one.blue: 90, one.green: 10})
    assert one.weights(one.test_rule) == {one.blue: 0, one.green: 100}
    assert (one.targets(one.blue), one.targets(one.green)) == (2, 2)
    latest = one.latest()
    assert (latest["status"], latest["lifecycleStage"]) == ("IN_PROGRESS", "PRODUCTION_TRAFFIC_SHIFT")
    assert latest["targetServiceRevision"]["requestedProductionTrafficWeight"] == 10
    assert error_of(one.deploy) == "InvalidParameterException"
    run()
    assert one.ended()["status"] == "SUCCESSFUL"
    assert one.weights(one.rule) == {one.blue: 0, one.green: 100}
    assert (one.targets(one.blue), one.targets(one.green)) == (0, 2)
    assert one.task_definition_in_use() != before
    one.deploy()
    assert one.ended()["status"] == "SUCCESSFUL"
    assert one.weights(one.rule) == {one.blue: 100, one.green: 0}
    assert (one.targets(one.blue), one.targets(one.green)) == (2, 0)


def _is_as_before(one: Canary, task_definition: str) -> bool:
    return (
        one.weights(one.rule)[one.blue] == one.weights(one.test_rule)[one.blue] == 100
        and (one.targets(one.blue), one.targets(one.green)) == (2, 0)
        and one.task_definition_in_use() == task_definition
    )


def test_alarm_rolls_a_canary_back_and_one_that_rang_before_does_not(client: Make, run: Callable[[], None]) -> None:
    one = make(client, "ringing", minutes=LONGEST_MINUTES)
    before = one.task_definition_in_use()
    one.ring("OK")
    one.deploy()
    eventually(lambda: one.weights(one.rule)[one.green] == 10)
    one.ring("ALARM")
    ended = one.ended()
    assert ended["status"] == "ROLLBACK_SUCCESSFUL"
    assert ended["alarms"] == {"status": "TRIGGERED", "alarmNames": ["ringing"], "triggeredAlarmNames": ["ringing"]}
    assert ended["rollback"]["serviceRevisionArn"] == ended["sourceServiceRevisions"][0]["arn"]
    assert _is_as_before(one, before)
    run()
    one.deploy()
    ended = one.ended()
    assert (ended["status"], ended["alarms"]["status"]) == ("SUCCESSFUL", "DISABLED")


@pytest.mark.parametrize(
    ("name", "answer", "shifts", "reason"),
    [
        ("failing", "FAILED", True, "did not succeed"),
        ("silent", "", True, "did not succeed"),
        ("bound", "SUCCEEDED", False, "may not modify"),
    ],
)
def test_hook_that_fails_or_a_role_without_permission_rolls_back(
    name: str, answer: str, shifts: bool, reason: str, client: Make, run: Callable[[], None]
) -> None:
    one = make(client, name, answer=answer or "-", shifts=shifts)
    before = one.task_definition_in_use()
    run()
    one.deploy()
    ended = one.ended()
    assert reason in ended["statusReason"]
    if shifts:
        assert ended["status"] == "ROLLBACK_SUCCESSFUL"
        assert _is_as_before(one, before)
    else:
        assert ended["status"] == "ROLLBACK_FAILED"


def test_stopped_deployment_is_rolled_back_and_an_unknown_one_is_not_found(client: Make) -> None:
    one = make(client, "stopping", minutes=LONGEST_MINUTES)
    before, deployment = one.task_definition_in_use(), one.deploy()
    eventually(lambda: one.weights(one.rule)[one.green] == 10)
    ecs, arn = client("ecs"), deployment["serviceDeploymentArn"]
    assert ecs.stop_service_deployment(serviceDeploymentArn=arn)["serviceDeploymentArn"] == arn
    assert one.ended()["status"] == "ROLLBACK_SUCCESSFUL"
    assert _is_as_before(one, before)
    unknown = f"{arn}0"
    error = error_of(lambda: ecs.describe_service_deployments(serviceDeploymentArns=[unknown]))
    assert error == "ServiceDeploymentNotFoundException"
