"""Load balancer, firewall and gateway, in the template."""

from __future__ import annotations

import json

import pytest

from modules.ingress.load_balancer import TLS_POLICY
from payment_api import contract, gateway
from payment_api.firewall import CAPACITIES, MANAGED_GROUPS
from payment_api.gateway import ACCESS_LOG_FORMAT
from payment_api.load_balancer import HTTPS_PORT, TEST_PORT
from payment_api.settings import Settings
from payments import certificates
from payments.certificates import ClientCertificates
from payments.server import KEEP_ALIVE_SECONDS
from synthesis.packaging import FUNCTIONS
from tests.payment_api.conftest import Synthesize
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
        ((name, part),) = match["FieldToMatch"].items()
        if part:
            assert part["OversizeHandling"] == "MATCH"
        if statement == "SqliMatchStatement":  # what clients of every language send beside their input is no input
            assert match["SensitivityLevel"] == ("LOW" if name in {"Headers", "Cookies"} else "HIGH")


@pytest.mark.requirement("P2.1")
def test_requests_that_are_too_large_are_blocked(api: Template) -> None:
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
    rates = 2 * (2 + 1)  # each, with what narrows it
    own = [one["Capacity"] for one in api.of("AWS::WAFv2::RuleGroup").values()]
    assert sorted(own) == sorted(CAPACITIES.values())
    assert sum(own) + sum(managed.values()) + rates <= 5000


@pytest.mark.requirement("P2.1", "P2.2")
def test_each_entry_point_has_a_web_acl_with_all_rules_and_a_redacted_log(api: Template) -> None:
    acls = api.of("AWS::WAFv2::WebACL")
    assert len(acls) == 2
    for id_, acl in acls.items():
        kinds = [next(iter(rule["Statement"])) for rule in acl["Rules"]]
        assert kinds.count("RateBasedStatement") == 2
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


BALANCERS = {"internet-facing": "public", "internal": "private"}
"""Tiers of subnets by scheme."""


def of_scheme(api: Template, scheme: str) -> str:
    """The logical id of the load balancer of a scheme."""
    balancers = api.of("AWS::ElasticLoadBalancingV2::LoadBalancer")
    (found,) = (id_ for id_, one in balancers.items() if one["Scheme"] == scheme)
    return found


@pytest.mark.requirement("P2.1")
@pytest.mark.parametrize(("scheme", "tier"), BALANCERS.items())
def test_each_load_balancer_is_in_its_tier_hardened_and_logged(api: Template, scheme: str, tier: str) -> None:
    balancer = api.of("AWS::ElasticLoadBalancingV2::LoadBalancer")[of_scheme(api, scheme)]
    attributes = {one["Key"]: one["Value"] for one in balancer["LoadBalancerAttributes"]}
    subnets = [id_ for id_ in api.of("AWS::EC2::Subnet") if tier in id_]
    assert sorted(one["Ref"] for one in balancer["Subnets"]) == sorted(subnets)
    assert attributes["routing.http.drop_invalid_header_fields.enabled"] == "true"
    assert attributes["routing.http.desync_mitigation_mode"] == "strictest"
    assert int(attributes["idle_timeout.timeout_seconds"]) < KEEP_ALIVE_SECONDS
    assert attributes["access_logs.s3.enabled"] == "true"
    assert attributes["connection_logs.s3.enabled"] == "true"


@pytest.mark.requirement("P2.1", "P2.2")
def test_every_listener_is_https_and_answers_404_by_default(api: Template) -> None:
    listeners = api.of("AWS::ElasticLoadBalancingV2::Listener").values()
    assert {one["Port"] for one in listeners} == {HTTPS_PORT, TEST_PORT}
    for one in listeners:
        assert one["Protocol"] == "HTTPS"
        assert one["SslPolicy"] == TLS_POLICY  # as the payment platform's: with post-quantum key exchange
        assert one["DefaultActions"][0]["FixedResponseConfig"]["StatusCode"] == "404"


