"""AWS WAF: the decision of a web ACL on one request, by each kind of rule that the stack states."""

from __future__ import annotations

import base64
from collections.abc import Mapping, Sequence
from email.message import Message
from typing import Any

import pytest

from emulator.clock import CLOCK
from emulator.runtime.firewall.components import Inspected
from emulator.runtime.firewall.deployed import Rates
from emulator.runtime.firewall.managed import GROUPS
from emulator.runtime.firewall.statements import Surroundings
from emulator.runtime.firewall.web_acl import Decision, RuleGroup, WebAcl, decide
from emulator.runtime.forwarding import Request
from settings.firewall import MANAGED_GROUPS

pytestmark = [pytest.mark.requirement("W8.3"), pytest.mark.requirement("W5.1")]

BLOCK, ALLOW, COUNT = (dict[str, Any]({name: {}}) for name in ("Block", "Allow", "Count"))
NONE = [{"Priority": 0, "Type": "NONE"}]
SET, GROUP = "arn:set", "arn:group"


def rule(name: str, statement: dict[str, Any], action: dict[str, Any] | None = None, **members: Any) -> dict[str, Any]:
    own = {"OverrideAction": {"None": {}}} if action is None else {"Action": action}
    return {"Name": name, "Statement": statement, **own, **members}


def matching(
    field: dict[str, Any], text: str, position: str = "EXACTLY", transformations: Any = None
) -> dict[str, Any]:
    match = {
        "SearchString": base64.b64encode(text.encode()).decode(),
        "FieldToMatch": field,
        "TextTransformations": transformations or NONE,
        "PositionalConstraint": position,
    }
    return {"ByteMatchStatement": match}


def managed(name: str, **options: Any) -> dict[str, Any]:
    return {"ManagedRuleGroupStatement": {"VendorName": "AWS", "Name": name, **options}}


def asked(
    target: str = "/", method: str = "GET", *, body: bytes = b"", address: str = "192.0.2.1", **headers: str
) -> Inspected:
    message = Message()
    for name, value in {"host": "pay.example.com", "user-agent": "curl"}.items():
        message[name] = value
    for name, value in headers.items():
        del message[name.replace("_", "-")]
        message[name.replace("_", "-")] = value
    request = Request(method=method, target=target, headers=message, body=body, address=address)
    return Inspected(request=request, address=address, body_bytes=1024)


def decided(
    rules: Sequence[Mapping[str, Any]],
    inspected: Inspected,
    *,
    rates: Rates | None = None,
    group: Sequence[Mapping[str, Any]] = (),
    bodies: Mapping[str, Any] | None = None,
) -> Decision:
    web_acl = WebAcl(
        name="acl",
        prefix="awswaf:1:webacl:acl:",
        rules=tuple({**one, "Priority": number} for number, one in enumerate(rules)),
        default_action=ALLOW,
        bodies=bodies or {},
        groups={GROUP: RuleGroup(rules=tuple(group), prefix="awswaf:1:rulegroup:own:")},
    )
    around = Surroundings(addresses={SET: ["192.0.2.0/24", "2001:db8::/32"]}, counts=rates or Rates())
    return decide(web_acl, inspected, around)


def test_first_rule_that_acts_decides_and_a_rule_that_counts_does_not() -> None:
    rules = [
        rule("counted", matching({"UriPath": {}}, "/a"), COUNT),
        rule("allowed", matching({"Method": {}}, "GET"), ALLOW),
        rule("blocked", matching({"UriPath": {}}, "/a"), BLOCK),
    ]
    assert decided(rules, asked("/a")).rule == "allowed"
    assert decided(rules, asked("/a", "POST")) == Decision(allows=False, rule="blocked")
    assert decided(rules, asked("/b", "POST")) == Decision(allows=True, rule="default action")


@pytest.mark.parametrize(
    ("address", "allows"), [("192.0.2.9", False), ("198.51.100.1", True), ("2001:db8::1", False), ("2001:db9::1", True)]
)
def test_address_list_blocks_its_addresses(address: str, allows: bool) -> None:
    rules = [rule("blocked", {"OrStatement": {"Statements": [{"IPSetReferenceStatement": {"ARN": SET}}]}}, BLOCK)]
    assert decided(rules, asked(address=address)).allows is allows


@pytest.mark.parametrize(
    ("path", "allows"), [("/api/x", False), ("//%61pi/x", False), ("/a/../api/", False), ("/other/api/", True)]
)
def test_path_is_compared_after_its_transformations(path: str, allows: bool) -> None:
    transformations = [{"Priority": 0, "Type": "URL_DECODE"}, {"Priority": 1, "Type": "NORMALIZE_PATH"}]
    statement = matching({"UriPath": {}}, "/api/", "STARTS_WITH", transformations)
    assert decided([rule("api", statement, BLOCK)], asked(path)).allows is allows


