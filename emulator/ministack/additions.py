"""All additions to ministack."""

from __future__ import annotations

from typing import Any

from emulator.ministack import (
    apigateway,
    application_autoscaling,
    cloudtrail,
    cloudwatch,
    custom_resources,
    ec2,
    elbv2,
    front,
    rds,
    s3,
    secretsmanager,
    wafv2,
)

SERVICES = (
    apigateway,
    application_autoscaling,
    cloudtrail,
    cloudwatch,
    custom_resources,
    ec2,
    elbv2,
    rds,
    s3,
    secretsmanager,
    wafv2,
)


def install() -> None:
    """Add all of them, each once."""
    for service in SERVICES:
        service.install()


def wrapped(inner: Any) -> Any:
    """Ministack's application with the operations that it lacks in front of it."""
    return front.before(inner)
