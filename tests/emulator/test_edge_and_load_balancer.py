"""A customer's request on its whole way in: Route 53, CloudFront, web ACLs, the load balancer, the task's stand-in."""

from __future__ import annotations

import http.client
import json
import ssl
from collections.abc import Iterator
from typing import Any

import pytest

from emulator import running
from emulator.process import Server
from emulator.record import read_passages
from emulator.runtime import stand_in
from emulator.runtime.stand_in import StandIn
from operations.pay.platform import FrontDoor
from tests.emulator.edge_support import ALL_METHODS, HOST, NOTHING, Edge, behavior, custom_origin, listed
from tests.emulator.load_balancer_support import IMAGE, NAME, World
from tests.emulator.release_support import make_function
from tests.emulator.support import client_for
from tests.warm_aws import LocalAws

pytestmark = [pytest.mark.requirement("W8.3"), pytest.mark.requirement("W5.1")]

HEADER, SECRET = "x-origin-verify", "the-value-that-is-sent"
VIEWER = f"""
function handler(event) {{
    event.request.headers['{HEADER}'] = {{ value: '{SECRET}' }};
    return event.request;
}}
"""
OUTSIDE = """
import urllib.request

def handle(event, context):
    with urllib.request.urlopen(event["url"], timeout=20) as response:
        return [response.status, response.read().decode()]
"""
SHOWN = {"SampledRequestsEnabled": False, "CloudWatchMetricsEnabled": False, "MetricName": "m"}
FORGED_ADDRESS = "127.0.0.66"


def rule(name: str, statement: dict[str, Any], **action: Any) -> dict[str, Any]:
    return {"Name": name, "Priority": 0, "Statement": statement, "VisibilityConfig": SHOWN, **action}


def requiring_secret(client: Any) -> str:
    """The ARN of a web ACL of load balancers whose rule group requires the header."""
    waf = client("wafv2")
    match = {
        "SearchString": SECRET.encode(),
        "FieldToMatch": {"SingleHeader": {"Name": HEADER}},
        "TextTransformations": [{"Priority": 0, "Type": "NONE"}],
        "PositionalConstraint": "EXACTLY",
    }
    refusal = {"ResponseCode": 403, "ResponseHeaders": [{"Name": "x-refused-by", "Value": "origin-verify"}]}
    missing = {"NotStatement": {"Statement": {"ByteMatchStatement": match}}}
    group = waf.create_rule_group(
        Name="own",
        Scope="REGIONAL",
        Capacity=50,
        Rules=[rule("secret", missing, Action={"Block": {"CustomResponse": refusal}})],
        VisibilityConfig=SHOWN,
    )["Summary"]["ARN"]
    own = {"RuleGroupReferenceStatement": {"ARN": group}}
    return web_acl(client, "REGIONAL", rule("own", own, OverrideAction={"None": {}}))


def web_acl(client: Any, scope: str, *rules: dict[str, Any], **members: Any) -> str:
    region = "us-east-1" if scope == "CLOUDFRONT" else "us-east-2"
    numbered = [{**one, "Priority": number} for number, one in enumerate(rules)]
    made = client("wafv2", region=region).create_web_acl(
        Name="acl", Scope=scope, DefaultAction={"Allow": {}}, Rules=numbered, VisibilityConfig=SHOWN, **members
    )
    return str(made["Summary"]["ARN"])


def at_the_edge(client: Any) -> str:
    """The ARN of a web ACL of distributions that blocks an address, and bodies of more than 16 KiB."""
    addresses = client("wafv2", region="us-east-1").create_ip_set(
        Name="blocked", Scope="CLOUDFRONT", IPAddressVersion="IPV4", Addresses=[f"{FORGED_ADDRESS}/32"]
    )["Summary"]["ARN"]
    size = {
        "ComparisonOperator": "GT",
        "Size": 16384,
        "FieldToMatch": {"Body": {"OversizeHandling": "MATCH"}},
        "TextTransformations": [{"Priority": 0, "Type": "NONE"}],
    }
    large = {"Block": {"CustomResponse": {"ResponseCode": 413, "CustomResponseBodyKey": "large"}}}
    return web_acl(
        client,
        "CLOUDFRONT",
        rule("blocked", {"IPSetReferenceStatement": {"ARN": addresses}}, Action={"Block": {}}),
        rule("large", {"SizeConstraintStatement": size}, Action=large),
        CustomResponseBodies={"large": {"ContentType": "APPLICATION_JSON", "Content": '{"error": "body too large"}'}},
    )


