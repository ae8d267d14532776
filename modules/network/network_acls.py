"""Network ACLs, one for each tier (W6.1, W5.4): a second boundary, independent of security groups.

- public: ingress from the internet on 443 and 80 only;
- private: egress to the internet on 443 only;
- database: PostgreSQL ingress from the private tiers of both regions and the other database tier, and PostgreSQL egress
  to the other database tier.

Network ACLs are stateless: return traffic to ephemeral ports has rules of its own. All tiers allow the ICMP message
"fragmentation needed" (type 3, code 4), without which large packets across the peering or NAT are lost (path MTU
discovery). https://docs.aws.amazon.com/vpc/latest/userguide/path_mtu_discovery.html

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
# Ephemeral ports of clients, load balancers and NAT gateways. Tasks listen in this range too, as they do not run as
# root. https://docs.aws.amazon.com/vpc/latest/userguide/custom-network-acl.html
UNPRIVILEGED = Ports(1024, 65535)
PACKET_TOO_BIG = {"protocol": "icmp", "icmp_type": 3, "icmp_code": 4, "from_port": 0, "to_port": 0}


@dataclass(frozen=True)
class Allowed:
    """Allowed TCP traffic: the peer's CIDR block and the destination ports."""

    addresses: str
    ports: Ports

    @property
    def rule(self) -> dict[str, Any]:
        """The arguments of a network ACL rule."""
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
        with_nat = bool(self._network.nat_gateways)
        # Responses of tasks; those of the internet, too, which a NAT gateway takes on.
        responses = Allowed(ANYWHERE if with_nat else self._network.private.block, UNPRIVILEGED)
        ingress = [Allowed(ANYWHERE, HTTPS), Allowed(ANYWHERE, HTTP), responses]
        egress = [Allowed(ANYWHERE, UNPRIVILEGED)] + ([Allowed(ANYWHERE, HTTPS)] if with_nat else [])
        return self._network_acl(self._network.public, ingress, egress)

    def _of_private_tier(self, peer: Network) -> NetworkAcl:
        # Return traffic of S3 through its gateway endpoint has public source addresses, as that through NAT.
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
