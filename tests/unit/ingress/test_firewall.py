"""The firewall: what it looks at where, what it costs, and what it keeps to itself (W5.1)."""

from __future__ import annotations

import base64
from email.message import Message
from typing import Any

import pytest
from fastapi.routing import APIRoute

from emulator.runtime.firewall.components import Inspected
from emulator.runtime.firewall.deployed import Rates
from emulator.runtime.firewall.statements import Surroundings
from emulator.runtime.firewall.web_acl import WebAcl, decide
from emulator.runtime.forwarding import Request
from payments.notifications import notifications_router
from settings import Settings, SettingsError, load
from settings.firewall import MANAGED_GROUPS, MOST_CAPACITY_UNITS, NOTIFICATIONS_PATH, FirewallSettings, Scope
from tests.synthesized import Block, Synthesized, path_of, references, synthesize

pytestmark = pytest.mark.requirement("W5.1")


PLACES = ("global", "primary", "recovery")


# What AWS publishes. https://docs.aws.amazon.com/waf/latest/developerguide/aws-managed-rule-groups-list.html
PUBLISHED_UNITS = {
    "AWSManagedRulesCommonRuleSet": 700,
    "AWSManagedRulesKnownBadInputsRuleSet": 200,
    "AWSManagedRulesSQLiRuleSet": 200,
    "AWSManagedRulesAmazonIpReputationList": 25,
    "AWSManagedRulesAnonymousIpList": 50,
}


CHANGES: dict[str, Any] = {
    "requests_per_path": {"/api/": 500, "/api/refunds": 50},
    "requests_per_address": 1000,
    "requests_per_credential": 2000,
    "requests_per_address_with_credentials": 4000,
    "rate_seconds": 60,
    "max_body_kib": 32,
    "blocked_addresses": ["192.0.2.0/24", "2001:db8::/32"],
    "allowed_addresses": ["198.51.100.7/32"],
}


@pytest.fixture(scope="module")
def changed() -> Synthesized:
    """The platform with all that settings can change of the firewall, changed; but it blocks."""
    return with_firewall(CHANGES)


@pytest.fixture(scope="module")
def counting() -> Synthesized:
    """The platform with a firewall that counts."""
    return with_firewall({"mode": "count"})


def with_firewall(changes: dict[str, Any]) -> Synthesized:
    values = load("local").model_dump()
    values["firewall"] |= changes
    return synthesize(Settings.model_validate(values))


def web_acl(platform: Synthesized, place: str) -> Block:
    return platform.resource("aws_wafv2_web_acl", f"{place}/firewall/web-acl")


def rules(platform: Synthesized, place: str) -> dict[str, Block]:
    return {rule["name"]: rule for rule in web_acl(platform, place)["rule"]}


def test_the_edge_and_both_load_balancers_have_a_web_acl(platform: Synthesized) -> None:
    assert [web_acl(platform, place)["scope"] for place in PLACES] == ["CLOUDFRONT", "REGIONAL", "REGIONAL"]
    (distribution,) = platform.resources("aws_cloudfront_distribution").values()
    assert platform.by_id(distribution["web_acl_id"]) == web_acl(platform, "global")
    for region in ("primary", "recovery"):
        association = platform.resource("aws_wafv2_web_acl_association", f"{region}/firewall/association")
        assert platform.by_id(association["web_acl_arn"]) == web_acl(platform, region)
        assert path_of(platform.by_id(association["resource_arn"])).endswith(f"{region}/load-balancer/load-balancer")


@pytest.mark.parametrize("place", PLACES)
def test_both_web_acls_have_the_rules_against_exploits_bad_inputs_and_injection(
    platform: Synthesized, place: str
) -> None:
    found = rules(platform, place)
    for name in ("CommonRuleSet", "KnownBadInputsRuleSet", "SQLiRuleSet"):
        rule = found[f"AWSManagedRules{name}"]
        assert rule["override_action"] == {"none": {}}
        assert rule["statement"]["managed_rule_group_statement"]["vendor_name"] == "AWS"
    by_address = {"AWSManagedRulesAmazonIpReputationList", "AWSManagedRulesAnonymousIpList", "requests-per-address"}
    # Behind CloudFront every address is CloudFront's: these would judge all customers by each other.
    assert by_address <= found.keys() if place == "global" else not by_address & found.keys()


