"""Policies of the distribution: caches, and headers that browsers get (W4.1)."""

from __future__ import annotations

import pytest

from tests.synthesized import Synthesized
from tests.unit.ingress.support import CSP, behaviour


@pytest.mark.requirement("W4.1")
def test_static_files_are_kept_long_and_read_only(platform: Synthesized) -> None:
    static = behaviour(platform, "/static/*")
    policy = platform.by_id(static["cache_policy_id"])
    assert (policy["default_ttl"], policy["max_ttl"]) == (86_400, 31_536_000)
    key = policy["parameters_in_cache_key_and_forwarded_to_origin"]
    assert key["cookies_config"] == {"cookie_behavior": "none"}
    assert key["query_strings_config"] == {"query_string_behavior": "none"}
    assert (key["enable_accept_encoding_brotli"], key["enable_accept_encoding_gzip"]) == (True, True)
    assert set(static["allowed_methods"]) == {"GET", "HEAD", "OPTIONS"}  # CloudFront fails over no others
    assert "function_association" not in static


@pytest.mark.requirement("W4.1")
def test_pages_are_cached_by_their_headers_and_by_authorization(platform: Synthesized) -> None:
    policy = platform.by_id(behaviour(platform, None)["cache_policy_id"])
    assert (policy["min_ttl"], policy["default_ttl"]) == (0, 0)
    key = policy["parameters_in_cache_key_and_forwarded_to_origin"]
    assert key["cookies_config"] == {"cookie_behavior": "all"}
    assert key["query_strings_config"] == {"query_string_behavior": "all"}
    assert key["headers_config"] == {"header_behavior": "whitelist", "headers": {"items": ["Authorization"]}}


@pytest.mark.requirement("W4.1")
def test_responses_have_security_headers(platform: Synthesized, changed: Synthesized) -> None:
    for pattern in (None, "/static/*", "/api/*"):
        policy = platform.by_id(behaviour(platform, pattern)["response_headers_policy_id"])
        security = policy["security_headers_config"]
        assert security["strict_transport_security"] == {
            "access_control_max_age_sec": 63_072_000,
            "include_subdomains": True,
            "preload": False,
            "override": True,
        }
        assert security["content_type_options"] == {"override": True}
        assert security["frame_options"] == {"frame_option": "DENY", "override": True}
        removed = [item["header"] for item in policy["remove_headers_config"]["items"]]
        assert removed == ["Server", "X-Powered-By"]
    api = platform.by_id(behaviour(platform, "/api/*")["response_headers_policy_id"])
    assert api["security_headers_config"]["content_security_policy"]["override"] is True
    kept = {item["header"]: item["value"] for item in api["custom_headers_config"]["items"]}
    assert kept["Cache-Control"] == "no-store"
    pages = changed.by_id(behaviour(changed, None)["response_headers_policy_id"])["security_headers_config"]
    assert pages["content_security_policy"] == {"content_security_policy": CSP, "override": False}
