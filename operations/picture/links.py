"""The arrows between the regions of a picture."""

from __future__ import annotations

from collections.abc import Collection, Iterator

from operations.picture.model import Link
from operations.picture.plan import Platform, Resource


def links(platform: Platform, shown: Collection[Resource]) -> Iterator[Link]:
    """The arrows between places, as far as both ends are among what is shown."""
    for link in (*_peerings(platform), *_global_databases(platform), *_replications(platform), *_copies(platform)):
        if link.source in shown and link.target in shown and link.source.place != link.target.place:
            yield link


def _peerings(platform: Platform) -> Iterator[Link]:
    networks = platform.of("aws_vpc")
    for one in platform.of("aws_vpc_peering_connection"):
        own = [vpc for vpc in networks if one.names("vpc_id", vpc)]
        peers = [vpc for vpc in networks if one.names("peer_vpc_id", vpc)]
        accepters = platform.of("aws_vpc_peering_connection_accepter")
        accepters = [accepter for accepter in accepters if accepter.names("vpc_peering_connection_id", one)]
        for source, target in zip(own, peers, strict=False):
            label = "peering" if accepters else "peering, not accepted"
            yield Link(label=label, source=source, target=target, of=(one, *accepters), both_ways=True)


def _global_databases(platform: Platform) -> Iterator[Link]:
    clusters = platform.of("aws_rds_cluster")
    for one in platform.of("aws_rds_global_cluster"):
        sources = [cluster for cluster in clusters if one.names("source_db_cluster_identifier", cluster)]
        copies = [cluster for cluster in clusters if cluster.names("global_cluster_identifier", one)]
        for source in sources:
            for copy in copies:
                yield Link(label="global database", source=source, target=copy, of=(one,))


def _replications(platform: Platform) -> Iterator[Link]:
    buckets = platform.of("aws_s3_bucket")
    for one in platform.of("aws_s3_bucket_replication_configuration"):
        sources = [bucket for bucket in buckets if one.names("bucket", bucket)]
        for source in sources:
            for target in (bucket for bucket in buckets if one.names("rule", bucket) and bucket is not source):
                yield Link(label="replication", source=source, target=target, of=(one,))


def _copies(platform: Platform) -> Iterator[Link]:
    vaults = platform.of("aws_backup_vault")
    for one in platform.of("aws_backup_plan"):
        named = [vault for vault in vaults if one.names("rule", vault)]
        for source in (vault for vault in named if vault.place == one.place):
            for target in (vault for vault in named if vault.place != one.place):
                yield Link(label="copies", source=source, target=target, of=(one,))
