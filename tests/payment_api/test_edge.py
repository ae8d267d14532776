"""Load balancer, firewall and gateway, in the template."""

from __future__ import annotations

import json

import pytest

from payment_api.firewall import CAPACITIES, MANAGED_GROUPS
from payment_api.gateway import ACCESS_LOG_FORMAT
from payment_api.load_balancer import GATEWAY_PORT, PUBLIC_PORT
from payment_api.settings import Settings
from tests.payment_api.support import Template

PARTS = {"query": "QueryString", "path": "UriPath", "body": "Body", "headers": "Headers", "cookies": "Cookies"}


@pytest.mark.requirement("P2.1")
@pytest.mark.parametrize(
    ("group", "statement"), [("sqlinjection", "SqliMatchStatement"), ("crosssitescripting", "XssMatchStatement")]
)
def test_own_rule_groups_block_attacks_in_every_part_of_a_request_decoded(
    api: Template, group: str, statement: str
) -> None:
    rules = api.one("AWS::WAFv2::RuleGroup", group)["Rules"]
    assert all(rule["Action"] == {"Block": {}} for rule in rules)
    looked_at = {next(iter(rule["Statement"][statement]["FieldToMatch"])) for rule in rules}
    assert looked_at == set(PARTS.values())
    for rule in rules:
        match = rule["Statement"][statement]
        decoded = {one["Type"] for one in match["TextTransformations"]}
        assert decoded == {"URL_DECODE_UNI", "HTML_ENTITY_DECODE", "LOWERCASE"}
        assert match.get("SensitivityLevel", "HIGH") == "HIGH"
        (part,) = match["FieldToMatch"].values()
        if part:
            assert part["OversizeHandling"] == "MATCH"


@pytest.mark.requirement("P2.1")
def test_what_is_too_large_is_blocked(api: Template) -> None:
    rules = api.one("AWS::WAFv2::RuleGroup", "sizes")["Rules"]
    assert {next(iter(rule["Statement"]["SizeConstraintStatement"]["FieldToMatch"])) for rule in rules} == {
        "Body",
        "QueryString",
        "UriPath",
    }
    assert all(rule["Action"] == {"Block": {}} for rule in rules)


@pytest.mark.requirement("P2.1")
def test_rule_groups_fit_a_web_acl(api: Template) -> None:
    # What AWS's managed groups need of the 5,000 of a web ACL, as its list says.
    managed = {
        "AmazonIpReputationList": 25,
        "CommonRuleSet": 700,
        "KnownBadInputsRuleSet": 200,
        "SQLiRuleSet": 200,
        "LinuxRuleSet": 200,
    }
    assert {f"AWSManagedRules{name}" for name in managed} == set(MANAGED_GROUPS)
    assert sum(CAPACITIES.values()) + sum(managed.values()) + 2 <= 5000


@pytest.mark.requirement("P2.1", "P2.2")
def test_each_way_in_has_a_web_acl_with_all_rules_and_a_log_that_redacts_secrets(api: Template) -> None:
    acls = api.of("AWS::WAFv2::WebACL")
    assert len(acls) == 2
    for id_, acl in acls.items():
        kinds = [next(iter(rule["Statement"])) for rule in acl["Rules"]]
        assert kinds.count("RateBasedStatement") == 1
        assert kinds.count("RuleGroupReferenceStatement") == 3
        managed = [
            rule["Statement"]["ManagedRuleGroupStatement"]["Name"]
            for rule in acl["Rules"]
            if "ManagedRuleGroupStatement" in rule["Statement"]
        ]
        assert managed == list(MANAGED_GROUPS)
        assert not [rule for rule in acl["Rules"] if rule.get("OverrideAction", {"None": {}}) != {"None": {}}]
        (logging,) = [
            one
            for one in api.of("AWS::WAFv2::LoggingConfiguration").values()
            if one["ResourceArn"]["Fn::GetAtt"][0] == id_
        ]
        assert {one["SingleHeader"]["Name"] for one in logging["RedactedFields"]} >= {
            "authorization",
            "cookie",
            "x-api-key",
        }
        assert "aws-waf-logs-" in logging["LogDestinationConfigs"][0]
    protected = {str(one["ResourceArn"]) for one in api.of("AWS::WAFv2::WebACLAssociation").values()}
    assert any("loadbalancer" in one for one in protected)
    assert any("/stages/" in one for one in protected)


@pytest.mark.requirement("P2.1")
def test_the_load_balancer_is_public_hardened_and_logged(api: Template) -> None:
    balancer = api.one("AWS::ElasticLoadBalancingV2::LoadBalancer")
    attributes = {one["Key"]: one["Value"] for one in balancer["LoadBalancerAttributes"]}
    assert balancer["Scheme"] == "internet-facing"
    public = [id_ for id_ in api.of("AWS::EC2::Subnet") if "public" in id_]
    assert sorted(one["Ref"] for one in balancer["Subnets"]) == sorted(public)
    assert attributes["routing.http.drop_invalid_header_fields.enabled"] == "true"
    assert attributes["routing.http.desync_mitigation_mode"] == "strictest"
    assert attributes["access_logs.s3.enabled"] == "true"
    assert attributes["connection_logs.s3.enabled"] == "true"


