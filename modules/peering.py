"""The peering between the two regions' networks (W6.3).

Creates the connection on the requesting side, its acceptance on the other (across regions a connection cannot accept
itself), DNS resolution both ways, and routes both ways between private and database tiers. The public tiers are not
reached.
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

from modules.network import Network
from modules.region import Region
from settings.naming import Names


class Peering(Construct):
    """One peering connection. What belongs to a side stands below that side's network, so it lands in its region."""

    def __init__(self, scope: Construct, id_: str, *, names: Names, requester: Network, accepter: Network) -> None:
        super().__init__(scope, id_)
        tags = {"Name": names.of("peering")}
        self.connection = VpcPeeringConnection(
            requester,
            "peering-connection",
            vpc_id=requester.vpc.id,
            peer_vpc_id=accepter.vpc.id,
            peer_owner_id=names.account_id,
            peer_region=Region.of(accepter).name,
            tags=tags,
        )
        self.acceptance = VpcPeeringConnectionAccepterA(
            accepter,
            "peering-acceptance",
            vpc_peering_connection_id=self.connection.id,
            auto_accept=True,
            tags=tags,
        )
        self._resolve_names(requester, accepter)
        self._route(requester, to=accepter)
        self._route(accepter, to=requester)

    def _resolve_names(self, requester: Network, accepter: Network) -> None:
        """Each side resolves the other's host names to private addresses; only possible on an accepted connection."""
        VpcPeeringConnectionOptions(
            requester,
            "peering-options",
            vpc_peering_connection_id=self.acceptance.id,
            requester=VpcPeeringConnectionOptionsRequester(allow_remote_vpc_dns_resolution=True),
        )
        VpcPeeringConnectionOptions(
            accepter,
            "peering-options",
            vpc_peering_connection_id=self.acceptance.id,
            accepter=VpcPeeringConnectionOptionsAccepter(allow_remote_vpc_dns_resolution=True),
        )

    def _route(self, network: Network, *, to: Network) -> None:
        for tier in (network.private, network.database):
            for number, table in enumerate(tier.route_tables, start=1):
                for other in (to.private, to.database):
                    Route(
                        network,
                        f"peering-route-{tier.name}-{number}-to-{other.name}",
                        route_table_id=table.id,
                        destination_cidr_block=other.block,
                        vpc_peering_connection_id=self.acceptance.id,
                    )
