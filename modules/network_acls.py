"""Network ACLs: one a tier (W6.1, W5.4).

They hold whatever a security group says:

- public: takes connections from outside on 443 and 80 only;
- private: begins connections to outside on 443 only, and takes those of the public tier on unprivileged ports only;
- database: PostgreSQL from the private tiers of both regions and from the other database tier, and nothing else; it
  reaches nothing but the other database tier.

A network ACL has no memory, so the way back is a rule of its own. The Amazon DNS server and time service are not
subject to network ACLs. https://docs.aws.amazon.com/vpc/latest/userguide/vpc-network-acls.html
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from cdktf_cdktf_provider_aws.network_acl import NetworkAcl, NetworkAclEgress, NetworkAclIngress
from constructs import Construct

from modules.network import ANYWHERE, Network, Tier
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


@dataclass(frozen=True)
class Allowed:
    """TCP traffic that may pass: the other side's addresses, and the ports of whoever receives it."""

    addresses: str
    ports: Ports


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
            ingress=[
                NetworkAclIngress(
                    rule_no=number * RULE_NUMBER_STEP,
                    action="allow",
                    protocol="tcp",
                    cidr_block=allowed.addresses,
                    from_port=allowed.ports.first,
                    to_port=allowed.ports.last,
                )
                for number, allowed in enumerate(ingress, start=1)
            ],
            egress=[
                NetworkAclEgress(
                    rule_no=number * RULE_NUMBER_STEP,
                    action="allow",
                    protocol="tcp",
                    cidr_block=allowed.addresses,
                    from_port=allowed.ports.first,
                    to_port=allowed.ports.last,
                )
                for number, allowed in enumerate(egress, start=1)
            ],
            tags={"Name": self._names.of(tier.name)},
        )
