"""CloudFront, the firewall, certificates and DNS."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any

from tests.emulator.in_use.networks import Network
from tests.emulator.in_use.refusals import Use, World, refused
from tests.emulator.inventory_of_edge import VISIBILITY
from tests.emulator.test_services_of_edge import NONE, a_distribution

ASSOCIATED = "WAFAssociatedItemException"
held_by_distribution = partial(refused, status=409)
firewall_refused = partial(refused, code=ASSOCIATED)


def _distribution(world: World, **changes: Any) -> Callable[[], object]:
    """One that is made with ``changes``; returns what disables and deletes it."""
    cloudfront, sent = world("cloudfront", "us-east-1"), a_distribution(**changes)
    made = cloudfront.create_distribution(DistributionConfig=sent)

    def end() -> None:
        id_ = made["Distribution"]["Id"]
        off = cloudfront.update_distribution(Id=id_, IfMatch=made["ETag"], DistributionConfig=sent | {"Enabled": False})
        cloudfront.delete_distribution(Id=id_, IfMatch=off["ETag"])

    return end


CACHED = {
    "MinTTL": 0,
    "ParametersInCacheKeyAndForwardedToOrigin": {"EnableAcceptEncodingGzip": True, **NONE},
}
KINDS: dict[str, dict[str, Any]] = {
    "cache_policy": CACHED,
    "origin_request_policy": NONE,
    "response_headers_policy": {"SecurityHeadersConfig": {"ContentTypeOptions": {"Override": True}}},
}


def _policy(kind: str) -> Callable[[World], Use]:
    camel = "".join(part.capitalize() for part in kind.split("_"))

    def of_a_behaviour(world: World) -> Use:
        cloudfront = world("cloudfront", "us-east-1")
        config = {"Name": world.name(), **KINDS[kind]}
        made = getattr(cloudfront, f"create_{kind}")(**{f"{camel}Config": config})
        id_ = made[camel]["Id"]
        end = _distribution(world, behaviour={f"{camel}Id": id_})
        return Use(lambda: getattr(cloudfront, f"delete_{kind}")(Id=id_, IfMatch=made["ETag"]), end)

    held_by_distribution(
        f"aws_cloudfront_{kind}",
        "aws_cloudfront_distribution",
        operation=f"cloudfront:Delete{camel}",
        code=f"{camel}InUse",
    )(of_a_behaviour)
    return of_a_behaviour


for _kind in KINDS:
    _policy(_kind)


@held_by_distribution(
    "aws_cloudfront_origin_access_control",
    "aws_cloudfront_distribution",
    operation="cloudfront:DeleteOriginAccessControl",
    code="OriginAccessControlInUse",
)
def control_of_an_origin(world: World) -> Use:
    cloudfront = world("cloudfront", "us-east-1")
    made = cloudfront.create_origin_access_control(
        OriginAccessControlConfig={
            "Name": world.name(),
            "SigningProtocol": "sigv4",
            "SigningBehavior": "always",
            "OriginAccessControlOriginType": "s3",
        }
    )
    id_ = made["OriginAccessControl"]["Id"]
    end = _distribution(world, origin={"OriginAccessControlId": id_})
    return Use(lambda: cloudfront.delete_origin_access_control(Id=id_, IfMatch=made["ETag"]), end)


@held_by_distribution(
    "a CloudFront function, which a function of the stack makes",
    "aws_cloudfront_distribution",
    operation="cloudfront:DeleteFunction",
    code="FunctionInUse",
)
def function_of_a_behaviour(world: World) -> Use:
    cloudfront, name = world("cloudfront", "us-east-1"), world.name()
    config = {"Comment": "", "Runtime": "cloudfront-js-2.0"}
    made = cloudfront.create_function(Name=name, FunctionConfig=config, FunctionCode=b"//")
    cloudfront.publish_function(Name=name, IfMatch=made["ETag"])
    arn = made["FunctionSummary"]["FunctionMetadata"]["FunctionARN"]
    called = {"Quantity": 1, "Items": [{"FunctionARN": arn, "EventType": "viewer-request"}]}
    end = _distribution(world, behaviour={"FunctionAssociations": called})
    return Use(lambda: cloudfront.delete_function(Name=name, IfMatch=made["ETag"]), end)


# --- The firewall ----------------------------------------------------------------------------------------------------


def _web_acl(world: World, scope: str, *rules: dict[str, Any]) -> tuple[dict[str, Any], Callable[[], object]]:
    waf = world("wafv2", "us-east-1" if scope == "CLOUDFRONT" else "us-east-2")
    own = {"Name": world.name(), "Scope": scope}
    made = waf.create_web_acl(**own, DefaultAction={"Allow": {}}, VisibilityConfig=VISIBILITY, Rules=list(rules))[
        "Summary"
    ]
    return made, lambda: waf.delete_web_acl(**own, Id=made["Id"], LockToken=made["LockToken"])


def _rule(statement: dict[str, Any], **action: Any) -> dict[str, Any]:
    return {"Name": "one", "Priority": 0, "Statement": statement, "VisibilityConfig": VISIBILITY, **action}


@firewall_refused("aws_wafv2_ip_set", "aws_wafv2_web_acl", operation="wafv2:DeleteIPSet")
def address_list_of_a_web_acl(world: World) -> Use:
    waf, own = world("wafv2"), {"Name": world.name(), "Scope": "REGIONAL"}
    made = waf.create_ip_set(**own, IPAddressVersion="IPV4", Addresses=["192.0.2.0/24"])["Summary"]
    _, end = _web_acl(world, "REGIONAL", _rule({"IPSetReferenceStatement": {"ARN": made["ARN"]}}, Action={"Block": {}}))
    return Use(lambda: waf.delete_ip_set(**own, Id=made["Id"], LockToken=made["LockToken"]), end)


@firewall_refused(
    "a rule group, which a function of the stack makes", "aws_wafv2_web_acl", operation="wafv2:DeleteRuleGroup"
)
def rule_group_of_a_web_acl(world: World) -> Use:
    waf, own = world("wafv2"), {"Name": world.name(), "Scope": "REGIONAL"}
    made = waf.create_rule_group(**own, Capacity=10, VisibilityConfig=VISIBILITY)["Summary"]
    statement = {"RuleGroupReferenceStatement": {"ARN": made["ARN"]}}
    _, end = _web_acl(world, "REGIONAL", _rule(statement, OverrideAction={"None": {}}))
    return Use(lambda: waf.delete_rule_group(**own, Id=made["Id"], LockToken=made["LockToken"]), end)


@firewall_refused("aws_wafv2_web_acl", "aws_wafv2_web_acl_association", operation="wafv2:DeleteWebACL")
def associated_web_acl(world: World) -> Use:
    waf = world("wafv2")
    made, delete = _web_acl(world, "REGIONAL")
    balancer = "arn:aws:elasticloadbalancing:us-east-2:123456789012:loadbalancer/app/in-use/1"
    waf.associate_web_acl(WebACLArn=made["ARN"], ResourceArn=balancer)
    return Use(delete, lambda: waf.disassociate_web_acl(ResourceArn=balancer))


@firewall_refused("aws_wafv2_web_acl", "aws_cloudfront_distribution", operation="wafv2:DeleteWebACL")
def web_acl_of_a_distribution(world: World) -> Use:
    made, delete = _web_acl(world, "CLOUDFRONT")
    return Use(delete, _distribution(world, WebACLId=made["ARN"]))


# --- Certificates and DNS --------------------------------------------------------------------------------------------

certificate_refused = partial(
    refused, "aws_acm_certificate", operation="acm:DeleteCertificate", code="ResourceInUseException"
)


@certificate_refused("aws_cloudfront_distribution")
def certificate_of_a_distribution(world: World) -> Use:
    acm, alias = world("acm", "us-east-1"), f"{world.name()}.example.com"
    arn = acm.request_certificate(DomainName=alias, ValidationMethod="DNS")["CertificateArn"]
    certificate = {"ACMCertificateArn": arn, "SSLSupportMethod": "sni-only", "MinimumProtocolVersion": "TLSv1.2_2021"}
    end = _distribution(world, Aliases={"Quantity": 1, "Items": [alias]}, ViewerCertificate=certificate)
    return Use(lambda: acm.delete_certificate(CertificateArn=arn), end)


@certificate_refused("aws_lb_listener")
def certificate_of_a_listener(world: World) -> Use:
    network, acm, elbv2 = Network.make(world), world("acm"), world("elbv2")
    arn = acm.request_certificate(DomainName="example.com", ValidationMethod="DNS")["CertificateArn"]
    balancer = elbv2.create_load_balancer(
        Name=world.name(), Subnets=list(network.subnets), SecurityGroups=[network.group], Scheme="internal"
    )["LoadBalancers"][0]["LoadBalancerArn"]
    listener = elbv2.create_listener(
        LoadBalancerArn=balancer,
        Protocol="HTTPS",
        Port=443,
        Certificates=[{"CertificateArn": arn}],
        DefaultActions=[{"Type": "fixed-response", "FixedResponseConfig": {"StatusCode": "404"}}],
    )["Listeners"][0]["ListenerArn"]
    return Use(lambda: acm.delete_certificate(CertificateArn=arn), lambda: elbv2.delete_listener(ListenerArn=listener))


def _zone(record_type: str, value: str) -> Callable[[World], Use]:
    def with_a_record(world: World) -> Use:
        route53, name = world("route53"), f"{world.name()}.example.com"
        zone = route53.create_hosted_zone(Name=name, CallerReference=name)["HostedZone"]["Id"]
        record = {
            "Name": f"pay.{name}.",
            "Type": record_type,
            "TTL": 60,
            "ResourceRecords": [{"Value": value}],
        }

        def change(action: str) -> object:
            changes = [{"Action": action, "ResourceRecordSet": record}]
            return route53.change_resource_record_sets(HostedZoneId=zone, ChangeBatch={"Changes": changes})

        change("CREATE")
        return Use(lambda: route53.delete_hosted_zone(Id=zone), lambda: change("DELETE"))

    return with_a_record


zone_refused = partial(refused, "aws_route53_zone", operation="route53:DeleteHostedZone", code="HostedZoneNotEmpty")
zone_refused("aws_route53_record")(_zone("CNAME", "example.net"))
zone_refused("a delegation")(_zone("NS", "ns.example.net"))
