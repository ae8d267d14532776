"""Changes of the settings of a running platform: what Terraform would do (W7.1)."""

from __future__ import annotations

import pytest

from tests.lifecycle.changes import APPLIED, CHANGES
from tests.lifecycle.laws import actions, changes_the_database_in_place, replaces_nothing_in_use

pytestmark = pytest.mark.lifecycle

# All but those that are applied before the end (test_end.py).
PLANNED = [name for name in CHANGES if name not in APPLIED]
# What the change of settings must change, beside what the other tests look at.
CHANGED = {
    "operation": {
        "update": {
            "aws_appautoscaling_policy",
            "aws_appautoscaling_scheduled_action",
            "aws_cloudwatch_metric_alarm",
            "aws_codedeploy_deployment_group",
            "aws_ecs_service",
        },
        "create": {"aws_sns_topic_subscription"},
    },
    "edge": {
        "update": {
            "aws_cloudfront_distribution",
            "aws_lambda_invocation",
            "aws_route53_health_check",
            "aws_wafv2_ip_set",
            "aws_wafv2_web_acl",
        }
    },
    "routing": {"update": {"aws_cloudfront_distribution"}, "create": {"aws_route53_record"}},
    "nat-and-tags": {"update": {"aws_lb", "aws_lb_target_group", "aws_lb_listener_rule", "aws_ecs_cluster", "aws_vpc"}},
}


@pytest.mark.requirement("W7.1")
@pytest.mark.parametrize("change", PLANNED)
def test_settings_change_replaces_no_resource_in_use(changed: dict[str, list[str]], change: str) -> None:
    replaces_nothing_in_use(change, changed[change])


@pytest.mark.requirement("W7.1")
@pytest.mark.parametrize("change", CHANGED)
def test_each_changed_setting_changes_the_resources_it_configures(changed: dict[str, list[str]], change: str) -> None:
    done: dict[str, set[str]] = {}
    for action, address in actions(changed[change]):
        done.setdefault(action, set()).add(address.split(".")[0])
    for action, types in CHANGED[change].items():
        assert types <= done[action]


@pytest.mark.requirement("W7.1")
def test_service_removed_from_settings_is_destroyed_and_nothing_else(changed: dict[str, list[str]]) -> None:
    plan = actions(changed["removed-service"])
    gone = {address.split(".")[0] for action, address in plan if action == "delete"}
    assert gone >= {"aws_ecs_service", "aws_lb_listener_rule", "aws_lb_target_group", "aws_codedeploy_deployment_group"}
    # The smoke test forgets its checks, the others' scaling its connections, the composite alarms' rules its symptoms,
    # and the board its graphs; the endpoints and the load balancer stay as they are.
    assert {address.split(".")[0] for action, address in plan if action == "update"} == {
        "aws_appautoscaling_policy",
        "aws_cloudwatch_dashboard",
        "aws_iam_role_policy",
        "aws_lambda_function",
        "terraform_data",
    }


@pytest.mark.requirement("W7.1")
@pytest.mark.parametrize(
    ("change", "type_"),
    [("rule", "aws_lb_listener_rule"), ("health-check", "aws_lb_target_group")],
)
def test_rules_and_target_groups_are_changed_in_place(changed: dict[str, list[str]], change: str, type_: str) -> None:
    assert {line.split(" ")[0] for line in changed[change] if f" {type_}." in line} == {"update"}


@pytest.mark.requirement("W1.2")
@pytest.mark.parametrize("change", ["image", "size"])
def test_running_blue_green_service_is_changed_by_codedeploy_only(changed: dict[str, list[str]], change: str) -> None:
    """CodeDeploy owns its task definition: Terraform makes a revision and does not touch the service."""
    assert any(" aws_ecs_task_definition." in line for line in changed[change])
    assert not [line for line in changed[change] if " aws_ecs_service." in line]


@pytest.mark.requirement("W7.1")
@pytest.mark.requirement("W3.1")
@pytest.mark.parametrize("change", [name for name in PLANNED if name.startswith("database-")])
def test_database_change_is_made_in_place(changed: dict[str, list[str]], change: str) -> None:
    changes_the_database_in_place(change, changed[change])
