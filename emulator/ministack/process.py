"""The payment API's local AWS in the background, and the environment that points clients at it."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import boto3

from emulator import address, process
from emulator.process import Server, find, stop

__all__ = ["Server", "client", "complete_environment", "find", "start", "stop"]


def start(directory: Path | str, *, port: int | None = None) -> Server:
    """Start it and return once it answers. Arguments and exceptions are those of ``emulator.process.start``."""
    return process.launch(["emulator.ministack"], directory, port=port)


def complete_environment(url: str, region: str, base: Mapping[str, str] | None = None) -> dict[str, str]:
    """The environment for a child process, without any other ``AWS_`` variable, with ``url`` as AWS."""
    own = address.environment(url, region)
    # The proxy there is for S3 Control; ministack needs none, and the CDK's CLI would use it for every request.
    proxies = {"HTTP_PROXY", "http_proxy", "NO_PROXY", "no_proxy"}
    kept = {name: value for name, value in (base or os.environ).items() if not name.startswith("AWS_")}
    return {**kept, **{name: value for name, value in own.items() if name not in proxies}}


def client(service: str, url: str, region: str) -> Any:
    """A client of boto3 for the local AWS at ``url``, independent of this process's environment."""
    variables = address.environment(url, region)
    make: Any = boto3.client
    return make(
        service,
        endpoint_url=url,
        region_name=region,
        aws_access_key_id=variables["AWS_ACCESS_KEY_ID"],
        aws_secret_access_key=variables["AWS_SECRET_ACCESS_KEY"],
    )
