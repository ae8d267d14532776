"""Clients, raw requests and Terraform for the tests of the local AWS."""

from __future__ import annotations

import http.client
import shutil
import subprocess
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import botocore.session
import pytest
from botocore.auth import SigV4Auth
from botocore.awsrequest import AWSRequest
from botocore.config import Config
from botocore.credentials import Credentials
from botocore.exceptions import ClientError

from emulator.address import environment
from emulator.process import Server

Client = Any

NO_CHANGES, CHANGES = 0, 2


def client_for(server: Server) -> Callable[..., Client]:
    """Makes clients of ``server``; ``checked=False`` for one that sends what its own validation would refuse."""
    variables = environment(server.url)
    session = botocore.session.Session()
    session.set_credentials(variables["AWS_ACCESS_KEY_ID"], variables["AWS_SECRET_ACCESS_KEY"])

    def make(service: str, region: str = "us-east-2", *, checked: bool = True, signature: str | None = None) -> Client:
        config = Config(
            parameter_validation=checked,
            signature_version=signature,
            retries={"total_max_attempts": 1},
            # The host of S3 Control begins with the account, which no resolver knows.
            proxies={"http": server.url},
        )
        return session.create_client(service, region, endpoint_url=server.url, config=config)

    return make


@dataclass(frozen=True)
class Answer:
    """An HTTP response."""

    status: int
    headers: Mapping[str, str]
    text: str


def send(
    server: Server,
    signing_name: str,
    method: str = "POST",
    path: str = "/",
    *,
    headers: Mapping[str, str] | None = None,
    body: str = "",
) -> Answer:
    """Send a signed request to us-east-2, byte for byte as given."""
    request = AWSRequest(method, server.url + path, headers=dict(headers or {}), data=body.encode())
    SigV4Auth(Credentials("AKIAIOSFODNN7EXAMPLE", "local-aws"), signing_name, "us-east-2").add_auth(request)
    connection = http.client.HTTPConnection(urlsplit(server.url).netloc, timeout=30)
    try:
        connection.request(method, path, body=body.encode(), headers=dict(request.headers.items()))
        response = connection.getresponse()
        return Answer(response.status, dict(response.getheaders()), response.read().decode())
    finally:
        connection.close()


@dataclass(frozen=True)
class Terraform:
    """The real Terraform in one directory."""

    directory: Path
    environment: dict[str, str]

    @classmethod
    def initialized(cls, source: Path, directory: Path, environment: dict[str, str]) -> Terraform:
        """A copy of ``source`` in ``directory``, initialized."""
        shutil.copytree(source, directory)
        terraform = cls(directory, environment)
        terraform.succeed("init")
        return terraform

    def run(self, command: str, *arguments: str) -> subprocess.CompletedProcess[str]:
        """Run a command of Terraform, whatever comes of it."""
        line = ["terraform", command, "-input=false", "-no-color", *arguments]
        return subprocess.run(
            line, cwd=self.directory, env=self.environment, capture_output=True, text=True, check=False, timeout=300
        )

    def succeed(self, command: str, *arguments: str) -> str:
        """Run a command that must succeed; returns what it printed."""
        result = self.run(command, *arguments)
        assert result.returncode == 0, result.stdout + result.stderr
        return result.stdout

    def apply(self, *arguments: str) -> None:
        """Apply, with as much at a time as a deployment does."""
        self.succeed("apply", "-auto-approve", "-parallelism=30", *arguments)

    def destroy(self) -> None:
        """Destroy."""
        self.succeed("destroy", "-auto-approve", "-parallelism=30")

    def assert_nothing_to_do(self, *arguments: str) -> None:
        """Plan; it must be empty."""
        result = self.run("plan", "-detailed-exitcode", *arguments)
        assert result.returncode == NO_CHANGES, result.stdout + result.stderr


def error_of(call: Callable[[], Any]) -> str:
    """The code of the error that ``call`` raises; it must raise one."""
    with pytest.raises(ClientError) as raised:
        call()
    return str(raised.value.response["Error"]["Code"])