def test_only_rules_that_have_a_reason_are_overridden(platform: Synthesized) -> None:
    for place in PLACES:
        for group in MANAGED_GROUPS:
            rule = rules(platform, place).get(group.name)
            if rule is None:
                continue
            statement = rule["statement"]["managed_rule_group_statement"]
            overridden = [one["name"] for one in statement.get("rule_action_override", [])]
            assert overridden == list(group.counted)
            assert all(group.counted.values())


@pytest.mark.parametrize("place", PLACES)
def test_rules_have_unique_priorities_in_order(platform: Synthesized, place: str) -> None:
    priorities = [rule["priority"] for rule in web_acl(platform, place)["rule"]]
    assert priorities == list(range(len(priorities)))
    first = web_acl(platform, place)["rule"][0]["name"]
    assert first == ("blocked-addresses" if place == "global" else "origin-verify")


@pytest.mark.requirement("W2.1")
@pytest.mark.parametrize("region", ["primary", "recovery"])
def test_requests_without_the_origin_secret_are_always_blocked(
    platform: Synthesized, counting: Synthesized, region: str
) -> None:
    for one in (platform, counting):
        rule = rules(one, region)["origin-verify"]
        assert rule["override_action"] == {"none": {}}
        assert f".{region}_rule_group_arn" in rule["statement"]["rule_group_reference_statement"]["arn"]


@pytest.mark.parametrize("place", PLACES)
def test_count_mode_blocks_nothing_but_the_block_list_and_strangers(counting: Synthesized, place: str) -> None:
    for name, rule in rules(counting, place).items():
        if name in {"blocked-addresses", "allowed-addresses", "origin-verify"}:
            continue
        assert rule.get("action", {"count": {}}) == {"count": {}}, name
        assert rule.get("override_action", {"count": {}}) == {"count": {}}, name


def rate(platform: Synthesized, name: str) -> Block:
    rule = rules(platform, "global")[name]
    assert rule["action"]["block"]["custom_response"]["response_code"] == 429
    found: Block = rule["statement"]["rate_based_statement"]
    assert found["evaluation_window_sec"] == 60
    return found


def test_rates_are_limited_per_address_and_per_path(changed: Synthesized) -> None:
    found = {}
    for number in (1, 2):
        limited = rate(changed, f"requests-per-path-{number}")
        match = limited["scope_down_statement"]["and_statement"]["statement"][0]["byte_match_statement"]
        assert (limited["aggregate_key_type"], match["positional_constraint"]) == ("IP", "STARTS_WITH")
        assert [one["type"] for one in match["text_transformation"]] == ["URL_DECODE", "NORMALIZE_PATH"]
        found[match["search_string"]] = limited["limit"]
    assert found == CHANGES["requests_per_path"]
    named = ("requests-per-address", "requests-with-credentials", "notifications-per-address")
    limits = [rate(changed, name) for name in named]
    assert [(one["aggregate_key_type"], one["limit"]) for one in limits] == [("IP", 1000), ("IP", 4000), ("IP", 30_000)]


@pytest.mark.requirement("Q3")
def test_requests_with_a_credential_are_limited_by_it_and_changing_ones_by_the_address(changed: Synthesized) -> None:
    limited = rate(changed, "requests-per-credential")
    assert (limited["aggregate_key_type"], limited["limit"]) == ("CUSTOM_KEYS", 2000)
    (key,) = limited["custom_key"]
    assert key["header"]["name"] == "authorization"
    assert [one["type"] for one in key["header"]["text_transformation"]] == ["LOWERCASE", "COMPRESS_WHITE_SPACE"]
    platform = with_firewall(
        {
            "requests_per_path": {"/api/": 20},
            "requests_per_address": 30,
            "requests_per_credential": 50,
            "requests_per_address_with_credentials": 120,
        }
    )
    paid, passes = ("POST", "/api/v1/payments"), "default action"
    assert decisions(platform, *[paid] * 21)[-1] == "requests-per-path-1", "without one by address, as ever"
    with_one = decisions(platform, *[(*paid, "Bearer one")] * 51)
    assert with_one == [passes] * 50 + ["requests-per-credential"]
    both = decisions(platform, *[(*paid, "Bearer one")] * 51, (*paid, "Bearer two"), paid)
    assert both[-2:] == [passes] * 2, "neither another one nor none is held up"
    guessed = decisions(platform, *[(*paid, f"Bearer {number}") for number in range(121)])
    assert guessed == [passes] * 120 + ["requests-with-credentials"]


