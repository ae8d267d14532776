"""The origin secret: whatever happens, what CloudFront sends is accepted everywhere, and nobody is told the value."""

from __future__ import annotations

import importlib.util
import json
import threading
import uuid
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from functools import cache
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from types import ModuleType
from typing import Any

import botocore.session
import pytest
from moto import mock_aws
from moto.core import DEFAULT_ACCOUNT_ID
from moto.secretsmanager.models import secretsmanager_backends

from emulator.moto import install
from synthesis.packaging import FUNCTIONS

pytestmark = [pytest.mark.requirement("W2.1"), pytest.mark.requirement("Q2")]

HOME = "us-east-2"
REGIONS = {"primary": "us-east-2", "recovery": "us-west-2"}
NAME = "payments-origin-verify-test"
SESSION = botocore.session.get_session()
STEPS = ("createSecret", "setSecret", "testSecret", "finishSecret")
CHANGES = {
    "PutSecretValue",
    "UpdateSecretVersionStage",
    "CreateRuleGroup",
    "UpdateRuleGroup",
    "DeleteRuleGroup",
    "CreateFunction",
    "UpdateFunction",
    "PublishFunction",
    "DeleteFunction",
}


@cache
def client(service: str, region: str) -> Any:
    """A client of the test's own; one for all tests, as its making takes longer than a test."""
    return new_client(service, region)


def new_client(service: str, region: str) -> Any:
    return SESSION.create_client(service, region, aws_access_key_id="test", aws_secret_access_key="test")


class Crash(BaseException):
    """The end of a function's process: nothing in it can catch that."""


@dataclass
class Platform:
    """The function, and what is seen of its work from outside."""

    function: ModuleType
    arn: str
    sent: list[str] = field(default_factory=list)
    calls: list[str] = field(default_factory=list)
    clients: dict[tuple[str, str], Any] = field(default_factory=dict)
    crash_at: int | None = None
    after: bool = False
    watching: bool = True
    answer: tuple[int, dict[str, str]] = (200, {})

    def client(self, service: str, region: str | None = None) -> Any:
        """A client of the function, whose calls are watched and can be its last."""
        place = service, region or HOME
        if place not in self.clients:
            self.clients[place] = made = new_client(*place)
            made.meta.events.register("before-call", self._before)
            made.meta.events.register("after-call", self._after)
        return self.clients[place]

    def _before(self, model: Any, **_: Any) -> None:
        if model.name in CHANGES:
            self.calls.append(model.name)
            if self.crash_at == len(self.calls) and not self.after:
                raise Crash

    def _after(self, model: Any, **_: Any) -> None:
        if model.name in CHANGES:
            if not model.name.startswith("Delete"):  # then no distribution sends anything any more
                self.look()
            if self.crash_at == len(self.calls) and self.after:
                raise Crash

    def look(self) -> None:
        """Hold what is sent, and what was sent a moment ago, against what is accepted; once there is something."""
        value = self.sent_now()
        if value is None or not self.watching:
            return
        if not self.sent or self.sent[-1] != value:
            self.sent.append(value)
        for accepted in self.accepted().values():
            # CloudFront's places do not change at the same time: some still send the value before.
            assert set(self.sent[-2:]) <= accepted

    def sent_now(self) -> str | None:
        cloudfront = client("cloudfront", "us-east-1")
        try:
            code = cloudfront.get_function(Name=NAME, Stage="LIVE")["FunctionCode"].read().decode()
        except cloudfront.exceptions.NoSuchFunctionExists:
            return None
        return str(code.split("var VALUE = '")[1].split("'")[0])

    def accepted(self) -> dict[str, set[str]]:
        return {name: set(_values(self.rule(region))) for name, region in REGIONS.items()}

    def rule(self, region: str) -> dict[str, Any]:
        waf = client("wafv2", region)
        (group,) = waf.list_rule_groups(Scope="REGIONAL")["RuleGroups"]
        (rule,) = waf.get_rule_group(ARN=group["ARN"])["RuleGroup"]["Rules"]
        return dict(rule)

    def value(self, stage: str = "AWSCURRENT") -> str:
        secret = client("secretsmanager", HOME).get_secret_value(SecretId=self.arn, VersionStage=stage)
        return str(secret["SecretString"])

    def manage(self, action: str) -> dict[str, str]:
        """What Terraform calls."""
        answer: dict[str, str] = self.function.handler({"tf": {"action": action}}, None)
        return answer

    def begin(self) -> str:
        """What RotateSecret does first: a version without a value, under AWSPENDING. Its id."""
        secret = secretsmanager_backends[DEFAULT_ACCOUNT_ID][HOME].secrets[self.arn]
        for version in secret.versions.values():
            version["version_stages"] = [one for one in version["version_stages"] if one != "AWSPENDING"]
        token = str(uuid.uuid4())
        secret.versions[token] = {"createdate": 0, "version_id": token, "version_stages": ["AWSPENDING"]}
        return token

    def step(self, step: str, token: str) -> None:
        self.function.handler({"Step": step, "SecretId": self.arn, "ClientRequestToken": token}, None)

    def rotate(self, token: str | None = None) -> str:
        """All steps, of a new rotation or again of one that was cut off."""
        token = token or self.begin()
        for step in STEPS:
            self.step(step, token)
        return token

    def settle(self) -> None:
        """Let the last rotation be long ago: all of CloudFront's places send the same by now."""
        secret = secretsmanager_backends[DEFAULT_ACCOUNT_ID][HOME].secrets[self.arn]
        for version in secret.versions.values():
            version["createdate"] = 0
        self.sent = self.sent[-1:]


