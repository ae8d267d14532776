"""The course of a release of an ECS service, as CodeDeploy plays it: traffic, alarms, hooks, waits, rollback."""

from __future__ import annotations

import json
from collections.abc import Callable

import pytest

from tests.emulator.release_support import (
    LONGEST_MINUTES,
    REPORTING_FUNCTION,
    STICKINESS,
    Make,
    appspec,
    canary,
    eventually,
    make_function,
    make_platform,
)
from tests.emulator.support import error_of

pytestmark = pytest.mark.requirement("W8.2")

ALL_AT_ONCE = {"type": "AllAtOnce"}
SUCCEEDING = "Succeeded"


def test_a_release_shifts_its_share_waits_and_finishes_and_the_next_goes_the_other_way(
    client: Make, run: Callable[[], None]
) -> None:
    platform = make_platform(client, "shifting", traffic=canary(10))
    first, second = platform.service()["taskDefinition"], platform.register_task_definition()
    blue, green = platform.blue, platform.green
    assert len(platform.targets(blue)) == 2
    assert platform.targets(green) == []

    released = platform.release(second)
    eventually(lambda: platform.weights(platform.rules[0]) == {blue: 90, green: 10})
    assert platform.weights(platform.rules[1]) == {blue: 90, green: 10}
    assert list(platform.weights(platform.rules[2]).values()) == [7]
    assert platform.test_weights() == {blue: 0, green: 100}
    assert platform.traffic(released) == {"Blue": 90, "Green": 10}
    assert platform.primary() == (first, blue)
    sets = {tasks["status"]: tasks for tasks in platform.service()["taskSets"]}
    assert sets.keys() == {"PRIMARY", "ACTIVE"}
    assert sets["ACTIVE"]["taskDefinition"] == second
    assert sets["ACTIVE"]["externalId"] == released
    assert sets["ACTIVE"]["loadBalancers"][0]["targetGroupArn"] == green
    assert sets["ACTIVE"]["scale"] == {"value": 100.0, "unit": "PERCENT"}
    assert set(platform.targets(green)).isdisjoint(platform.targets(blue))
    assert len(platform.targets(green)) == 2
    assert platform.info(released)["status"] == "InProgress"
    assert platform.events(released)["AllowTraffic"] == "InProgress"
    assert platform.events(released)["AfterAllowTraffic"] == "Pending"

    run()
    info = platform.ended(released)
    assert (info["status"], info["deploymentOverview"]["Succeeded"]) == ("Succeeded", 1)
    assert info["startTime"] <= info["completeTime"]
    assert set(platform.events(released).values()) == {"Succeeded"}
    assert platform.weights(platform.rules[0]) == platform.weights(platform.rules[1]) == {blue: 0, green: 100}
    assert platform.test_weights() == {blue: 0, green: 100}
    assert list(platform.weights(platform.rules[2]).values()) == [7]
    default = client("elbv2").describe_listeners(ListenerArns=[platform.listener])["Listeners"][0]["DefaultActions"]
    assert [action["Type"] for action in default] == ["fixed-response"]
    (rule,) = client("elbv2").describe_rules(RuleArns=[platform.rules[1]])["Rules"]
    (action,) = rule["Actions"]
    assert (action["Order"], action["ForwardConfig"]["TargetGroupStickinessConfig"]) == (1, STICKINESS)
    (group,) = client("elbv2").describe_target_groups(TargetGroupArns=[green])["TargetGroups"]
    assert len(group["LoadBalancerArns"]) == 1
    assert platform.primary() == (second, green)
    assert len(platform.service()["taskSets"]) == 1
    assert platform.targets(blue) == []
    group = client("codedeploy").get_deployment_group(applicationName="shifting", deploymentGroupName="shifting")
    assert group["deploymentGroupInfo"]["lastSuccessfulDeployment"]["deploymentId"] == released
    assert group["deploymentGroupInfo"]["lastAttemptedDeployment"]["status"] == "Succeeded"

    third = platform.register_task_definition()
    assert platform.ended(platform.release(third))["status"] == "Succeeded"
    assert platform.primary() == (third, blue)
    assert platform.weights(platform.rules[0]) == platform.test_weights() == {blue: 100, green: 0}


