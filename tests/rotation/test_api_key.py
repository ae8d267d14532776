"""The rotation of an API key: the one that the secret holds opens the API at any time, and old ones go (P4.5)."""

from __future__ import annotations

import json
import traceback
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from types import ModuleType, SimpleNamespace
from typing import Any

import boto3
import pytest
from botocore.awsrequest import AWSResponse
from botocore.compat import HTTPHeaders
from moto.core.botocore_stubber import MockRawResponse

from shared.secret_rotation.steps import RotationFailed
from tests.rotation.conftest import ROTATIONS, Figures
from tests.rotation.support import STEPS, Killed, Lost, Outside, Vault, load_handler

pytestmark = [pytest.mark.requirement("P4.5")]
FIRST_KEY = "first-key-that-a-person-has-put-into-the-secret-4711"
KEY_NAME = "payments-client-test"


@dataclass
class Gateway:
    """API Gateway with a usage plan, and what it counts of requests: moto counts none."""

    client: Any
    plan: str
    used: dict[str, dict[str, int]] = field(default_factory=dict)
    """Requests by day, by value of a key."""

    def usage(self, request: Any, **_: Any) -> AWSResponse:
        """The response to GetUsage: a pair of used and left for each day."""
        query = dict(part.split("=") for part in request.url.partition("?")[2].split("&"))
        keys = {key["id"]: key["value"] for key in self.client.get_api_keys(includeValues=True)["items"]}
        first, last = (datetime.fromisoformat(query[name]) for name in ("startDate", "endDate"))
        days = [(first + timedelta(days=day)).date().isoformat() for day in range((last - first).days + 1)]
        used = self.used.get(keys[query["keyId"]], {})
        body = {"values": {query["keyId"]: [[used.get(day, 0), 1000] for day in days]}}
        return AWSResponse(request.url, 200, HTTPHeaders(), MockRawResponse(json.dumps(body)))

    def ids(self) -> set[str]:
        """The ids of all keys."""
        return {key["id"] for key in self.client.get_api_keys()["items"]}

    def opens(self, value: str) -> bool:
        """Whether a request with this key is let in: it exists, is switched on and stands in the plan."""
        keys = [key for key in self.client.get_api_keys(includeValues=True)["items"] if key["value"] == value]
        planned = {key["id"] for key in self.client.get_usage_plan_keys(usagePlanId=self.plan)["items"]}
        return any(key["enabled"] and key["id"] in planned for key in keys)


@pytest.fixture
def function() -> ModuleType:
    return load_handler("rotate_api_key")


@pytest.fixture
def gateway(secrets_manager: Any, function: ModuleType, monkeypatch: pytest.MonkeyPatch) -> Iterator[Gateway]:
    assert secrets_manager is not None
    client = boto3.client("apigateway")
    made = Gateway(client, client.create_usage_plan(name="plan")["id"])
    function._client().meta.events.register_first("before-send.api-gateway.GetUsage", made.usage)
    monkeypatch.setenv("KEY_NAME", KEY_NAME)
    monkeypatch.setenv("USAGE_PLAN_ID", made.plan)
    yield made
    function._client.cache_clear()


@dataclass
class Stack:
    """CloudFormation, which asks the function as a custom resource."""

    function: ModuleType
    answers: list[dict[str, Any]] = field(default_factory=list)

    def ask(self, request: str, arn: str) -> str:
        """What went wrong, as CloudFormation is told; empty where nothing has."""
        event = {"RequestType": request, "ResponseURL": "https://x", "ResourceProperties": {"SecretId": arn}}
        try:
            self.function.handler(event, SimpleNamespace(log_stream_name="stream"))
        except RotationFailed:
            assert self.answers[-1]["failed"]
        return str(self.answers[-1]["failed"])


@pytest.fixture
def stack(function: ModuleType, monkeypatch: pytest.MonkeyPatch) -> Stack:
    made = Stack(function)
    monkeypatch.setattr(function, "respond", lambda _event, _log, **answer: made.answers.append(answer))
    return made


