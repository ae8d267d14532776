"""A deployment that would return a canary's traffic to target groups without tasks is refused (P6.7)."""

from __future__ import annotations

from typing import Any

import pytest

from operations.payment_api.weights import RULE, problems

pytestmark = pytest.mark.requirement("P6.7")


def rule(path: str) -> dict[str, Any]:
    groups = [{"TargetGroupArn": {"Ref": name}, "Weight": weight} for name, weight in (("Blue", 100), ("Green", 0))]
    return {
        "Type": RULE,
        "Properties": {
            "Conditions": [path],
            "Actions": [{"Type": "forward", "ForwardConfig": {"TargetGroups": groups}}],
        },
    }


class Account:
    """CloudFormation with a deployed stack, and load balancers with the weights that ECS has set."""

    def __init__(self, blue: int) -> None:
        self._weights = {"arn:Blue": blue, "arn:Green": 100 - blue}

    def get_template(self, **asked: str) -> dict[str, Any]:
        assert asked == {"StackName": "stack", "TemplateStage": "Original"}
        return {"TemplateBody": {"Resources": {"Rule": rule("/api")}}}

    def describe_stack_resource(self, **asked: str) -> dict[str, Any]:
        return {"StackResourceDetail": {"PhysicalResourceId": f"arn:{asked['LogicalResourceId']}"}}

    def describe_rules(self, **asked: list[str]) -> dict[str, Any]:
        assert asked == {"RuleArns": ["arn:Rule"]}
        groups = [{"TargetGroupArn": arn, "Weight": weight} for arn, weight in self._weights.items()]
        return {"Rules": [{"Actions": [{"Type": "forward", "ForwardConfig": {"TargetGroups": groups}}]}]}


@pytest.mark.parametrize(
    ("blue", "path", "refused"),
    [(0, "/other", True), (100, "/other", False), (0, "/api", False)],
    ids=["green has the traffic", "blue has the traffic", "no rule changes"],
)
def test_change_of_a_rule_is_refused_while_its_first_target_group_has_no_traffic(
    blue: int, path: str, refused: bool
) -> None:
    account = Account(blue)
    wanted = {"Resources": {"Rule": rule(path), "New": rule("/new"), "Topic": {"Type": "AWS::SNS::Topic"}}}
    found = list(problems(lambda _service: account, "stack", wanted))
    assert len(found) == refused
    assert all("Rule" in line for line in found)