def test_a_second_release_of_a_group_is_refused_while_the_first_goes_on(client: Make, run: Callable[[], None]) -> None:
    platform = make_platform(client, "second", traffic=ALL_AT_ONCE, bake_minutes=LONGEST_MINUTES)
    first = platform.release(platform.register_task_definition())
    assert error_of(lambda: platform.release(platform.register_task_definition())) == (
        "DeploymentLimitExceededException"
    )
    eventually(lambda: platform.info(first)["instanceTerminationWaitTimeStarted"])
    assert error_of(lambda: platform.release(platform.register_task_definition())) == (
        "DeploymentLimitExceededException"
    )
    codedeploy = client("codedeploy")
    codedeploy.continue_deployment(deploymentId=first, deploymentWaitType="TERMINATION_WAIT")
    assert platform.ended(first)["status"] == "Succeeded"
    run()
    second = platform.release(platform.register_task_definition())
    assert platform.ended(second)["status"] == "Succeeded"
    listed = codedeploy.list_deployments(
        applicationName="second", deploymentGroupName="second", includeOnlyStatuses=["Succeeded"]
    )
    assert listed["deployments"] == [second, first]


def test_an_alarm_while_the_canary_waits_takes_the_traffic_back(client: Make) -> None:
    platform = make_platform(client, "alarmed", traffic=canary(25))
    first = platform.service()["taskDefinition"]
    platform.set_alarm("alarmed-unwatched", "ALARM")
    platform.set_alarm("alarmed-watched", "OK")
    released = platform.release(platform.register_task_definition())
    eventually(lambda: platform.weights(platform.rules[0])[platform.blue] == 75)
    platform.set_alarm("alarmed-watched", "ALARM")
    info = platform.ended(released)
    assert (info["status"], info["errorInformation"]["code"]) == ("Stopped", "ALARM_ACTIVE")
    assert "<alarmed-watched>" in info["errorInformation"]["message"]
    rollback = platform.ended(info["rollbackInfo"]["rollbackDeploymentId"])
    assert (rollback["status"], rollback["creator"]) == ("Succeeded", "codeDeployRollback")
    assert rollback["rollbackInfo"]["rollbackTriggeringDeploymentId"] == released
    assert platform.events(released)["AllowTraffic"] == "Failed"
    assert platform.events(released)["AfterAllowTraffic"] == "Skipped"
    as_before = {platform.blue: 100, platform.green: 0}
    assert platform.weights(platform.rules[0]) == platform.weights(platform.rules[1]) == as_before
    assert platform.test_weights() == as_before
    assert platform.primary() == (first, platform.blue)
    assert len(platform.service()["taskSets"]) == 1
    assert platform.targets(platform.green) == []
    assert first in rollback["revision"]["appSpecContent"]["content"]


def test_an_alarm_while_the_original_tasks_wait_for_their_end_takes_the_traffic_back(client: Make) -> None:
    platform = make_platform(client, "baking", traffic=ALL_AT_ONCE, bake_minutes=LONGEST_MINUTES)
    first, second = platform.service()["taskDefinition"], platform.register_task_definition()
    released = platform.release(second)
    eventually(lambda: platform.info(released)["instanceTerminationWaitTimeStarted"])
    assert platform.info(released)["status"] == "InProgress"
    assert platform.primary() == (second, platform.green)
    assert len(platform.service()["taskSets"]) == 2
    platform.set_alarm("baking-watched", "ALARM")
    info = platform.ended(released)
    assert info["status"] == "Stopped"
    platform.ended(info["rollbackInfo"]["rollbackDeploymentId"])
    assert platform.primary() == (first, platform.blue)
    assert platform.weights(platform.rules[0]) == {platform.blue: 100, platform.green: 0}


def test_release_is_refused_while_an_alarm_fires(client: Make) -> None:
    platform = make_platform(client, "alarm-on", traffic=ALL_AT_ONCE)
    before = platform.service()
    platform.set_alarm("alarm-on-watched", "ALARM")
    refused = platform.ended(platform.release(platform.register_task_definition()))
    assert (refused["status"], refused["errorInformation"]["code"]) == ("Stopped", "ALARM_ACTIVE")
    assert "rollbackInfo" not in refused
    assert platform.service() == before


