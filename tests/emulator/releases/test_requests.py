"""What a release is asked for: AppSpecs, task definitions, listeners, configurations, and refusals of each."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from emulator import process
from emulator.clock import Clock
from emulator.process import EmulatorError, Server
from emulator.runtime.releases.lifecycle import _shares
from tests.emulator.release_support import (
    Make,
    Platform,
    appspec,
    canary,
    eventually,
    make_platform,
)
from tests.emulator.support import error_of

pytestmark = pytest.mark.requirement("W8.2")

ALL_AT_ONCE = {"type": "AllAtOnce"}
SUCCEEDING = "Succeeded"


@pytest.mark.parametrize(
    "content",
    [
        "a: [",
        "just words",
        '{"version": 0.0}',
        '{"Resources": [{"F": {"Type": "AWS::Lambda::Function", "Properties": {"Name": "f"}}}]}',
        appspec(TaskDefinition=None),
        appspec(LoadBalancerInfo={"ContainerName": "web"}),
        appspec(LoadBalancerInfo=None),
        appspec()[:-1] + ', "Hooks": [{"BeforeBreakfast": "f"}]}',
        appspec()[:-1] + ', "Hooks": {"AfterInstall": "f"}}',
    ],
)
def test_invalid_appspec_is_refused_at_once(content: str, client: Make) -> None:
    platform = refusing_platform(client)
    assert error_of(lambda: platform.deploy(content)) == "InvalidRevisionException"


def refusing_platform(client: Make) -> Platform:
    """One platform for all that is refused before anything is touched."""
    applications = client("codedeploy").list_applications()["applications"]
    if "refusing" in applications:
        return Platform(client, "refusing", "", "", "", "", [])
    return make_platform(client, "refusing", traffic=ALL_AT_ONCE)


@pytest.mark.parametrize("kind", ["unknown", "container", "port", "inactive"])
def test_a_task_definition_that_cannot_run_fails_before_anything_changes(kind: str, client: Make) -> None:
    platform = make_platform(client, f"cannot-run-{kind}", traffic=ALL_AT_ONCE)
    before = platform.service()
    definition = platform.register_task_definition(
        container="other" if kind == "container" else "web", port=1 if kind == "port" else 8443
    )
    if kind == "inactive":
        client("ecs").deregister_task_definition(taskDefinition=definition)
    info = platform.ended(platform.release("unknown:1" if kind == "unknown" else definition))
    assert (info["status"], info["errorInformation"]["code"]) == ("Failed", "ECS_UPDATE_ERROR")
    assert "rollbackInfo" not in info
    assert platform.service() == before


def test_an_appspec_may_be_yaml_and_in_s3(client: Make, run: Callable[[], None]) -> None:
    platform = make_platform(client, "yaml", traffic=ALL_AT_ONCE)
    definition = platform.register_task_definition()
    text = f"""
version: 0.0
Resources:
  - TargetService:
      Type: AWS::ECS::Service
      Properties:
        TaskDefinition: "{definition}"
        LoadBalancerInfo:
          ContainerName: web
          ContainerPort: 8443
