"""Deployments by canary (P6.7): what ECS shifts, what tests a new version first, and what rolls it back."""

from __future__ import annotations

import json
import re
from typing import Any

import pytest

from payment_api import contract
from payment_api.canary import ROLLBACK_ALARMS, UNAUTHORIZED, checks
from payment_api.settings import Settings
from tests.payment_api.policies import Roles
from tests.payment_api.support import Properties, Template

pytestmark = pytest.mark.requirement("P6.7")


@pytest.fixture
def service(api: Template) -> Properties:
    return api.one("AWS::ECS::Service")


def deployment(service: Properties) -> dict[str, Any]:
    found: dict[str, Any] = service["DeploymentConfiguration"]
    return found


def test_a_share_of_the_traffic_comes_first_and_the_version_before_is_kept_for_a_while(
    service: Properties, settings: Settings
) -> None:
    found, wanted = deployment(service), settings.service
    assert service.get("DeploymentController", {"Type": "ECS"}) == {"Type": "ECS"}
    assert found["Strategy"] == "CANARY"
    assert found["CanaryConfiguration"] == {
        "CanaryPercent": wanted.canary_percent,
        "CanaryBakeTimeInMinutes": wanted.canary_minutes,
    }
    assert found["BakeTimeInMinutes"] == wanted.bake_minutes
    assert found["DeploymentCircuitBreaker"] == {"Enable": True, "Rollback": True}


def test_alarms_roll_back_and_are_raised_before_the_rest_of_the_traffic_follows(
    api: Template, service: Properties
) -> None:
    alarms, found = api.of("AWS::CloudWatch::Alarm"), deployment(service)["Alarms"]
    assert (found["Enable"], found["Rollback"]) == (True, True)
    ids = [one["Ref"] for one in found["AlarmNames"]]
    assert len(ids) == len(ROLLBACK_ALARMS)
    for id_ in ids:
        alarm = alarms[id_]
        metrics = [one["MetricStat"]["Period"] for one in alarm.get("Metrics", []) if "MetricStat" in one]
        period = max([alarm.get("Period", 0), *metrics])
        minutes = alarm["EvaluationPeriods"] * period / 60
        assert 0 < minutes < deployment(service)["CanaryConfiguration"]["CanaryBakeTimeInMinutes"]
        assert alarm["TreatMissingData"] == "notBreaching", "a minute without requests is no fault of a version"


def rule_of(api: Template, reference: dict[str, str]) -> Properties:
    return api.of("AWS::ElasticLoadBalancingV2::ListenerRule")[reference["Ref"]]


def test_every_load_balancer_shifts_between_two_target_groups_that_its_rules_have(
    api: Template, service: Properties
) -> None:
    assert len(service["LoadBalancers"]) == len(api.of("AWS::ElasticLoadBalancingV2::LoadBalancer"))
    used = []
    for one in service["LoadBalancers"]:
        advanced = one["AdvancedConfiguration"]
        pair = [one["TargetGroupArn"], advanced["AlternateTargetGroupArn"]]
        for name in ("ProductionListenerRule", "TestListenerRule"):
            if name in advanced:
                (action,) = rule_of(api, advanced[name])["Actions"]
                forwarded = action["ForwardConfig"]["TargetGroups"]
                assert [group["TargetGroupArn"] for group in forwarded] == pair
                assert [group["Weight"] for group in forwarded] == [100, 0]
        used += [group["Ref"] for group in pair]
    assert sorted(used) == sorted(api.of("AWS::ElasticLoadBalancingV2::TargetGroup"))


def test_smoke_test_runs_once_the_test_listener_leads_to_the_new_tasks(api: Template, service: Properties) -> None:
    (hook,) = deployment(service)["LifecycleHooks"]
    function = api.id_of("AWS::Lambda::Function", "smoketest")
    assert hook["LifecycleStages"] == ["POST_TEST_TRAFFIC_SHIFT"]
    assert hook["HookTargetArn"] == {"Fn::GetAtt": [function, "Arn"]}
    role = hook["RoleArn"]["Fn::GetAtt"][0]
    roles = Roles(api)
    assert roles.granted(role) == {("lambda:InvokeFunction", roles.resolve(hook["HookTargetArn"]))}
    tested = [one["AdvancedConfiguration"] for one in service["LoadBalancers"]]
    rules = [rule_of(api, one["TestListenerRule"]) for one in tested if "TestListenerRule" in one]
    assert [one["Conditions"][0]["PathPatternConfig"]["Values"] for one in rules] == [["/*"]]
    listener = api.of("AWS::ElasticLoadBalancingV2::Listener")[rules[0]["ListenerArn"]["Ref"]]
    variables = api.of("AWS::Lambda::Function")[function]["Environment"]["Variables"]
    assert str(listener["Port"]) in json.dumps(variables["TEST_LISTENER_URL"])
    assert json.loads(variables["CHECKS"]) == {"payments": checks()}


def test_smoke_test_asks_for_paths_of_the_contract() -> None:
    known = {path: methods["get"] for path, methods in contract.document()["paths"].items() if "get" in methods}
    for check in checks():
        assert known[check["path"]].get("security") if check["status"] == UNAUTHORIZED else True
    assert {check["path"] for check in checks()} <= set(known)
    assert [check["status"] for check in checks()] == [200, 200, UNAUTHORIZED]


def test_role_that_shifts_traffic_changes_the_services_rules_and_target_groups_only(
    api: Template, service: Properties
) -> None:
    roles = {one["AdvancedConfiguration"]["RoleArn"]["Fn::GetAtt"][0] for one in service["LoadBalancers"]}
    (role,) = roles
    changes = {
        (action.partition(":")[2], resource)
        for action, resource in Roles(api).granted(role)
        if not re.match("elasticloadbalancing:Describe", action)
    }
    rules = {("ModifyRule", id_) for id_ in api.of("AWS::ElasticLoadBalancingV2::ListenerRule")}
    groups = {
        (action, id_)
        for action in ("RegisterTargets", "DeregisterTargets")
        for id_ in (Roles(api).resolve({"Ref": one}) for one in api.of("AWS::ElasticLoadBalancingV2::TargetGroup"))
    }
    assert changes == rules | groups
