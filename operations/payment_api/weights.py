"""Refusal of a deployment that would return traffic to target groups without tasks (ADR 0036).

A canary deployment changes the weights of listener rules behind CloudFormation's back. An update of such a rule, for
whatever reason, sets the weights of the template: those of the first deployment.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import Any

RULE = "AWS::ElasticLoadBalancingV2::ListenerRule"

Connect = Callable[[str], Any]
"""A client for a service."""


def problems(connect: Connect, stack: str, template: Mapping[str, Any]) -> Iterator[str]:
    """A line for each rule that the template changes while its first target group has no traffic.

    Args:
        connect: gives clients for the stack's region.
        stack: the name of a deployed stack.
        template: what is to be deployed as it.
    """
    cloudformation, balancing = connect("cloudformation"), connect("elbv2")
    deployed = cloudformation.get_template(StackName=stack, TemplateStage="Original")["TemplateBody"]["Resources"]

    def arn(logical: str) -> str:
        found = cloudformation.describe_stack_resource(StackName=stack, LogicalResourceId=logical)
        return str(found["StackResourceDetail"]["PhysicalResourceId"])

    for logical, properties in _rules(template["Resources"]):
        if logical not in deployed or deployed[logical]["Properties"] == properties:
            continue
        (rule,) = balancing.describe_rules(RuleArns=[arn(logical)])["Rules"]
        weights = {one["TargetGroupArn"]: one.get("Weight", 0) for one in _groups(rule["Actions"])}
        first = _groups(deployed[logical]["Properties"]["Actions"])[0]["TargetGroupArn"]["Ref"]
        if not weights.get(arn(first)):
            yield (
                f"the listener rule {logical} cannot be changed now: it would return all traffic to a target group "
                "without tasks; deploy another version of the service first"
            )


def _rules(resources: Mapping[str, Any]) -> Iterator[tuple[str, Mapping[str, Any]]]:
    for logical, one in resources.items():
        if one["Type"] == RULE:
            yield logical, one["Properties"]


def _groups(actions: list[Mapping[str, Any]]) -> list[Mapping[str, Any]]:
    """The target groups that the forward action among the actions has."""
    return next(list(one["ForwardConfig"]["TargetGroups"]) for one in actions if "ForwardConfig" in one)
