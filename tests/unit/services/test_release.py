"""Releases (W2.3): canary, rollback and the smoke test's permission."""

from __future__ import annotations

import pytest

from settings import load
from tests.synthesized import Synthesized, path_of, synthesize
from tests.unit.services.support import CRITICAL


@pytest.mark.requirement("W2.3")
@pytest.mark.parametrize("name", CRITICAL)
def test_release_is_rolled_back_on_failure_stop_and_alarms_of_either_colour(platform: Synthesized, name: str) -> None:
    group = platform.resource("aws_codedeploy_deployment_group", f"primary/services/{name}-release/group")
    assert group["auto_rollback_configuration"] == {
        "enabled": True,
        "events": ["DEPLOYMENT_FAILURE", "DEPLOYMENT_STOP_ON_ALARM", "DEPLOYMENT_STOP_ON_REQUEST"],
    }
    alarms = [platform.by_id(alarm) for alarm in group["alarm_configuration"]["alarms"]]
    assert group["alarm_configuration"]["enabled"] is True
    *of_colours, unanswered = sorted(alarms, key=lambda alarm: "load-balancer" in alarm["alarm_name"])
    assert sorted(alarm["alarm_name"].split("/")[-1] for alarm in of_colours) == sorted(
        f"{name}-{colour}-{what}" for colour in ("blue", "green") for what in ("server-errors", "slow", "unhealthy")
    )
    assert unanswered["alarm_name"].endswith("/load-balancer-server-errors")
    for alarm in of_colours:
        colour = alarm["alarm_name"].split("-")[1]
        dimensions = [query["metric"]["dimensions"] for query in alarm.get("metric_query", []) if "metric" in query]
        for one in dimensions or [alarm["dimensions"]]:
            assert path_of(platform.by_id(one["TargetGroup"])).endswith(f"{name}/{colour}")


@pytest.mark.requirement("W2.3")
def test_canary_share_and_time_are_settings() -> None:
    settings = load("local")
    release = settings.release.model_copy(update={"canary_percent": 25, "canary_minutes": 7, "bake_minutes": 33})
    platform = synthesize(settings.model_copy(update={"release": release}))
    for canary in platform.resources("aws_codedeploy_deployment_config").values():
        assert canary["traffic_routing_config"] == {
            "type": "TimeBasedCanary",
            "time_based_canary": {"percentage": 25, "interval": 7},
        }
        assert "25" in canary["deployment_config_name"]  # another canary has another name: it cannot be changed
    for group in platform.resources("aws_codedeploy_deployment_group").values():
        end = group["blue_green_deployment_config"]["terminate_blue_instances_on_deployment_success"]
        assert end == {"action": "TERMINATE", "termination_wait_time_in_minutes": 33}


@pytest.mark.requirement("W2.3")
def test_codedeploy_may_invoke_the_smoke_test_only(platform: Synthesized) -> None:
    policy = platform.resource("aws_iam_role_policy", "primary/services/web-release/policy")
    ask = platform.statements(policy["policy"])["AskTheSmokeTest"]
    function = platform.resource("aws_lambda_function", "primary/services/smoke-test/function")
    assert ask["resources"] == [f"arn:aws:lambda:us-east-2:123456789012:function:{function['function_name']}"]
