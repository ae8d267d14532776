"""The distribution: what CloudFront does with which request, and where it goes (W4.1, W4.2, W4.5, W7.2)."""

from __future__ import annotations

from typing import Any

import pytest

from settings import Settings, load
from tests.synthesized import Block, Synthesized, path_of, region_of, synthesize

REGION_NAMES = {"primary": "us-east-2", "recovery": "us-west-2"}


CSP = "default-src 'self' https://cdn.example.com"


def with_edge(**changes: Any) -> Synthesized:
    values = load("local").model_dump()
    values["edge"] |= changes
    return synthesize(Settings.model_validate(values))


@pytest.fixture(scope="module")
def changed() -> Synthesized:
    """The platform with much that settings can change, changed."""
    return with_edge(
        behaviours=[
            {"path_pattern": "/v2/*", "kind": "api"},
            {"path_pattern": "/assets/*", "kind": "static"},
            {"path_pattern": "/shop/*", "kind": "pages"},
        ],
        host_names=["@", "www"],
        content_security_policy=CSP,
        blocked_countries=["XK"],
        forbidden_page="/assets/403.html",
        origin_routing="latency",
    )


def distribution(platform: Synthesized) -> Block:
    return platform.resource("aws_cloudfront_distribution", "global/distribution/distribution")


def behaviour(platform: Synthesized, pattern: str | None) -> Block:
    """The behaviour of a pattern; of none, the default one."""
    own = distribution(platform)
    if pattern is None:
        return dict(own["default_cache_behavior"])
    (found,) = [one for one in own["ordered_cache_behavior"] if one["path_pattern"] == pattern]
    return dict(found)


def origins(platform: Synthesized) -> dict[str, Block]:
    return {origin["origin_id"]: origin for origin in distribution(platform)["origin"]}


@pytest.mark.requirement("W4.1")
def test_behaviours_are_those_of_settings_in_their_order(changed: Synthesized) -> None:
    ordered = distribution(changed)["ordered_cache_behavior"]
    assert [one["path_pattern"] for one in ordered] == ["/v2/*", "/assets/*", "/shop/*"]
    assert [one["target_origin_id"] for one in ordered] == [
        "load-balancers",
        "static-assets-of-both-regions",
        "load-balancers",
    ]


@pytest.mark.requirement("W4.1")
def test_the_api_is_never_kept_and_takes_all_methods_by_https_only(platform: Synthesized) -> None:
    api = behaviour(platform, "/api/*")
    assert platform.by_id(api["cache_policy_id"])["name"] == "Managed-CachingDisabled"
    assert set(api["allowed_methods"]) == {"GET", "HEAD", "OPTIONS", "PUT", "POST", "PATCH", "DELETE"}
    assert api["viewer_protocol_policy"] == "https-only"  # a redirect would come after the card's data


@pytest.mark.requirement("W4.1")
def test_static_files_are_kept_long_and_read_only(platform: Synthesized) -> None:
    static = behaviour(platform, "/static/*")
    policy = platform.by_id(static["cache_policy_id"])
    assert (policy["default_ttl"], policy["max_ttl"]) == (86_400, 31_536_000)
    key = policy["parameters_in_cache_key_and_forwarded_to_origin"]
    assert key["cookies_config"] == {"cookie_behavior": "none"}
    assert key["query_strings_config"] == {"query_string_behavior": "none"}
    assert (key["enable_accept_encoding_brotli"], key["enable_accept_encoding_gzip"]) == (True, True)
    assert set(static["allowed_methods"]) == {"GET", "HEAD", "OPTIONS"}  # CloudFront fails over no others
    assert "function_association" not in static


@pytest.mark.requirement("W4.1")
def test_pages_are_kept_only_where_they_say_so_and_apart_for_whoever_is_known(platform: Synthesized) -> None:
    policy = platform.by_id(behaviour(platform, None)["cache_policy_id"])
    assert (policy["min_ttl"], policy["default_ttl"]) == (0, 0)
    key = policy["parameters_in_cache_key_and_forwarded_to_origin"]
    assert key["cookies_config"] == {"cookie_behavior": "all"}
    assert key["query_strings_config"] == {"query_string_behavior": "all"}
    assert key["headers_config"] == {"header_behavior": "whitelist", "headers": {"items": ["Authorization"]}}


