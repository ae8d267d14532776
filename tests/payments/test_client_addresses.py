"""The client's address, by what trusted proxies have appended to X-Forwarded-For (Q3)."""

from __future__ import annotations

import pytest

from payments.client_addresses import client_address

pytestmark = [pytest.mark.requirement("Q3")]

FORGED, CLIENT, EDGE, BALANCER = "203.0.113.9", "198.51.100.1", "192.0.2.1", "10.0.0.1"


@pytest.mark.parametrize(
    ("forwarded", "proxies", "address"),
    [
        ([f"{FORGED}, {CLIENT}, {EDGE}"], 2, CLIENT),
        ([FORGED, f"{CLIENT},{EDGE}"], 2, CLIENT),
        ([f"{FORGED}, {CLIENT}"], 1, CLIENT),
        ([f"{CLIENT}, {EDGE}"], 2, CLIENT),
        ([CLIENT], 0, BALANCER),
        ([CLIENT], 2, CLIENT),
        ([], 2, BALANCER),
        (["2001:db8::1"], 1, "2001:db8::1"),
        (["somebody"], 1, ""),
    ],
)
def test_client_address_is_what_trusted_proxies_have_seen(forwarded: list[str], proxies: int, address: str) -> None:
    assert client_address(forwarded, BALANCER, proxies=proxies) == address
