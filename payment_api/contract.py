"""Contract of the payments service, read from services/payments/openapi.json: its paths, methods and models.

The only source for gateway, load balancer and health check. The service itself writes the document (`make openapi`),
and a test of the service compares it with the routes.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

DOCUMENT = Path(__file__).parents[1] / "services" / "payments" / "openapi.json"
HEALTH, READY = "health", "ready"
"""Operations for operators of the service, which no client calls."""
CERTIFICATE_HEADER = "X-Client-Certificate"
"""The header in which both doors send the service the client's certificate. A test compares it with the service's."""
SCHEMA_PREFIX = "#/components/schemas/"

Schema = dict[str, Any]


@dataclass(frozen=True, kw_only=True)
class Operation:
    """An operation for clients: an HTTP method on a path, which may have parameters such as ``{payment_id}``."""

    id: str
    method: str
    path: str
    path_parameters: tuple[str, ...]
    query_parameters: tuple[str, ...]
    body: str | None
    """The name of the body's schema, if there is a body."""


@cache
def document() -> dict[str, Any]:
    """The OpenAPI document, parsed."""
    parsed: dict[str, Any] = json.loads(DOCUMENT.read_text(encoding="utf-8"))
    return parsed


def operations() -> Iterator[Operation]:
    """Every operation for clients, in the order of the document."""
    for path, method, described in _described():
        if described["operationId"] not in {HEALTH, READY}:
            yield _operation(path, method, described)


def health_path() -> str:
    """The path that answers 200 while the process serves.

    Not that of readiness: ECS would replace every task while the database fails over.
    """
    return _path_of(HEALTH)


def ready_path() -> str:
    """The path that answers 200 while the process reaches what it depends on."""
    return _path_of(READY)


def _path_of(operation: str) -> str:
    (found,) = (path for path, _, described in _described() if described["operationId"] == operation)
    return found


def path_patterns() -> list[str]:
    """Paths of all operations for clients as patterns of a load balancer's rule, each with the paths below it."""
    roots = {one.path.partition("/{")[0] for one in operations()}
    shortest = sorted(root for root in roots if not any(root.startswith(f"{other}/") for other in roots))
    return [pattern for root in shortest for pattern in (root, f"{root}/*")]


def model(name: str) -> Schema:
    """The schema of a body as API Gateway reads it: JSON Schema draft 4, without references.

    In draft 4 `1.0` is no integer, which it is to the service: an integer is a multiple of 1.
    https://docs.aws.amazon.com/apigateway/latest/developerguide/models-mappings-models.html
    """
    found: Schema = _draft_4(document()["components"]["schemas"][name])
    return found


def _described() -> Iterator[tuple[str, str, dict[str, Any]]]:
    for path, methods in document()["paths"].items():
        for method, described in methods.items():
            yield path, method.upper(), described


def _operation(path: str, method: str, described: dict[str, Any]) -> Operation:
    def named(where: str) -> tuple[str, ...]:
        return tuple(one["name"] for one in described.get("parameters", []) if one["in"] == where)

    content = described.get("requestBody", {}).get("content", {})
    reference = content["application/json"]["schema"]["$ref"] if content else None
    return Operation(
        id=described["operationId"],
        method=method,
        path=path,
        path_parameters=named("path"),
        query_parameters=named("query"),
        body=reference.removeprefix(SCHEMA_PREFIX) if reference else None,
    )


def _draft_4(schema: Any) -> Any:
    if isinstance(schema, list):
        return [_draft_4(one) for one in schema]
    if not isinstance(schema, dict):
        return int(schema) if isinstance(schema, float) and schema.is_integer() else schema
    if reference := schema.get("$ref"):
        return model(reference.removeprefix(SCHEMA_PREFIX))
    kept = {key: _draft_4(value) for key, value in schema.items() if key in _KEYWORDS}
    if "properties" in schema:
        kept["properties"] = {name: _draft_4(one) for name, one in schema["properties"].items()}
    if kept.get("type") == "integer":
        kept |= {"type": "number", "multipleOf": 1}
    return kept


_KEYWORDS = frozenset(
    {
        *("type", "enum", "pattern", "format", "minimum", "maximum", "minLength", "maxLength"),
        *("required", "additionalProperties", "items", "minItems", "maxItems", "anyOf"),
    }
)
