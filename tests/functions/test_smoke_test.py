"""The smoke test of a release: a true report to CodeDeploy in time, whatever happens, and no secret disclosed."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import boto3
import pytest
from moto import mock_aws

from tests.functions.smoke_test_support import APPLICATION, DEPLOYMENT_INFO, HOST_NAME, SECRET, World
from tests.https import self_signed

pytestmark = [pytest.mark.requirement("W2.3")]


@pytest.fixture(scope="module")
def certificate(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return self_signed(HOST_NAME, tmp_path_factory.mktemp("certificate") / "green.pem")


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


def test_right_response_is_reported_as_success(world: World, log: Callable[[], list[dict[str, Any]]]) -> None:
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
def test_wrong_response_is_reported_as_failure(
    world: World, log: Callable[[], list[dict[str, Any]]], answers: dict[str, Any], check: dict[str, Any], said: str
) -> None:
    for name, value in answers.items():
        setattr(world.green, name, value)
    world.check(**check)

    assert world.run() == {"status": "Failed"}
    assert world.reported == ["Failed"]
    assert cause(log()) == said


def test_one_failed_check_fails_the_release(world: World) -> None:
    wrong, right = {"path": "/wrong", "status": 404}, {"path": "/", "status": 200}
    for checks in ([right, wrong], [wrong, right]):
        world.set(CHECKS=json.dumps({APPLICATION: checks}))
        world.run()

    assert world.reported == ["Failed", "Failed"]


def test_check_is_retried_until_it_succeeds(world: World) -> None:
    world.green.statuses_first = [502, 502]
    world.check(attempts=3)

    assert world.run() == {"status": "Succeeded"}
    assert len(world.green.requests) == 3


def test_check_fails_after_its_attempts(world: World) -> None:
    world.green.status = 502
    world.check(attempts=3)

    assert world.run() == {"status": "Failed"}
    assert len(world.green.requests) == 3


@pytest.mark.parametrize("checks", ["{}", '{"payments-web-local": []}', '{"payments-other-local": []}'])
def test_service_without_checks_fails(world: World, checks: str) -> None:
    world.set(CHECKS=checks)

    world.run()

    assert world.reported == ["Failed"]


def test_checks_are_those_of_the_deployed_service(world: World) -> None:
    other = [{"path": "/api/other", "status": 500}]
    mine = [{"path": "/mine", "status": 200}]
    world.set(CHECKS=json.dumps({"payments-a-local": other, APPLICATION: mine, "payments-z-local": other}))

    world.run()

    assert world.reported == ["Succeeded"]
    assert [path for path, _ in world.green.requests] == ["/mine"]


@pytest.mark.parametrize("host_name", ["other.example.com", None])
@pytest.mark.requirement("W5.5")
def test_certificate_of_another_name_gets_no_secret(
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


def test_untrusted_certificate_gets_no_secret(world: World) -> None:
    world.unset("SSL_CERT_FILE")

    world.run()

    assert world.reported == ["Failed"]
    assert world.green.requests == []


def test_unencrypted_listener_gets_no_secret(world: World, log: Callable[[], list[dict[str, Any]]]) -> None:
    world.set(TEST_LISTENER_URL=f"http://127.0.0.1:{world.servers[1].server_port}")

    world.run()

    assert world.reported == ["Failed"]
    assert not any("x-origin-verify" in headers for _, headers in world.codedeploy.requests)
    assert cause(log()) == "TEST_LISTENER_URL is not the address of an https listener"


@pytest.mark.parametrize("seconds", [2.0, 0.2])
def test_endless_response_fails_in_time(
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


def test_no_check_begins_in_the_time_reserved_for_the_report(
    world: World, log: Callable[[], list[dict[str, Any]]], monkeypatch: pytest.MonkeyPatch
) -> None:
    begun: list[str] = []
    monkeypatch.setattr(world.function, "_check", begun.append)

    world.run(seconds=world.function.SECONDS_RESERVED_FOR_THE_REPORT - 1)

    assert world.reported == ["Failed"]
    assert begun == []
    assert cause(log()) == "no result within 0 s"


def test_unreadable_secret_fails(world: World, log: Callable[[], list[dict[str, Any]]]) -> None:
    world.set(ORIGIN_VERIFY_SECRET_ARN="arn:aws:secretsmanager:us-east-2:123456789012:secret:gone-AbCdEf")

    world.run()

    assert world.reported == ["Failed"]
    assert cause(log()) == "ResourceNotFoundException"


@pytest.mark.parametrize("secret", [f"{SECRET}\n", f"{SECRET}\r\nx-admin: 1", f"{SECRET}é"])
def test_secret_that_is_no_header_value_is_not_logged(
    world: World, log: Callable[[], list[dict[str, Any]]], secret: str
) -> None:
    world.keep_secret(secret)

    world.run()

    assert world.reported == ["Failed"]
    assert cause(log()) == "the secret cannot be the value of a header"


def test_error_that_quotes_the_secret_is_not_logged(
    world: World, log: Callable[[], list[dict[str, Any]]], monkeypatch: pytest.MonkeyPatch
) -> None:
    def call(_check: Any, green: Any, _address: str) -> None:
        raise ValueError(f"Invalid header value {green.headers}")

    monkeypatch.setattr(world.function, "_call", call)

    world.run()

    assert world.reported == ["Failed"]
    assert cause(log()) == "ValueError"


@pytest.mark.parametrize("name", ["CHECKS", "TEST_LISTENER_URL", "ORIGIN_VERIFY_SECRET_ARN"])
def test_missing_variable_fails(world: World, name: str) -> None:
    world.unset(name)

    world.run()

    assert world.reported == ["Failed"]


def test_without_a_verification_header_no_secret_is_read(world: World) -> None:
    world.unset("ORIGIN_VERIFY_HEADER")
    world.unset("ORIGIN_VERIFY_SECRET_ARN")

    world.run()

    assert world.reported == ["Succeeded"]
    ((_, headers),) = world.green.requests
    assert "x-origin-verify" not in headers
    assert SECRET not in headers.values()


def test_connection_refused_fails(world: World) -> None:
    world.servers[0].server_close()

    world.run()

    assert world.reported == ["Failed"]


def test_report_is_retried_until_it_arrives(world: World) -> None:
    world.codedeploy.statuses_first = [200, 500, 500, 200]  # the first is GetDeployment

    assert world.run() == {"status": "Succeeded"}
    assert world.reported == ["Succeeded"] * 3


def test_report_that_has_arrived_is_not_repeated(world: World) -> None:
    # The same body serves both calls: read as an error it is one, read as a deployment it has an application.
    error = {"__type": "LifecycleEventAlreadyCompletedException"}
    world.codedeploy.body = json.dumps({**DEPLOYMENT_INFO, **error}).encode()
    world.codedeploy.statuses_first = [200, 400, 200]

    world.run()

    assert world.reported == ["Succeeded"]


def test_failing_codedeploy_ends_in_time_without_an_error(
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
def test_load_balancer_is_called_by_its_private_addresses(
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


@pytest.mark.requirement("P6.7")
@pytest.mark.parametrize(("status", "hook"), [(200, "SUCCEEDED"), (503, "FAILED")])
def test_hook_of_ecs_returns_the_result_and_asks_nothing_of_codedeploy(
    world: World, log: Callable[[], list[dict[str, Any]]], status: int, hook: str
) -> None:
    world.green.status = status
    deployment = "arn:aws:ecs:us-east-2:123456789012:service-deployment/c/s/d"
    event = {"lifecycleStage": "POST_TEST_TRAFFIC_SHIFT", "resourceArn": deployment, "executionId": "e"}
    assert world.run(event=event) == {"hookStatus": hook}
    assert not world.reported
    assert bool(cause(log())) is (hook == "FAILED")


@pytest.mark.requirement("P6.7")
def test_hook_of_ecs_without_checks_fails(world: World, log: Callable[[], list[dict[str, Any]]]) -> None:
    world.set(CHECKS="{}")
    assert world.run(event={"lifecycleStage": "POST_TEST_TRAFFIC_SHIFT"}) == {"hookStatus": "FAILED"}
    assert cause(log()) == "there are no checks"