def test_deployment_settings_override_those_of_the_group(client: Make) -> None:
    platform = make_platform(client, "told", traffic=canary(10), bake_minutes=LONGEST_MINUTES)
    platform.set_alarm("told-watched", "ALARM")
    definition = platform.register_task_definition()
    released = platform.deploy(
        appspec(TaskDefinition=definition),
        deploymentConfigName="CodeDeployDefault.ECSAllAtOnce",
        overrideAlarmConfiguration={"enabled": False},
        autoRollbackConfiguration={"enabled": False, "events": []},
        description="told",
    )
    eventually(lambda: platform.info(released)["instanceTerminationWaitTimeStarted"])
    client("codedeploy").stop_deployment(deploymentId=released)
    info = platform.ended(released)
    assert (info["status"], info["description"], "rollbackInfo" in info) == ("Stopped", "told", False)
    assert info["deploymentConfigName"] == "CodeDeployDefault.ECSAllAtOnce"
    assert platform.weights(platform.rules[0]) == {platform.blue: 0, platform.green: 100}


@pytest.mark.parametrize("rolls_back", [True, False])
def test_stopped_release_is_rolled_back_if_requested(rolls_back: bool, client: Make) -> None:
    platform = make_platform(client, f"stopped-{rolls_back}", traffic=canary(10))
    released = platform.release(platform.register_task_definition())
    eventually(lambda: platform.weights(platform.rules[0])[platform.blue] == 90)
    codedeploy = client("codedeploy")
    codedeploy.stop_deployment(deploymentId=released, autoRollbackEnabled=rolls_back)
    info = platform.ended(released)
    assert (info["status"], info["errorInformation"]["code"]) == ("Stopped", "MANUAL_STOP")
    assert ("rollbackInfo" in info) == rolls_back
    if rolls_back:
        platform.ended(info["rollbackInfo"]["rollbackDeploymentId"])
    assert platform.weights(platform.rules[0])[platform.blue] == (100 if rolls_back else 90)
    assert len(platform.service()["taskSets"]) == (1 if rolls_back else 2)
    assert error_of(lambda: codedeploy.stop_deployment(deploymentId=released)) == "DeploymentAlreadyCompletedException"


# --- hooks -----------------------------------------------------------------------------------------------------------


def hook(client: Make, name: str, answer: str, code: str = REPORTING_FUNCTION) -> str:
    return make_function(client, name, code, Environment={"Variables": {"ANSWER": answer}})


def test_hooks_are_invoked_in_order_and_their_output_is_logged(client: Make, run: Callable[[], None]) -> None:
    platform = make_platform(client, "hooked", traffic=ALL_AT_ONCE)
    function = hook(client, "hooked", "Succeeded")
    names = ["BeforeInstall", "AfterInstall", "AfterAllowTestTraffic", "BeforeAllowTraffic", "AfterAllowTraffic"]
    run()
    released = platform.release(platform.register_task_definition(), dict.fromkeys(names, function))
    assert platform.ended(released)["status"] == "Succeeded"
    events = {event["lifecycleEventName"]: event for event in platform.target(released)["lifecycleEvents"]}
    assert list(events) == [
        "BeforeInstall", "Install", "AfterInstall", "AllowTestTraffic", "AfterAllowTestTraffic", "BeforeAllowTraffic",
        "AllowTraffic", "AfterAllowTraffic",
    ]  # fmt: skip
    begun = [event["startTime"] for event in events.values()]
    assert begun == sorted(begun)
    logged = eventually(lambda: asked(client, "hooked") if len(asked(client, "hooked")) == len(names) else None)
    assert {event["DeploymentId"] for event in logged} == {released}
    assert len({event["LifecycleEventHookExecutionId"] for event in logged}) == len(names)


def asked(client: Make, function: str) -> list[dict[str, str]]:
    """The events that a function says it was called with; its log group comes with its first words."""
    logs = client("logs")
    group = f"/aws/lambda/{function}"
    if not logs.describe_log_groups(logGroupNamePrefix=group)["logGroups"]:
        return []
    logged = logs.filter_log_events(logGroupName=group)["events"]
    return [json.loads(event["message"].partition(" ")[2]) for event in logged if event["message"].startswith("asked ")]


