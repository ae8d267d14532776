"""Application Auto Scaling, which ministack lacks: requests are stored and returned, and nothing scales."""

from __future__ import annotations

import uuid
from typing import Any

from ministack.core.responses import AccountRegionScopedDict, get_account_id, get_region

from emulator.cloudformation.registry import Created, Properties, add_type
from emulator.ministack import front

TARGETS: Any = AccountRegionScopedDict()
POLICIES: Any = AccountRegionScopedDict()
PLACE = ("ServiceNamespace", "ResourceId", "ScalableDimension")


def install() -> None:
    """Register these additions with ministack."""
    add_type(
        "AWS::ApplicationAutoScaling::ScalableTarget",
        create=_register,
        delete=lambda id_, _: TARGETS.pop(id_, None),
        update=_register_again,
    )
    add_type(
        "AWS::ApplicationAutoScaling::ScalingPolicy",
        create=_put,
        delete=lambda id_, _: POLICIES.pop(id_, None),
        update=_put_again,
    )
    front.add_target("AnyScaleFrontendService.DescribeScalableTargets", _listing(TARGETS, "ScalableTargets"))
    front.add_target("AnyScaleFrontendService.DescribeScalingPolicies", _listing(POLICIES, "ScalingPolicies"))


def _register(_logical_id: str, properties: Properties, _stack: str) -> Created:
    id_ = "|".join(properties[name] for name in ("ResourceId", "ScalableDimension", "ServiceNamespace"))
    bounds = {name: int(properties[name]) for name in ("MinCapacity", "MaxCapacity")}
    place = {name: properties[name] for name in PLACE}
    TARGETS[id_] = {**place, **bounds, "RoleARN": properties.get("RoleARN", ""), "CreationTime": 0}
    return id_, {"Id": id_}


def _register_again(id_: str, _old: Properties, new: Properties, stack: str) -> Created:
    return _register(id_, new, stack)


def _put(_logical_id: str, properties: Properties, _stack: str) -> Created:
    place = f"{get_region()}:{get_account_id()}:scalingPolicy:{uuid.uuid4()}"
    arn = f"arn:aws:autoscaling:{place}:resource:policyName/{properties['PolicyName']}"
    return _keep(arn, properties)


def _put_again(arn: str, _old: Properties, new: Properties, _stack: str) -> Created:
    return _keep(arn, new)


def _keep(arn: str, properties: Properties) -> Created:
    resource_id, dimension, namespace = properties["ScalingTargetId"].split("|")
    tracking = dict(properties["TargetTrackingScalingPolicyConfiguration"])
    tracking["TargetValue"] = float(tracking["TargetValue"])
    for name in ("ScaleInCooldown", "ScaleOutCooldown"):
        if name in tracking:
            tracking[name] = int(tracking[name])
    POLICIES[arn] = {
        "PolicyARN": arn,
        "PolicyName": properties["PolicyName"],
        "PolicyType": properties["PolicyType"],
        **dict(zip(PLACE, (namespace, resource_id, dimension), strict=True)),
        "TargetTrackingScalingPolicyConfiguration": tracking,
        "CreationTime": 0,
    }
    return arn, {"Arn": arn}


def _listing(store: Any, key: str) -> Any:
    def describe(request: dict[str, Any]) -> tuple[int, Any]:
        found = [one for one in store.values() if one["ServiceNamespace"] == request["ServiceNamespace"]]
        if wanted := request.get("ResourceIds") or [one for one in [request.get("ResourceId")] if one]:
            found = [one for one in found if one["ResourceId"] in wanted]
        return 200, {key: found}

    return describe