@pytest.fixture(scope="module")
def server(empty_aws: LocalAws, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    with empty_aws(tmp_path_factory.mktemp("edge-and-load-balancer")) as made:
        yield made


@pytest.fixture(scope="module")
def world(server: Server) -> World:
    return World.make(client_for(server))


@pytest.fixture(scope="module")
def web(server: Server, world: World) -> Iterator[StandIn]:
    with stand_in.serving(server, IMAGE, 200, b"ready") as answering:
        yield answering


@pytest.fixture(scope="module")
def edge(server: Server, world: World, web: StandIn) -> Edge:
    client = world.client
    client("wafv2").associate_web_acl(WebACLArn=requiring_secret(client), ResourceArn=world.balancer)
    cloudfront = client("cloudfront")
    everything = cloudfront.create_origin_request_policy(
        OriginRequestPolicyConfig={
            "Name": "nearly-all",
            **NOTHING,
            "HeadersConfig": {"HeaderBehavior": "allExcept", "Headers": listed("Host")},
            "QueryStringsConfig": {"QueryStringBehavior": "all"},
        }
    )["OriginRequestPolicy"]["Id"]
    function = cloudfront.create_function(
        Name="viewer", FunctionConfig={"Comment": "", "Runtime": "cloudfront-js-2.0"}, FunctionCode=VIEWER.encode()
    )
    cloudfront.publish_function(Name="viewer", IfMatch=function["ETag"])
    called = listed(
        {
            "EventType": "viewer-request",
            "FunctionARN": function["FunctionSummary"]["FunctionMetadata"]["FunctionARN"],
        }
    )
    origins = [custom_origin("named", NAME), custom_origin("unnamed", "else.pay.example.com")]
    for one in origins:
        one["CustomOriginConfig"]["HTTPSPort"] = 8443
    common = {"methods": ALL_METHODS, "OriginRequestPolicyId": everything}
    made = Edge.make(
        server,
        client,
        Origins=listed(*origins),
        WebACLId=at_the_edge(client),
        DefaultCacheBehavior=behavior("named", FunctionAssociations=called, **common),
        CacheBehaviors=listed(
            behavior("named", **common) | {"PathPattern": "/api/unmarked"},
            behavior("unnamed", **common) | {"PathPattern": "/unnamed"},
        ),
    )
    for name in (NAME, "else.pay.example.com"):
        point(client, name, world.balancer)
    return made


def point(client: Any, name: str, balancer: str) -> None:
    """Make a record of a name that is an alias of a load balancer."""
    (found,) = client("elbv2").describe_load_balancers(LoadBalancerArns=[balancer])["LoadBalancers"]
    (zone,) = client("route53").list_hosted_zones()["HostedZones"]
    alias = {
        "HostedZoneId": found["CanonicalHostedZoneId"],
        "DNSName": found["DNSName"],
        "EvaluateTargetHealth": False,
    }
    change = {"Action": "CREATE", "ResourceRecordSet": {"Name": name, "Type": "A", "AliasTarget": alias}}
    client("route53").change_resource_record_sets(HostedZoneId=zone["Id"], ChangeBatch={"Changes": [change]})


def test_request_passes_with_the_header_of_the_function_and_not_without(edge: Edge, web: StandIn) -> None:
    answer = edge.ask("/api/x?y=1", "POST", body="{}")
    assert (answer.status, answer.body) == (200, "ready")
    assert web.requests[-1] == "/api/x?y=1"

    refused = edge.ask("/api/unmarked", headers={HEADER: "forged"})
    assert (refused.status, refused.headers["x-refused-by"]) == (403, "origin-verify")


def test_load_balancer_refuses_whoever_comes_past_the_distribution(edge: Edge, server: Server) -> None:
    (listener,) = running.listeners(server)
    context = ssl.create_default_context(cadata=running.edge(server, HOST).authority)
    context.check_hostname = False
    connection = http.client.HTTPSConnection(listener["url"].removeprefix("https://"), context=context, timeout=10)
    connection.request("GET", "/api/x", headers={"Host": NAME})
    response = connection.getresponse()
    assert (response.status, response.headers["x-refused-by"]) == (403, "origin-verify")
    connection.close()


def test_web_acl_of_the_edge_blocks_an_address_and_a_large_body(edge: Edge, web: StandIn) -> None:
    before = len(web.requests)
    blocked = edge.ask("/api/x", address=FORGED_ADDRESS)
    large = edge.ask("/api/x", "POST", body="x" * 16385)
    assert (blocked.status, blocked.headers["x-cache"]) == (403, "Error from cloudfront")
    assert (large.status, large.body) == (413, '{"error": "body too large"}')
    assert len(web.requests) == before


def test_default_action_of_the_listener_answers_a_path_without_a_rule(edge: Edge) -> None:
    answer = edge.ask("/elsewhere")
    assert (answer.status, answer.body) == (403, "Forbidden")


def test_origin_whose_certificate_is_for_another_name_is_a_502(edge: Edge, server: Server) -> None:
    assert edge.ask("/unnamed").status == 502
    failed = [one for one in read_passages(server.directory) if one.kind == "distribution" and one.outcome == "502"]
    assert "CERTIFICATE_VERIFY_FAILED" in failed[-1].way


@pytest.mark.usefixtures("web")
def test_payer_connects_by_the_name_and_the_record_shows_each_hop(edge: Edge, server: Server) -> None:
    found = running.edge(server, HOST)
    door = FrontDoor(name=HOST, port=found.https, authority=found.authority)
    with door.client({"Authorization": "Bearer k"}) as client:
        assert client.post("/api/hops", json={}).status_code == 200
    hops = {one.kind: one for one in read_passages(server.directory) if "/api/hops" in one.what or one.kind == "DNS"}
    assert hops["DNS"].what == f"A {HOST}"
    assert hops["web ACL"].outcome == "allowed by default action"
    assert "function viewer, origin named, A origin.pay.example.com -> " in hops["distribution"].way
    assert hops["load balancer"].way.startswith("rule 100 -> answering-blue -> ")


def test_function_outside_any_vpc_reaches_the_platform_by_its_name(edge: Edge, world: World) -> None:
    make_function(world.client, "outside", OUTSIDE)
    answer = world.client("lambda").invoke(FunctionName="outside", Payload=json.dumps({"url": f"https://{HOST}/api/f"}))
    assert json.loads(answer["Payload"].read()) == [200, "ready"]


def test_load_balancer_whose_groups_do_not_admit_cloudfront_is_a_504(edge: Edge, world: World, server: Server) -> None:
    ec2 = world.client("ec2")
    (group,) = ec2.describe_security_groups(GroupIds=[world.group])["SecurityGroups"]
    admitting = [one for one in group["IpPermissions"] if one["PrefixListIds"]]
    ec2.revoke_security_group_ingress(GroupId=world.group, IpPermissions=admitting)
    try:
        assert edge.ask("/api/x").status == 504
    finally:
        ec2.authorize_security_group_ingress(GroupId=world.group, IpPermissions=admitting)
    refused = [one for one in read_passages(server.directory) if one.kind == "distribution" and one.outcome == "504"]
    assert "no ingress rule admits tcp 8443 from com.amazonaws.global.cloudfront.origin-facing" in refused[-1].way
    assert edge.ask("/api/after").status == 200  # a path whose error is not cached


def test_task_whose_groups_do_not_admit_the_load_balancer_is_a_504(edge: Edge, world: World, server: Server) -> None:
    ec2 = world.client("ec2")
    own = {"IpProtocol": "tcp", "FromPort": 8443, "ToPort": 8443, "UserIdGroupPairs": [{"GroupId": world.group}]}
    ec2.revoke_security_group_ingress(GroupId=world.group, IpPermissions=[own])
    try:
        assert edge.ask("/api/lost").status == 504
    finally:
        ec2.authorize_security_group_ingress(GroupId=world.group, IpPermissions=[own])
    refused = [one for one in read_passages(server.directory) if one.kind == "load balancer" and one.outcome == "504"]
    assert "no ingress rule admits tcp 8443 from answering" in refused[-1].way