@pytest.mark.requirement("P2.1", "P2.2")
def test_public_load_balancer_requires_certificates_of_the_pinned_trust_store(
    api: Template, settings: Settings
) -> None:
    listeners = api.of("AWS::ElasticLoadBalancingV2::Listener").values()
    (public,) = (one for one in listeners if one["LoadBalancerArn"] == {"Ref": of_scheme(api, "internet-facing")})
    authentication = public["MutualAuthentication"]
    assert (authentication["Mode"], authentication["IgnoreClientCertificateExpiry"]) == ("verify", False)
    store = api.one("AWS::ElasticLoadBalancingV2::TrustStore")
    assert store["CaCertificatesBundleS3ObjectVersion"] == settings.gateway.trust_store_version


def admitted(api: Template, scheme: str) -> list[tuple[str, int]]:
    """Who may call the load balancer of a scheme, on which port."""
    balancer = api.of("AWS::ElasticLoadBalancingV2::LoadBalancer")[of_scheme(api, scheme)]
    ((group,),) = [[one["Fn::GetAtt"][0] for one in balancer["SecurityGroups"]]]
    inline = api.of("AWS::EC2::SecurityGroup")[group].get("SecurityGroupIngress", [])
    alone = [
        one for one in api.of("AWS::EC2::SecurityGroupIngress").values() if one["GroupId"]["Fn::GetAtt"][0] == group
    ]
    return [
        (one.get("CidrIp") or one["SourceSecurityGroupId"]["Fn::GetAtt"][0], one["FromPort"]) for one in inline + alone
    ]


@pytest.mark.requirement("P2.1", "P2.2")
def test_internal_load_balancer_admits_the_vpc_link_and_the_smoke_test_to_a_listener_each(api: Template) -> None:
    link = api.one("AWS::ApiGatewayV2::VpcLink")
    ((group,),) = [[one["Fn::GetAtt"][0] for one in link["SecurityGroupIds"]]]
    smoke_test = api.id_of("AWS::EC2::SecurityGroup", "canarygroup")
    assert sorted(admitted(api, "internal")) == sorted([(group, HTTPS_PORT), (smoke_test, TEST_PORT)])
    assert admitted(api, "internet-facing") == [("0.0.0.0/0", HTTPS_PORT)]


@pytest.mark.requirement("P2.1", "P2.2", "P3.4")
def test_both_entry_points_have_a_total_rate_limit_and_one_by_address(api: Template, settings: Settings) -> None:
    acls = api.of("AWS::WAFv2::WebACL").values()
    assert len(acls) == 2
    for acl in acls:
        rates = [rule for rule in acl["Rules"] if "RateBasedStatement" in rule["Statement"]]
        found = {rule["Statement"]["RateBasedStatement"]["AggregateKeyType"]: rule for rule in rates}
        limits = {key: rule["Statement"]["RateBasedStatement"]["Limit"] for key, rule in found.items()}
        window = {rule["Statement"]["RateBasedStatement"]["EvaluationWindowSec"] for rule in rates}
        assert window == {60}
        assert limits["CONSTANT"] == settings.gateway.requests_per_second * 60
        assert limits["IP"] == limits["CONSTANT"] // 3
        assert found["CONSTANT"]["Priority"] == max(rule["Priority"] for rule in acl["Rules"])
        assert all(rule["Action"]["Block"]["CustomResponse"] == {"ResponseCode": 429} for rule in rates)


