"""One of each kind of resource that a finder of leftovers knows at the edge: CloudFront, the firewall and DNS."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from tests.emulator.support import Client

VISIBILITY = {"SampledRequestsEnabled": True, "CloudWatchMetricsEnabled": True, "MetricName": "one"}


def make_zone(route53: Client) -> dict[str, str]:
    """A zone with a record beside its own two: kind and id."""
    zone = route53.create_hosted_zone(Name="example.com", CallerReference="once")["HostedZone"]["Id"]
    record = {"Name": "pay.example.com.", "Type": "CNAME", "TTL": 60, "ResourceRecords": [{"Value": "example.net"}]}
    change = {"Action": "CREATE", "ResourceRecordSet": record}
    route53.change_resource_record_sets(HostedZoneId=zone, ChangeBatch={"Changes": [change]})
    return {"hosted zone": zone, "record": "pay.example.com. CNAME"}


def make_firewall(wafv2: Client) -> dict[str, str]:
    """One of each kind that the firewall has in a region: kind and id."""
    own = {"Scope": "REGIONAL", "VisibilityConfig": VISIBILITY}
    group = wafv2.create_rule_group(Name="group", Capacity=10, **own)["Summary"]
    return {
        "web acl": wafv2.create_web_acl(Name="acl", DefaultAction={"Allow": {}}, **own)["Summary"]["ARN"],
        "firewall rule group": group["ARN"],
        "firewall address list": make_address_list(wafv2, "REGIONAL"),
    }


def make_address_list(wafv2: Client, scope: str) -> str:
    """A list of addresses for the firewall of a region or of CloudFront: its ARN."""
    made = wafv2.create_ip_set(Name="list", Scope=scope, IPAddressVersion="IPV4", Addresses=["192.0.2.0/24"])
    return str(made["Summary"]["ARN"])


def make_edge(client: Callable[..., Client]) -> dict[str, str]:
    """One of each kind that CloudFront and the health checks of DNS have: kind and id."""
    cloudfront = client("cloudfront")
    control = cloudfront.create_origin_access_control(
        OriginAccessControlConfig={
            "Name": "control",
            "SigningProtocol": "sigv4",
            "SigningBehavior": "always",
            "OriginAccessControlOriginType": "s3",
        }
    )["OriginAccessControl"]["Id"]
    function = {"Comment": "", "Runtime": "cloudfront-js-2.0"}
    cloudfront.create_function(Name="function-of-edge", FunctionConfig=function, FunctionCode=b"//")
    policies = make_edge_policies(cloudfront)
    origin = {
        "Id": "origin",
        "DomainName": "a-bucket.s3.us-west-2.amazonaws.com",
        "OriginAccessControlId": control,
        "S3OriginConfig": {"OriginAccessIdentity": ""},
    }
    behaviour = {
        "TargetOriginId": "origin",
        "ViewerProtocolPolicy": "https-only",
        "CachePolicyId": policies["cache policy"],
    }
    distribution = cloudfront.create_distribution(
        DistributionConfig={
            "CallerReference": "once",
            "Comment": "",
            "Enabled": True,
            "Origins": {"Quantity": 1, "Items": [origin]},
            "DefaultCacheBehavior": behaviour,
        }
    )["Distribution"]["Id"]
    check = {"Type": "HTTPS", "FullyQualifiedDomainName": "example.com", "Port": 443}
    return {
        "distribution": distribution,
        "origin access control": control,
        "cloudfront function": "function-of-edge",
        **policies,
        "health check": client("route53").create_health_check(CallerReference="once", HealthCheckConfig=check)[
            "HealthCheck"
        ]["Id"],
    }


def make_edge_policies(cloudfront: Client) -> dict[str, str]:
    """One of each kind of CloudFront's policies: kind and id."""
    parameters: dict[str, Any] = {
        "HeadersConfig": {"HeaderBehavior": "none"},
        "CookiesConfig": {"CookieBehavior": "none"},
        "QueryStringsConfig": {"QueryStringBehavior": "none"},
    }
    compressed = {"EnableAcceptEncodingGzip": True}
    cache = {"Name": "cache", "MinTTL": 0, "ParametersInCacheKeyAndForwardedToOrigin": compressed | parameters}
    cached = cloudfront.create_cache_policy(CachePolicyConfig=cache)
    request = {"Name": "request", **parameters}
    requested = cloudfront.create_origin_request_policy(OriginRequestPolicyConfig=request)
    response = {"Name": "response", "SecurityHeadersConfig": {"ContentTypeOptions": {"Override": True}}}
    responded = cloudfront.create_response_headers_policy(ResponseHeadersPolicyConfig=response)
    return {
        "cache policy": cached["CachePolicy"]["Id"],
        "origin request policy": requested["OriginRequestPolicy"]["Id"],
        "response headers policy": responded["ResponseHeadersPolicy"]["Id"],
    }
