"""All additions to ministack, and the types whose resources are made in the local AWS in front of it."""

from __future__ import annotations

from typing import Any

from emulator.cloudformation import (
    balancing,
    containers,
    custom_resources,
    databases,
    functions,
    identity,
    instances,
    keys,
    logs,
    messages,
    monitoring,
    names,
    network,
    types,
)
from emulator.ministack import (
    apigateway,
    application_autoscaling,
    change_sets,
    cloudtrail,
    elbv2,
    front,
    s3,
    wafv2,
)

SERVICES = (
    apigateway,
    application_autoscaling,
    change_sets,
    cloudtrail,
    elbv2,
    s3,
    wafv2,
)

IN_FRONT = (
    balancing,
    containers,
    custom_resources,
    databases,
    functions,
    identity,
    instances,
    keys,
    logs,
    messages,
    monitoring,
    names,
    network,
)


def install() -> None:
    """Add all of them, each once."""
    for service in (*SERVICES, *IN_FRONT):
        service.install()
    types.wait_in_threads()


def wrapped(inner: Any) -> Any:
    """Ministack's application with the operations that it lacks in front of it."""
    return front.before(inner)
