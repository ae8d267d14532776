"""Traffic shifting of a release: the weights of a pair of target groups in listeners and all their rules.

Since November 2022 CodeDeploy keeps both target groups in a forward action, the one without traffic at weight 0.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from moto.elbv2.models import FakeAction

ALL = 100
"""Weights are percentages."""


def shift(backend: Any, listener_arns: Iterable[str], weights: dict[str, int]) -> None:
    """Set the weight of each target group in every action of the listeners that forwards to one of them."""
    for listener in _listeners(backend, listener_arns):
        for rule in listener.rules.values():
            if forwards_to(rule, weights):
                rule.actions = [_weighted(action, weights) for action in rule.actions]
                _remember_load_balancer(backend, listener, weights)
            if rule.is_default:
                listener.default_actions = rule.actions


def shift_rule(backend: Any, rule_arn: str, weights: dict[str, int]) -> bool:
    """Set the weights in one rule; returns whether it forwards to one of the target groups."""
    for load_balancer in backend.load_balancers.values():
        for listener in load_balancer.listeners.values():
            for rule in listener.rules.values():
                if rule.arn == rule_arn and forwards_to(rule, weights):
                    rule.actions = [_weighted(action, weights) for action in rule.actions]
                    _remember_load_balancer(backend, listener, weights)
                    return True
    return False


def forwards_to(rule: Any, target_groups: Iterable[str]) -> bool:
    """Whether an action of ``rule`` forwards to one of ``target_groups``."""
    return any(not set(target_groups).isdisjoint(_targets(action)) for action in rule.actions)


def is_behind(backend: Any, listener_arn: str, target_group: str) -> bool:
    """Whether the listener, or one of its rules, forwards to ``target_group``."""
    return any(
        forwards_to(rule, [target_group])
        for listener in _listeners(backend, [listener_arn])
        for rule in listener.rules.values()
    )


def _listeners(backend: Any, listener_arns: Iterable[str]) -> list[Any]:
    wanted = set(listener_arns)
    return [
        listener
        for load_balancer in backend.load_balancers.values()
        for arn, listener in load_balancer.listeners.items()
        if arn in wanted
    ]


def _targets(action: Any) -> set[str]:
    if action.type != "forward":
        return set()
    groups = action.data.get("ForwardConfig", {}).get("TargetGroups", [])
    return {group["TargetGroupArn"] for group in groups} or {action.data["TargetGroupArn"]}


def _weighted(action: Any, weights: dict[str, int]) -> Any:
    if _targets(action).isdisjoint(weights):
        return action
    groups = [{"TargetGroupArn": arn, "Weight": weight} for arn, weight in weights.items()]
    order = {"Order": action.data["Order"]} if "Order" in action.data else {}
    stickiness = action.data.get("ForwardConfig", {}).get("TargetGroupStickinessConfig")
    kept = {"TargetGroupStickinessConfig": stickiness} if stickiness else {}
    return FakeAction({"Type": "forward", **order, "ForwardConfig": {"TargetGroups": groups, **kept}})


def _remember_load_balancer(backend: Any, listener: Any, target_groups: Iterable[str]) -> None:
    for arn in target_groups:
        known = backend.target_groups[arn].load_balancer_arns
        if listener.load_balancer_arn not in known:
            known.append(listener.load_balancer_arn)