@pytest.mark.requirement("P2.1")
def test_no_rate_limit_by_address_counts_requests_through_the_vpc_link(api: Template) -> None:
    """The link has an address or two a zone, for all clients of the gateway together."""
    guarded = [str(one["ResourceArn"]) for one in api.of("AWS::WAFv2::WebACLAssociation").values()]
    targets = {str(one["Integration"]["IntegrationTarget"]) for one in api.of("AWS::ApiGateway::Method").values()}
    assert guarded
    assert targets
    assert not targets & set(guarded)


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
def test_stage_throttles_at_1000_requests_a_second_and_logs_the_client(api: Template) -> None:
    stage = api.one("AWS::ApiGateway::Stage")
    (every,) = [one for one in stage["MethodSettings"] if one["ResourcePath"] == "/*"]
    assert (every["HttpMethod"], every["ThrottlingRateLimit"], every["ThrottlingBurstLimit"]) == ("*", 1000, 2000)
    assert (every["LoggingLevel"], every["DataTraceEnabled"], every["MetricsEnabled"]) == ("ERROR", False, True)
    assert json.loads(stage["AccessLogSetting"]["Format"]) == ACCESS_LOG_FORMAT
    assert stage["TracingEnabled"] is True


@pytest.mark.requirement("P2.2")
def test_every_method_needs_a_key_and_is_validated_and_goes_to_the_internal_load_balancer(api: Template) -> None:
    """The target is a load balancer's ARN: https://docs.aws.amazon.com/apigateway/latest/developerguide/set-up-private-integration.html."""
    methods = api.of("AWS::ApiGateway::Method")
    assert methods
    for one in methods.values():
        assert one["ApiKeyRequired"] is True
        assert "RequestValidatorId" in one
        integration = one["Integration"]
        assert integration["ConnectionType"] == "VPC_LINK"
        assert integration["ConnectionId"] == {"Ref": api.id_of("AWS::ApiGatewayV2::VpcLink")}
        assert integration["IntegrationTarget"] == {"Ref": of_scheme(api, "internal")}
        assert integration["Uri"].startswith("https://")
    writes = [one for one in methods.values() if one["HttpMethod"] == "POST"]
    assert all("application/json" in one["RequestModels"] for one in writes)
    models = [one["Schema"] for one in api.of("AWS::ApiGateway::Model").values()]
    assert models
    assert all(schema["additionalProperties"] is False for schema in models)


def deployment_of(template: Template) -> str:
    """The logical id of the API's deployment, which the stage shows."""
    found: str = template.one("AWS::ApiGateway::Stage")["DeploymentId"]["Ref"]
    return found


@pytest.mark.requirement("P2.2")
@pytest.mark.parametrize(
    "change", ["timeout", "model", "network"], ids="a change of the {} deploys the API anew".format
)
def test_change_of_a_method_a_model_or_the_link_creates_a_deployment(
    change: str, api: Template, settings: Settings, synthesize: Synthesize, monkeypatch: pytest.MonkeyPatch
) -> None:
    changed = settings
    if change == "timeout":
        monkeypatch.setattr(gateway, "INTEGRATION_TIMEOUT_MILLISECONDS", 28_000)
    elif change == "model":
        monkeypatch.setattr(contract, "model", lambda _name: {"type": "object", "additionalProperties": False})
    else:
        network = settings.network.model_copy(update={"cidr": "10.30.0.0/16"})
        changed = settings.model_copy(update={"network": network})
    assert deployment_of(synthesize(changed)[settings.region]) != deployment_of(api)


@pytest.mark.requirement("P2.2", "P6.6")
def test_the_owner_of_the_account_makes_the_role_that_logs_and_no_other_environment_does(
    api: Template, settings: Settings, synthesize: Synthesize
) -> None:
    """A second one would replace the first, and take it from all when it goes."""
    assert settings.owns_account
    stage = api.one("AWS::ApiGateway::Stage")
    assert stage["MethodSettings"][0]["LoggingLevel"] != "OFF"
    assert len(api.of("AWS::ApiGateway::Account")) == 1
    other = settings.model_copy(update={"account_owner": "another"})
    assert not synthesize(other)[settings.region].of("AWS::ApiGateway::Account", none_is_right=True)


