"""A request of an AWS API, as far as authorization looks at it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any


@dataclass(frozen=True, kw_only=True)
class ApiRequest:
    """A request of an AWS API.

    ``resource`` holds the parameters of the first level that name something, ``parameters`` every scalar by its path
    (``Tags[0].Key``), ``headers`` those of HTTP.
    """

    service: str
    operation: str
    action: str
    region: str
    account: str
    resource: Mapping[str, str | list[str]] = field(default_factory=dict)
    parameters: Mapping[str, Any] = field(default_factory=dict)
    headers: Mapping[str, str] = field(default_factory=dict)