"""
    s3 = client("s3")
    s3.create_bucket(Bucket="appspecs", CreateBucketConfiguration={"LocationConstraint": "us-east-2"})
    s3.put_object(Bucket="appspecs", Key="appspec.yaml", Body=text)
    run()
    location = {"bucket": "appspecs", "key": "appspec.yaml", "bundleType": "YAML"}
    released = client("codedeploy").create_deployment(
        applicationName="yaml", deploymentGroupName="yaml", revision={"revisionType": "S3", "s3Location": location}
    )
    assert platform.ended(released["deploymentId"])["status"] == "Succeeded"
    assert platform.primary()[0] == definition


def test_a_capacity_strategy_is_lost_unless_the_appspec_repeats_it(client: Make, run: Callable[[], None]) -> None:
    strategy = [{"capacityProvider": "FARGATE_SPOT", "base": 1, "weight": 2}]
    platform = make_platform(client, "strategy", traffic=ALL_AT_ONCE, capacity_provider_strategy=strategy)
    assert platform.service()["capacityProviderStrategy"] == strategy
    run()
    repeated = [{"CapacityProvider": "FARGATE_SPOT", "Base": 1, "Weight": 2}]
    definition = platform.register_task_definition()
    platform.ended(platform.release(definition, CapacityProviderStrategy=repeated))
    assert platform.service()["capacityProviderStrategy"] == strategy
    assert "launchType" not in platform.service()
    platform.ended(platform.release(definition))
    assert "capacityProviderStrategy" not in platform.service()
    assert platform.service()["launchType"] == "FARGATE"


def test_a_release_needs_its_listeners_to_forward_to_the_primary_task_set(client: Make) -> None:
    platform = make_platform(client, "detached", traffic=ALL_AT_ONCE)
    elsewhere = [{"Type": "forward", "TargetGroupArn": platform.green}]
    client("elbv2").modify_listener(ListenerArn=platform.test_listener, DefaultActions=elsewhere)
    info = platform.ended(platform.release(platform.register_task_definition()))
    assert info["errorInformation"]["code"] == "ELASTIC_LOAD_BALANCING_INVALID"
    assert platform.test_listener in info["errorInformation"]["message"]


def test_unknown_ids_get_codedeploys_own_errors(client: Make) -> None:
    codedeploy = client("codedeploy")
    unknown = "d-UNKNOWN00"
    for call in (
        lambda: codedeploy.get_deployment(deploymentId=unknown),
        lambda: codedeploy.stop_deployment(deploymentId=unknown),
        lambda: codedeploy.continue_deployment(deploymentId=unknown),
        lambda: codedeploy.list_deployment_targets(deploymentId=unknown),
        lambda: codedeploy.get_deployment_target(deploymentId=unknown, targetId="a:b"),
    ):
        assert error_of(call) == "DeploymentDoesNotExistException"
    platform = make_platform(client, "known", traffic=canary(10))
    released = platform.release(platform.register_task_definition())
    eventually(lambda: platform.info(released)["status"] == "InProgress")
    assert error_of(lambda: codedeploy.get_deployment_target(deploymentId=released, targetId="a:b")) == (
        "DeploymentTargetDoesNotExistException"
    )
    revision = {"revisionType": "AppSpecContent", "appSpecContent": {"content": appspec()}}
    for name, group, code in (
        ("nobody", "known", "ApplicationDoesNotExistException"),
        ("known", "nobody", "DeploymentGroupDoesNotExistException"),
    ):
        assert code == error_of(
            lambda name=name, group=group: codedeploy.create_deployment(  # type: ignore[misc]
                applicationName=name, deploymentGroupName=group, revision=revision
            )
        )


# --- the clock -------------------------------------------------------------------------------------------------------


def test_the_shares_are_those_of_the_configuration() -> None:
    linear = {"type": "TimeBasedLinear", "timeBasedLinear": {"linearPercentage": 30, "linearInterval": 2}}
    expected = {
        (10, 5): (canary(10, 5), [(10, 5), (100, 0)]),
        (30, 2): (linear, [(30, 2), (60, 2), (90, 2), (100, 0)]),
        (100, 0): (ALL_AT_ONCE, [(100, 0)]),
    }
    for routing, shares in expected.values():
        assert list(_shares({"trafficRoutingConfig": routing})) == shares


def test_clock_change_affects_waits_in_progress() -> None:
    clock = Clock()
    clock.set(1e6)

    def faster() -> bool:
        clock.set(1e-6)
        return False

    assert clock.wait(1000.0, faster) is False
    assert clock.wait(1e9, lambda: True) is True


@pytest.mark.parametrize("speed", [0, -1])
def test_clock_never_stops_or_goes_back(speed: float, server: Server) -> None:
    with pytest.raises(EmulatorError, match="seconds_per_minute"):
        process.set_clock(server, speed)