def _values(value: Any) -> Iterator[str]:
    """The values of the header that a rule admits."""
    if isinstance(value, dict):
        match = value.get("ByteMatchStatement")
        if match and match["FieldToMatch"] == {"SingleHeader": {"Name": "x-origin-verify"}}:
            yield match["SearchString"].decode()
        for inner in value.values():
            yield from _values(inner)
    elif isinstance(value, list):
        for inner in value:
            yield from _values(inner)


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
            monkeypatch.setattr(module, "_client", found.client)
            monkeypatch.setattr(module, "SECONDS_BETWEEN_ATTEMPTS", 0)
            yield found


class serving:  # noqa: N801 (a context manager)
    """A server that stands for the way through CloudFront, and answers as the platform says."""

    def __init__(self, platform: Platform) -> None:
        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                status, headers = platform.answer
                self.send_response(status)
                for name, value in headers.items():
                    self.send_header(name, value)
                self.end_headers()

            def log_message(self, *_: object) -> None: ...

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)

    def __enter__(self) -> str:
        threading.Thread(target=self._server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True).start()
        return f"http://127.0.0.1:{self._server.server_address[1]}"

    def __exit__(self, *_: object) -> None:
        self._server.shutdown()
        self._server.server_close()


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


def test_what_is_made_sends_and_accepts_the_first_value(made: Platform) -> None:
    assert len(made.value()) == 64
    assert made.sent_now() == made.value()
    assert made.accepted() == {"primary": {made.value()}, "recovery": {made.value()}}


def test_a_rule_lets_in_the_mark_or_a_health_check_and_refuses_the_rest(made: Platform) -> None:
    rule = made.rule(HOME)
    assert rule["Action"]["Block"]["CustomResponse"]["ResponseCode"] == 403
    admitted = rule["Statement"]["NotStatement"]["Statement"]["OrStatement"]["Statements"]
    (health,) = [one["AndStatement"]["Statements"] for one in admitted if "AndStatement" in one]
    fields = {next(iter(one["ByteMatchStatement"]["FieldToMatch"])): one["ByteMatchStatement"] for one in health}
    assert {name: match["SearchString"] for name, match in fields.items()} == {"UriPath": b"/health", "Method": b"GET"}
    assert {one["PositionalConstraint"] for one in fields.values()} == {"EXACTLY"}
    assert rule["VisibilityConfig"]["SampledRequestsEnabled"] is False


def test_the_viewer_function_overwrites_what_a_client_sent(made: Platform) -> None:
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


def test_a_rotation_ends_with_the_new_value_sent_and_the_one_before_accepted(made: Platform) -> None:
    first = made.value()
    made.settle()
    made.rotate()
    assert made.value() != first
    assert made.value("AWSPREVIOUS") == first
    assert made.sent_now() == made.value()
    assert made.accepted() == {name: {first, made.value()} for name in REGIONS}


def test_the_value_before_the_last_is_accepted_no_more_once_all_has_settled(made: Platform) -> None:
    first = made.value()
    for _ in range(2):
        made.settle()
        made.rotate()
    assert all(first not in accepted for accepted in made.accepted().values())
    assert all(len(accepted) == 2 for accepted in made.accepted().values())


def test_two_rotations_in_a_moment_refuse_nobody(made: Platform) -> None:
    first = made.value()
    made.rotate()
    secret = secretsmanager_backends[DEFAULT_ACCOUNT_ID][HOME].secrets[made.arn]
    assert secret.versions  # its current version is of this moment
    made.rotate()
    assert all(first in accepted for accepted in made.accepted().values())


@pytest.mark.parametrize("after", [False, True])
@pytest.mark.parametrize("number", range(1, 7))
def test_a_rotation_that_is_cut_off_anywhere_refuses_nobody_and_is_finished_later(
    made: Platform, number: int, after: bool
) -> None:
    """Before or after each of its changes; looked at after every one of them (``look``)."""
    made.settle()
    token = made.begin()
    made.crash_at, made.after = number, after
    with pytest.raises(Crash):
        made.rotate(token)
    made.crash_at = None
    made.rotate(token)
    assert made.sent_now() == made.value()


