"""A request to an AWS API, as far as authorization needs it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any


@dataclass(frozen=True, kw_only=True)
class ApiRequest:
    """A request to an AWS API.

    ``resource`` has the top-level parameters that identify something, ``parameters`` every scalar by its path
    (``Tags[0].Key``), ``headers`` the HTTP headers, ``path`` the path of the URL.
    """

    service: str
    operation: str
    action: str
    region: str
    account: str
    resource: Mapping[str, str | list[str]] = field(default_factory=dict)
    parameters: Mapping[str, Any] = field(default_factory=dict)
    headers: Mapping[str, str] = field(default_factory=dict)
    path: str = ""
