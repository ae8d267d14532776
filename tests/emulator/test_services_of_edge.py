"""CloudFront and the firewall of the local AWS: what is sent is what is answered, and what is in use stays."""

from __future__ import annotations

import uuid
from collections.abc import Callable
from typing import Any

import pytest

from tests.emulator.support import Client, error_of

pytestmark = pytest.mark.requirement("W8.2")

Make = Callable[..., Client]
DISABLED = "4135ea2d-6df8-44a3-9df3-4b5a84be39ad"
VISIBILITY = {"SampledRequestsEnabled": True, "CloudWatchMetricsEnabled": True, "MetricName": "one"}
NONE: dict[str, Any] = {
    "HeadersConfig": {"HeaderBehavior": "none"},
    "CookiesConfig": {"CookieBehavior": "none"},
    "QueryStringsConfig": {"QueryStringBehavior": "none"},
}


def name() -> str:
    return f"thing-{uuid.uuid4().hex[:12]}"


def a_distribution(**changes: Any) -> dict[str, Any]:
    behaviour = {
        "TargetOriginId": "one",
        "ViewerProtocolPolicy": "https-only",
        "CachePolicyId": DISABLED,
        **changes.pop("behaviour", {}),
    }
    origin = {
        "Id": "one",
        "DomainName": "origin.example.com",
        "CustomOriginConfig": {"HTTPPort": 80, "HTTPSPort": 443, "OriginProtocolPolicy": "https-only"},
        **changes.pop("origin", {}),
    }
    return {
        "CallerReference": name(),
        "Comment": "",
        "Enabled": True,
        "Origins": {"Quantity": 1, "Items": [origin]},
        "DefaultCacheBehavior": behaviour,
        **changes,
    }


@pytest.fixture
def cloudfront(client: Make) -> Client:
    return client("cloudfront", "us-east-1")


def a_function(cloudfront: Client) -> tuple[str, str, str]:
    """Name, ARN and tag of a function that is not published."""
    own = name()
    config = {"Comment": "first", "Runtime": "cloudfront-js-2.0"}
    made = cloudfront.create_function(Name=own, FunctionConfig=config, FunctionCode=b"// first")
    return own, made["FunctionSummary"]["FunctionMetadata"]["FunctionARN"], made["ETag"]


@pytest.mark.parametrize("comment", ["one", "two"])
def test_a_distribution_is_kept_whole(cloudfront: Client, comment: str) -> None:
    sent = a_distribution(
        Comment=comment,
        HttpVersion="http2and3",
        PriceClass="PriceClass_100",
        IsIPV6Enabled=True,
        Restrictions={"GeoRestriction": {"RestrictionType": "blacklist", "Quantity": 1, "Items": ["XK"]}},
    )
    made = cloudfront.create_distribution(DistributionConfig=sent)["Distribution"]
    kept = cloudfront.get_distribution_config(Id=made["Id"])["DistributionConfig"]
    assert {key: kept[key] for key in sent} == sent
    assert made["Status"] == "Deployed"


def test_distribution_update_requires_the_etag_and_deletion_requires_it_disabled(cloudfront: Client) -> None:
    sent = a_distribution()
    made = cloudfront.create_distribution(DistributionConfig=sent)
    id_, etag = made["Distribution"]["Id"], made["ETag"]
    changed = cloudfront.update_distribution(Id=id_, IfMatch=etag, DistributionConfig=sent | {"Comment": "changed"})
    assert changed["Distribution"]["DistributionConfig"]["Comment"] == "changed"
    stale = {"Id": id_, "IfMatch": etag, "DistributionConfig": sent}
    assert error_of(lambda: cloudfront.update_distribution(**stale)) == "PreconditionFailed"
    last = {"Id": id_, "IfMatch": changed["ETag"]}
    assert error_of(lambda: cloudfront.delete_distribution(**last)) == "DistributionNotDisabled"
    off = cloudfront.update_distribution(**last, DistributionConfig=sent | {"Enabled": False})
    cloudfront.delete_distribution(Id=id_, IfMatch=off["ETag"])
    assert error_of(lambda: cloudfront.get_distribution(Id=id_)) == "NoSuchDistribution"


