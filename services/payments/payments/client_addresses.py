"""The client's address of a request, as the proxies in front of the service have seen it.

Each proxy appends to ``X-Forwarded-For`` the address that the request came from. What the trusted ones have appended is
at the end; everything before it may be the client's invention.
https://docs.aws.amazon.com/elasticloadbalancing/latest/application/x-forwarded-headers.html
"""

from __future__ import annotations

import ipaddress
from collections.abc import Sequence

HEADER = "x-forwarded-for"


def client_address(forwarded: Sequence[str], peer: str, *, proxies: int) -> str:
    """The client's address; empty where it is not an address.

    Args:
        forwarded: the values of the header.
        peer: the address at the other end of the connection.
        proxies: how many trusted proxies each request passes.
    """
    seen = [one.strip() for value in forwarded for one in value.split(",") if one.strip()]
    hops = [*seen, peer]
    text = hops[-1 - min(proxies, len(seen))]
    try:
        return str(ipaddress.ip_address(text))
    except ValueError:
        return ""
