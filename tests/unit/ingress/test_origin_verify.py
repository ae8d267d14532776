"""How load balancers know the distribution, without Terraform knowing how (W2.1, W0.5)."""

from __future__ import annotations

import pytest

from settings import Settings, load
from tests.synthesized import Block, Synthesized, path_of, region_of, synthesize

pytestmark = pytest.mark.requirement("W2.1")


def own(platform: Synthesized, type_: str, id_: str) -> Block:
    return platform.resource(type_, f"primary/origin-verify/{id_}")


@pytest.mark.requirement("W0.5")
def test_terraform_gives_no_value_and_gets_none(platform: Synthesized) -> None:
    """What could hold the value is not in the configuration, so it can be in no plan and no state."""
    for type_ in ("aws_secretsmanager_secret_version", "aws_wafv2_rule_group", "aws_cloudfront_function"):
        assert not [b for b in platform.resources(type_, none_is_right=True).values() if "origin" in path_of(b)]
    assert not platform.configuration.get("data", {}).get("aws_secretsmanager_secret_version")
    (distribution,) = platform.resources("aws_cloudfront_distribution").values()
    assert not any("custom_header" in origin for origin in distribution["origin"])
    answers = set(_answers(platform.configuration["resource"]))
    assert answers == {"viewer_function_arn", "primary_rule_group_arn", "recovery_rule_group_arn"}


def _answers(value: object) -> list[str]:
    """What is taken from the function's answer, anywhere."""
    if isinstance(value, str):
        return [value.split(").")[1].rstrip("}")] if "jsondecode(aws_lambda_invocation" in value else []
    inner = value.values() if isinstance(value, dict) else value if isinstance(value, list) else ()
    return [found for one in inner for found in _answers(one)]


def test_origin_secret_is_created_and_deleted_by_an_invocation(platform: Synthesized) -> None:
    call = own(platform, "aws_lambda_invocation", "call")
    assert call["lifecycle_scope"] == "CRUD"
    assert "triggers" not in call  # they would replace the call, and so remove rule groups that are in use
    assert any("origin-verify_function_policy" in one for one in call["depends_on"])
    assert region_of(platform.by_id(call["function_name"])) == "primary"


def test_function_is_invoked_again_when_its_result_would_change(platform: Synthesized) -> None:
    def sent(**changes: object) -> str:
        values = load("local").model_dump()
        values["edge"]["health_check"] |= changes
        again = synthesize(Settings.model_validate(values))
        return str(own(again, "aws_lambda_invocation", "call")["input"])

    assert sent() == own(platform, "aws_lambda_invocation", "call")["input"]  # nothing in it varies by itself
    assert sent(path="/healthz") != sent()


def test_the_first_value_is_there_before_there_is_a_rotation(platform: Synthesized) -> None:
    rotation = own(platform, "aws_secretsmanager_secret_rotation", "rotation")
    assert rotation["rotate_immediately"] is False
    assert rotation["rotation_rules"] == {"automatically_after_days": 30}
    assert any("aws_lambda_invocation" in one for one in rotation["depends_on"])
    assert any("aws_lambda_permission" in one for one in rotation["depends_on"])
    # Configuring a rotation tests it by a request through CloudFront.
    assert sum("aws_route53_record.global_distribution" in one for one in rotation["depends_on"]) == 2
    permission = own(platform, "aws_lambda_permission", "permission")
    assert permission["principal"] == "secretsmanager.amazonaws.com"
    assert platform.by_id(permission["source_arn"]) == own(platform, "aws_secretsmanager_secret", "secret")


@pytest.mark.requirement("W4.4")
def test_the_secret_is_in_both_regions_under_keys_of_each(platform: Synthesized) -> None:
    secret = own(platform, "aws_secretsmanager_secret", "secret")
    assert path_of(platform.by_id(secret["kms_key_id"])).endswith("primary/keys/secrets")
    (replica,) = secret["replica"]
    assert replica["region"] == "us-west-2"
    assert path_of(platform.by_id(replica["kms_key_id"])).endswith("recovery/keys/secrets")


@pytest.mark.requirement("W2.3")
@pytest.mark.parametrize(("region", "name"), [("primary", "us-east-2"), ("recovery", "us-west-2")])
def test_smoke_test_may_read_the_origin_secret(platform: Synthesized, region: str, name: str) -> None:
    function = platform.resource("aws_lambda_function", f"{region}/services/smoke-test/function")
    variables = function["environment"]["variables"]
    assert variables["ORIGIN_VERIFY_HEADER"] == "x-origin-verify"
    secret = own(platform, "aws_secretsmanager_secret", "secret")
    assert variables["ORIGIN_VERIFY_SECRET_ARN"] == secret["name"]
    policy = platform.resource("aws_iam_role_policy", f"{region}/services/smoke-test/policy")
    statements = platform.statements(policy["policy"])
    assert statements["ReadTheOriginSecret"]["resources"] == [
        f"arn:aws:secretsmanager:{name}:123456789012:secret:{secret['name']}-??????"
    ]
    (key,) = statements["DecryptTheOriginSecret"]["resources"]
    assert region_of(platform.by_id(key)) == region


def test_a_failed_rotation_is_noticed(platform: Synthesized) -> None:
    alarm = own(platform, "aws_cloudwatch_metric_alarm", "function/alarm")
    metrics = [query["metric"] for query in alarm["metric_query"] if "metric" in query]
    assert [(one["namespace"], one["metric_name"]) for one in metrics] == [
        ("AWS/Lambda", "Errors"),
        ("AWS/Lambda", "Throttles"),
    ]
    assert {one["dimensions"]["FunctionName"] for one in metrics} == {"payments-rotate-origin-secret-local"}
    assert (alarm["threshold"], alarm["treat_missing_data"]) == (0, "notBreaching")
    assert alarm["alarm_actions"]


def test_a_protected_environments_secret_can_be_brought_back(platform: Synthesized, local_settings: Settings) -> None:
    assert own(platform, "aws_secretsmanager_secret", "secret")["recovery_window_in_days"] == 0
    protected = synthesize(local_settings.model_copy(update={"protected": True}))
    assert own(protected, "aws_secretsmanager_secret", "secret")["recovery_window_in_days"] == 30