@pytest.mark.parametrize(
    ("changes", "code"),
    [
        ({"behaviour": {"CachePolicyId": "00000000-0000-0000-0000-000000000000"}}, "NoSuchCachePolicy"),
        ({"behaviour": {"ResponseHeadersPolicyId": "nowhere"}}, "NoSuchResponseHeadersPolicy"),
        ({"origin": {"OriginAccessControlId": "nowhere"}}, "InvalidOriginAccessControl"),
        ({"WebACLId": "arn:aws:wafv2:us-east-1:123456789012:global/webacl/no/no"}, "InvalidWebACLId"),
        (
            {
                "ViewerCertificate": {
                    "ACMCertificateArn": "arn:aws:acm:us-east-1:123456789012:certificate/no",
                    "SSLSupportMethod": "sni-only",
                }
            },
            "InvalidViewerCertificate",
        ),
    ],
)
def test_distribution_refuses_missing_policies_functions_and_web_acls(
    cloudfront: Client, changes: dict[str, Any], code: str
) -> None:
    sent = a_distribution(**changes)
    assert error_of(lambda: cloudfront.create_distribution(DistributionConfig=sent)) == code


def test_a_certificate_covers_the_names_of_its_distribution(client: Make, cloudfront: Client) -> None:
    own = f"{name()}.example.com"
    arn = client("acm", "us-east-1").request_certificate(DomainName=own, ValidationMethod="DNS")["CertificateArn"]
    certificate = {"ACMCertificateArn": arn, "SSLSupportMethod": "sni-only", "MinimumProtocolVersion": "TLSv1.2_2021"}

    def sent(alias: str) -> dict[str, Any]:
        return a_distribution(Aliases={"Quantity": 1, "Items": [alias]}, ViewerCertificate=certificate)

    foreign = sent("other.example.com")
    assert error_of(lambda: cloudfront.create_distribution(DistributionConfig=foreign)) == "InvalidViewerCertificate"
    cloudfront.create_distribution(DistributionConfig=sent(own))
    again = sent(own)
    assert error_of(lambda: cloudfront.create_distribution(DistributionConfig=again)) == "CNAMEAlreadyExists"


@pytest.mark.parametrize("seconds", [60, 3600])
def test_a_cache_policy_is_kept_and_stays_while_it_is_used(cloudfront: Client, seconds: int) -> None:
    config = {
        "Name": name(),
        "MinTTL": 0,
        "DefaultTTL": seconds,
        "MaxTTL": 86_400,
        "ParametersInCacheKeyAndForwardedToOrigin": {
            "EnableAcceptEncodingGzip": True,
            "EnableAcceptEncodingBrotli": False,
            **NONE,
        },
    }
    made = cloudfront.create_cache_policy(CachePolicyConfig=config)
    id_ = made["CachePolicy"]["Id"]
    assert cloudfront.get_cache_policy_config(Id=id_)["CachePolicyConfig"] == config
    assert error_of(lambda: cloudfront.create_cache_policy(CachePolicyConfig=config)) == "CachePolicyAlreadyExists"
    sent = a_distribution(behaviour={"CachePolicyId": id_})
    distribution = cloudfront.create_distribution(DistributionConfig=sent)
    last = {"Id": id_, "IfMatch": made["ETag"]}
    assert error_of(lambda: cloudfront.delete_cache_policy(**last)) == "CachePolicyInUse"
    cloudfront.update_distribution(
        Id=distribution["Distribution"]["Id"],
        IfMatch=distribution["ETag"],
        DistributionConfig=sent | {"DefaultCacheBehavior": a_distribution()["DefaultCacheBehavior"]},
    )
    cloudfront.delete_cache_policy(**last)
    assert error_of(lambda: cloudfront.get_cache_policy(Id=id_)) == "NoSuchCachePolicy"


def test_managed_policies_are_distinguished_from_custom_ones(cloudfront: Client) -> None:
    managed = cloudfront.list_cache_policies(Type="managed")["CachePolicyList"]["Items"]
    assert [one["CachePolicy"]["Id"] for one in managed] == [DISABLED]
    own = cloudfront.list_cache_policies(Type="custom")["CachePolicyList"].get("Items", [])
    assert DISABLED not in [one["CachePolicy"]["Id"] for one in own]


@pytest.mark.parametrize("behaviour", ["none", "all"])
def test_an_origin_request_policy_is_kept(cloudfront: Client, behaviour: str) -> None:
    config = {"Name": name(), **NONE, "CookiesConfig": {"CookieBehavior": behaviour}}
    made = cloudfront.create_origin_request_policy(OriginRequestPolicyConfig=config)
    id_ = made["OriginRequestPolicy"]["Id"]
    assert cloudfront.get_origin_request_policy(Id=id_)["OriginRequestPolicy"]["OriginRequestPolicyConfig"] == config


