"""CloudFront's edge: what a viewer receives, and what an origin does, by a distribution's configuration."""

from __future__ import annotations

import ssl
from collections.abc import Iterator
from pathlib import Path

import pytest

from emulator import process, running
from emulator.process import EmulatorError, Server
from tests.emulator.edge_support import (
    ALL_METHODS,
    HOST,
    NOTHING,
    Edge,
    Origin,
    ask,
    behavior,
    custom_origin,
    listed,
    origin,
)
from tests.emulator.support import client_for
from tests.warm_aws import LocalAws

pytestmark = [pytest.mark.requirement("W8.3"), pytest.mark.requirement("W4.1")]

FIRST, SECOND = "first.example.net", "second.example.net"
VIEWER = """
function handler(event) {
    var request = event.request;
    if (request.uri === '/f/teapot') {
        return { statusCode: 418, headers: { 'x-kind': { value: 'tea' } }, body: 'short' };
    }
    if (request.uri === '/f/broken') { throw new Error('broken'); }
    if (request.uri === '/f/host') { request.headers.host = { value: 'other.example.com' }; }
    if (request.uri === '/f/old') { request.uri = '/new'; request.querystring = { moved: { value: '1' } }; }
    request.headers['x-secret'] = { value: 'of the function ' + event.viewer.ip };
    return request;
}
"""


