"""Clients of a local AWS, and what the deployed platform is called in it."""

from __future__ import annotations

import json
from typing import Any

import boto3

from emulator.address import environment
from emulator.process import Server

CLUSTER = "payments-database-local"
NEW, BAD = (f"registry.example.com/web@sha256:{digit * 64}" for digit in "12")


def client(server: Server, service: str, region: str = "us-east-2") -> Any:
    """A client of the local AWS."""
    variables = environment(server.url, region)
    return boto3.client(
        service,  # type: ignore[call-overload]
        region_name=region,
        endpoint_url=server.url,
        aws_access_key_id=variables["AWS_ACCESS_KEY_ID"],
        aws_secret_access_key=variables["AWS_SECRET_ACCESS_KEY"],
    )


def passwords_of(server: Server) -> dict[str, str]:
    """The passwords that the deployment made, by user."""
    secrets = client(server, "secretsmanager")
    values = [
        json.loads(secrets.get_secret_value(SecretId=f"payments/local/database/{name}")["SecretString"])
        for name in ("master", "application")
    ]
    return {value["username"]: value["password"] for value in values}
