"""How a finder lists the resources of a service: the pages of an operation, by id, name or ARN."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from typing import Any

GLOBAL_REGION = "us-east-1"

Clients = Callable[[str], Any]
"""A client of boto3's kind for the name of a service, in one region."""

Finder = Callable[[Clients], Iterable[str]]
"""The ids, names or ARNs of the resources of one kind that exist."""


def pages(clients: Clients, service: str, operation: str, key: str, **parameters: Any) -> Iterator[Any]:
    """Everything that ``operation`` lists under ``key``."""
    client = clients(service)
    if not client.can_paginate(operation):
        yield from getattr(client, operation)(**parameters)[key]
        return
    for page in client.get_paginator(operation).paginate(**parameters):
        yield from page.get(key, [])


def by(service: str, operation: str, key: str, id_key: str, **parameters: Any) -> Finder:
    """Everything that ``operation`` lists under ``key``, by its ``id_key``."""
    return lambda clients: (item[id_key] for item in pages(clients, service, operation, key, **parameters))


def named(service: str, operation: str, key: str) -> Finder:
    """Everything that ``operation`` lists under ``key``, where it lists names or ARNs alone."""
    return lambda clients: pages(clients, service, operation, key)
