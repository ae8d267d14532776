"""The origin secret: what CloudFront sends is accepted everywhere at any time, and no value is logged."""

from __future__ import annotations

import importlib.util
import json
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from botocore.exceptions import ClientError
from moto import mock_aws

from emulator.moto import install
from shared.origin_secret import aws, rule_groups, viewer_function
from synthesis.packaging import FUNCTIONS
from tests.functions.origin_secret_support import HOME, NAME, REGIONS, STEPS, Crash, Platform, client, serving

pytestmark = [pytest.mark.requirement("W2.1"), pytest.mark.requirement("Q2")]


@pytest.fixture
def platform(monkeypatch: pytest.MonkeyPatch) -> Iterator[Platform]:
    """Everything before Terraform's first call: a secret without a value."""
    install()
    specification = importlib.util.spec_from_file_location(
        "rotate_origin_secret", FUNCTIONS / "rotate_origin_secret" / "handler.py"
    )
    assert specification
    assert specification.loader
    module = importlib.util.module_from_spec(specification)
    specification.loader.exec_module(module)
    with mock_aws():
        arn = client("secretsmanager", HOME).create_secret(Name="payments/test/origin-verify")["ARN"]
        found = Platform(function=module, arn=arn)
        with serving(found) as url:
            variables = {
                "AWS_DEFAULT_REGION": HOME,
                "SECRET_ARN": arn,
                "HEADER": "x-origin-verify",
                "REGIONS": json.dumps(REGIONS),
                "RULE_GROUP": NAME,
                "RULE_GROUP_CAPACITY": "50",
                "VIEWER_FUNCTION": NAME,
                "HEALTH_PATH": "/health",
                "TEST_URL": f"{url}/",
                "TAGS": json.dumps({"environment_suffix": "test"}),
                "no_proxy": "127.0.0.1",
            }
            for name, text in variables.items():
                monkeypatch.setenv(name, text)
            monkeypatch.setattr(aws, "client", found.client)
            monkeypatch.setattr(aws, "SECONDS_BETWEEN_ATTEMPTS", 0)
            monkeypatch.setattr(aws, "SECONDS_BETWEEN_PERMISSIONS", 0)
            yield found


@pytest.fixture
def made(platform: Platform) -> Platform:
    """As after a deployment."""
    platform.manage("create")
    platform.look()
    platform.calls.clear()
    return platform


@pytest.mark.requirement("W0.5")
def test_terraform_gets_arns_and_nothing_else(platform: Platform) -> None:
    answer = platform.manage("create")
    assert set(answer) == {"viewer_function_arn", "primary_rule_group_arn", "recovery_rule_group_arn"}
    assert all(arn.startswith("arn:aws:") and platform.value() not in arn for arn in answer.values())
    assert f":{REGIONS['recovery']}:" in answer["recovery_rule_group_arn"]


def test_deployment_sends_the_first_value_and_accepts_it_and_the_next(made: Platform) -> None:
    assert len(made.value()) == len(made.value("NEXT")) == 64
    assert made.sent_now() == made.value()
    assert made.accepted() == {name: {made.value(), made.value("NEXT")} for name in REGIONS}


def test_rule_group_allows_the_secret_or_the_health_check_only(made: Platform) -> None:
    rule = made.rule(HOME)
    assert rule["Action"]["Block"]["CustomResponse"]["ResponseCode"] == 403
    admitted = rule["Statement"]["NotStatement"]["Statement"]["OrStatement"]["Statements"]
    (health,) = [one["AndStatement"]["Statements"] for one in admitted if "AndStatement" in one]
    fields = {next(iter(one["ByteMatchStatement"]["FieldToMatch"])): one["ByteMatchStatement"] for one in health}
    assert {name: match["SearchString"] for name, match in fields.items()} == {"UriPath": b"/health", "Method": b"GET"}
    assert {one["PositionalConstraint"] for one in fields.values()} == {"EXACTLY"}
    assert rule["VisibilityConfig"]["SampledRequestsEnabled"] is False


def test_viewer_function_overwrites_headers_of_the_client(made: Platform) -> None:
    cloudfront = client("cloudfront", "us-east-1")
    code = cloudfront.get_function(Name=NAME, Stage="LIVE")["FunctionCode"].read().decode()
    assert "var HEADER = 'x-origin-verify';" in code
    assert "request.headers[HEADER] = { value: VALUE };" in code  # no condition before it


def test_making_it_again_changes_nothing(made: Platform) -> None:
    before = made.value(), made.accepted()
    made.manage("update")
    assert (made.value(), made.accepted()) == before
    assert made.calls == []


