"""What a release sends: the running task definition with another image, and nothing that AWS would not take."""

from __future__ import annotations

import json
from copy import deepcopy
from typing import Any

import botocore.session
import pytest
from botocore.validate import ParamValidator

from operations.outcome import Failed
from operations.release.revision import Running, app_spec, differences, next_revision
from tests.release.support import NEW, OLD, SIDECAR

pytestmark = [pytest.mark.requirement("W2.4")]
ECS: Any = botocore.session.get_session().get_service_model("ecs")
REGISTER = ECS.operation_model("RegisterTaskDefinition").input_shape
MADE = [{"key": "made-by", "value": "release"}]
HOOK = "arn:aws:lambda:us-east-2:123456789012:function:payments-smoke-test-local"

DESCRIBED: dict[str, Any] = {
    "taskDefinitionArn": "arn:aws:ecs:us-east-2:123456789012:task-definition/web:7",
    "family": "web",
    "revision": 7,
    "status": "ACTIVE",
    "taskRoleArn": "arn:aws:iam::123456789012:role/web",
    "executionRoleArn": "arn:aws:iam::123456789012:role/web-execution",
    "networkMode": "awsvpc",
    "containerDefinitions": [
        {
            "name": "web",
            "image": OLD,
            "cpu": 0,
            "portMappings": [{"containerPort": 8443, "hostPort": 8443, "protocol": "tcp"}],
            "essential": True,
            "readonlyRootFilesystem": True,
            "user": "1000",
            "linuxParameters": {"capabilities": {"drop": ["ALL"]}, "initProcessEnabled": True},
            "secrets": [{"name": "KEY", "valueFrom": "arn:aws:secretsmanager:us-east-2:123456789012:secret:key"}],
            "stopTimeout": 60,
            "systemControls": [],
        },
        {"name": "proxy", "image": SIDECAR, "cpu": 0, "essential": False},
    ],
    "volumes": [{"name": "tmp", "host": {}}],
    "requiresAttributes": [{"name": "com.amazonaws.ecs.capability.task-eni"}],
    "placementConstraints": [],
    "compatibilities": ["EC2", "FARGATE"],
    "requiresCompatibilities": ["FARGATE"],
    "runtimePlatform": {"cpuArchitecture": "ARM64", "operatingSystemFamily": "LINUX"},
    "cpu": "256",
    "memory": "512",
    "ephemeralStorage": {"sizeInGiB": 30},
    "enableFaultInjection": False,
    "registeredAt": "2026-01-01T00:00:00Z",
    "deregisteredAt": "2026-01-02T00:00:00Z",
    "registeredBy": "arn:aws:iam::123456789012:role/deploy",
}


def running(**changes: Any) -> Running:
    values: dict[str, Any] = {
        "task_definition": DESCRIBED,
        "tags": [],
        "container": "web",
        "container_port": 8443,
        "platform_version": "1.4.0",
    }
    return Running(**{**values, **changes})


def revision(**changes: Any) -> dict[str, Any]:
    return next_revision(running(**changes), NEW, REGISTER.members)


def test_the_next_revision_is_the_running_one_with_another_image() -> None:
    before = deepcopy(DESCRIBED)
    made = revision()

    of_aws = {
        "taskDefinitionArn", "revision", "status", "requiresAttributes", "compatibilities", "registeredAt",
        "deregisteredAt", "registeredBy",
    }  # fmt: skip
    expected = {name: value for name, value in before.items() if name not in of_aws}
    expected["containerDefinitions"][0]["image"] = NEW
    expected["tags"] = MADE
    assert made == expected
    assert ParamValidator().validate(made, REGISTER).generate_report() == ""
    assert DESCRIBED["containerDefinitions"][0]["image"] == OLD, "what was read must not change"


def test_every_parameter_that_aws_describes_and_takes_is_kept() -> None:
    """Also one that is unknown today: forgetting it would change what runs."""
    described = ECS.operation_model("DescribeTaskDefinition").output_shape.members["taskDefinition"].members
    both = {name: name for name in described.keys() & REGISTER.members.keys() - {"containerDefinitions"}}

    made = revision(task_definition={**both, "containerDefinitions": DESCRIBED["containerDefinitions"]})

    assert made.keys() == both.keys() | {"containerDefinitions", "tags"}