def test_a_rotation_has_as_many_changes_as_are_cut_off_above(made: Platform) -> None:
    made.rotate()
    assert made.calls == [
        "PutSecretValue",
        "UpdateRuleGroup",
        "UpdateRuleGroup",
        "UpdateFunction",
        "PublishFunction",
        "UpdateSecretVersionStage",
    ]


@pytest.mark.parametrize("number", range(2, 7))
def test_one_that_is_given_up_is_followed_by_another_that_refuses_nobody(made: Platform, number: int) -> None:
    """What the first had sent is accepted, although no stage of the secret holds it any more."""
    made.settle()
    made.crash_at, made.after = number, True
    with pytest.raises(Crash):
        made.rotate()
    made.crash_at = None
    made.settle()
    made.rotate()
    assert made.sent_now() == made.value()


@pytest.mark.parametrize("after", [False, True])
@pytest.mark.parametrize("number", range(1, 6))
def test_a_first_deployment_that_is_cut_off_is_finished_by_the_next(
    platform: Platform, number: int, after: bool
) -> None:
    platform.crash_at, platform.after = number, after
    with pytest.raises(Crash):
        platform.manage("create")
    platform.crash_at = None
    platform.manage("create")
    assert platform.sent_now() == platform.value()
    assert platform.accepted() == {name: {platform.value()} for name in REGIONS}


def test_a_deployment_in_the_middle_of_a_rotation_disturbs_it_not(made: Platform) -> None:
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


def test_a_rotation_is_not_finished_while_a_load_balancer_refuses(made: Platform) -> None:
    first = made.value()
    made.answer = (403, {"x-refused-by": "origin-verify"})
    with pytest.raises(made.function.RotationRefused, match="refuses requests that come through CloudFront"):
        made.rotate()
    assert made.value() == first
    made.look()


@pytest.mark.parametrize("status", [200, 403, 404, 503])
def test_other_answers_are_not_about_the_secret(made: Platform, status: int) -> None:
    """The edge may keep out the country that the function runs in, or the service may have no such page."""
    made.answer = (status, {})
    made.rotate()
    assert made.sent_now() == made.value()


def test_a_rotation_is_not_finished_without_an_answer(made: Platform, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TEST_URL", "http://127.0.0.1:1/")
    with pytest.raises(made.function.RotationRefused, match="no answer through CloudFront"):
        made.rotate()


def test_the_test_step_alone_looks_at_what_is_current(made: Platform) -> None:
    """So does Secrets Manager when a rotation is configured and not begun."""
    made.step("testSecret", made.begin())


@pytest.mark.parametrize(
    "spoil",
    [
        lambda made: made.function._send("A" * 64),
        lambda made: made.function._write_group("us-west-2", ["B" * 64]),
    ],
)
def test_a_rotation_is_not_finished_when_something_else_is_sent_or_accepted(
    made: Platform, spoil: Callable[[Platform], None]
) -> None:
    token = made.begin()
    for step in STEPS[:2]:
        made.step(step, token)
    made.watching = False  # this is what must not be
    spoil(made)
    with pytest.raises(made.function.RotationRefused):
        made.step("testSecret", token)


@pytest.mark.parametrize(
    ("step", "token", "message"),
    [
        ("createSecret", "00000000-0000-0000-0000-000000000000", "is not pending"),
        ("explode", "00000000-0000-0000-0000-000000000000", "is no step"),
    ],
)
def test_what_nobody_asked_for_is_refused(made: Platform, step: str, token: str, message: str) -> None:
    with pytest.raises(made.function.RotationRefused, match=message):
        made.step(step, token)
    assert made.calls == []


@pytest.mark.requirement("W0.5")
def test_no_value_is_written_to_the_log_or_into_an_error(made: Platform, capsys: pytest.CaptureFixture[str]) -> None:
    made.rotate()
    with pytest.raises(made.function.RotationRefused) as raised:
        _refused_with_the_value(made)
    written = capsys.readouterr().out
    for value in (made.value(), made.value("AWSPREVIOUS")):
        assert value not in written
        assert value not in str(raised.value)
    assert "(not shown)" in str(raised.value)


def _refused_with_the_value(made: Platform) -> None:
    """AWS refuses a call, and quotes it."""

    def refuse(*_: object, **__: object) -> None:
        error = {"Error": {"Code": "ValidationException", "Message": f"Value '{made.value()}' failed"}}
        raise made.function.ClientError(error, "UpdateRuleGroup")

    setattr(made.function, "_write_group", refuse)  # noqa: B010 (it is a module)
    made.manage("update")