@pytest.fixture
def arn(vault: Vault, gateway: Gateway, stack: Stack) -> str:
    assert gateway.plan
    made = vault.make({"api_key": FIRST_KEY, "client": "a merchant"})
    assert not stack.ask("Create", made)
    return made


def test_stack_makes_the_current_key_whenever_it_is_asked_and_deletes_all_of_its_own(
    vault: Vault, gateway: Gateway, stack: Stack, arn: str
) -> None:
    other = gateway.client.create_api_key(name="other", enabled=True)["id"]
    assert gateway.opens(FIRST_KEY)
    vault.rotate(arn)
    before = gateway.ids()
    assert not stack.ask("Update", arn)
    assert gateway.ids() == before, "an update meets the keys of rotations, and leaves them"
    assert gateway.opens(vault.value(arn)["api_key"])
    assert {one["id_"] for one in stack.answers} == {KEY_NAME}, "another id would be a replacement"
    assert not stack.ask("Delete", arn)
    assert gateway.ids() == {other}
    assert not stack.ask("Create", arn), "the same secret, in the next life of the stack"
    assert gateway.opens(vault.value(arn)["api_key"])


def test_key_of_somebody_else_with_the_value_is_refused_in_words(vault: Vault, gateway: Gateway, stack: Stack) -> None:
    gateway.client.create_api_key(name="other", value=FIRST_KEY, enabled=True)
    failed = stack.ask("Create", vault.make({"api_key": FIRST_KEY}))
    assert failed == "another API key of this account has the secret's value"


DAY = timedelta(days=1)


@pytest.mark.parametrize(
    ("last_used", "days", "left"),
    [(None, 31, False), (29, 31, True), (1, 60, False), (59, 60, True), (89, 89, True), (89, 91, False)],
)
def test_replaced_key_is_kept_while_it_is_used_up_to_its_end(
    vault: Vault,
    gateway: Gateway,
    function: ModuleType,
    arn: str,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    last_used: int | None,
    days: int,
    left: bool,
) -> None:
    """``days`` after its successor was created, where the last request with it came ``last_used`` days after that."""
    now = datetime.now(UTC)
    vault.rotate(arn)
    if last_used is not None:
        gateway.used[FIRST_KEY] = {(now + last_used * DAY).date().isoformat(): 1}
    monkeypatch.setattr(function, "_now", lambda: now + days * DAY)
    vault.rotate(arn)
    assert gateway.opens(FIRST_KEY) is left
    logged = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    told = [one for one in logged if one["message"] == "former key in use"]
    assert len(told) == left
    if left:
        assert told[0]["ends"] in {(now + days * DAY).date().isoformat() for days in (90, 91)}


def test_the_new_key_opens_the_api_and_the_one_before_still_does(vault: Vault, gateway: Gateway, arn: str) -> None:
    vault.rotate(arn)
    value = vault.value(arn)

    assert value == {"api_key": value["api_key"], "client": "a merchant"}
    assert value["api_key"].isalnum()
    assert len(value["api_key"]) == 40
    assert gateway.opens(value["api_key"])
    assert gateway.opens(FIRST_KEY)


def test_key_that_is_not_used_works_until_the_next_rotation_but_one_and_is_deleted_then(
    vault: Vault, gateway: Gateway, arn: str
) -> None:
    held = [FIRST_KEY]
    for _ in range(4):
        vault.rotate(arn)
        held.append(vault.value(arn)["api_key"])
        assert [gateway.opens(key) for key in held] == [False] * (len(held) - 2) + [True, True]
        assert len(gateway.ids()) == 2