@pytest.mark.requirement("W4.1")
@pytest.mark.parametrize("pattern", [None, "/api/*"])
def test_load_balancers_are_called_by_their_own_name_and_get_the_mark(
    platform: Synthesized, pattern: str | None
) -> None:
    own = behaviour(platform, pattern)
    headers = platform.by_id(own["origin_request_policy_id"])["headers_config"]
    assert headers["header_behavior"] == "allExcept"
    assert "Host" in headers["headers"]["items"]  # else CloudFront would send a name their certificate is not for
    assert "x-origin-verify" not in [item.lower() for item in headers["headers"]["items"]]
    assert own["function_association"] == [
        {
            "event_type": "viewer-request",
            "function_arn": own["function_association"][0]["function_arn"],
        }
    ]
    assert "viewer_function_arn" in own["function_association"][0]["function_arn"]


@pytest.mark.requirement("W4.1")
def test_browsers_are_told_to_insist_on_https_and_what_to_load(platform: Synthesized, changed: Synthesized) -> None:
    for pattern in (None, "/static/*", "/api/*"):
        policy = platform.by_id(behaviour(platform, pattern)["response_headers_policy_id"])
        security = policy["security_headers_config"]
        assert security["strict_transport_security"] == {
            "access_control_max_age_sec": 63_072_000,
            "include_subdomains": True,
            "preload": False,
            "override": True,
        }
        assert security["content_type_options"] == {"override": True}
        assert security["frame_options"] == {"frame_option": "DENY", "override": True}
        removed = [item["header"] for item in policy["remove_headers_config"]["items"]]
        assert removed == ["Server", "X-Powered-By"]
    api = platform.by_id(behaviour(platform, "/api/*")["response_headers_policy_id"])
    assert api["security_headers_config"]["content_security_policy"]["override"] is True
    kept = {item["header"]: item["value"] for item in api["custom_headers_config"]["items"]}
    assert kept["Cache-Control"] == "no-store"
    pages = changed.by_id(behaviour(changed, None)["response_headers_policy_id"])["security_headers_config"]
    assert pages["content_security_policy"] == {"content_security_policy": CSP, "override": False}


@pytest.mark.requirement("W4.5")
@pytest.mark.requirement("W4.3")
def test_static_assets_fail_over_to_the_replica_and_are_read_by_access_control(platform: Synthesized) -> None:
    (group,) = distribution(platform)["origin_group"]
    assert group["origin_id"] == behaviour(platform, "/static/*")["target_origin_id"]
    assert group["failover_criteria"]["status_codes"] == [500, 502, 503, 504]
    members = [origins(platform)[member["origin_id"]] for member in group["member"]]
    regions = []
    for member in members:
        bucket = platform.by_id(member["domain_name"])
        assert path_of(bucket).endswith("buckets/static-assets/bucket")
        control = platform.by_id(member["origin_access_control_id"])
        assert (control["signing_behavior"], control["signing_protocol"]) == ("always", "sigv4")
        regions.append(region_of(bucket))
    assert regions == ["primary", "recovery"]


@pytest.mark.requirement("W4.3")
@pytest.mark.requirement("W4.4")
@pytest.mark.parametrize("region", REGION_NAMES)
def test_only_this_distribution_reads_a_bucket_and_its_key_decrypts_nothing_else(
    platform: Synthesized, region: str
) -> None:
    policy = platform.resource("aws_s3_bucket_policy", f"{region}/buckets/static-assets/policy")
    statements = platform.statements(policy["policy"])
    for sid, actions in (("ReadByTheDistribution", ["s3:GetObject"]), ("FindByTheDistribution", ["s3:ListBucket"])):
        assert statements[sid]["actions"] == actions
        assert statements[sid]["principals"] == [{"type": "Service", "identifiers": ["cloudfront.amazonaws.com"]}]
        (condition,) = statements[sid]["condition"]
        assert (condition["test"], condition["variable"]) == ("StringEquals", "aws:SourceArn")
        assert platform.by_id(condition["values"][0]) == distribution(platform)
    assert "NothingWithoutTls" in statements  # the refusals are still there
    key = platform.resource("aws_kms_key", f"{region}/keys/objects")
    use = platform.statements(key["policy"])["UseByCloudFront"]
    assert use["actions"] == ["kms:Decrypt"]
    conditions = {one["variable"]: one["values"] for one in use["condition"]}
    assert conditions["aws:SourceArn"] == ["arn:aws:cloudfront::123456789012:distribution/*"]
    bucket = f"arn:aws:s3:::payments-static-assets-local-123456789012-{REGION_NAMES[region]}"
    assert conditions["kms:EncryptionContext:aws:s3:arn"] == [bucket, f"{bucket}/*"]