def test_a_change_of_settings_reaches_the_rule_groups(made: Platform, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HEALTH_PATH", "/healthz")
    made.manage("update")
    assert made.calls == ["UpdateRuleGroup", "UpdateRuleGroup"]
    assert "/healthz" in str(made.rule(HOME))


def test_removal_leaves_nothing_and_can_be_repeated(made: Platform) -> None:
    made.manage("delete")
    assert made.sent_now() is None
    for region in REGIONS.values():
        assert client("wafv2", region).list_rule_groups(Scope="REGIONAL")["RuleGroups"] == []
    assert made.manage("delete") == {}


def test_rotation_sends_the_accepted_value_and_accepts_the_one_before_and_the_next(made: Platform) -> None:
    first, second = made.value(), made.value("NEXT")
    made.settle()
    made.rotate()
    assert made.sent_now() == made.value() == second
    assert made.value("AWSPREVIOUS") == first
    assert made.value("NEXT") not in {first, second}
    assert made.accepted() == {name: {first, second, made.value("NEXT")} for name in REGIONS}


def test_value_before_the_previous_is_not_accepted(made: Platform) -> None:
    first = made.value()
    for _ in range(2):
        made.settle()
        made.rotate()
    assert all(first not in accepted for accepted in made.accepted().values())
    assert all(len(accepted) == 3 for accepted in made.accepted().values())


def test_rotation_moments_after_another_is_refused_and_succeeds_when_retried_later(made: Platform) -> None:
    made.settle()
    made.rotate()
    made.calls.clear()
    second = made.value()
    token = made.begin()
    with pytest.raises(aws.RotationRefused, match=r"^the next value may not be accepted .* in 15 minutes$"):
        made.rotate(token)
    assert made.calls == []
    assert made.sent_now() == made.value() == second
    made.settle()
    made.rotate(token)
    assert made.sent_now() == made.value() != second


def test_rotation_of_a_secret_of_an_earlier_version_accepts_the_next_value_first(made: Platform) -> None:
    made.without_next()
    first = made.value()
    token = made.begin()
    with pytest.raises(aws.RotationRefused, match="may not be accepted everywhere yet"):
        made.rotate(token)
    assert made.sent_now() == first
    made.settle()
    made.rotate(token)
    assert made.sent_now() == made.value() != first


@pytest.mark.parametrize("after", [False, True])
@pytest.mark.parametrize("number", range(1, 10))
def test_rotation_interrupted_at_any_change_blocks_no_request_and_is_completed_by_a_retry(
    made: Platform, number: int, after: bool
) -> None:
    """Before or after each of its changes; ``look`` holds after every one of them."""
    made.rotate_once()
    token = made.begin()
    made.crash_at, made.after = number, after
    with pytest.raises(Crash):
        made.rotate(token)
    made.crash_at = None
    made.rotate(token)
    assert made.sent_now() == made.value()


def test_rotation_has_as_many_changes_as_are_interrupted_above(made: Platform) -> None:
    made.rotate_once()
    made.rotate()
    assert made.calls == [
        "PutSecretValue",
        "UpdateRuleGroup",
        "UpdateRuleGroup",
        "UpdateFunction",
        "PublishFunction",
        "UpdateRuleGroup",
        "UpdateRuleGroup",
        "PutSecretValue",
        "UpdateSecretVersionStage",
    ]


@pytest.mark.parametrize("settled", [False, True])
@pytest.mark.parametrize("number", range(1, 10))
def test_rotation_after_an_abandoned_one_blocks_no_request(made: Platform, number: int, settled: bool) -> None:
    """The value that the abandoned one sent stays accepted, although no stage may hold it any more."""
    made.rotate_once()
    made.crash_at, made.after = number, True
    with pytest.raises(Crash):
        made.rotate()
    made.crash_at = None
    if settled:
        made.settle()
    try:
        made.rotate()
    except aws.RotationRefused:
        assert not settled
        made.settle()
        made.rotate()
    assert made.sent_now() == made.value()


@pytest.mark.parametrize("after", [False, True])
@pytest.mark.parametrize("number", range(1, 7))
def test_interrupted_first_deployment_is_completed_by_the_next(platform: Platform, number: int, after: bool) -> None:
    platform.crash_at, platform.after = number, after
    with pytest.raises(Crash):
        platform.manage("create")
    platform.crash_at = None
    platform.manage("create")
    assert platform.sent_now() == platform.value()
    assert platform.accepted() == {name: {platform.value(), platform.value("NEXT")} for name in REGIONS}


def test_deployment_during_a_rotation_does_not_disturb_it(made: Platform) -> None:
    made.settle()
    token = made.begin()
    for step in STEPS[:2]:
        made.step(step, token)
    pending = made.sent_now()
    made.manage("update")
    assert made.sent_now() == pending
    for step in STEPS[2:]:
        made.step(step, token)
    assert made.value() == pending


def test_rotation_fails_while_a_load_balancer_blocks(made: Platform) -> None:
    made.settle()
    first = made.value()
    made.answer = (403, {"x-refused-by": "origin-verify"})
    with pytest.raises(aws.RotationRefused, match="refuses requests that come through CloudFront"):
        made.rotate()
    assert made.value() == first
    made.look()


@pytest.mark.parametrize("status", [200, 403, 404, 503])
def test_other_answers_are_not_about_the_secret(made: Platform, status: int) -> None:
    """The edge may keep out the country that the function runs in, or the service may have no such page."""
    made.settle()
    made.answer = (status, {})
    made.rotate()
    assert made.sent_now() == made.value()


def test_rotation_fails_without_an_answer(made: Platform, monkeypatch: pytest.MonkeyPatch) -> None:
    made.settle()
    monkeypatch.setenv("TEST_URL", "http://127.0.0.1:1/")
    with pytest.raises(aws.RotationRefused, match="no answer through CloudFront"):
        made.rotate()


def test_test_step_alone_tests_the_current_value(made: Platform) -> None:
    """As Secrets Manager runs it when a rotation is configured."""
    made.step("testSecret", made.begin())


def test_rotation_can_be_configured_before_the_platform_is_reachable(
    made: Platform, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A new zone is delegated to after the first deployment."""
    monkeypatch.setenv("TEST_URL", "http://127.0.0.1:1/")
    made.step("testSecret", made.begin())


@pytest.mark.parametrize(
    "spoil",
    [
        lambda _: viewer_function.send("A" * 64),
        lambda _: rule_groups._write_group("us-west-2", {"B" * 64}, True),
    ],
)
def test_rotation_fails_when_another_value_is_sent_or_accepted(
    made: Platform, spoil: Callable[[Platform], None]
) -> None:
    made.settle()
    token = made.begin()
    for step in STEPS[:2]:
        made.step(step, token)
    made.watching = False  # this is what must not be
    spoil(made)
    with pytest.raises(aws.RotationRefused):
        made.step("testSecret", token)


@pytest.mark.parametrize(
    ("step", "token", "message"),
    [
        ("createSecret", "00000000-0000-0000-0000-000000000000", "is not pending"),
        ("explode", "00000000-0000-0000-0000-000000000000", "is no step"),
    ],
)
def test_unexpected_rotation_step_is_refused(made: Platform, step: str, token: str, message: str) -> None:
    with pytest.raises(aws.RotationRefused, match=message):
        made.step(step, token)
    assert made.calls == []


@pytest.mark.requirement("W0.5")
def test_no_value_is_logged_or_in_an_error(
    made: Platform, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    made.settle()
    made.rotate()
    with pytest.raises(aws.RotationRefused) as raised:
        _refused_with_the_value(made, monkeypatch)
    written = capsys.readouterr().out
    for value in (made.value(), made.value("AWSPREVIOUS"), made.value("NEXT")):
        assert value not in written
        assert value not in str(raised.value)
    assert "(not shown)" in str(raised.value)


def _refused_with_the_value(made: Platform, monkeypatch: pytest.MonkeyPatch) -> None:
    """AWS refuses a call, and quotes it."""

    def refuse(*_: object, **__: object) -> None:
        error: Any = {"Error": {"Code": "ValidationException", "Message": f"Value '{made.value()}' failed"}}
        raise ClientError(error, "UpdateRuleGroup")

    monkeypatch.setattr(rule_groups, "_write_group", refuse)
    made.manage("update")


def test_deployment_waits_until_its_role_is_permitted(platform: Platform, monkeypatch: pytest.MonkeyPatch) -> None:
    """IAM is eventually consistent: Terraform invokes the function seconds after its policy was created."""
    denied = iter(range(3))

    def not_yet(**_: object) -> None:
        if next(denied, None) is not None:
            error: Any = {"Error": {"Code": "AccessDenied", "Message": "no policy allows it"}}
            raise ClientError(error, "GetFunction")

    platform.client("cloudfront").meta.events.register("before-call.cloudfront.GetFunction", not_yet)
    platform.manage("create")
    assert platform.sent_now() == platform.value()
    assert list(denied) == []


def test_deployment_without_a_permission_fails(platform: Platform, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(aws, "SECONDS_TO_BE_PERMITTED", 0)

    def denied(**_: object) -> None:
        error: Any = {"Error": {"Code": "AccessDenied", "Message": "no policy allows it"}}
        raise ClientError(error, "GetFunction")

    platform.client("cloudfront").meta.events.register("before-call.cloudfront.GetFunction", denied)
    with pytest.raises(aws.RotationRefused, match="AccessDenied"):
        platform.manage("create")
