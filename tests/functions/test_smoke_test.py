"""The smoke test of a release: it tells CodeDeploy the truth, in time, whatever happens, and no secret to anybody."""

from __future__ import annotations

import importlib.util
import json
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from types import ModuleType
from typing import Any

import boto3
import pytest
from moto import mock_aws

from synthesis.packaging import FUNCTIONS
from tests.https import Answers, self_signed, serve

pytestmark = [pytest.mark.requirement("W2.3")]

HOST_NAME = "pay.example.com"
SECRET = "open-sesame-4711"
DEPLOYMENT = {"DeploymentId": "d-ABCDEF123", "LifecycleEventHookExecutionId": "hook-execution"}
APPLICATION = "payments-web-local"


@pytest.fixture(scope="module")
def certificate(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return self_signed(HOST_NAME, tmp_path_factory.mktemp("certificate") / "green.pem")


class World:
    """Green, CodeDeploy and Secrets Manager around the function."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, certificate: Path) -> None:
        self._monkeypatch = monkeypatch
        self.green, self.codedeploy = Answers(), Answers(body=json.dumps(DEPLOYMENT_INFO).encode())
        self.servers = [serve(self.green, certificate), serve(self.codedeploy)]
        self.set(
            TEST_LISTENER_URL=f"https://127.0.0.1:{self.servers[0].server_port}",
            AWS_ENDPOINT_URL_CODEDEPLOY=f"http://127.0.0.1:{self.servers[1].server_port}",
            HOST_NAME=HOST_NAME,
            ORIGIN_VERIFY_HEADER="x-origin-verify",
            SSL_CERT_FILE=str(certificate),
        )
        self.check()
        self.function = load()

    def set(self, **variables: str) -> None:
        for name, value in variables.items():
            self._monkeypatch.setenv(name, value)

    def unset(self, name: str) -> None:
        self._monkeypatch.delenv(name)

    def check(self, **values: Any) -> None:
        self.set(CHECKS=json.dumps({APPLICATION: [{"path": "/health", "status": 200, **values}]}))

    def keep_secret(self, text: str) -> None:
        made = boto3.client("secretsmanager").create_secret(Name=f"origin-{time.monotonic_ns()}", SecretString=text)
        self.set(ORIGIN_VERIFY_SECRET_ARN=made["ARN"])

    def run(self, seconds: float = 30.0) -> dict[str, str]:
        answer: dict[str, str] = self.function.handler(DEPLOYMENT, Lambda(seconds))
        return answer

    @property
    def reports(self) -> list[dict[str, str]]:
        asked = [
            json.loads(body)
            for body, headers in self.codedeploy.requests
            if headers["X-Amz-Target"].endswith(".PutLifecycleEventHookExecutionStatus")
        ]
        for one in asked:
            assert one["deploymentId"] == DEPLOYMENT["DeploymentId"]
            assert one["lifecycleEventHookExecutionId"] == DEPLOYMENT["LifecycleEventHookExecutionId"]
        return asked

    @property
    def reported(self) -> list[str]:
        return [one["status"] for one in self.reports]


DEPLOYMENT_INFO = {"deploymentInfo": {"applicationName": APPLICATION, "deploymentId": DEPLOYMENT["DeploymentId"]}}


class Lambda:
    """Lambda's context, with a clock that runs."""

    def __init__(self, seconds: float) -> None:
        self._ends = time.monotonic() + seconds

    def get_remaining_time_in_millis(self) -> int:
        return max(0, int((self._ends - time.monotonic()) * 1000))


def load() -> ModuleType:
    spec = importlib.util.spec_from_file_location("smoke_test_handler", FUNCTIONS / "smoke_test" / "handler.py")
    assert spec
    assert spec.loader
    module = importlib.util.module_from_spec(spec)
    # A dataclass asks for its module by name.
    import sys

    sys.modules[spec.name] = module
    spec.loader.exec_module(module)
    return module


@pytest.fixture
def world(monkeypatch: pytest.MonkeyPatch, certificate: Path) -> Iterator[World]:
    for name, value in {"REGION": "us-east-2", "ACCESS_KEY_ID": "testing", "SECRET_ACCESS_KEY": "testing"}.items():
        monkeypatch.setenv(f"AWS_{name}", value)
    monkeypatch.setenv("AWS_DEFAULT_REGION", "us-east-2")
    for name in ("AWS_ENDPOINT_URL", "AWS_PROFILE", "AWS_SESSION_TOKEN"):
        monkeypatch.delenv(name, raising=False)
    with mock_aws(config={"core": {"passthrough": {"urls": [r"http://127\.0\.0\.1:.*"]}}}):
        made = World(monkeypatch, certificate)
        made.keep_secret(SECRET)
        monkeypatch.setattr(made.function, "SECONDS_BETWEEN_ATTEMPTS", 0.01)
        yield made
        for answers, server in zip((made.green, made.codedeploy), made.servers, strict=True):
            answers.ended.set()
            server.shutdown()
            server.server_close()


@pytest.fixture
def log(capfd: pytest.CaptureFixture[str]) -> Callable[[], list[dict[str, Any]]]:
    """The lines that were logged: each one JSON, and none with the secret."""

    def read() -> list[dict[str, Any]]:
        said = capfd.readouterr()
        assert SECRET not in said.out + said.err
        assert said.err == ""
        return [json.loads(line) for line in said.out.splitlines()]

    return read


def cause(lines: list[dict[str, Any]]) -> str:
    return str(next(line["cause"] for line in lines if line["message"] == "smoke test ended"))


def test_right_answers_are_success(world: World, log: Callable[[], list[dict[str, Any]]]) -> None:
    world.check(contains='"ready"')

    assert world.run() == {"status": "Succeeded"}
    assert world.reported == ["Succeeded"]
    ((path, headers),) = world.green.requests
    assert path == "/health"
    assert headers["Host"].startswith(HOST_NAME)
    assert headers["x-origin-verify"] == SECRET
    assert cause(log()) == ""


@pytest.mark.parametrize(
    ("answers", "check", "said"),
    [
        ({"status": 503}, {}, "/health: status 503; 200 is expected"),
        ({"status": 302}, {}, "/health: status 302; 200 is expected"),
        ({}, {"status": 204}, "/health: status 200; 204 is expected"),
        ({}, {"contains": "version 2"}, "/health: 'version 2' is not in the response"),
    ],
)
def test_a_wrong_answer_is_failure(
    world: World, log: Callable[[], list[dict[str, Any]]], answers: dict[str, Any], check: dict[str, Any], said: str
) -> None:
    for name, value in answers.items():
        setattr(world.green, name, value)
    world.check(**check)

    assert world.run() == {"status": "Failed"}
    assert world.reported == ["Failed"]
    assert cause(log()) == said


def test_every_check_must_succeed(world: World) -> None:
    wrong, right = {"path": "/wrong", "status": 404}, {"path": "/", "status": 200}
    for checks in ([right, wrong], [wrong, right]):
        world.set(CHECKS=json.dumps({APPLICATION: checks}))
        world.run()

    assert world.reported == ["Failed", "Failed"]


def test_green_may_need_more_than_one_attempt(world: World) -> None:
    world.green.statuses_first = [502, 502]
    world.check(attempts=3)

    assert world.run() == {"status": "Succeeded"}
    assert len(world.green.requests) == 3


def test_attempts_end(world: World) -> None:
    world.green.status = 502
    world.check(attempts=3)

    assert world.run() == {"status": "Failed"}
    assert len(world.green.requests) == 3


@pytest.mark.parametrize("checks", ["{}", '{"payments-web-local": []}', '{"payments-other-local": []}'])
def test_a_service_without_checks_is_not_tested_and_fails(world: World, checks: str) -> None:
    world.set(CHECKS=checks)

    world.run()

    assert world.reported == ["Failed"]


def test_the_checks_are_those_of_the_service_that_is_deployed(world: World) -> None:
    other = [{"path": "/api/other", "status": 500}]
    mine = [{"path": "/mine", "status": 200}]
    world.set(CHECKS=json.dumps({"payments-a-local": other, APPLICATION: mine, "payments-z-local": other}))

    world.run()

    assert world.reported == ["Succeeded"]
    assert [path for path, _ in world.green.requests] == ["/mine"]


@pytest.mark.parametrize("host_name", ["other.example.com", None])
@pytest.mark.requirement("W5.5")
def test_a_certificate_of_another_name_gets_no_secret(
    world: World, log: Callable[[], list[dict[str, Any]]], host_name: str | None
) -> None:
    if host_name is None:
        world.unset("HOST_NAME")  # then it must be good for the address that is called
    else:
        world.set(HOST_NAME=host_name)

    world.run()

    assert world.reported == ["Failed"]
    assert world.green.requests == []
    assert "the certificate is not accepted" in cause(log())


def test_a_certificate_that_nobody_vouches_for_gets_no_secret(world: World) -> None:
    world.unset("SSL_CERT_FILE")

    world.run()

    assert world.reported == ["Failed"]
    assert world.green.requests == []


def test_an_unencrypted_listener_gets_no_secret(world: World, log: Callable[[], list[dict[str, Any]]]) -> None:
    world.set(TEST_LISTENER_URL=f"http://127.0.0.1:{world.servers[1].server_port}")

    world.run()

    assert world.reported == ["Failed"]
    assert not any("x-origin-verify" in headers for _, headers in world.codedeploy.requests)
    assert cause(log()) == "TEST_LISTENER_URL is not the address of an https listener"


@pytest.mark.parametrize("seconds", [2.0, 0.2])
def test_an_answer_that_never_ends_is_a_failure_in_time(
    world: World, log: Callable[[], list[dict[str, Any]]], monkeypatch: pytest.MonkeyPatch, seconds: float
) -> None:
    monkeypatch.setattr(world.function, "SECONDS_RESERVED_FOR_THE_REPORT", 1.0)
    # Each byte comes before a socket's timeout: only the whole takes too long.
    world.green.body, world.green.seconds_between_bytes = b"." * 10_000, 0.05
    began = time.monotonic()

    world.run(seconds + 1.0)

    assert world.reported == ["Failed"]
    assert cause(log()) == f"no result within {seconds:.0f} s"
    assert time.monotonic() - began < seconds + 1.0


def test_no_check_begins_in_the_time_that_is_kept_for_the_report(
    world: World, log: Callable[[], list[dict[str, Any]]], monkeypatch: pytest.MonkeyPatch
) -> None:
    begun: list[str] = []
    monkeypatch.setattr(world.function, "_check", begun.append)

    world.run(seconds=world.function.SECONDS_RESERVED_FOR_THE_REPORT - 1)

    assert world.reported == ["Failed"]
    assert begun == []
    assert cause(log()) == "no result within 0 s"


def test_a_secret_that_cannot_be_read_is_a_failure(world: World, log: Callable[[], list[dict[str, Any]]]) -> None:
    world.set(ORIGIN_VERIFY_SECRET_ARN="arn:aws:secretsmanager:us-east-2:123456789012:secret:gone-AbCdEf")

    world.run()

    assert world.reported == ["Failed"]
    assert cause(log()) == "ResourceNotFoundException"


@pytest.mark.parametrize("secret", [f"{SECRET}\n", f"{SECRET}\r\nx-admin: 1", f"{SECRET}é"])
def test_a_secret_that_is_no_header_is_in_no_message(
    world: World, log: Callable[[], list[dict[str, Any]]], secret: str
) -> None:
    world.keep_secret(secret)

    world.run()

    assert world.reported == ["Failed"]
    assert cause(log()) == "the secret cannot be the value of a header"


def test_an_error_that_quotes_the_secret_does_not_take_it_into_the_log(
    world: World, log: Callable[[], list[dict[str, Any]]], monkeypatch: pytest.MonkeyPatch
) -> None:
    def call(_check: Any, green: Any, _address: str) -> None:
        raise ValueError(f"Invalid header value {green.headers}")

    monkeypatch.setattr(world.function, "_call", call)

    world.run()

    assert world.reported == ["Failed"]
    assert cause(log()) == "ValueError"


@pytest.mark.parametrize("name", ["CHECKS", "TEST_LISTENER_URL", "ORIGIN_VERIFY_SECRET_ARN"])
def test_a_missing_variable_is_a_failure(world: World, name: str) -> None:
    world.unset(name)

    world.run()

    assert world.reported == ["Failed"]


def test_without_a_header_to_verify_no_secret_is_read(world: World) -> None:
    world.unset("ORIGIN_VERIFY_HEADER")
    world.unset("ORIGIN_VERIFY_SECRET_ARN")

    world.run()

    assert world.reported == ["Succeeded"]
    ((_, headers),) = world.green.requests
    assert "x-origin-verify" not in headers
    assert SECRET not in headers.values()


def test_a_server_that_is_not_there_is_a_failure(world: World) -> None:
    world.servers[0].server_close()

    world.run()

    assert world.reported == ["Failed"]


def test_the_report_is_made_again_until_it_arrives(world: World) -> None:
    world.codedeploy.statuses_first = [200, 500, 500, 200]  # the first is GetDeployment

    assert world.run() == {"status": "Succeeded"}
    assert world.reported == ["Succeeded"] * 3


def test_a_report_that_has_arrived_already_is_not_repeated(world: World) -> None:
    # The same body serves both calls: read as an error it is one, read as a deployment it has an application.
    error = {"__type": "LifecycleEventAlreadyCompletedException"}
    world.codedeploy.body = json.dumps({**DEPLOYMENT_INFO, **error}).encode()
    world.codedeploy.statuses_first = [200, 400, 200]

    world.run()

    assert world.reported == ["Succeeded"]


def test_a_codedeploy_that_never_answers_ends_in_time_and_without_an_error(
    world: World, log: Callable[[], list[dict[str, Any]]], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(world.function, "SECONDS_RESERVED_FOR_THE_REPORT", 2.0)
    world.codedeploy.status = 500
    began = time.monotonic()

    assert world.run(seconds=4.0) == {"status": "Failed"}

    assert time.monotonic() - began < 4.0
    assert len(world.reports) > 1
    assert log()[-1]["message"] == "report given up"


@pytest.mark.requirement("W2.1")
def test_the_load_balancer_is_called_by_its_private_addresses(
    world: World, log: Callable[[], list[dict[str, Any]]], monkeypatch: pytest.MonkeyPatch
) -> None:
    world.set(
        LOAD_BALANCER_ARN="arn:aws:elasticloadbalancing:us-east-2:123456789012:loadbalancer/app/payments/0123456789"
    )
    ec2 = boto3.client("ec2")
    subnet = ec2.describe_subnets()["Subnets"][0]["SubnetId"]
    ec2.create_network_interface(SubnetId=subnet, Description="ELB app/other/99")

    world.run()
    assert cause(log()) == "the load balancer has no network interface"

    interface = ec2.create_network_interface(SubnetId=subnet, Description="ELB app/payments/0123456789")
    address = interface["NetworkInterface"]["PrivateIpAddress"]
    called: list[str] = []
    monkeypatch.setattr(world.function, "_call", lambda _check, _green, at: called.append(at))
    world.run()

    assert world.reported == ["Failed", "Succeeded"]
    assert called == [address]
