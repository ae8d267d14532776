"""The arrows of a picture: the path of requests, and connections and replication between regions."""

from __future__ import annotations

from collections.abc import Collection, Iterator

from operations.picture.edge import records_of
from operations.picture.model import Link, Slot, View
from operations.picture.network import subnets
from operations.picture.plan import Platform, Resource


def links(platform: Platform, shown: Collection[Resource]) -> Iterator[Link]:
    """The arrows whose two ends are both shown."""
    for found in (
        _customers,
        _requests,
        _forwards,
        _connections,
        _peerings,
        _global_databases,
        _replications,
        _copies,
    ):
        for link in found(platform):
            if link.source in {None, *shown} and link.target in shown:
                yield link


def _customers(platform: Platform) -> Iterator[Link]:
    for distribution in platform.of("aws_cloudfront_distribution"):
        yield Link(source=None, target=distribution)


def _requests(platform: Platform) -> Iterator[Link]:
    """From the distribution to the load balancers behind the DNS records, through the web ACL of each."""
    for balancer in platform.of("aws_lb"):
        acls = _acls(platform, balancer)
        for distribution in platform.of("aws_cloudfront_distribution") if records_of(platform, balancer) else []:
            yield Link(source=distribution, target=(*acls, balancer)[0])
        for acl in acls:
            yield Link(source=acl, target=balancer)


def _acls(platform: Platform, balancer: Resource) -> list[Resource]:
    placed = [one for one in platform.of("aws_wafv2_web_acl_association") if one.names("resource_arn", balancer)]
    return [acl for acl in platform.of("aws_wafv2_web_acl") if any(one.names("web_acl_arn", acl) for one in placed)]


def _forwards(platform: Platform) -> Iterator[Link]:
    """From each load balancer to the tier of the services in its listeners' target groups."""
    for balancer in platform.of("aws_lb"):
        listeners = [one for one in platform.of("aws_lb_listener") if one.names("load_balancer_arn", balancer)]
        rules = [
            rule
            for rule in platform.of("aws_lb_listener_rule")
            if any(rule.names("listener_arn", listener) for listener in listeners)
        ]
        named = {address for rule in rules for address in rule.references.get("action", ())}
        named |= {address for one in listeners for address in one.references.get("default_action", ())}
        services = platform.of("aws_ecs_service", place=balancer.place)
        if any(named & one.references.get("load_balancer", frozenset()) for one in services):
            for tier in _tier(platform, balancer.place, Slot.PRIVATE):
                yield Link(source=balancer, target=tier)


def _connections(platform: Platform) -> Iterator[Link]:
    """From the private tier to that of each database cluster, where a security group allows connections to it."""
    for cluster in platform.of("aws_rds_cluster"):
        groups = [one for one in platform.of("aws_security_group") if cluster.names("vpc_security_group_ids", one)]
        rules = platform.of("aws_vpc_security_group_egress_rule", place=cluster.place)
        if any(rule.names("referenced_security_group_id", group) for rule in rules for group in groups):
            private, database = (_tier(platform, cluster.place, slot) for slot in (Slot.PRIVATE, Slot.DATABASE))
            for source, target in zip(private, database, strict=False):
                yield Link(source=source, target=target)


def _tier(platform: Platform, place: str, tier: Slot) -> list[Resource]:
    """One subnet of the tier, which represents it, if there is one."""
    return subnets(View(platform=platform, place=place), tier)[:1]


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
