"""The peering between the two regions' networks (W6.3).

Creates the connection on the requester's side, its acceptance on the accepter's (a connection across regions cannot be
accepted by the requester), DNS resolution and routes both ways between private and database tiers. Public tiers have no
route.
"""

from __future__ import annotations

from cdktf_cdktf_provider_aws.route import Route
from cdktf_cdktf_provider_aws.vpc_peering_connection import VpcPeeringConnection
from cdktf_cdktf_provider_aws.vpc_peering_connection_accepter import VpcPeeringConnectionAccepterA
from cdktf_cdktf_provider_aws.vpc_peering_connection_options import (
    VpcPeeringConnectionOptions,
    VpcPeeringConnectionOptionsAccepter,
    VpcPeeringConnectionOptionsRequester,
)
from constructs import Construct

from modules.network.vpc import Network
from modules.region import Region
from settings.naming import Names


class PeeringSide(Construct):
    """The resources of one side of the peering, below that side's network and so in its region."""

    requirements = ("W6.3",)


class Peering(Construct):
    """One peering connection."""

    def __init__(self, scope: Construct, id_: str, *, names: Names, requester: Network, accepter: Network) -> None:
        super().__init__(scope, id_)
        tags = {"Name": names.of("peering")}
        requesting_side, accepting_side = PeeringSide(requester, "peering"), PeeringSide(accepter, "peering")
        self.connection = VpcPeeringConnection(
            requesting_side,
            "connection",
            vpc_id=requester.vpc.id,
            peer_vpc_id=accepter.vpc.id,
            peer_owner_id=names.account_id,
            peer_region=Region.of(accepter).name,
            tags=tags,
        )
        self.acceptance = VpcPeeringConnectionAccepterA(
            accepting_side,
            "acceptance",
            vpc_peering_connection_id=self.connection.id,
            auto_accept=True,
            tags=tags,
        )
        self.routes: dict[Network, list[Route]] = {}
        self._resolve_names(requesting_side, accepting_side)
        self._route(requesting_side, of=requester, to=accepter)
        self._route(accepting_side, of=accepter, to=requester)

    def _resolve_names(self, requesting_side: PeeringSide, accepting_side: PeeringSide) -> None:
        """Each side resolves the other's host names to private addresses; needs an accepted connection."""
        VpcPeeringConnectionOptions(
            requesting_side,
            "options",
            vpc_peering_connection_id=self.acceptance.id,
            requester=VpcPeeringConnectionOptionsRequester(allow_remote_vpc_dns_resolution=True),
        )
        VpcPeeringConnectionOptions(
            accepting_side,
            "options",
            vpc_peering_connection_id=self.acceptance.id,
            accepter=VpcPeeringConnectionOptionsAccepter(allow_remote_vpc_dns_resolution=True),
        )

    def _route(self, side: PeeringSide, *, of: Network, to: Network) -> None:
        self.routes[of] = [
            Route(
                side,
                f"route-{tier.name}-{number}-to-{other.name}",
                route_table_id=table.id,
                destination_cidr_block=other.block,
                vpc_peering_connection_id=self.acceptance.id,
            )
            for tier in (of.private, of.database)
            for number, table in enumerate(tier.route_tables, start=1)
            for other in (to.private, to.database)
        ]
