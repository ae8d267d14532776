"""Security groups and the flows between them (W5.4).

A Flow declares source, destination, port and reason once, and creates both the egress rule of the source and the
ingress rule of the destination: neither can be missing, wider or left over alone. A group has no other rules.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Any

from cdktf_cdktf_provider_aws.security_group import SecurityGroup
from cdktf_cdktf_provider_aws.vpc_security_group_egress_rule import VpcSecurityGroupEgressRule
from cdktf_cdktf_provider_aws.vpc_security_group_ingress_rule import VpcSecurityGroupIngressRule
from constructs import Construct

from modules.network.vpc import ANYWHERE, Network, Tier
from modules.region import Region
from settings.naming import Names

HTTPS_PORT = 443
# https://docs.aws.amazon.com/AWSEC2/latest/APIReference/API_IpRange.html
RULE_DESCRIPTION = re.compile(r"[a-zA-Z0-9. _\-:/()#,@\[\]+=&;{}!$*]{1,255}")


class Group(Construct):
    """A security group whose members are in one tier. ``rules`` are those of its flows, at both ends."""

    requirements = ("W5.4",)

    def __init__(
        self, scope: Construct, id_: str, *, names: Names, purpose: str, network: Network, tier: Tier, description: str
    ) -> None:
        """``purpose`` is part of the name; a changed name or description replaces the group."""
        super().__init__(scope, id_)
        self.addresses = tier.block
        self.rules: list[VpcSecurityGroupEgressRule | VpcSecurityGroupIngressRule] = []
        self.security_group = SecurityGroup(
            self,
            "security-group",
            name=names.of(purpose),
            description=description,
            vpc_id=network.vpc.id,
            tags={"Name": names.of(purpose)},
            revoke_rules_on_delete=True,  # two groups that name each other could not be deleted otherwise
        )


@dataclass(frozen=True)
class Addresses:
    """A CIDR block as one end of a flow."""

    cidr: str


@dataclass(frozen=True)
class PrefixList:
    """A managed prefix list as one end of a flow, such as that of a gateway endpoint."""

    id: str


@dataclass(frozen=True)
class Internet:
    """The internet as the destination of a flow on 443, by NAT; only for services that settings list (W5.4)."""


End = Group | Addresses | PrefixList | Internet


class Flow(Construct):
    """TCP connections from ``source`` to ``destination`` on one port.

    Rules between two groups of a region reference the groups. A group of another region cannot be referenced: the rules
    then have the CIDR block of its tier. https://docs.aws.amazon.com/vpc/latest/peering/vpc-peering-security-groups.html
    """

    def __init__(self, scope: Construct, id_: str, *, source: End, destination: End, port: int, reason: str) -> None:
        """``reason`` is the description of both rules.

        Raises:
            ValueError: neither end is a group, an end is 0.0.0.0/0, or AWS would not accept ``reason``.
        """
        super().__init__(scope, id_)
        if not isinstance(source, Group) and not isinstance(destination, Group):
            raise ValueError(f"flow {id_}: one end must be a group, or there is nothing to write the rule into")
        if Addresses(ANYWHERE) in (source, destination):
            raise ValueError(f"flow {id_}: {ANYWHERE} is not allowed at either end; name who is meant")
        if isinstance(source, Internet) or (isinstance(destination, Internet) and port != HTTPS_PORT):
            raise ValueError(f"flow {id_}: the internet may be a destination only, and on {HTTPS_PORT} only")
        if not RULE_DESCRIPTION.fullmatch(reason):
            raise ValueError(f"flow {id_}: reason {reason!r} is not allowed; AWS takes {RULE_DESCRIPTION.pattern}")
        rules: list[VpcSecurityGroupEgressRule | VpcSecurityGroupIngressRule] = []
        if isinstance(source, Group):
            self.egress = VpcSecurityGroupEgressRule(
                source,
                f"egress-{id_}",
                security_group_id=source.security_group.id,
                **_rule(own=source, other=destination, port=port, reason=reason),
            )
            rules.append(self.egress)
        if isinstance(destination, Group):
            self.ingress = VpcSecurityGroupIngressRule(
                destination,
                f"ingress-{id_}",
                security_group_id=destination.security_group.id,
                **_rule(own=destination, other=source, port=port, reason=reason),
            )
            rules.append(self.ingress)
        for group in _groups(source, destination):
            group.rules += rules


def _groups(*ends: End) -> list[Group]:
    return [end for end in ends if isinstance(end, Group)]


def _rule(*, own: Group, other: End, port: int, reason: str) -> dict[str, Any]:
    rule: dict[str, Any] = {"ip_protocol": "tcp", "from_port": port, "to_port": port, "description": reason}
    match other:
        case PrefixList(id=prefix_list_id):
            return rule | {"prefix_list_id": prefix_list_id}
        case Internet():
            return rule | {"cidr_ipv4": ANYWHERE}
        case Addresses(cidr=cidr):
            return rule | {"cidr_ipv4": cidr}
        case Group() if Region.of(own) is Region.of(other):
            return rule | {"referenced_security_group_id": other.security_group.id}
        case Group(addresses=addresses):
            return rule | {"cidr_ipv4": addresses}
