"""The release command, CodeDeploy and the smoke test as it is packaged, together: nothing stands for another."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from synthesis.packaging import FUNCTIONS, package
from tests.https import Answers, self_signed, serve
from tests.release.support import NEW, OLD, World

pytestmark = [pytest.mark.requirement("W2.3", "W2.4")]
HOST_NAME, HEADER, SECRET = "green.example.com", "x-origin-verify", "open-sesame-4711"


@pytest.fixture
def green() -> Answers:
    return Answers(body=b"ready")


@pytest.fixture
def tested(world: World, green: Answers, tmp_path: Path) -> Iterator[World]:
    """A service whose hook is the smoke test itself."""
    certificate = self_signed(HOST_NAME, tmp_path / "green.pem")
    server = serve(green, certificate)
    secret = world.client("secretsmanager").create_secret(Name=world.name, SecretString=SECRET)["ARN"]
    world.make_hook(
        package(FUNCTIONS / "smoke_test", tmp_path / "smoke.zip").read_bytes(),
        CHECKS=json.dumps({world.name: [{"path": "/health", "status": 200, "contains": "ready", "attempts": 2}]}),
        TEST_LISTENER_URL=f"https://127.0.0.1:{server.server_port}",
        HOST_NAME=HOST_NAME,
        ORIGIN_VERIFY_HEADER=HEADER,
        ORIGIN_VERIFY_SECRET_ARN=secret,
        SSL_CERT_FILE=str(certificate),
    )
    yield world
    server.shutdown()
    server.server_close()


def log_of(world: World) -> str:
    logs = world.client("logs")
    group = f"/aws/lambda/{world.settings.names.of('smoke-test')}"
    events = logs.filter_log_events(logGroupName=group)["events"]
    return "\n".join(event["message"] for event in events)


def test_a_green_that_answers_right_is_released(tested: World, green: Answers) -> None:
    assert tested.run(NEW).code == 0

    ((path, headers),) = green.requests
    assert (path, headers[HEADER]) == ("/health", SECRET)
    assert tested.running_image() == NEW
    assert '"status": "Succeeded"' in log_of(tested)
    assert SECRET not in log_of(tested)


@pytest.mark.requirement("Q2")
def test_a_green_that_answers_wrong_reaches_no_customer(tested: World, green: Answers) -> None:
    green.status = 500

    ended = tested.run(NEW)

    assert ended.code == 3
    assert "the smoke test" in ended.text
    assert tested.running_image() == OLD
    assert tested.weights() == {"blue": 100, "green": 0}
    assert "/health: status 500; 200 is expected" in log_of(tested)