@pytest.mark.requirement("W4.2")
@pytest.mark.requirement("W5.5")
def test_names_are_certified_in_us_east_1_and_reached_by_both_versions_of_ip(changed: Synthesized) -> None:
    platform, own = changed, distribution(changed)
    assert own["aliases"] == ["pay.example.com", "www.pay.example.com"]
    assert own["viewer_certificate"]["ssl_support_method"] == "sni-only"
    assert own["viewer_certificate"]["minimum_protocol_version"] == "TLSv1.2_2021"
    validation = platform.by_id(own["viewer_certificate"]["acm_certificate_arn"])
    assert region_of(validation) == "global"
    certificate = platform.by_id(validation["certificate_arn"])
    assert certificate["domain_name"] == "pay.example.com"
    assert certificate["subject_alternative_names"] == ["www.pay.example.com"]
    assert len(validation["validation_record_fqdns"]) == 2
    assert (own["is_ipv6_enabled"], own["http_version"]) == (True, "http2and3")
    records = {
        (record["name"], record["type"])
        for record in platform.resources("aws_route53_record").values()
        if "distribution" in str(record.get("alias"))
    }
    assert records == {(name, type_) for name in ("pay.example.com", "www.pay.example.com") for type_ in ("A", "AAAA")}


@pytest.mark.requirement("W0.4")
def test_an_environment_that_names_nothing_gets_a_name_of_its_own_and_only_some_countries() -> None:
    """Two environments that share a domain would otherwise claim the same name, which CloudFront refuses."""
    settings = load("local").model_copy(update={"environment_suffix": "pr-7"})
    edge = settings.edge.model_copy(update={"host_names": (), "allowed_countries": ("DE", "FR")})
    own = distribution(synthesize(settings.model_copy(update={"edge": edge})))
    assert own["aliases"] == ["pr-7.pay.example.com"]
    assert own["restrictions"]["geo_restriction"] == {"restriction_type": "whitelist", "locations": ["DE", "FR"]}


@pytest.mark.requirement("W4.1")
def test_countries_are_as_settings_say(platform: Synthesized, changed: Synthesized) -> None:
    found = [distribution(one)["restrictions"]["geo_restriction"] for one in (platform, changed)]
    assert found == [{"restriction_type": "none"}, {"restriction_type": "blacklist", "locations": ["XK"]}]


@pytest.mark.requirement("W4.1")
def test_failures_are_not_kept_and_a_refusal_is_shown_as_settings_say(
    platform: Synthesized, changed: Synthesized
) -> None:
    errors = distribution(platform)["custom_error_response"]
    assert {one["error_code"]: one["error_caching_min_ttl"] for one in errors} == dict.fromkeys((500, 502, 503, 504), 0)
    (refusal,) = [one for one in distribution(changed)["custom_error_response"] if one["error_code"] == 403]
    assert (refusal["response_code"], refusal["response_page_path"]) == (403, "/assets/403.html")