def test_tags_go_along_but_for_those_that_only_aws_may_set() -> None:
    mine = [{"key": "owner", "value": "platform-engineering"}]
    assert revision(tags=[*mine, {"key": "aws:ecs:clusterName", "value": "main"}])["tags"] == mine + MADE
    assert revision(tags=[*mine, {"key": "made-by", "value": "settings"}])["tags"] == mine + MADE


def test_order_within_a_set_is_no_difference() -> None:
    """ECS answers the environment of a container in any order."""
    first, second = {"name": "A", "value": "1"}, {"name": "B", "value": "2"}

    def ordered(*variables: dict[str, str]) -> Running:
        return running(task_definition=with_container(environment=list(variables)))

    assert differences(ordered(first, second), ordered(second, first), REGISTER.members) == []
    assert differences(ordered(first), ordered(second), REGISTER.members) == ["web.environment"]


@pytest.mark.parametrize(
    ("changed", "said"),
    [
        ({"cpu": "1024"}, ["cpu: 256 -> 1024"]),
        ({"taskRoleArn": "arn:other"}, ["taskRoleArn: arn:aws:iam::123456789012:role/web -> arn:other"]),
        ({"revision": 8, "registeredBy": "x"}, []),
        ({"volumes": []}, ["volumes"]),
    ],
)
def test_every_difference_other_than_the_image_is_reported(changed: dict[str, Any], said: list[str]) -> None:
    wanted = running(task_definition=DESCRIBED | changed)

    assert differences(running(), wanted, REGISTER.members) == said


def test_another_image_is_a_difference_in_a_sidecar_alone() -> None:
    assert differences(running(), running(task_definition=with_container(image=NEW)), REGISTER.members) == []
    sidecar = running(container="proxy")
    assert differences(
        sidecar, running(container="proxy", task_definition=with_container(image=NEW)), REGISTER.members
    ) == [f"web.image: {OLD} -> {NEW}"]


def with_container(**changes: Any) -> dict[str, Any]:
    """The task definition with another first container."""
    first, *others = DESCRIBED["containerDefinitions"]
    return DESCRIBED | {"containerDefinitions": [first | changes, *others]}


def test_a_container_that_is_not_there_is_named() -> None:
    with pytest.raises(Failed, match="no container 'api', to which requests go; it has web, proxy"):
        revision(container="api")


def test_the_running_image_is_that_of_the_container_behind_the_load_balancer() -> None:
    assert running().image == OLD
    assert running(container="proxy").image == SIDECAR


def spec(**changes: Any) -> dict[str, Any]:
    content: dict[str, Any] = json.loads(app_spec(running(**changes), "arn:of:revision:8", HOOK))
    return content


def test_the_app_spec_is_complete() -> None:
    assert spec() == {
        "version": 0.0,
        "Resources": [
            {
                "TargetService": {
                    "Type": "AWS::ECS::Service",
                    "Properties": {
                        "TaskDefinition": "arn:of:revision:8",
                        "LoadBalancerInfo": {"ContainerName": "web", "ContainerPort": 8443},
                        "PlatformVersion": "1.4.0",
                    },
                }
            }
        ],
        "Hooks": [{"AfterAllowTestTraffic": HOOK}],
    }
    assert '"version": 0.0' in app_spec(running(), "arn", HOOK)  # the only version there is, and no 0


def test_a_capacity_provider_strategy_is_repeated() -> None:
    strategy = [
        {"capacityProvider": "FARGATE", "base": 1, "weight": 1},
        {"capacityProvider": "FARGATE_SPOT", "base": 0, "weight": 3},
    ]

    properties = spec(capacity_provider_strategy=strategy)["Resources"][0]["TargetService"]["Properties"]

    assert properties["CapacityProviderStrategy"] == [
        {"CapacityProvider": "FARGATE", "Base": 1, "Weight": 1},
        {"CapacityProvider": "FARGATE_SPOT", "Base": 0, "Weight": 3},
    ]


def test_attributes_that_the_service_lacks_are_omitted() -> None:
    properties = spec(platform_version=None)["Resources"][0]["TargetService"]["Properties"]

    assert properties.keys() == {"TaskDefinition", "LoadBalancerInfo"}