@pytest.mark.parametrize("seconds", [60, 63_072_000])
def test_a_response_headers_policy_is_kept(cloudfront: Client, seconds: int) -> None:
    transport = {"Override": True, "AccessControlMaxAgeSec": seconds, "IncludeSubdomains": True, "Preload": False}
    config = {"Name": name(), "SecurityHeadersConfig": {"StrictTransportSecurity": transport}}
    made = cloudfront.create_response_headers_policy(ResponseHeadersPolicyConfig=config)
    id_ = made["ResponseHeadersPolicy"]["Id"]
    kept = cloudfront.get_response_headers_policy_config(Id=id_)["ResponseHeadersPolicyConfig"]
    assert kept["SecurityHeadersConfig"]["StrictTransportSecurity"] == transport


def test_live_stage_of_a_function_has_the_published_code(cloudfront: Client) -> None:
    own, _, etag = a_function(cloudfront)
    live = {"Name": own, "Stage": "LIVE"}
    assert error_of(lambda: cloudfront.get_function(**live)) == "NoSuchFunctionExists"
    cloudfront.publish_function(Name=own, IfMatch=etag)
    config = {"Comment": "second", "Runtime": "cloudfront-js-2.0"}
    changed = cloudfront.update_function(Name=own, IfMatch=etag, FunctionConfig=config, FunctionCode=b"// second")
    assert cloudfront.get_function(**live)["FunctionCode"].read() == b"// first"
    assert cloudfront.get_function(Name=own)["FunctionCode"].read() == b"// second"
    assert error_of(lambda: cloudfront.publish_function(Name=own, IfMatch=etag)) == "PreconditionFailed"
    cloudfront.publish_function(Name=own, IfMatch=changed["ETag"])
    assert cloudfront.get_function(**live)["FunctionCode"].read() == b"// second"
    assert cloudfront.describe_function(**live)["FunctionSummary"]["FunctionConfig"]["Comment"] == "second"


def test_a_function_is_published_before_it_is_called_and_stays_while_it_is(cloudfront: Client) -> None:
    own, arn, etag = a_function(cloudfront)
    called = {"Quantity": 1, "Items": [{"FunctionARN": arn, "EventType": "viewer-request"}]}
    sent = a_distribution(behaviour={"FunctionAssociations": called})
    assert error_of(lambda: cloudfront.create_distribution(DistributionConfig=sent)) == "InvalidFunctionAssociation"
    cloudfront.publish_function(Name=own, IfMatch=etag)
    cloudfront.create_distribution(DistributionConfig=sent)
    assert error_of(lambda: cloudfront.delete_function(Name=own, IfMatch=etag)) == "FunctionInUse"
    unused, _, last = a_function(cloudfront)
    cloudfront.delete_function(Name=unused, IfMatch=last)
    assert error_of(lambda: cloudfront.describe_function(Name=unused)) == "NoSuchFunctionExists"


def a_web_acl(**changes: Any) -> dict[str, Any]:
    return {
        "Name": name(),
        "Scope": "REGIONAL",
        "DefaultAction": {"Allow": {}},
        "VisibilityConfig": VISIBILITY,
        "Rules": [],
        **changes,
    }


@pytest.mark.parametrize("header", ["cookie", "authorization"])
def test_web_acl_keeps_its_data_protection(client: Make, header: str) -> None:
    waf = client("wafv2")
    protection = {"Field": {"FieldType": "SINGLE_HEADER", "FieldKeys": [header]}, "Action": "SUBSTITUTION"}
    sent = a_web_acl(DataProtectionConfig={"DataProtections": [protection]})
    made = waf.create_web_acl(**sent)["Summary"]
    found = waf.get_web_acl(Name=sent["Name"], Scope="REGIONAL", Id=made["Id"])
    assert found["WebACL"]["DataProtectionConfig"] == sent["DataProtectionConfig"]
    without = {key: value for key, value in sent.items() if key != "DataProtectionConfig"}
    waf.update_web_acl(**without, Id=made["Id"], LockToken=found["LockToken"])
    again = waf.get_web_acl(Name=sent["Name"], Scope="REGIONAL", Id=made["Id"])["WebACL"]
    assert "DataProtectionConfig" not in again


