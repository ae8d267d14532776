"""The deployed platform that all parts of its life begin with."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from rich.console import Console

from emulator import process
from emulator.process import Server
from operations.deployment.local import LocalDeployment
from settings import load
from tests import costs
from tests.lifecycle.clients import client

NAME = "deployed"


@dataclass(frozen=True, kw_only=True)
class Deployed:
    """A local AWS with the whole platform, which is only looked at and forked; it runs until the run ends."""

    server: Server
    state: str
    state_encryption: str
    origin_secret: str


def deploy(directory: Path, console: Console) -> Deployed:
    """Deploy everything."""
    LocalDeployment(console, directory).deploy(process.free_port())
    server = process.find(directory)
    assert server is not None
    costs.add(server.pid)  # it ends with the run, not with a test
    state = client(server, "s3").get_object(Bucket=load("local").state.bucket, Key="payments/local/terraform.tfstate")
    secret = client(server, "secretsmanager").get_secret_value(SecretId="payments/local/origin-verify")
    return Deployed(
        server=server,
        state=state["Body"].read().decode(),
        state_encryption=state["ServerSideEncryption"],
        origin_secret=secret["SecretString"],
    )