@pytest.mark.requirement("W4.1")
@pytest.mark.requirement("W5.3")
def test_requests_are_logged_for_30_days_without_what_customers_send(platform: Synthesized) -> None:
    group = platform.resource("aws_cloudwatch_log_group", "global/distribution-logs/log-group")
    assert group["retention_in_days"] == 30
    assert path_of(platform.by_id(group["kms_key_id"])).endswith("global/keys/logs")
    source = platform.resource("aws_cloudwatch_log_delivery_source", "distribution-logs/source")
    assert platform.by_id(source["resource_arn"]) == distribution(platform)
    destination = platform.resource("aws_cloudwatch_log_delivery_destination", "distribution-logs/destination")
    (configuration,) = destination["delivery_destination_configuration"]
    assert platform.by_id(configuration["destination_resource_arn"]) == group
    delivery = platform.resource("aws_cloudwatch_log_delivery", "distribution-logs/delivery")
    assert not {"cs(Cookie)", "cs-uri-query"} & set(delivery["record_fields"])
    assert {"sc-status", "cs-uri-stem", "x-edge-request-id"} <= set(delivery["record_fields"])


@pytest.mark.requirement("W7.2")
def test_the_origin_is_one_name_that_health_moves_between_the_regions(platform: Synthesized) -> None:
    origin = origins(platform)["load-balancers"]
    assert origin["domain_name"] == "origin-local.pay.example.com"
    assert origin["custom_origin_config"]["origin_protocol_policy"] == "https-only"
    assert origin["custom_origin_config"]["origin_ssl_protocols"] == ["TLSv1.2"]
    policies = {}
    for region, region_name in REGION_NAMES.items():
        record = platform.resource("aws_route53_record", f"{region}/origin/failover-record")
        assert record["name"] == origin["domain_name"]
        assert region_of(platform.by_id(record["alias"]["name"])) == region
        check = platform.by_id(record["health_check_id"])
        if region == "primary":
            assert (check["type"], check["child_health_threshold"]) == ("CALCULATED", len(check["child_healthchecks"]))
            check, takeover = (platform.by_id(one) for one in check["child_healthchecks"])
            assert takeover == platform.resource("aws_route53_health_check", "recovery/takeover/health-check")
        assert check["fqdn"] == f"origin-local-{region_name}.pay.example.com"
        assert (check["type"], check["port"], check["resource_path"]) == ("HTTPS", 443, "/health")
        assert check["enable_sni"] is True
        policies[region] = record["failover_routing_policy"]["type"]
        certificate = platform.resource("aws_acm_certificate", f"{region}/load-balancer/certificate/certificate")
        assert origin["domain_name"] in certificate["subject_alternative_names"]
        assert any(f"{region}_origin_failover-record" in one for one in distribution(platform)["depends_on"])
    assert policies == {"primary": "PRIMARY", "recovery": "SECONDARY"}


@pytest.mark.requirement("W7.2")
def test_the_recovery_region_takes_over_by_an_answer_of_its_load_balancer_and_by_nothing_else(
    platform: Synthesized,
) -> None:
    check = platform.resource("aws_route53_health_check", "recovery/takeover/health-check")
    assert check["invert_healthcheck"] is True  # what does not answer takes nothing over
    assert check["fqdn"] == "origin-local-us-west-2.pay.example.com"
    assert check["resource_path"] == "/health?region=taken-over"
    rule = platform.resource("aws_lb_listener_rule", "recovery/takeover/rule")
    assert rule["priority"] == 1
    path, query, method = rule["condition"]
    assert path["path_pattern"]["values"] == ["/health"]
    assert query["query_string"] == [{"key": "region", "value": "taken-over"}]
    assert method["http_request_method"]["values"] == ["GET"]
    (action,) = rule["action"]
    assert action["fixed_response"]["status_code"] == "404"
    assert rule["lifecycle"]["ignore_changes"] == ["action"]  # make failover changes it


@pytest.mark.requirement("W7.2")
def test_by_latency_the_nearest_healthy_region_answers_under_another_name(changed: Synthesized) -> None:
    """Route 53 does not mix ways of routing under one name: a change of settings could not be applied."""
    platform = changed
    name = origins(platform)["load-balancers"]["domain_name"]
    assert name == "nearest-local.pay.example.com"
    for region, region_name in REGION_NAMES.items():
        record = platform.resource("aws_route53_record", f"{region}/origin/latency-record")
        assert (record["name"], record["latency_routing_policy"]) == (name, {"region": region_name})
        assert "failover_routing_policy" not in record
        certificate = platform.resource("aws_acm_certificate", f"{region}/load-balancer/certificate/certificate")
        assert name in certificate["subject_alternative_names"]