@pytest.fixture(scope="module")
def server(empty_aws: LocalAws, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    with empty_aws(tmp_path_factory.mktemp("edge")) as running_aws:
        yield running_aws


@pytest.fixture(scope="module")
def first(server: Server) -> Iterator[Origin]:
    with origin(server, FIRST) as made:
        yield made


@pytest.fixture(scope="module")
def second(server: Server) -> Iterator[Origin]:
    with origin(server, SECOND) as made:
        yield made


@pytest.fixture(scope="module")
def made(server: Server, first: Origin, second: Origin) -> Edge:
    client = client_for(server)
    cloudfront = client("cloudfront")
    keyed = {
        **NOTHING,
        "EnableAcceptEncodingGzip": True,
        "EnableAcceptEncodingBrotli": False,
        "QueryStringsConfig": {"QueryStringBehavior": "whitelist", "QueryStrings": listed("page")},
    }
    cached = cloudfront.create_cache_policy(
        CachePolicyConfig={
            "Name": "a-minute",
            "MinTTL": 0,
            "DefaultTTL": 60,
            "MaxTTL": 3600,
            "ParametersInCacheKeyAndForwardedToOrigin": keyed,
        }
    )["CachePolicy"]["Id"]
    all_but_host = cloudfront.create_origin_request_policy(
        OriginRequestPolicyConfig={
            "Name": "nearly-all",
            "HeadersConfig": {"HeaderBehavior": "allExcept", "Headers": listed("Host", "X-Rewrite-URL")},
            "CookiesConfig": {"CookieBehavior": "whitelist", "Cookies": listed("session")},
            "QueryStringsConfig": {"QueryStringBehavior": "all"},
        }
    )["OriginRequestPolicy"]["Id"]
    safe = cloudfront.create_response_headers_policy(
        ResponseHeadersPolicyConfig={
            "Name": "safe",
            "SecurityHeadersConfig": {
                "FrameOptions": {"Override": True, "FrameOption": "DENY"},
                "ContentSecurityPolicy": {"Override": False, "ContentSecurityPolicy": "default-src 'none'"},
                "StrictTransportSecurity": {
                    "Override": True,
                    "AccessControlMaxAgeSec": 600,
                    "IncludeSubdomains": True,
                },
            },
            "CustomHeadersConfig": listed({"Header": "Cache-Control", "Value": "no-store", "Override": True}),
            "RemoveHeadersConfig": listed({"Header": "Server"}),
        }
    )["ResponseHeadersPolicy"]["Id"]
    function = cloudfront.create_function(
        Name="viewer",
        FunctionConfig={"Comment": "", "Runtime": "cloudfront-js-2.0"},
        FunctionCode=VIEWER.encode(),
    )
    cloudfront.publish_function(Name="viewer", IfMatch=function["ETag"])
    arn = function["FunctionSummary"]["FunctionMetadata"]["FunctionARN"]
    called = listed({"EventType": "viewer-request", "FunctionARN": arn})
    api = {"ViewerProtocolPolicy": "https-only", "OriginRequestPolicyId": all_but_host, "ResponseHeadersPolicyId": safe}
    groups = {
        "Id": "both",
        "FailoverCriteria": {"StatusCodes": listed(500, 503)},
        "Members": listed({"OriginId": "first"}, {"OriginId": "second"}),
    }
    marked = custom_origin(
        "first", FIRST, CustomHeaders=listed({"HeaderName": "X-Of-Origin", "HeaderValue": "of the distribution"})
    )
    return Edge.make(
        server,
        client,
        Origins=listed(marked, custom_origin("second", SECOND), custom_origin("nowhere", "nowhere.example.net")),
        OriginGroups=listed(groups),
        DefaultCacheBehavior=behavior("first", CachePolicyId=cached),
        CacheBehaviors=listed(
            behavior("first", methods=ALL_METHODS, **api) | {"PathPattern": "/api/*"},
            behavior("both", methods=ALL_METHODS) | {"PathPattern": "/both/*"},
            behavior("nowhere") | {"PathPattern": "/nowhere*"},
            behavior("first", OriginRequestPolicyId=all_but_host, FunctionAssociations=called)
            | {"PathPattern": "/f/*"},
        ),
    )


@pytest.fixture
def edge(made: Edge, first: Origin, second: Origin) -> Iterator[Edge]:
    yield made
    made.restore()
    for one in (first, second):
        one.status, one.headers = 200, {}
        one.requests.clear()


def test_get_is_answered_from_the_cache_by_the_parts_of_the_key(edge: Edge, first: Origin) -> None:
    answers = [edge.ask(path) for path in ("/p?page=1", "/p?page=1&other=2", "/p?page=2")]

    assert [one.headers["x-cache"] for one in answers] == [
        "Miss from cloudfront",
        "Hit from cloudfront",
        "Miss from cloudfront",
    ]
    assert "age" in answers[1].headers
    assert answers[1].body == answers[0].body
    assert first.requests == ["GET /p?page=1", "GET /p?page=2"]


@pytest.mark.parametrize("directive", ["no-store", "private", "max-age=0"])
def test_response_that_says_so_is_not_cached(edge: Edge, first: Origin, directive: str) -> None:
    first.headers = {"Cache-Control": directive}
    assert [edge.ask("/q").headers["x-cache"] for _ in range(2)] == ["Miss from cloudfront"] * 2


def test_error_is_cached_whatever_its_headers_say_until_the_distribution_says_otherwise(
    edge: Edge, first: Origin
) -> None:
    first.status, first.headers = 404, {"Cache-Control": "no-store"}
    assert [edge.ask("/api/payments/1").status for _ in range(2)] == [404, 404]
    assert len(first.requests) == 1

    edge.restore()
    edge.change(CustomErrorResponses=listed({"ErrorCode": 404, "ErrorCachingMinTTL": 0}))
    for _ in range(2):
        edge.ask("/api/payments/1")
    assert len(first.requests) == 3


def test_post_reaches_the_origin_each_time_with_its_body(edge: Edge, first: Origin) -> None:
    for number in ("1", "2"):
        answer = edge.ask("/api/payments", "POST", body=number, headers={"Idempotency-Key": number})
        assert (answer.status, answer.headers["x-cache"]) == (200, "Miss from cloudfront")
        assert answer.echoed["body"] == number
        assert answer.echoed["headers"]["idempotency-key"] == number
    assert first.requests == ["POST /api/payments"] * 2


def test_origin_receives_what_the_policies_let_through_and_what_cloudfront_adds(edge: Edge) -> None:
    sent = {
        "Authorization": "Bearer k",
        "Cookie": "session=1; other=2",
        "X-Rewrite-URL": "/admin",
        "X-Forwarded-For": "192.0.2.7",
        "X-Of-Origin": "forged",
        "User-Agent": "curl",
    }
    received = edge.ask("/api/a?b=c", headers=sent, address="127.0.0.5").echoed

    assert received["path"] == "/api/a?b=c"
    headers = received["headers"]
    assert (headers["authorization"], headers["cookie"], headers["user-agent"]) == ("Bearer k", "session=1", "curl")
    assert "x-rewrite-url" not in headers
    assert headers["host"] == FIRST
    assert headers["x-forwarded-for"] == "192.0.2.7, 127.0.0.5"
    assert headers["x-of-origin"] == "of the distribution"
    assert headers["via"].endswith("(CloudFront)")
    assert headers["x-amz-cf-id"]


def test_without_an_origin_request_policy_the_origin_receives_little(edge: Edge) -> None:
    received = edge.ask("/x?page=1&b=2", headers={"Authorization": "Bearer k", "Cookie": "a=1", "X-Own": "1"}).echoed

    assert received["path"] == "/x?page=1"
    assert received["headers"]["user-agent"] == "Amazon CloudFront"
    assert not {"authorization", "cookie", "x-own"} & received["headers"].keys()


def test_method_that_the_behavior_does_not_allow_is_refused(edge: Edge, first: Origin) -> None:
    answer = edge.ask("/p", "POST", body="x")
    assert answer.status == 403
    assert "not configured to allow the HTTP request method" in answer.body
    assert first.requests == []


def test_http_is_redirected_or_refused_as_the_behavior_says(edge: Edge) -> None:
    read, written, api = (
        edge.ask(path, method, scheme="http")
        for path, method in (("/p?page=1", "GET"), ("/both/p", "POST"), ("/api/p", "POST"))
    )
    assert (read.status, read.headers["location"]) == (301, f"https://{HOST}/p?page=1")
    assert written.status == 307
    assert api.status == 403


def test_response_has_the_headers_of_its_policy(edge: Edge, first: Origin) -> None:
    first.headers = {"Content-Security-Policy": "default-src 'self'", "X-Frame-Options": "SAMEORIGIN"}
    headers = edge.ask("/api/p").headers
    assert headers["content-security-policy"] == "default-src 'self'"
    assert headers["x-frame-options"] == "DENY"
    assert headers["strict-transport-security"] == "max-age=600; includeSubDomains"
    assert headers["cache-control"] == "no-store"
    assert "server" not in headers


def test_function_rewrites_the_request_and_overwrites_a_header_of_the_viewer(edge: Edge) -> None:
    received = edge.ask("/f/old?was=1", headers={"X-Secret": "forged"}, address="127.0.0.9").echoed
    assert received["path"] == "/new?moved=1"
    assert received["headers"]["x-secret"] == "of the function 127.0.0.9"


def test_function_responds_itself(edge: Edge, first: Origin) -> None:
    answer = edge.ask("/f/teapot")
    assert (answer.status, answer.headers["x-kind"], answer.body) == (418, "tea", "short")
    assert answer.headers["x-cache"] == "FunctionGeneratedResponse from cloudfront"
    assert first.requests == []


@pytest.mark.parametrize(("path", "status"), [("/f/broken", 503), ("/f/host", 502)])
def test_function_that_fails_or_changes_what_it_may_not_is_an_error(edge: Edge, path: str, status: int) -> None:
    assert edge.ask(path).status == status


def test_read_fails_over_to_the_second_origin_and_a_write_does_not(edge: Edge, first: Origin, second: Origin) -> None:
    first.status = 503
    assert [edge.ask("/both/p", method).status for method in ("GET", "POST")] == [200, 503]
    assert second.requests == ["GET /both/p"]
    first.status = 404
    assert edge.ask("/both/q").status == 404


def test_origin_that_no_name_leads_to_is_a_502(edge: Edge) -> None:
    answer = edge.ask("/nowhere")
    assert (answer.status, answer.headers["x-cache"]) == (502, "Error from cloudfront")


def test_error_has_the_page_of_the_distribution(edge: Edge, first: Origin, second: Origin) -> None:
    pages = behavior("second") | {"PathPattern": "/errors/*"}
    edge.change(
        CacheBehaviors=listed(pages),
        CustomErrorResponses=listed(
            {"ErrorCode": 403, "ResponseCode": "404", "ResponsePagePath": "/errors/403", "ErrorCachingMinTTL": 0}
        ),
    )
    first.status = 403
    assert edge.ask("/p").status == 404
    assert second.requests == ["GET /errors/403"]


def test_name_that_no_record_leads_here_gets_no_connection(edge: Edge, server: Server) -> None:
    with pytest.raises(ssl.SSLError, match=r"(?i)unrecognized"):
        ask(running.edge(server, HOST), "/", name="other.example.com")
    with pytest.raises(EmulatorError, match=r"no record of Route 53 leads from other\.example\.com"):
        running.edge(server, "other.example.com")


def test_certificate_is_that_of_the_distribution(edge: Edge, server: Server) -> None:
    domain = edge.client("cloudfront").get_distribution(Id=edge.id)["Distribution"]["DomainName"]
    assert ask(running.edge(server, HOST), "/p", name=domain).status == 200


@pytest.mark.parametrize(
    ("members", "lacking"),
    [
        ({"Restrictions": {"GeoRestriction": {"RestrictionType": "blacklist", **listed("AQ")}}}, "country"),
        ({"DefaultCacheBehavior": behavior("first", RealtimeLogConfigArn="arn:aws:kinesis:x")}, "real-time log"),
    ],
)
def test_what_is_not_emulated_is_refused(edge: Edge, members: dict[str, object], lacking: str) -> None:
    at = running.edge(edge.server, HOST)
    edge.change(**members)
    answer = ask(at, "/", scheme="http")
    assert answer.status == 501
    assert lacking in answer.body


def test_fork_has_an_edge_of_its_own(edge: Edge, server: Server, tmp_path: Path) -> None:
    assert edge.ask("/f/teapot").status == 418
    with process.forked(server, tmp_path / "fork") as copy:
        own = running.edge(copy, HOST)
        assert own.https != running.edge(server, HOST).https
        assert ask(own, "/f/teapot").status == 418
    assert edge.ask("/f/teapot").status == 418