@pytest.mark.parametrize("event", ["BeforeInstall", "AfterAllowTestTraffic", "AfterAllowTraffic"])
def test_a_function_that_finds_a_fault_ends_the_release(event: str, client: Make, run: Callable[[], None]) -> None:
    name = f"faulty-{event.lower()}"[:24]
    platform = make_platform(client, name, traffic=ALL_AT_ONCE)
    first = platform.service()["taskDefinition"]
    run()
    released = platform.release(platform.register_task_definition(), {event: hook(client, name, "Failed")})
    info = platform.ended(released)
    assert (info["status"], info["errorInformation"]["code"]) == ("Failed", "HOOK_EXECUTION_FAILURE")
    assert event in info["errorInformation"]["message"]
    assert platform.events(released)[event] == "Failed"
    if event != "BeforeInstall":
        platform.ended(info["rollbackInfo"]["rollbackDeploymentId"])
        assert platform.weights(platform.rules[0]) == {platform.blue: 100, platform.green: 0}
        assert platform.test_weights() == {platform.blue: 100, platform.green: 0}
    assert platform.primary() == (first, platform.blue)


@pytest.mark.parametrize("code", ["def handle(event, context): pass", "raise ValueError('broken')"])
def test_hook_without_a_result_for_an_hour_fails_the_release(code: str, client: Make, run: Callable[[], None]) -> None:
    name = f"silent-{len(code)}"
    platform = make_platform(client, name, traffic=ALL_AT_ONCE)
    run()
    released = platform.release(platform.register_task_definition(), {"AfterInstall": hook(client, name, "", code)})
    info = platform.ended(released)
    assert (info["status"], info["errorInformation"]["code"]) == ("Failed", "HOOK_EXECUTION_FAILURE")
    assert "did not report a status" in info["errorInformation"]["message"]


def test_an_answer_counts_once_and_only_for_an_execution_there_is(client: Make) -> None:
    platform = make_platform(client, "answers", traffic=canary(10))
    function = hook(client, "answers", "Succeeded")
    released = platform.release(platform.register_task_definition(), {"AfterInstall": function})
    eventually(lambda: platform.weights(platform.rules[0])[platform.blue] == 90)
    (event,) = eventually(lambda: asked(client, "answers"))
    codedeploy = client("codedeploy")

    def answer(deployment_id: str, execution_id: str, status: str = "Succeeded") -> str:
        return error_of(
            lambda: codedeploy.put_lifecycle_event_hook_execution_status(
                deploymentId=deployment_id, lifecycleEventHookExecutionId=execution_id, status=status
            )
        )

    execution_id = event["LifecycleEventHookExecutionId"]
    assert answer(released, execution_id) == "LifecycleEventAlreadyCompletedException"
    assert answer(released, "unknown") == "InvalidLifecycleEventHookExecutionIdException"
    assert answer(released, execution_id, "Unknown") == "InvalidLifecycleEventHookExecutionStatusException"
    assert answer("d-UNKNOWN00", execution_id) == "DeploymentDoesNotExistException"


def test_a_function_that_does_not_exist_ends_the_release(client: Make) -> None:
    platform = make_platform(client, "no-function", traffic=ALL_AT_ONCE)
    released = platform.release(platform.register_task_definition(), {"BeforeInstall": "nobody"})
    assert platform.ended(released)["errorInformation"]["code"] == "INVALID_LAMBDA_FUNCTION"


# --- waiting to be continued -----------------------------------------------------------------------------------------


def test_release_waits_for_continuation_if_the_group_says_so(client: Make) -> None:
    platform = make_platform(client, "ready", traffic=ALL_AT_ONCE, ready_minutes=LONGEST_MINUTES)
    released = platform.release(platform.register_task_definition())
    eventually(lambda: platform.info(released)["status"] == "Ready")
    assert platform.test_weights() == {platform.blue: 0, platform.green: 100}
    codedeploy = client("codedeploy")
    assert error_of(
        lambda: codedeploy.continue_deployment(deploymentId=released, deploymentWaitType="TERMINATION_WAIT")
    ) == ("DeploymentIsNotInReadyStateException")
    codedeploy.continue_deployment(deploymentId=released, deploymentWaitType="READY_WAIT")
    assert platform.ended(released)["status"] == "Succeeded"


def test_a_release_that_is_not_continued_in_time_is_stopped(client: Make, run: Callable[[], None]) -> None:
    platform = make_platform(client, "not-continued", traffic=ALL_AT_ONCE, ready_minutes=LONGEST_MINUTES)
    first = platform.service()["taskDefinition"]
    run()
    assert platform.ended(platform.release(platform.register_task_definition()))["status"] == "Stopped"
    assert platform.primary() == (first, platform.blue)
