"""Scaling of services (W1.3): targets, policies, schedules, and the standby's share."""

from __future__ import annotations

import pytest

from settings import Settings, load
from tests.synthesized import Block, Synthesized
from tests.unit.database.support import SERVICES, cluster
from tests.unit.services.support import REGIONS, with_service


@pytest.mark.requirement("W1.3")
@pytest.mark.parametrize("region", REGIONS)
@pytest.mark.parametrize("name", ["web", "payments"])
def test_critical_services_follow_the_share_of_all_pools_that_is_in_use(
    platform: Synthesized, region: str, name: str
) -> None:
    policy = platform.resource("aws_appautoscaling_policy", f"{region}/services/{name}/scaling/connections-in-use")
    tracking = policy["target_tracking_scaling_policy_configuration"]
    assert tracking["target_value"] == 70
    metrics = {one["id"]: one for one in tracking["customized_metric_specification"]["metrics"]}
    share = "100 * connections / (5 * web + 10 * payments + 2 * reports + 5 * process_payment)"
    assert metrics["result"]["expression"] == f"({share}) / (connections >= 0) / (web >= 0) / (payments >= 0)"
    counted = metrics["connections"]["metric_stat"]
    assert counted["stat"] == "Sum"
    assert counted["metric"]["metric_name"] == "DatabaseConnections"
    (dimension,) = counted["metric"]["dimensions"]
    assert platform.by_id(dimension["value"]) == cluster(platform, region)
    for one in SERVICES:
        assert metrics[one]["metric_stat"]["metric"]["metric_name"] == "RunningTaskCount"
    functions = metrics["process_payment"]["metric_stat"]["metric"]
    assert functions["metric_name"] == "ConcurrentExecutions"
    assert functions["dimensions"] == [{"name": "FunctionName", "value": "payments-process-payment-local"}]


@pytest.mark.requirement("W1.3")
@pytest.mark.parametrize(
    ("name", "purpose", "metrics"),
    [
        ("web", "requests-per-task", {"blue", "green"}),
        ("reports", "messages-per-task", {"waiting", "running"}),
    ],
)
def test_scaling_follows_the_load_of_each_running_task_and_steps_down_slower(
    platform: Synthesized, local_settings: Settings, name: str, purpose: str, metrics: set[str]
) -> None:
    policy = platform.resource("aws_appautoscaling_policy", f"primary/services/{name}/scaling/{purpose}")
    tracking = policy["target_tracking_scaling_policy_configuration"]
    own = local_settings.services[name]
    target = {"web": own.requests_per_target, "reports": own.messages_per_task}[name]
    assert tracking["target_value"] == target
    assert tracking["scale_in_cooldown"] > tracking["scale_out_cooldown"]
    queries = tracking["customized_metric_specification"]["metrics"]
    (result,) = [query for query in queries if query["return_data"]]
    assert {query["id"] for query in queries} - {result["id"]} == metrics
    assert all(metric in result["expression"] for metric in metrics)
    scaled = platform.resource("aws_appautoscaling_target", f"primary/services/{name}/scaling/target")
    assert (scaled["min_capacity"], scaled["max_capacity"]) == (own.min_tasks, own.max_tasks)


@pytest.mark.requirement("W1.3")
@pytest.mark.requirement("W7.1")
@pytest.mark.parametrize("region", REGIONS)
def test_a_schedule_sets_bounds_and_returns_to_those_of_the_service(platform: Synthesized, region: str) -> None:
    at_its_begin = scheduled(platform, region, "morning")
    least, own = {"primary": ("4", "2"), "recovery": ("2", "1")}[region]
    assert at_its_begin["schedule"] == "cron(30 6 ? * MON-FRI *)"
    assert at_its_begin["scalable_target_action"] == {"min_capacity": least, "max_capacity": "6"}
    at_its_end = scheduled(platform, region, "morning.until")
    assert at_its_end["schedule"] == "cron(0 20 ? * MON-FRI *)"
    assert at_its_end["scalable_target_action"] == {"min_capacity": own, "max_capacity": "6"}
    assert {at_its_begin["timezone"], at_its_end["timezone"]} == {"America/New_York"}
    assert at_its_begin["name"] != at_its_end["name"]
    target = platform.by_id(at_its_begin["resource_id"])
    assert set(target["lifecycle"]["ignore_changes"]) == {"min_capacity", "max_capacity", "suspended_state"}
    other = platform.resource("aws_appautoscaling_target", f"{region}/services/payments/scaling/target")
    assert other["lifecycle"]["ignore_changes"] == ["suspended_state"]


@pytest.mark.requirement("W7.1")
def test_changed_bounds_of_a_service_with_a_schedule_hold_from_its_next_end_on() -> None:
    changed = with_service("web", min_tasks=3, max_tasks=9)
    assert scheduled(changed, "primary", "morning.until")["scalable_target_action"] == {
        "min_capacity": "3",
        "max_capacity": "9",
    }
    assert scheduled(changed, "primary", "morning")["scalable_target_action"] == {
        "min_capacity": "4",
        "max_capacity": "6",
    }


def scheduled(platform: Synthesized, region: str, moment: str) -> Block:
    return platform.resource("aws_appautoscaling_scheduled_action", f"{region}/services/web/scaling/{moment}")


@pytest.mark.requirement("W7.2")
def test_recovery_region_has_standby_tasks_and_can_scale_to_all(
    platform: Synthesized, local_settings: Settings
) -> None:
    for name, own in local_settings.services.items():
        target = platform.resource("aws_appautoscaling_target", f"recovery/services/{name}/scaling/target")
        half = -(-own.min_tasks // 2)
        assert (target["min_capacity"], target["max_capacity"]) == (half, own.max_tasks)
        assert platform.resource("aws_ecs_service", f"recovery/services/{name}/service")["desired_count"] == half


@pytest.mark.requirement("W7.2")
def test_no_region_is_a_standby_where_both_serve() -> None:
    values = load("local").model_dump()
    values["edge"]["origin_routing"] = "latency"
    settings = Settings.model_validate(values)
    assert settings.recovery_services == settings.services
    values["edge"]["origin_routing"] = "failover"
    values["recovery"]["standby_percent"] = 100
    settings = Settings.model_validate(values)
    assert settings.recovery_services == settings.services