@pytest.mark.requirement("P2.1", "P2.2")
def test_nobody_gets_past_mutual_tls_by_calling_the_load_balancer(api: Template, settings: Settings) -> None:
    listeners = {one["Port"]: one for one in api.of("AWS::ElasticLoadBalancingV2::Listener").values()}
    assert set(listeners) == {PUBLIC_PORT, GATEWAY_PORT}
    for one in listeners.values():
        assert one["Protocol"] == "HTTPS"
        assert "TLS13" in one["SslPolicy"]
        assert one["DefaultActions"][0]["FixedResponseConfig"]["StatusCode"] == "404"
    public = listeners[PUBLIC_PORT]["MutualAuthentication"]
    assert (public["Mode"], public["IgnoreClientCertificateExpiry"]) == ("verify", False)
    store = api.one("AWS::ElasticLoadBalancingV2::TrustStore")
    assert store["CaCertificatesBundleS3ObjectVersion"] == settings.gateway.trust_store_version
    # The other listener is for the gateway's VPC link alone.
    balancer = api.id_of("AWS::EC2::SecurityGroup", "loadbalancerloadbalancergroup")
    world = api.of("AWS::EC2::SecurityGroup")[balancer]["SecurityGroupIngress"]
    assert [(one["CidrIp"], one["FromPort"], one["ToPort"]) for one in world] == [("0.0.0.0/0", 443, 443)]
    alone = [
        one for one in api.of("AWS::EC2::SecurityGroupIngress").values() if one["GroupId"]["Fn::GetAtt"][0] == balancer
    ]
    assert [(one["FromPort"], "gatewaylink" in str(one["SourceSecurityGroupId"])) for one in alone] == [
        (GATEWAY_PORT, True)
    ]


@pytest.mark.requirement("P2.2")
def test_mutual_tls_is_enforced_for_every_endpoint(api: Template, settings: Settings) -> None:
    domain = api.one("AWS::ApiGateway::DomainName")
    assert domain["MutualTlsAuthentication"] == {
        "TruststoreUri": f"s3://{settings.gateway.trust_store_bucket}/{settings.gateway.trust_store_key}",
        "TruststoreVersion": settings.gateway.trust_store_version,
    }
    assert domain["SecurityPolicy"] == "TLS_1_2"
    rest = api.one("AWS::ApiGateway::RestApi")
    assert rest["DisableExecuteApiEndpoint"] is True
    assert rest["EndpointConfiguration"]["Types"] == ["REGIONAL"]
    (mapping,) = api.of("AWS::ApiGateway::BasePathMapping").values()
    assert mapping["RestApiId"] == {"Ref": api.id_of("AWS::ApiGateway::RestApi")}


@pytest.mark.requirement("P2.2")
def test_the_stage_takes_a_thousand_requests_a_second_and_says_who_asked(api: Template) -> None:
    stage = api.one("AWS::ApiGateway::Stage")
    (every,) = [one for one in stage["MethodSettings"] if one["ResourcePath"] == "/*"]
    assert (every["HttpMethod"], every["ThrottlingRateLimit"], every["ThrottlingBurstLimit"]) == ("*", 1000, 2000)
    assert (every["LoggingLevel"], every["DataTraceEnabled"], every["MetricsEnabled"]) == ("INFO", False, True)
    assert json.loads(stage["AccessLogSetting"]["Format"]) == ACCESS_LOG_FORMAT
    assert stage["TracingEnabled"] is True


@pytest.mark.requirement("P2.2")
def test_every_method_needs_a_key_and_is_validated_and_goes_to_the_private_listener(api: Template) -> None:
    methods = api.of("AWS::ApiGateway::Method")
    assert len(methods) == 6
    listener = api.id_of("AWS::ElasticLoadBalancingV2::Listener", "gateway")
    for one in methods.values():
        assert one["ApiKeyRequired"] is True
        assert "RequestValidatorId" in one
        integration = one["Integration"]
        assert integration["ConnectionType"] == "VPC_LINK"
        assert integration["ConnectionId"] == {"Ref": api.id_of("AWS::ApiGatewayV2::VpcLink")}
        assert integration["IntegrationTarget"] == {"Ref": listener}
        assert integration["Uri"].startswith("https://")
    writes = [one for one in methods.values() if one["HttpMethod"] == "POST"]
    assert len(writes) == 4
    for one in writes:
        assert one["RequestParameters"]["method.request.header.Idempotency-Key"] is True
        assert "application/json" in one["RequestModels"]
    models = [one["Schema"] for one in api.of("AWS::ApiGateway::Model").values()]
    assert all(schema["additionalProperties"] is False for schema in models)


@pytest.mark.requirement("P2.2", "P4.5")
def test_clients_have_a_plan_and_a_key_whose_value_is_in_no_template(api: Template, settings: Settings) -> None:
    plan = api.one("AWS::ApiGateway::UsagePlan")
    assert plan["Throttle"] == {"RateLimit": 1000, "BurstLimit": 2000}
    assert plan["Quota"]["Period"] == "DAY"
    value = json.dumps(api.one("AWS::ApiGateway::ApiKey")["Value"])
    assert "{{resolve:secretsmanager:" in value
    assert settings.secrets.api_key in value
    assert len(api.of("AWS::ApiGateway::UsagePlanKey")) == 1
