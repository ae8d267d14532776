"""What a plan may not do to a blue/green service that runs: AWS refuses it half-way, or customers are not served.

A rule that is replaced forwards to blue, also while green serves. A target group that is replaced cannot be deleted
while a rule forwards to it, and the new port of its security group rules holds at once, while tasks listen on the old
one. ECS takes no other network configuration, platform version, task definition or load balancer for a service that
CodeDeploy releases: https://docs.aws.amazon.com/AmazonECS/latest/APIReference/API_UpdateService.html
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from typing import Any

from operations.outcome import Refused

REPLACED = {"delete", "create"}
ONLY_BY_CODEDEPLOY = (
    "capacity_provider_strategy",
    "launch_type",
    "load_balancer",
    "network_configuration",
    "platform_version",
    "task_definition",
)
REPLACING = ("listener_arn", "name", "port", "protocol", "target_type", "vpc_id")
"""Attributes of target groups and rules that cannot be changed in place."""
NEVER_REPLACED = {"aws_ecs_service": "name", "aws_lb_listener_rule": "priority", "aws_lb_target_group": "name"}
"""By type, the attribute that tells which one it is."""


def refuse_interruptions(plan: str) -> None:
    """Make sure that a plan, as `terraform show -json` writes it, leaves running blue/green services in service.

    Raises:
        Refused: a line for each resource that it would replace or change.
    """
    if lines := [line for change in json.loads(plan).get("resource_changes", []) for line in _problems(change)]:
        raise Refused("\n".join(lines))


def _problems(planned: Mapping[str, Any]) -> Iterator[str]:
    change, address = planned["change"], planned["address"]
    before = change.get("before") or {}
    if (identity := NEVER_REPLACED.get(planned["type"])) is None or not _is_of_codedeploy(planned["type"], before):
        return
    what = f"{address} ({before.get(identity)})"
    differing = ", ".join(_differing(change))
    if set(change["actions"]) == REPLACED:
        yield (
            f"{what}: would be replaced{f', as {differing} changes' if differing else ''}, and its customers not be "
            "served: make a new service for another port, name or network (docs/runbooks/release.md)"
        )
    elif differing and planned["type"] == "aws_ecs_service" and change["actions"] == ["update"]:
        yield (
            f"{what}: ECS does not change {differing} of a service that CodeDeploy releases: keep the zones and "
            "networks of a running environment, and make a new service for others (docs/runbooks/release.md)"
        )


def _is_of_codedeploy(type_: str, before: Mapping[str, Any]) -> bool:
    """Whether CodeDeploy releases an ECS service; target groups and rules are of such services alone."""
    if type_ != "aws_ecs_service":
        return bool(before)
    return any(one["type"] == "CODE_DEPLOY" for one in before.get("deployment_controller", []))


def _differing(change: Mapping[str, Any]) -> Iterator[str]:
    """The attributes that differ, of those that decide."""
    before, after, unknown = (change.get(side) or {} for side in ("before", "after", "after_unknown"))
    names = ONLY_BY_CODEDEPLOY if "deployment_controller" in before else REPLACING
    for name in names:
        if name in before and (_has_unknown(unknown.get(name)) or before[name] != after.get(name)):
            yield name


def _has_unknown(value: Any) -> bool:
    if isinstance(value, Mapping):
        return any(map(_has_unknown, value.values()))
    return any(map(_has_unknown, value)) if isinstance(value, list) else value is True