def test_a_rule_group_exists_before_a_web_acl_names_it_and_stays_while_it_does(client: Make) -> None:
    waf, own = client("wafv2"), name()
    group = waf.create_rule_group(Name=own, Scope="REGIONAL", Capacity=10, VisibilityConfig=VISIBILITY)["Summary"]

    def naming(arn: str) -> dict[str, Any]:
        rule = {
            "Name": "one",
            "Priority": 0,
            "Statement": {"RuleGroupReferenceStatement": {"ARN": arn}},
            "OverrideAction": {"None": {}},
            "VisibilityConfig": VISIBILITY,
        }
        return a_web_acl(Rules=[rule])

    unknown = naming(f"{group['ARN']}x")
    assert error_of(lambda: waf.create_web_acl(**unknown)) == "WAFNonexistentItemException"
    sent = naming(group["ARN"])
    made = waf.create_web_acl(**sent)["Summary"]
    last = {"Name": own, "Scope": "REGIONAL", "Id": group["Id"], "LockToken": group["LockToken"]}
    assert error_of(lambda: waf.delete_rule_group(**last)) == "WAFAssociatedItemException"
    waf.delete_web_acl(Name=sent["Name"], Scope="REGIONAL", Id=made["Id"], LockToken=made["LockToken"])
    waf.delete_rule_group(**last)


def test_an_address_list_is_deleted_by_its_lock_token_and_not_while_it_is_named(client: Make) -> None:
    waf, own = client("wafv2"), name()
    made = waf.create_ip_set(Name=own, Scope="REGIONAL", IPAddressVersion="IPV4", Addresses=["192.0.2.0/24"])["Summary"]
    rule = {
        "Name": "one",
        "Priority": 0,
        "Statement": {"IPSetReferenceStatement": {"ARN": made["ARN"]}},
        "Action": {"Block": {}},
        "VisibilityConfig": VISIBILITY,
    }
    sent = a_web_acl(Rules=[rule])
    web_acl = waf.create_web_acl(**sent)["Summary"]
    own_set = {"Name": own, "Scope": "REGIONAL", "Id": made["Id"]}
    changed = waf.update_ip_set(**own_set, Addresses=["198.51.100.0/24"], LockToken=made["LockToken"])["NextLockToken"]
    assert waf.get_ip_set(**own_set)["IPSet"]["Addresses"] == ["198.51.100.0/24"]
    assert error_of(lambda: waf.delete_ip_set(**own_set, LockToken=changed)) == "WAFAssociatedItemException"
    waf.delete_web_acl(Name=sent["Name"], Scope="REGIONAL", Id=web_acl["Id"], LockToken=web_acl["LockToken"])
    waf.delete_ip_set(**own_set, LockToken=changed)


def test_associated_web_acl_cannot_be_deleted_and_a_resource_has_one(client: Make) -> None:
    waf, balancer = client("wafv2"), "arn:aws:elasticloadbalancing:us-east-2:123456789012:loadbalancer/app/one/1"
    first, second = ((sent := a_web_acl()), waf.create_web_acl(**sent)["Summary"]), a_web_acl()
    waf.associate_web_acl(WebACLArn=first[1]["ARN"], ResourceArn=balancer)
    last = {"Name": first[0]["Name"], "Scope": "REGIONAL", "Id": first[1]["Id"], "LockToken": first[1]["LockToken"]}
    assert error_of(lambda: waf.delete_web_acl(**last)) == "WAFAssociatedItemException"
    other = waf.create_web_acl(**second)["Summary"]
    waf.associate_web_acl(WebACLArn=other["ARN"], ResourceArn=balancer)
    assert waf.get_web_acl_for_resource(ResourceArn=balancer)["WebACL"]["Name"] == second["Name"]
    waf.delete_web_acl(**last)


def test_the_health_checkers_have_a_managed_prefix_list_in_every_region(client: Make) -> None:
    for region in ("us-east-2", "us-west-2"):
        wanted = [{"Name": "prefix-list-name", "Values": [f"com.amazonaws.{region}.route53-healthchecks"]}]
        (found,) = client("ec2", region).describe_managed_prefix_lists(Filters=wanted)["PrefixLists"]
        assert client("ec2", region).get_managed_prefix_list_entries(PrefixListId=found["PrefixListId"])["Entries"]
