"""The edge in a picture: DNS, CloudFront distributions and certificates in front of the regions."""

from __future__ import annotations

from collections.abc import Iterator

from operations.picture.model import Box, Icon, View, box, counted, some
from operations.picture.plan import Platform, Resource

ROUTING = {"PRIMARY": "requests while healthy", "SECONDARY": "requests after failover"}


def names_of_the_world(view: View) -> Iterator[Box]:
    """The public DNS names of the platform."""
    zones, records = view.of("aws_route53_zone"), view.of("aws_route53_record")
    checks = view.of("aws_route53_health_check")
    lines = [
        "zone " + ", ".join(one.text("name", "of the settings") for one in zones) if zones else "",
        ", ".join(filter(None, [some(records, "record"), some(checks, "health check")])),
    ]
    yield from box(Icon.DNS, "Route 53", lines, [*zones, *records, *checks])


def distributions(view: View) -> Iterator[Box]:
    """Each distribution with its path patterns and origins."""
    buckets = {one.address: view.name(one, "bucket") for one in view.of("aws_s3_bucket")}
    for one in view.of("aws_cloudfront_distribution"):
        paths = [str(block.get("path_pattern")) for block in one.blocks("ordered_cache_behavior")]
        stored = sorted(buckets[address] for address in one.references.get("origin", ()) if address in buckets)
        custom = any(block.get("custom_origin_config") for block in one.blocks("origin"))
        origins = ["load balancers"] * custom + [
            name if stored.count(name) == 1 else f"{name} and its replica" for name in dict.fromkeys(stored)
        ]
        lines = [
            ", ".join(str(name) for name in one.values.get("aliases") or []),
            "paths " + ", ".join([*paths, "the rest"]) if paths else "",
            "from " + "; ".join(origins) if origins else "",
        ]
        title = "CloudFront, HTTP/3" if "3" in one.text("http_version") else "CloudFront"
        yield from box(Icon.DISTRIBUTION, title, lines, [one])


def certificates(view: View) -> Iterator[Box]:
    """The certificates and their regions."""
    found = view.of("aws_acm_certificate")
    places = {view.platform.regions.get(one.place, one.place) for one in found}
    lines = ["in " + ", ".join(sorted(places))]
    yield from box(Icon.CERTIFICATE, counted(len(found), "certificate"), lines, found)


def records_of(platform: Platform, balancer: Resource) -> list[Resource]:
    """The DNS records of a load balancer."""
    return [one for one in platform.of("aws_route53_record") if one.names("alias", balancer)]


def routing(view: View) -> str:
    """The routing policy of a region's load balancers, or nothing."""
    records = [record for balancer in view.of("aws_lb") for record in records_of(view.platform, balancer)]
    kinds = {str(one.block("failover_routing_policy").get("type")) for one in records}
    by_latency = any(one.block("latency_routing_policy") for one in records)
    failover = next((said for kind, said in ROUTING.items() if kind in kinds), "")
    return failover or ("requests from nearby" if by_latency else "")
