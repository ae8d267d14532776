"""CloudFront, the web application firewall, DNS and certificates."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

from emulator.finders.listing import GLOBAL_REGION, Clients, Finder, by, pages


def _of_firewall(operation: str, key: str) -> Finder:
    """AWS WAF resources of a type: of a region, and in us-east-1 those for CloudFront."""

    def find(clients: Clients) -> Iterator[str]:
        for scope in ("REGIONAL", "CLOUDFRONT"):
            if scope == "CLOUDFRONT" and clients("wafv2").meta.region_name != GLOBAL_REGION:
                continue
            yield from (item["ARN"] for item in getattr(clients("wafv2"), operation)(Scope=scope)[key])

    return find


def _of_cloudfront(operation: str, list_key: str, identify: Callable[[Any], str], **parameters: Any) -> Finder:
    """CloudFront resources of a type: its lists are one level deeper than those of other services."""

    def find(clients: Clients) -> Iterator[str]:
        listed = getattr(clients("cloudfront"), operation)(**parameters)[list_key]
        return (identify(item) for item in listed.get("Items") or [])

    return find


def _cloudfront_policies(kind: str, plural: str) -> Finder:
    operation = f"list_{plural}"
    return _of_cloudfront(operation, f"{kind}List", lambda item: str(item[kind]["Id"]), Type="custom")


def _records(clients: Clients) -> Iterator[str]:
    """Name, type and set identifier of each record, but for the two that a zone is made with, its own NS and SOA."""
    for zone in pages(clients, "route53", "list_hosted_zones", "HostedZones"):
        for record in pages(
            clients, "route53", "list_resource_record_sets", "ResourceRecordSets", HostedZoneId=zone["Id"]
        ):
            if record["Name"] != zone["Name"] or record["Type"] not in {"NS", "SOA"}:
                yield " ".join(
                    (record["Name"], record["Type"], *([one] if (one := record.get("SetIdentifier")) else ()))
                )


REGIONAL: dict[str, Finder] = {
    "certificate": by("acm", "list_certificates", "CertificateSummaryList", "CertificateArn"),
    "web acl": _of_firewall("list_web_acls", "WebACLs"),
    "firewall rule group": _of_firewall("list_rule_groups", "RuleGroups"),
    "firewall address list": _of_firewall("list_ip_sets", "IPSets"),
}

GLOBAL: dict[str, Finder] = {
    "distribution": _of_cloudfront("list_distributions", "DistributionList", lambda item: str(item["Id"])),
    "origin access control": _of_cloudfront(
        "list_origin_access_controls", "OriginAccessControlList", lambda item: str(item["Id"])
    ),
    "cloudfront function": _of_cloudfront("list_functions", "FunctionList", lambda item: str(item["Name"])),
    "cache policy": _cloudfront_policies("CachePolicy", "cache_policies"),
    "origin request policy": _cloudfront_policies("OriginRequestPolicy", "origin_request_policies"),
    "response headers policy": _cloudfront_policies("ResponseHeadersPolicy", "response_headers_policies"),
    "health check": by("route53", "list_health_checks", "HealthChecks", "Id"),
    "hosted zone": by("route53", "list_hosted_zones", "HostedZones", "Id"),
    "record": _records,
}