def decisions(platform: Synthesized, *requests: tuple[str, ...]) -> list[str]:
    """The rules of the edge's web ACL that decide on these requests of one address, by the local AWS.

    Each is a method, a path, and the value of Authorization if it has one.
    """
    acl = web_acl(platform, "global")
    own = [one for one in acl["rule"] if not {"managed_rule_group_statement", "or_statement"} & one["statement"].keys()]
    described = WebAcl(
        name="acl",
        prefix="awswaf:1:webacl:acl:",
        rules=tuple(of_api(one) for one in own),
        default_action={"Allow": {}},
        bodies={one["key"]: of_api(one) for one in acl["custom_response_body"]},
        groups={},
    )
    around = Surroundings(addresses={}, counts=Rates())
    found = []
    for method, path, *credentials in requests:
        headers = Message()
        headers["host"] = "pay.example.com"
        for one in credentials:
            headers["authorization"] = one
        request = Request(method=method, target=path, headers=headers, body=b"", address="192.0.2.1")
        found.append(decide(described, Inspected(request=request, address="192.0.2.1", body_bytes=1024), around).rule)
    return found


def of_api(value: Any) -> Any:
    """A block of Terraform in the form of AWS WAF's API."""
    renamed = {
        "statement": "Statements",
        "text_transformation": "TextTransformations",
        "rule_label": "RuleLabels",
        "custom_key": "CustomKeys",
    }
    if isinstance(value, list):
        return [of_api(one) for one in value]
    if not isinstance(value, dict):
        return value
    found: dict[str, Any] = {}
    for name, one in value.items():
        several = name in renamed and isinstance(one, list)
        key = renamed[name] if several else "".join(part.title() for part in name.split("_"))
        found[key] = base64.b64encode(one.encode()).decode() if name == "search_string" else of_api(one)
    if set(value) == {"not_statement"}:
        (inner,) = found["NotStatement"]["Statements"]
        return {"NotStatement": {"Statement": inner}}
    return found


@pytest.mark.requirement("Q7")
def test_acquirers_notifications_come_by_post_alone_at_a_rate_of_their_own() -> None:
    """The burst after an outage of ours would be too much for the limit of merchants, and is a fifth of its own."""
    platform = with_firewall(
        {"requests_per_path": {"/api/": 20}, "requests_per_address": 30, "notifications_per_address": 100}
    )
    path, passes = NOTIFICATIONS_PATH, "default action"
    assert set(decisions(platform, *[("POST", path)] * 100)) == {passes}
    assert decisions(platform, *[("POST", path)] * 101)[-1] == "notifications-per-address"
    for method in ("GET", "PUT", "DELETE", "OPTIONS"):
        assert decisions(platform, (method, path)) == ["notifications-method"]
    for other in (f"{path}/x", path.removesuffix("s"), "/api/v1/payments"):
        assert decisions(platform, *[("POST", other)] * 21)[-1] == "requests-per-path-1", "no other path is meant"
    assert decisions(platform, *[("POST", "//api/v1/%61cquirer/notifications")] * 25)[-1] == passes
    assert decisions(platform, *[("GET", "/")] * 31)[-1] == "requests-per-address"
    burst = [("POST", path)] * 100
    assert decisions(platform, *burst, ("POST", "/api/v1/payments"))[-1] == passes, "they use up no merchant's share"


@pytest.mark.requirement("Q7")
def test_the_path_of_notifications_is_the_services() -> None:
    (route,) = notifications_router.routes
    assert isinstance(route, APIRoute)
    assert (route.path, route.methods) == (NOTIFICATIONS_PATH, {"POST"})


def test_bodies_larger_than_the_inspection_limit_are_blocked(changed: Synthesized) -> None:
    size = rules(changed, "global")["body-size"]["statement"]["size_constraint_statement"]
    assert (size["comparison_operator"], size["size"]) == ("GT", 32 * 1024)
    assert size["field_to_match"] == {"body": {"oversize_handling": "MATCH"}}
    (shown,) = web_acl(changed, "global")["association_config"]["request_body"]
    assert shown == {"cloudfront": {"default_size_inspection_limit": "KB_32"}}


def test_address_lists_hold_the_addresses_of_the_settings_by_ip_version(changed: Synthesized) -> None:
    found = rules(changed, "global")
    assert set(found["blocked-addresses"]["action"]) == {"block"}
    assert found["allowed-addresses"]["action"] == {"allow": {}}
    assert addresses(changed, found["blocked-addresses"]) == {"IPV4": ["192.0.2.0/24"], "IPV6": ["2001:db8::/32"]}
    assert addresses(changed, found["allowed-addresses"]) == {"IPV4": ["198.51.100.7/32"], "IPV6": []}