def test_rate_blocks_one_address_after_its_limit_and_no_other_until_the_window_is_over(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    now = [100.0]
    monkeypatch.setattr("emulator.runtime.firewall.deployed.time.monotonic", lambda: now[0])
    statement = {
        "RateBasedStatement": {
            "Limit": 10,
            "EvaluationWindowSec": 60,
            "AggregateKeyType": "IP",
            "ScopeDownStatement": matching({"UriPath": {}}, "/api/", "STARTS_WITH"),
        }
    }
    rules, rates = [rule("rate", statement, BLOCK)], Rates()
    passed = [decided(rules, asked("/api/x"), rates=rates).allows for _ in range(12)]
    assert passed == [True] * 10 + [False] * 2
    assert decided(rules, asked("/other"), rates=rates).allows
    assert decided(rules, asked("/api/x", address="192.0.2.2"), rates=rates).allows
    now[0] += CLOCK.seconds_per_minute * 1.1
    assert decided(rules, asked("/api/x"), rates=rates).allows


def test_rate_of_a_header_is_each_values_own_however_it_is_spelled_and_nobodys_without_it() -> None:
    spelled = [{"Priority": 0, "Type": "LOWERCASE"}, {"Priority": 1, "Type": "COMPRESS_WHITE_SPACE"}]
    key = {"Header": {"Name": "authorization", "TextTransformations": spelled}}
    statement = {"RateBasedStatement": {"Limit": 10, "AggregateKeyType": "CUSTOM_KEYS", "CustomKeys": [key]}}
    rules, rates = [rule("rate", statement, BLOCK)], Rates()
    for _ in range(12):
        assert decided(rules, asked("/api/x"), rates=rates).allows
    sent = [f"{'B' if number % 2 else 'b'}earer{' ' * (1 + number % 3)}one" for number in range(12)]
    passed = [decided(rules, asked("/api/x", authorization=one), rates=rates).allows for one in sent]
    assert passed == [True] * 10 + [False] * 2
    another = asked("/api/x", address="192.0.2.2", authorization="Bearer one")
    assert not decided(rules, another, rates=rates).allows, "whatever the address"
    assert decided(rules, asked("/api/x", authorization="Bearer two"), rates=rates).allows
    unknown = {"RateBasedStatement": {"Limit": 10, "AggregateKeyType": "CUSTOM_KEYS", "CustomKeys": [{"IP": {}}]}}
    with pytest.raises(NotImplementedError, match="custom key IP"):
        decided([rule("rate", unknown, BLOCK)], asked("/api/x"))


@pytest.mark.parametrize(("handling", "allows"), [("MATCH", False), ("NO_MATCH", True), ("CONTINUE", True)])
def test_body_beyond_what_is_inspected_is_handled_as_the_rule_says(handling: str, allows: bool) -> None:
    size = {
        "ComparisonOperator": "GT",
        "Size": 2000,
        "FieldToMatch": {"Body": {"OversizeHandling": handling}},
        "TextTransformations": NONE,
    }
    rules = [rule("size", {"SizeConstraintStatement": size}, BLOCK)]
    assert decided(rules, asked(body=b"x" * 2001)).allows is allows
    assert decided(rules, asked(body=b"x" * 1000)).allows


def test_label_of_a_rule_is_seen_by_a_later_one() -> None:
    labelled = rule("label", matching({"UriPath": {}}, "/a"), COUNT, RuleLabels=[{"Name": "mine:a"}])
    for scope, key in (("LABEL", "mine:a"), ("LABEL", "awswaf:1:webacl:acl:mine:a"), ("NAMESPACE", "mine:")):
        later = rule("later", {"LabelMatchStatement": {"Scope": scope, "Key": key}}, BLOCK)
        assert not decided([labelled, later], asked("/a")).allows
        assert decided([labelled, later], asked("/b")).allows
    unlike = rule("later", {"LabelMatchStatement": {"Scope": "LABEL", "Key": "ine:a"}}, BLOCK)
    assert decided([labelled, unlike], asked("/a")).allows


def test_rule_group_requires_a_header_and_has_a_response_of_its_own() -> None:
    custom = {"ResponseCode": 403, "ResponseHeaders": [{"Name": "x-refused-by", "Value": "us"}]}
    secret = matching({"SingleHeader": {"Name": "X-Secret"}}, "now")
    group = [rule("secret", {"NotStatement": {"Statement": secret}}, {"Block": {"CustomResponse": custom}})]
    rules = [rule("own", {"RuleGroupReferenceStatement": {"ARN": GROUP}})]

    assert decided(rules, asked(x_secret="now"), group=group).allows
    refused = decided(rules, asked(x_secret="before"), group=group)
    assert refused.rule == "own: secret"
    assert refused.response
    assert refused.response.headers == (("x-refused-by", "us"),)
    counted = [{**rules[0], "OverrideAction": {"Count": {}}}]
    assert decided(counted, asked(), group=group).allows


def test_response_has_the_body_that_the_web_acl_names() -> None:
    bodies = {"refused": {"ContentType": "APPLICATION_JSON", "Content": '{"error": "no"}'}}
    block = {"Block": {"CustomResponse": {"ResponseCode": 429, "CustomResponseBodyKey": "refused"}}}
    response = decided([rule("r", matching({"UriPath": {}}, "/"), block)], asked(), bodies=bodies).response
    assert response
    assert (response.status, response.body) == (429, b'{"error": "no"}')
    assert response.headers == (("Content-Type", "application/json"),)


@pytest.mark.parametrize(
    ("group", "inspected", "blocking"),
    [
        ("CommonRuleSet", asked("/a?file=../../etc/passwd"), "GenericLFI_QUERYARGUMENTS"),
        ("CommonRuleSet", asked("/?" + "a" * 2049), "SizeRestrictions_QUERYSTRING"),
        ("CommonRuleSet", asked("/backup.sql"), "RestrictedExtensions_URIPATH"),
        ("CommonRuleSet", asked("/", user_agent="nmap"), "UserAgent_BadBots_HEADER"),
        ("CommonRuleSet", asked("/", user_agent=""), "NoUserAgent_HEADER"),
        ("CommonRuleSet", asked("/", "POST", body=b"<script>alert(1)</script>"), "CrossSiteScripting_BODY"),
        ("CommonRuleSet", asked("/", cookie="a=169.254.169.254"), "EC2MetaDataSSRF_COOKIE"),
        ("KnownBadInputsRuleSet", asked("/", host="localhost"), "Host_localhost_HEADER"),
        ("KnownBadInputsRuleSet", asked("/", "PROPFIND"), "PROPFIND_METHOD"),
        ("KnownBadInputsRuleSet", asked("/", user_agent="${jndi:ldap://x}"), "Log4JRCE_HEADER"),
        ("SQLiRuleSet", asked("/?id=1%27%20OR%201=1"), "SQLi_QUERYARGUMENTS"),
        ("SQLiRuleSet", asked("/", "POST", body=b"1 UNION SELECT card FROM cards"), "SQLi_BODY"),
    ],
)
def test_managed_group_blocks_what_aws_documents(group: str, inspected: Inspected, blocking: str) -> None:
    name = f"AWSManagedRules{group}"
    found = decided([rule("managed", managed(name))], inspected)
    assert (found.allows, found.rule) == (False, f"managed: {blocking}")
    counted = managed(name, RuleActionOverrides=[{"Name": blocking, "ActionToUse": COUNT}])
    assert decided([rule("managed", counted)], inspected).allows
    assert any(one.startswith("awswaf:managed:aws:") for one in inspected.labels)


def test_ordinary_payment_passes_all_managed_groups_of_the_platform() -> None:
    payment = b'{"amount": 1000, "currency": "USD", "token": "tok_visa_1", "description": "Order 7; select seats"}'
    rules = [rule(one.name, managed(one.name)) for one in MANAGED_GROUPS]
    found = decided(rules, asked("/api/v1/payments", "POST", body=payment, content_type="application/json"))
    assert found == Decision(allows=True, rule="default action")


def test_rules_that_the_platform_overrides_exist() -> None:
    for group in MANAGED_GROUPS:
        assert group.name in GROUPS
        if GROUPS[group.name][1]:
            assert set(group.counted) <= {one["Name"] for one in GROUPS[group.name][1]}


@pytest.mark.parametrize(
    ("statement", "action", "lacking"),
    [
        ({"GeoMatchStatement": {"CountryCodes": ["AQ"]}}, BLOCK, "GeoMatchStatement"),
        (matching({"JsonBody": {}}, "x"), BLOCK, "JsonBody"),
        (matching({"UriPath": {}}, "/"), {"Captcha": {}}, "Captcha"),
        (matching({"UriPath": {}}, "/", transformations=[{"Priority": 0, "Type": "CMD_LINE"}]), BLOCK, "CMD_LINE"),
        (managed("AWSManagedRulesBotControlRuleSet"), None, "AWSManagedRulesBotControlRuleSet"),
    ],
)
def test_what_is_not_emulated_is_refused(
    statement: dict[str, Any], action: dict[str, Any] | None, lacking: str
) -> None:
    with pytest.raises(NotImplementedError, match=lacking):
        decided([rule("r", statement, action)], asked())
