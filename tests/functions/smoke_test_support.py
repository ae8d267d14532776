"""The smoke test's function with its surroundings: green, CodeDeploy and Secrets Manager."""

from __future__ import annotations

import importlib.util
import json
import sys
import time
from pathlib import Path
from types import ModuleType
from typing import Any

import boto3
import pytest

from synthesis.packaging import FUNCTIONS
from tests.https import Answers, serve

HOST_NAME = "pay.example.com"
SECRET = "open-sesame-4711"
DEPLOYMENT = {"DeploymentId": "d-ABCDEF123", "LifecycleEventHookExecutionId": "hook-execution"}
APPLICATION = "payments-web-local"


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

    def run(self, seconds: float = 30.0, event: dict[str, str] = DEPLOYMENT) -> dict[str, str]:
        answer: dict[str, str] = self.function.handler(event, Lambda(seconds))
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
    sys.modules[spec.name] = module  # dataclasses look their module up by name
    spec.loader.exec_module(module)
    return module
