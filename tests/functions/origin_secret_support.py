"""What the tests of the origin secret share: the function, and its work as seen from outside."""

from __future__ import annotations

import threading
import uuid
from collections.abc import Iterator
from dataclasses import dataclass, field
from functools import cache
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from types import ModuleType
from typing import Any

import botocore.session
from moto.core import DEFAULT_ACCOUNT_ID
from moto.secretsmanager.models import secretsmanager_backends

from shared.origin_secret import rule_groups

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
    enforced: dict[str, list[set[str]]] = field(default_factory=lambda: {name: [] for name in REGIONS})
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
        """Hold what is sent, now and moments ago, against what is enforced, now and moments ago.

        Neither CloudFront nor AWS WAF changes everywhere at once: until all has settled, any host may send any value of
        the last minutes, and any other may still enforce any set of accepted values of the last minutes.
        """
        value = self.sent_now()
        if not self.watching:
            return
        for name, accepted in self.accepted().items():
            if accepted and accepted not in self.enforced[name][-1:]:
                self.enforced[name].append(accepted)
        if value is None:
            return
        if not self.sent or self.sent[-1] != value:
            self.sent.append(value)
        for name, versions in self.enforced.items():
            assert versions, name
            for accepted in versions:
                assert set(self.sent) <= accepted

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
        groups = waf.list_rule_groups(Scope="REGIONAL")["RuleGroups"]
        if not groups:
            return {}
        (group,) = groups
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

    def rotate_once(self) -> None:
        """A rotation of long ago, whose calls are forgotten: the next one has a value to accept no longer."""
        self.settle()
        self.rotate()
        self.settle()
        self.calls.clear()

    def without_next(self) -> None:
        """As an earlier version of the function has left it: no value of a next rotation."""
        secret = secretsmanager_backends[DEFAULT_ACCOUNT_ID][HOME].secrets[self.arn]
        for version in list(secret.versions):
            if secret.versions[version]["version_stages"] == ["NEXT"]:
                del secret.versions[version]
        for region in REGIONS.values():
            rule_groups._write_group(region, {self.value()}, True)
        self.settle()
        self.enforced = {name: [self.accepted()[name]] for name in REGIONS}
        self.calls.clear()

    def settle(self) -> None:
        """Let the last rotation be long ago: all of CloudFront and AWS WAF acts on the newest state by now."""
        secret = secretsmanager_backends[DEFAULT_ACCOUNT_ID][HOME].secrets[self.arn]
        for version in secret.versions.values():
            version["createdate"] = 0
        self.sent = self.sent[-1:]
        self.enforced = {name: versions[-1:] for name, versions in self.enforced.items()}


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
