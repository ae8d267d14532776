"""Bodies of requests as they are received: what is JSON, and when two of them are the same request."""

from __future__ import annotations

import hashlib
import json
from http import HTTPStatus
from typing import Any

from pydantic import BaseModel

from payments.problems import ApiError

VERSION = b"\x01"
"""Of how a fingerprint of what was received is made."""


def check(body: bytes) -> None:
    """Refuse a body that others on its way may read as another one: in another encoding, or with a member twice.

    Python's own parser takes UTF-16 and UTF-32, and the last of two members of a name; a firewall or a gateway may look
    at the first, or at none. RFC 8259, 8.1 and 4. What is no JSON at all is left to the route.

    Raises:
        ApiError: the body is not UTF-8, or an object has two members of one name.
    """
    try:
        text = body.decode()
    except UnicodeDecodeError:
        raise _malformed("The request body is not UTF-8.") from None
    if text.startswith("\ufeff") or "\0" in text:
        raise _malformed("The request body is not UTF-8 without a byte order mark.")
    try:
        json.loads(text, object_pairs_hook=_each_once)
    except _RepeatedMember:
        raise _malformed("A member of the request body is repeated.") from None
    except (ValueError, RecursionError):
        return


class _RepeatedMember(Exception):
    """An object has two members of one name."""


def _each_once(members: list[tuple[str, Any]]) -> dict[str, Any]:
    values = dict(members)
    if len(values) != len(members):
        raise _RepeatedMember
    return values


def _malformed(detail: str) -> ApiError:
    return ApiError("malformed-json", HTTPStatus.BAD_REQUEST, detail)


def fingerprint_of_received(method: str, path: str, body: bytes) -> bytes:
    """The fingerprint of a request as it was received: the same for every version of the service.

    Order of members and white space do not matter.
    """
    canonical = json.dumps(json.loads(body), sort_keys=True, separators=(",", ":")) if body.strip() else ""
    return VERSION + hashlib.sha256(f"{method} {path}\n{canonical}".encode()).digest()


def fingerprint_of_understood(method: str, path: str, body: BaseModel) -> bytes:
    """The fingerprint of a request as this version understands it, with defaults: the version before has no other."""
    return hashlib.sha256(f"{method} {path}\n{body.model_dump_json()}".encode()).digest()