@pytest.mark.requirement("P2.2", "P4.5")
def test_usage_plan_throttles_and_its_keys_are_in_no_template(api: Template, settings: Settings) -> None:
    """A key of a template would be updated when a rotation has replaced it, or created with a value that exists.

    https://github.com/aws/aws-cdk/issues/12745
    """
    plan = api.one("AWS::ApiGateway::UsagePlan")
    assert plan["Throttle"] == {"RateLimit": 1000, "BurstLimit": 2000}
    assert plan["Quota"]["Period"] == "DAY"
    assert not api.of("AWS::ApiGateway::ApiKey", none_is_right=True)
    assert not api.of("AWS::ApiGateway::UsagePlanKey", none_is_right=True)
    keys = api.one("Custom::ApiKeys")
    assert settings.secrets.api_key in str(keys["SecretId"])
    rotated = api.one("AWS::SecretsManager::RotationSchedule", "apikey")
    assert rotated["SecretId"] == keys["SecretId"]
    assert rotated["RotationLambdaARN"] == keys["ServiceToken"]


VALUES_OF_CREATION = {("AWS::RDS::DBCluster", "MasterUsername"), ("AWS::RDS::DBCluster", "MasterUserPassword")}
"""Properties that a template takes from a secret: an update of the cluster alone reads it again, as it is in there."""


@pytest.mark.requirement("P4.5")
def test_no_resource_has_the_value_of_a_secret_that_rotates_but_the_database_from_its_creation(api: Template) -> None:
    assert len(api.of("AWS::SecretsManager::RotationSchedule")) == 2
    found = {
        (one["Type"], name)
        for one in api.resources.values()
        for name, value in one.get("Properties", {}).items()
        if "{{resolve:secretsmanager:" in json.dumps(value)
    }
    assert found == VALUES_OF_CREATION


@pytest.mark.requirement("P4.5", "P5.1")
def test_use_of_a_replaced_key_is_an_alarm(api: Template) -> None:
    counted = api.one("AWS::Logs::MetricFilter")
    pattern = counted["FilterPattern"].strip('"')
    assert f'log("{pattern}"' in (FUNCTIONS / "rotate_api_key" / "handler.py").read_text()
    function = api.one("AWS::Lambda::Function", "rotateapikey")
    assert counted["LogGroupName"] == function["LoggingConfig"]["LogGroup"]
    (transformed,) = counted["MetricTransformations"]
    alarm = api.one("AWS::CloudWatch::Alarm", "formerapikeys")
    assert (alarm["Namespace"], alarm["MetricName"]) == (transformed["MetricNamespace"], transformed["MetricName"])
    assert alarm["AlarmActions"]


@pytest.mark.requirement("P2.2", "P2.1", "Q3")
def test_both_doors_overwrite_the_header_with_the_clients_certificate(api: Template) -> None:
    """A client that names itself in a header is not believed: its certificate is, which the door has verified."""
    assert contract.CERTIFICATE_HEADER == certificates.HEADER
    authorizer = api.id_of("AWS::ApiGateway::Authorizer")
    properties = api.one("AWS::ApiGateway::Authorizer")
    assert (properties["Type"], properties["AuthorizerResultTtlInSeconds"]) == ("REQUEST", 0)
    methods = api.of("AWS::ApiGateway::Method").values()
    assert methods
    for one in methods:
        assert (one["AuthorizationType"], one["AuthorizerId"]) == ("CUSTOM", {"Ref": authorizer})
        mapped = one["Integration"]["RequestParameters"]
        name = f"integration.request.header.{certificates.HEADER}"
        assert mapped[name] == "context.authorizer.certificate"
    with_mutual_tls = [
        one for one in api.of("AWS::ElasticLoadBalancingV2::Listener").values() if "MutualAuthentication" in one
    ]
    (public,) = (one for one in with_mutual_tls if one["MutualAuthentication"].get("Mode") == "verify")
    renamed = {one["Key"]: one["Value"] for one in public["ListenerAttributes"]}
    assert renamed == {"routing.http.request.x_amzn_mtls_clientcert_leaf.header_name": certificates.HEADER}
    (container,) = api.one("AWS::ECS::TaskDefinition")["ContainerDefinitions"]
    variables = {one["Name"]: one["Value"] for one in container["Environment"]}
    assert variables["CLIENT_CERTIFICATES"] == ClientCertificates.REQUIRED
