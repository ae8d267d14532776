"""Types of Elastic Load Balancing: load balancers, target groups, listeners, rules."""

from __future__ import annotations

from emulator.cloudformation.calls import Created, Properties, call, changed, generated, gone, only, without
from emulator.cloudformation.types import made_by

NAME_LENGTH = 32


def install() -> None:
    """Register these types."""
    prefix = "AWS::ElasticLoadBalancingV2::"
    made_by(f"{prefix}LoadBalancer", create=_create, update=_update, delete=_delete)
    made_by(f"{prefix}TargetGroup", create=_create_group, update=_update_group, delete=_delete_group)
    made_by(f"{prefix}Listener", create=_create_listener, update=_update_listener, delete=_delete_listener)
    made_by(f"{prefix}ListenerRule", create=_create_rule, update=_update_rule, delete=_delete_rule)


def _create(logical_id: str, properties: Properties, stack: str) -> Created:
    name = properties.get("Name") or generated(stack, logical_id, NAME_LENGTH)
    sent = {**without(properties, "LoadBalancerAttributes"), "Name": name}
    (made,) = call("elbv2", "CreateLoadBalancer", sent)["LoadBalancers"]
    _set(made["LoadBalancerArn"], properties)
    return _made(made["LoadBalancerArn"])


def _set(arn: str, properties: Properties) -> None:
    if attributes := properties.get("LoadBalancerAttributes"):
        call("elbv2", "ModifyLoadBalancerAttributes", {"LoadBalancerArn": arn, "Attributes": attributes})


def _made(arn: str) -> Created:
    (one,) = call("elbv2", "DescribeLoadBalancers", {"LoadBalancerArns": [arn]})["LoadBalancers"]
    return arn, {
        "LoadBalancerArn": arn,
        "DNSName": one["DNSName"],
        "CanonicalHostedZoneID": one["CanonicalHostedZoneId"],
        "LoadBalancerFullName": arn.partition(":loadbalancer/")[2],
        "LoadBalancerName": one["LoadBalancerName"],
    }


def _update(arn: str, old: Properties, new: Properties, stack: str) -> Created:
    if changed(old, new, ("Name", "Scheme", "Type")):
        made = _create("balancer", new, stack)
        _delete(arn, old)
        return made
    if old.get("SecurityGroups") != new.get("SecurityGroups"):
        call("elbv2", "SetSecurityGroups", {"LoadBalancerArn": arn, "SecurityGroups": new["SecurityGroups"]})
    if old.get("Subnets") != new.get("Subnets"):
        call("elbv2", "SetSubnets", {"LoadBalancerArn": arn, "Subnets": new["Subnets"]})
    _set(arn, new)
    return _made(arn)


def _delete(arn: str, _properties: Properties) -> None:
    gone("elbv2", "DeleteLoadBalancer", LoadBalancerArn=arn)


def _create_group(logical_id: str, properties: Properties, stack: str) -> Created:
    name = properties.get("Name") or generated(stack, logical_id, NAME_LENGTH)
    sent = {**without(properties, "TargetGroupAttributes", "Targets"), "Name": name}
    (made,) = call("elbv2", "CreateTargetGroup", sent)["TargetGroups"]
    return _set_group(made["TargetGroupArn"], properties)


def _set_group(arn: str, properties: Properties) -> Created:
    if attributes := properties.get("TargetGroupAttributes"):
        call("elbv2", "ModifyTargetGroupAttributes", {"TargetGroupArn": arn, "Attributes": attributes})
    full = f"targetgroup/{arn.partition(':targetgroup/')[2]}"
    return arn, {"TargetGroupArn": arn, "TargetGroupFullName": full, "TargetGroupName": full.split("/")[1]}


def _update_group(arn: str, old: Properties, new: Properties, stack: str) -> Created:
    if changed(old, new, ("Name", "Port", "Protocol", "TargetType", "VpcId")):
        made = _create_group("targets", new, stack)
        _delete_group(arn, old)
        return made
    checked = {name: value for name, value in new.items() if name.startswith("HealthCheck") or name == "Matcher"}
    call("elbv2", "ModifyTargetGroup", {"TargetGroupArn": arn, **checked})
    return _set_group(arn, new)


def _delete_group(arn: str, _properties: Properties) -> None:
    gone("elbv2", "DeleteTargetGroup", TargetGroupArn=arn)


def _create_listener(_logical_id: str, properties: Properties, _stack: str) -> Created:
    sent = without(properties, "ListenerAttributes")
    (made,) = call("elbv2", "CreateListener", sent)["Listeners"]
    return _set_listener(made["ListenerArn"], properties)


def _set_listener(arn: str, properties: Properties) -> Created:
    if attributes := properties.get("ListenerAttributes"):
        call("elbv2", "ModifyListenerAttributes", {"ListenerArn": arn, "Attributes": attributes})
    return arn, {"ListenerArn": arn}


def _update_listener(arn: str, old: Properties, new: Properties, stack: str) -> Created:
    if changed(old, new, ("LoadBalancerArn",)):
        _delete_listener(arn, old)
        return _create_listener("", new, stack)
    sent = without(new, "ListenerAttributes", "LoadBalancerArn", "Tags")
    call("elbv2", "ModifyListener", {"ListenerArn": arn, **sent})
    return _set_listener(arn, new)


def _delete_listener(arn: str, _properties: Properties) -> None:
    gone("elbv2", "DeleteListener", ListenerArn=arn)


def _create_rule(_logical_id: str, properties: Properties, _stack: str) -> Created:
    (made,) = call("elbv2", "CreateRule", properties)["Rules"]
    return made["RuleArn"], {"RuleArn": made["RuleArn"]}


def _update_rule(arn: str, old: Properties, new: Properties, stack: str) -> Created:
    if changed(old, new, ("ListenerArn",)):
        _delete_rule(arn, old)
        return _create_rule("", new, stack)
    call("elbv2", "ModifyRule", {"RuleArn": arn, **only(new, "Actions", "Conditions", "Transforms")})
    if old["Priority"] != new["Priority"]:
        call("elbv2", "SetRulePriorities", {"RulePriorities": [{"RuleArn": arn, "Priority": new["Priority"]}]})
    return arn, {"RuleArn": arn}


def _delete_rule(arn: str, _properties: Properties) -> None:
    gone("elbv2", "DeleteRule", RuleArn=arn)
