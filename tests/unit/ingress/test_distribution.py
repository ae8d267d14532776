"""The distribution: behaviours, origins, certificate, names and errors (W4.1, W4.2)."""

from __future__ import annotations

import pytest

from emulator.runtime.edge.cache import CACHED_ERRORS
from settings import load
from tests.synthesized import Synthesized, path_of, region_of, synthesize
from tests.unit.ingress.support import REGION_NAMES, behaviour, distribution, origins


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
def test_errors_are_not_cached_and_the_forbidden_page_is_a_setting(platform: Synthesized, changed: Synthesized) -> None:
    errors = distribution(platform)["custom_error_response"]
    assert {one["error_code"]: one["error_caching_min_ttl"] for one in errors} == dict.fromkeys(CACHED_ERRORS, 0)
    (refusal,) = [one for one in distribution(changed)["custom_error_response"] if one["error_code"] == 403]
    assert (refusal["response_code"], refusal["response_page_path"]) == (403, "/assets/403.html")