def addresses(platform: Synthesized, rule: Block) -> dict[str, list[str]]:
    sets = [platform.by_id(reference) for reference in references(rule["statement"])]
    return {one["ip_address_version"]: one["addresses"] for one in sets}


@pytest.mark.parametrize("place", PLACES)
@pytest.mark.requirement("W5.3")
@pytest.mark.requirement("W0.5")
def test_headers_that_are_secrets_are_in_no_log_and_no_sample(platform: Synthesized, place: str) -> None:
    secrets = {"authorization", "cookie", "x-api-key", "x-origin-verify"}
    logging = platform.resource("aws_wafv2_web_acl_logging_configuration", f"{place}/firewall/logging")
    assert {one["single_header"]["name"] for one in logging["redacted_fields"]} == secrets
    (protected,) = web_acl(platform, place)["data_protection_config"]["data_protection"]
    assert set(protected["field"]["field_keys"]) == secrets
    (destination,) = logging["log_destination_configs"]
    group = platform.by_id(destination)
    assert group["name"].startswith("aws-waf-logs-payments/local/")
    assert group["retention_in_days"] == 30
    key = platform.by_id(group["kms_key_id"])
    assert path_of(key).endswith(f"{place}/keys/logs")
    use = platform.statements(key["policy"])["UseByCloudWatchLogs"]["condition"][0]["values"]
    assert any(value.endswith(":log-group:aws-waf-logs-payments/local/*") for value in use)


def test_capacity_is_counted_by_the_published_table_and_stays_below_the_charged_units() -> None:
    assert {group.name: group.capacity_units for group in MANAGED_GROUPS} == PUBLISHED_UNITS
    shipped = FirewallSettings()
    # groups + two lists by version + body
    # + labels by path (22 + 1, and a method of 12) and by header (12)
    # + rates of 2 by labels: of notifications, with a credential, without one, and of a path (2, two transformations)
    # + a rate by a custom key (30, two transformations)
    labels, rates = 35 + 12, (2 + 1) + (2 + 1) + (2 + 2) + (2 + 22 + 2)
    assert shipped.capacity_units(Scope.EDGE) == 1175 + 4 + 1 + labels + rates + (2 + 30 + 20)
    assert shipped.capacity_units(Scope.REGION) == 1100 + 50 + 24
    for environment in ("local", "staging", "production"):
        assert all(load(environment).firewall.capacity_units(scope) <= MOST_CAPACITY_UNITS for scope in Scope)


def test_excessive_web_acl_capacity_is_one_line() -> None:
    most = FirewallSettings(requests_per_path={f"/{number}/": 100 for number in range(8)})
    assert most.capacity_units(Scope.EDGE) <= MOST_CAPACITY_UNITS
    with pytest.raises(ValueError, match=r"11 paths are not allowed; 3 fewer are: .* 1575 capacity units"):
        FirewallSettings(requests_per_path={f"/{number}/": 100 for number in range(11)})


@pytest.mark.requirement("W0.4")
@pytest.mark.parametrize(
    ("text", "line"),
    [
        ("[firewall]\nblocked_addresses = ['10.0.0.1/8']", "firewall.blocked_addresses.0: '10.0.0.1/8' is not allowed"),
        ("[firewall]\nallowed_addresses = ['::/0']", "'::/0' is not allowed; .* but not everybody"),
        ("[firewall]\nmode = 'loud'", "firewall.mode: 'loud' is not allowed; input should be 'block' or 'count'"),
        ("[firewall.requests_per_path]\n'/b*' = 10", "'/b\\*' is not allowed; the beginning of a path"),
        ("[edge]\nhost_names = ['a.b']", "edge.host_names.0: 'a.b' is not allowed; a name below the domain"),
        ("[edge]\nallowed_countries = ['DE']\nblocked_countries = ['FR']", "edge.blocked_countries: .* is not allowed"),
        ("[[edge.behaviours]]\npath_pattern = '/*'\nkind = 'api'", "edge.behaviours: '/\\*' is not allowed"),
    ],
)
def test_a_wrong_setting_is_one_clear_line(tmp_path: Any, text: str, line: str) -> None:
    (tmp_path / "changed.toml").write_text(f"extends = 'local'\n{text}\n")
    with pytest.raises(SettingsError, match=line) as raised:
        load(str(tmp_path / "changed.toml"))
    assert len(raised.value.lines) == 1
