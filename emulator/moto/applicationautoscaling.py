"""Application Auto Scaling: the tags of a scalable target, and the alarms of a policy that changes."""

from __future__ import annotations

import json
from typing import Any

from moto.applicationautoscaling.models import (
    ApplicationAutoscalingBackend,
    FakeApplicationAutoscalingPolicy,
    FakeScalableTarget,
)
from moto.applicationautoscaling.responses import ApplicationAutoScalingResponse
from moto.core.exceptions import JsonRESTError

from emulator.moto.extend import Method, add, override


class ResourceNotFoundError(JsonRESTError):  # type: ignore[misc]
    """No scalable target has the ARN."""

    def __init__(self, arn: str) -> None:
        super().__init__("ResourceNotFoundException", f"The specified resource ARN {arn} does not exist.")


@override(FakeScalableTarget)
def __init__(original: Method, self: Any, *arguments: Any) -> None:  # noqa: N807 (it replaces the class's own)
    """Begin without tags."""
    original(self, *arguments)
    self.tags = {}


@override(ApplicationAutoscalingBackend)
def put_scaling_policy(original: Method, self: Any, **parameters: Any) -> Any:
    """A policy that changes keeps its ARN, and its old alarms go."""
    parts = ("service_namespace", "resource_id", "scalable_dimension", "policy_name")
    old = self.policies.get(FakeApplicationAutoscalingPolicy.formulate_key(*(parameters[part] for part in parts)))
    policy = original(self, **parameters)
    if old:
        old.delete_alarms(self.account_id, self.region_name)
        policy.policy_arn = old.policy_arn
    return policy


@override(ApplicationAutoScalingResponse)
def register_scalable_target(original: Method, self: Any) -> str:
    """Store the tags that come with it."""
    answer: str = original(self)
    _tags(self, json.loads(answer)["ScalableTargetARN"]).update(self._get_param("Tags", {}))
    return answer


@add(ApplicationAutoScalingResponse)
def list_tags_for_resource(self: Any) -> str:
    """Answer the stored tags."""
    return json.dumps({"Tags": _tags(self, self._get_param("ResourceARN"))})


@add(ApplicationAutoScalingResponse)
def tag_resource(self: Any) -> str:
    """Add tags."""
    _tags(self, self._get_param("ResourceARN")).update(self._get_param("Tags"))
    return "{}"


@add(ApplicationAutoScalingResponse)
def untag_resource(self: Any) -> str:
    """Remove tags."""
    tags = _tags(self, self._get_param("ResourceARN"))
    for key in self._get_param("TagKeys"):
        tags.pop(key, None)
    return "{}"


def _tags(self: Any, arn: str) -> dict[str, str]:
    for targets in self.applicationautoscaling_backend.targets.values():
        for target in targets.values():
            if target.arn == arn:
                return target.tags  # type: ignore[no-any-return]
    raise ResourceNotFoundError(arn)
