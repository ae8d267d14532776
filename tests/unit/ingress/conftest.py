"""Fixtures that these tests share."""

from __future__ import annotations

import pytest

from tests.synthesized import Synthesized
from tests.unit.ingress.support import CSP, with_edge


@pytest.fixture(scope="module")
def changed() -> Synthesized:
    """The platform with much that settings can change, changed."""
    return with_edge(
        behaviours=[
            {"path_pattern": "/v2/*", "kind": "api"},
            {"path_pattern": "/assets/*", "kind": "static"},
            {"path_pattern": "/shop/*", "kind": "pages"},
        ],
        host_names=["@", "www"],
        content_security_policy=CSP,
        blocked_countries=["XK"],
        forbidden_page="/assets/403.html",
        origin_routing="latency",
    )
