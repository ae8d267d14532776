"""All additions to ministack."""

from __future__ import annotations

from typing import Any

from emulator.payment_api import custom_resources, ec2, s3

SERVICES = (ec2, s3, custom_resources)


def install() -> None:
    """Add all of them, each once."""
    for service in SERVICES:
        service.install()


def wrapped(inner: Any) -> Any:
    """Ministack's application with the APIs that it lacks in front of it."""
    return inner
