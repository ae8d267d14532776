"""EC2: security group rules with all attributes, whatever their other end is; complete deletion of NAT gateways.

moto drops the description of a rule to a prefix list, returns none for one to a security group, and modifies only rules
to a CIDR. In moto the network interface of a NAT gateway outlives it, and would remain after every destruction.
"""

from __future__ import annotations

import inspect
from typing import Any

from moto.ec2.exceptions import EC2ClientError
from moto.ec2.models.managed_prefixes import ManagedPrefixListBackend
from moto.ec2.models.nat_gateways import NatGatewayBackend
from moto.ec2.models.security_groups import SecurityGroupBackend, SecurityGroupRule

from emulator.moto.extend import Method, override, override_property

ALL_PROTOCOLS = "-1"


HEALTH_CHECKERS = ("15.177.0.0/18", "54.183.255.128/26", "54.228.16.0/26", "54.250.253.192/26")
"""Some of the addresses of Route 53's health checkers (ip-ranges.json, ROUTE53_HEALTHCHECKS)."""


@override(ManagedPrefixListBackend)
def create_default_pls(original: Method, self: Any) -> None:
    """AWS's own prefix lists, that of Route 53's health checkers among them."""
    original(self)
    entries = [{"Cidr": cidr, "Description": "default"} for cidr in HEALTH_CHECKERS]
    self._create_aws_managed_prefix_list(
        name=f"com.amazonaws.{self.region_name}.route53-healthchecks", address_family="IPv4", entries=entries
    )


class NatGatewayNotFoundError(EC2ClientError):  # type: ignore[misc]
    """No NAT gateway has the id."""

    def __init__(self, nat_gateway_id: str) -> None:
        super().__init__("NatGatewayNotFound", f"The NAT gateway {nat_gateway_id} was not found")


@override(SecurityGroupRule)
def __init__(original: Method, self: Any, *args: Any, **kwargs: Any) -> None:  # noqa: N807 (a method of moto's class)
    """Keep the description of a rule to a prefix list."""
    sent = inspect.signature(original).bind(self, *args, **kwargs).arguments
    original(self, *args, **kwargs)
    self.prefix_list_description = (sent.get("prefix_list_id") or {}).get("Description")


@override_property(SecurityGroupRule)
def description(self: Any) -> str | None:
    """The description, from wherever moto keeps it for this kind of rule."""
    if self.prefix_list_id:
        return self.prefix_list_description  # type: ignore[no-any-return]
    return (self.source_group or self.ip_range).get("Description")  # type: ignore[no-any-return]


@override(SecurityGroupRule)
def __eq__(original: Method, self: Any, other: Any) -> Any:  # noqa: N807 (a method of moto's class)
    """Compare as AWS does, without descriptions: a second rule that differs in nothing else is a duplicate."""
    if self.source_group and other.source_group:
        described = other.source_group
        other.source_group = {**described, "Description": self.source_group.get("Description")}
        if "Description" not in self.source_group:
            del other.source_group["Description"]
        try:
            return original(self, other)
        finally:
            other.source_group = described
    return original(self, other)


@override(SecurityGroupBackend)
def modify_security_group_rules(original: Method, self: Any, group_id: str, rules: dict[str, dict[str, Any]]) -> None:
    """Modify rules of every kind."""
    for rule in rules.values():
        if rule.get("IpProtocol") == ALL_PROTOCOLS:
            # moto requires ports, which AWS ignores for this protocol.
            rule.setdefault("FromPort", -1)
            rule.setdefault("ToPort", -1)
    original(self, group_id, rules)
    group = self.get_security_group_by_name_or_id(group_id)
    for rule_id, sent in rules.items():
        _keep(group.get_rule(rule_id), sent)


def _keep(rule: Any, sent: dict[str, Any]) -> None:
    """Store in ``rule`` what moto drops: the other end if it is no CIDR, and its description."""
    if rule.ip_protocol == ALL_PROTOCOLS:
        rule.from_port = rule.to_port = None
    if "PrefixListId" in sent:
        rule.prefix_list_id = sent["PrefixListId"]
        rule.prefix_list_description = sent.get("Description")
        rule.ip_range = {}
    elif "ReferencedGroupId" in sent:
        rule.source_group = {**rule.source_group, "GroupId": sent["ReferencedGroupId"]}
        if "Description" in sent:
            rule.source_group["Description"] = sent["Description"]
        rule.ip_range = {}


@override(NatGatewayBackend)
def delete_nat_gateway(original: Method, self: Any, nat_gateway_id: str) -> Any:
    """Delete the network interface of the gateway with it, and free its Elastic IP address, as AWS does."""
    if nat_gateway_id not in self.nat_gateways:
        raise NatGatewayNotFoundError(nat_gateway_id)
    gateway = original(self, nat_gateway_id)
    self.enis.pop(gateway._eni.id, None)  # noqa: SLF001 (moto offers no other way to it)
    for address in self.addresses:
        if address.eni is gateway._eni:  # noqa: SLF001
            address.eni = address.association_id = None
    return gateway
