"""What stands before the regions in a picture, and how requests go on from there."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from operations.picture.model import Box, Kind, View, box, counted, some
from operations.picture.plan import Platform


def names_of_the_world(view: View) -> Iterator[Box]:
    """The names by which the world finds the platform."""
    zones, records = view.of("aws_route53_zone"), view.of("aws_route53_record")
    checks = view.of("aws_route53_health_check")
    lines = [
        "zone " + ", ".join(one.text("name", "of the settings") for one in zones) if zones else "",
        ", ".join(filter(None, [some(records, "record"), some(checks, "health check")])),
    ]
    yield from box(Kind.TRAFFIC, "Route 53", lines, [*zones, *records, *checks])


def distributions(view: View) -> Iterator[Box]:
    """Each distribution, the paths that it tells apart, and where it gets its answers from."""
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
        yield from box(Kind.TRAFFIC, title, lines, [one])


def certificates(view: View) -> Iterator[Box]:
    """The certificates, and where they stand."""
    found = view.of("aws_acm_certificate")
    places = {view.platform.regions.get(one.place, one.place) for one in found}
    lines = ["in " + ", ".join(sorted(places))]
    yield from box(Kind.SECURITY, counted(len(found), "certificate"), lines, found)


def entries(platform: Platform, places: Sequence[str]) -> Iterator[tuple[str, str]]:
    """The records by which the edge's requests come to the load balancer of a place."""
    if not platform.of("aws_cloudfront_distribution"):
        return
    said = {"PRIMARY": "requests, while it is healthy", "SECONDARY": "requests, when the other is not"}
    for place in places:
        balancers = platform.of("aws_lb", place=place)
        records = [
            record
            for record in platform.of("aws_route53_record")
            if any(record.names("alias", balancer) for balancer in balancers)
        ]
        kinds = [str(one.block("failover_routing_policy").get("type")) for one in records]
        latency = any(one.block("latency_routing_policy") for one in records)
        if records:
            label = next((said[kind] for kind in kinds if kind in said), "")
            yield place, "requests from nearby" if latency and not label else label