def test_keys_of_others_are_left_alone(vault: Vault, gateway: Gateway, arn: str) -> None:
    # A name that only begins so, as of another environment or of a key made by hand.
    names = ("other", f"{KEY_NAME}-2", f"{KEY_NAME}-by-hand-for-a-certain-partner-and-his-friends-in-the-east-and-west")
    others = {gateway.client.create_api_key(name=name, enabled=True)["id"] for name in names}
    for _ in range(3):
        vault.rotate(arn)
    assert others <= gateway.ids()


def test_keys_carry_the_tags_of_the_environment(
    vault: Vault, gateway: Gateway, arn: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("KEY_TAGS", '{"environment_suffix": "test"}')
    token = vault.rotate(arn)
    (key,) = (key for key in gateway.client.get_api_keys()["items"] if key["name"] == f"{KEY_NAME}-{token}")
    assert key["tags"] == {"environment_suffix": "test"}


def test_every_step_can_be_repeated(vault: Vault, gateway: Gateway, arn: str) -> None:
    token = vault.begin(arn)
    for number in range(len(STEPS)):
        for step in STEPS[: number + 1] * 2:
            vault.step(arn, token, step)
    assert gateway.opens(vault.value(arn)["api_key"])
    assert len(gateway.ids()) == 2


@pytest.mark.parametrize(
    ("variable", "value", "message"),
    [
        ("KEY_NAME", "", "no KEY_NAME"),
        ("USAGE_PLAN_ID", "", "no USAGE_PLAN_ID"),
        ("KEY_LENGTH", "12", "KEY_LENGTH 12 is not allowed; 20 to 128 are"),
    ],
)
def test_invalid_environment_variable_is_refused(
    vault: Vault, arn: str, monkeypatch: pytest.MonkeyPatch, variable: str, value: str, message: str
) -> None:
    monkeypatch.setenv(variable, value)
    with pytest.raises(RotationFailed, match=message):
        vault.rotate(arn)
    assert vault.value(arn)["api_key"] == FIRST_KEY


@pytest.mark.parametrize("text", ["key-4711", '{"key": "key-4711"}', '["key-4711"]', '{"api_key": 4711}'])
def test_a_secret_without_a_key_is_refused_and_not_quoted(
    vault: Vault, arn: str, text: str, capsys: pytest.CaptureFixture[str]
) -> None:
    vault.client.put_secret_value(SecretId=arn, SecretString=text)
    with pytest.raises(RotationFailed, match="no JSON object with an api_key") as raised:
        vault.rotate(arn)
    assert "4711" not in capsys.readouterr().out + "".join(traceback.format_exception(raised.value))


@pytest.mark.parametrize(
    ("harm", "message"),
    [
        ("deleted", "there is no key for this version"),
        ("off", "the key is switched off"),
        ("out", "not in the usage plan"),
        ("other", "another value"),
    ],
)
def test_key_that_the_api_refuses_is_not_made_current(
    vault: Vault, gateway: Gateway, arn: str, harm: str, message: str
) -> None:
    token = vault.begin(arn)
    vault.step(arn, token, "createSecret")
    if harm == "other":
        gateway.client.create_api_key(name=f"{KEY_NAME}-{token}", value="a-value-of-somebody-else", enabled=True)
    vault.step(arn, token, "setSecret")
    (key,) = (key["id"] for key in gateway.client.get_api_keys()["items"] if key["name"].endswith(token))
    if harm == "deleted":
        gateway.client.delete_api_key(apiKey=key)
    if harm == "off":
        operation = {"op": "replace", "path": "/enabled", "value": "false"}
        gateway.client.update_api_key(apiKey=key, patchOperations=[operation])
    if harm == "out":
        gateway.client.delete_usage_plan_key(usagePlanId=gateway.plan, keyId=key)

    with pytest.raises(RotationFailed, match=message):
        vault.step(arn, token, "testSecret")


def test_a_rotation_that_is_only_tried_out_leaves_all_as_it_is(vault: Vault, gateway: Gateway, arn: str) -> None:
    before, token = vault.value(arn), vault.begin(arn)
    vault.client.put_secret_value(
        SecretId=arn, ClientRequestToken=token, SecretString=json.dumps(before), VersionStages=["AWSPENDING"]
    )
    vault.step(arn, token, "testSecret")
    assert gateway.opens(FIRST_KEY)
    assert len(gateway.ids()) == 1
    assert vault.value(arn) == before


def test_no_key_is_in_a_log_or_an_error(
    vault: Vault, gateway: Gateway, arn: str, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    class LoudError(Exception):
        def __init__(self, *arguments: object) -> None:
            super().__init__(*arguments, *(key["value"] for key in all_keys))

    all_keys: list[dict[str, Any]] = []
    outside = Outside()
    outside.watch(monkeypatch)
    vault.rotate(arn)
    told = ""
    for number in range(len(outside.calls)):
        outside.forget()
        all_keys[:] = gateway.client.get_api_keys(includeValues=True)["items"]
        token = vault.begin(arn)
        outside.fail(number, after=number % 2 == 0, how=LoudError)
        with pytest.raises(RotationFailed) as raised:
            vault.rotate(arn, token)
        told += "".join(traceback.format_exception(raised.value)) + repr(raised.value.__context__)
        outside.forget()
        vault.rotate(arn, token)
    values = {json.loads(one["secret_string"])["api_key"] for one in vault._stored(arn).versions.values()}

    assert len(values) > 10
    told += capsys.readouterr().out
    assert "key deleted" in told
    assert not [value for value in values if value in told]


def ways_to_fail(call: str) -> list[tuple[bool, type[BaseException]]]:
    """As in test_crashes.py: all of them in `make test-rotation`, those that leave different states in `make test`."""
    if ROTATIONS:
        return [(after, how) for after in (False, True) for how in (Killed, Lost)]
    return [(False, Killed)] if call.startswith(("Describe", "Get", "List")) else [(False, Killed), (True, Lost)]


def test_a_crash_at_any_call_leaves_a_key_that_opens_the_api_and_heals(
    vault: Vault, gateway: Gateway, arn: str, monkeypatch: pytest.MonkeyPatch, figures: Figures
) -> None:
    outside = Outside()
    outside.watch(monkeypatch)
    vault.rotate(arn)
    vault.rotate(arn)
    outside.forget()
    vault.rotate(arn)
    calls = outside.calls
    assert {"PutSecretValue", "CreateApiKey", "CreateUsagePlanKey", "DeleteApiKey"} <= set(calls)

    for number, call in enumerate(calls):
        for after, how in ways_to_fail(call):
            outside.forget()
            before, token = vault.value(arn)["api_key"], vault.begin(arn)
            outside.fail(number, after=after, how=how)
            with pytest.raises((Killed, RotationFailed)):
                vault.rotate(arn, token)
            outside.forget()
            where = f"{how.__name__} {'after' if after else 'before'} {number} {call}"
            works = gateway.opens(vault.value(arn)["api_key"]) and gateway.opens(before)
            figures.crashed("API key", works=works)
            assert works, where
            # Secrets Manager calls again with the same version, or an operator begins anew with another.
            vault.rotate(arn, token if number % 2 else None)
            assert gateway.opens(vault.value(arn)["api_key"]), where
            assert len(gateway.ids()) == 2, where
            figures.healed("API key")


def test_no_request_with_the_current_key_fails(vault: Vault, gateway: Gateway, arn: str, figures: Figures) -> None:
    """A request before and after each step, each with the key that was current before it."""
    tried, rotations = 0, ROTATIONS or 4
    for _ in range(rotations):
        token = vault.begin(arn)
        for step in STEPS:
            read = vault.value(arn)["api_key"]
            vault.step(arn, token, step)
            assert gateway.opens(read)
            assert gateway.opens(vault.value(arn)["api_key"])
            tried += 2
    figures.logged_in("API key", rotations=rotations, tried=tried, failed=0)
