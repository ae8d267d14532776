"""Network ACLs: one a tier (W6.1, W5.4). They hold whatever a security group says.

- public: connections from outside come in on 443 and 80 only;
- private: connections to outside go out on 443 only;
- database: PostgreSQL from the private tiers of both regions and from the other database tier comes in, and PostgreSQL
  to the other database tier goes out.

A network ACL has no memory, so the way back is a rule of its own: answers go to the ports that clients choose. All
tiers let through the message that a packet is too big for the way (ICMP type 3, code 4): without it, large answers
across the peering or through NAT stall. https://docs.aws.amazon.com/vpc/latest/userguide/path_mtu_discovery.html

The Amazon DNS server and time service are not subject to network ACLs.
https://docs.aws.amazon.com/vpc/latest/userguide/vpc-network-acls.html
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from cdktf_cdktf_provider_aws.network_acl import NetworkAcl, NetworkAclEgress, NetworkAclIngress
from constructs import Construct

from modules.network.vpc import ANYWHERE, Network, Tier
from settings.naming import Names

RULE_NUMBER_STEP = 100


@dataclass(frozen=True)
class Ports:
    """A range of TCP ports of the receiving side, both ends included."""

    first: int
    last: int


HTTP = Ports(80, 80)
HTTPS = Ports(443, 443)
POSTGRESQL = Ports(5432, 5432)
# Clients choose their port from this range; load balancers and NAT gateways use all of it. Tasks listen in it too, as
# they do not run as root. https://docs.aws.amazon.com/vpc/latest/userguide/custom-network-acl.html
UNPRIVILEGED = Ports(1024, 65535)
PACKET_TOO_BIG = {"protocol": "icmp", "icmp_type": 3, "icmp_code": 4, "from_port": 0, "to_port": 0}


@dataclass(frozen=True)
class Allowed:
    """TCP traffic that may pass: the other side's addresses, and the ports of whoever receives it."""

    addresses: str
    ports: Ports

    @property
    def rule(self) -> dict[str, Any]:
        """The traffic as a network ACL's rule names it."""
        return {
            "protocol": "tcp",
            "cidr_block": self.addresses,
            "from_port": self.ports.first,
            "to_port": self.ports.last,
        }


class NetworkAcls(Construct):
    """The network ACLs of a region's three tiers."""

    requirements = (
        "W5.4",
        "W6.1",
    )

    def __init__(self, scope: Construct, id_: str, *, names: Names, network: Network, peer: Network) -> None:
        """``peer`` is the other region's network, whose private and database tiers come through the peering."""
        super().__init__(scope, id_)
        self._names = names
        self._network = network
        self.public = self._of_public_tier()
        self.private = self._of_private_tier(peer)
        self.database = self._of_database_tier(peer)

    def _of_public_tier(self) -> NetworkAcl:
        private = self._network.private.block
        ingress = [Allowed(ANYWHERE, HTTPS), Allowed(ANYWHERE, HTTP), Allowed(private, UNPRIVILEGED)]
        egress = [Allowed(ANYWHERE, UNPRIVILEGED)]
        if self._network.nat_gateways:
            ingress += [Allowed(private, HTTPS), Allowed(ANYWHERE, UNPRIVILEGED)]
            egress += [Allowed(ANYWHERE, HTTPS)]
        return self._network_acl(self._network.public, ingress, egress)

    def _of_private_tier(self, peer: Network) -> NetworkAcl:
        # S3 and DynamoDB answer through gateway endpoints from public addresses, as the internet does through NAT.
        ingress = [Allowed(self._network.private.block, HTTPS), Allowed(ANYWHERE, UNPRIVILEGED)]
        others = (self._network.cidr, peer.private.block, peer.database.block)
        egress = [Allowed(ANYWHERE, HTTPS)] + [Allowed(other, UNPRIVILEGED) for other in others]
        return self._network_acl(self._network.private, ingress, egress)

    def _of_database_tier(self, peer: Network) -> NetworkAcl:
        clients = (self._network.private.block, peer.private.block, peer.database.block)
        other_database = peer.database.block
        ingress = [Allowed(client, POSTGRESQL) for client in clients] + [Allowed(other_database, UNPRIVILEGED)]
        egress = [Allowed(client, UNPRIVILEGED) for client in clients]
        return self._network_acl(self._network.database, ingress, egress)

    def _network_acl(self, tier: Tier, ingress: Sequence[Allowed], egress: Sequence[Allowed]) -> NetworkAcl:
        return NetworkAcl(
            self,
            tier.name,
            vpc_id=self._network.vpc.id,
            subnet_ids=tier.subnet_ids,
            ingress=[NetworkAclIngress(**rule) for rule in _rules(ingress)],
            egress=[NetworkAclEgress(**rule) for rule in _rules(egress)],
            tags={"Name": self._names.of(tier.name)},
        )


def _rules(allowed: Sequence[Allowed]) -> Iterator[dict[str, Any]]:
    rules = [*(one.rule for one in allowed), PACKET_TOO_BIG | {"cidr_block": ANYWHERE}]
    for number, rule in enumerate(rules, start=1):
        yield rule | {"rule_no": number * RULE_NUMBER_STEP, "action": "allow"}
