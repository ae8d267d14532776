"""The APIs that acquirers have: how a request is put as HTTP, and what an HTTP response means for an operation.

The platform's own form, which the rehearsal acquirer speaks:

    POST {base_url}/v1/operations        Idempotency-Key: the operation's key
        {"kind", "amount", "currency", "token" or "reference", "merchant_reference": the key once more}
    GET  {base_url}/v1/operations/{key}
    GET  {base_url}/v1/operations?merchant_reference={key}

All respond 200 with {"key", "kind", "amount", "currency", "status", ...}, where status is

- "approved", with "reference" and, of an authorization, "expires_at";
- "declined", with "reason";
- "pending", with "reference";
- "action_required", with "reference" and "action": {"url", "method", "data", "expires_at"}.

GET responds 404 with {"key", "status": "not_found"} where the acquirer has no record of the key. Any other 404 is a
gateway's, a proxy's or a wrong address's, and says nothing of the operation.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from http import HTTPStatus
from typing import Any, Protocol
from urllib.parse import urlsplit

import httpx

from payments.acquirer.port import (
    AcquirerRequest,
    ActionRequired,
    Approved,
    Capabilities,
    Decision,
    Declined,
    LookUp,
    NotFound,
    NotPerformed,
    Pending,
    Promise,
    Unknown,
    Unserved,
)

NOT_STARTED: dict[int, Unserved] = {
    HTTPStatus.TOO_MANY_REQUESTS: Unserved.THROTTLED,
    HTTPStatus.SERVICE_UNAVAILABLE: Unserved.FAILED,
    HTTPStatus.UNAUTHORIZED: Unserved.CREDENTIAL_REJECTED,
    HTTPStatus.FORBIDDEN: Unserved.CREDENTIAL_REJECTED,
}
"""Statuses of requests that were not performed, as the acquirer serves nobody, or not us."""
UNDECIDED = {HTTPStatus.REQUEST_TIMEOUT, HTTPStatus.CONFLICT}
"""A request with this key may still be running."""
MAX_REASON_LENGTH = 64  # characters, as in the database
REFERENCE = re.compile(r"[\x21-\x7e]{1,128}")
"""What the database, its drivers and a file can hold; an acquirer's own names are shorter."""
UNPRINTABLE = re.compile(r"[^\x20-\x7e]")
MAX_RETRY_AFTER_SECONDS = 3600.0
MAX_ACTION_BYTES = 8192
"""Of the URL and the form fields that a cardholder's browser is sent to."""


@dataclass(frozen=True, slots=True)
class HttpCall:
    """An HTTP request, but for the credential."""

    method: str
    path: str
    body: Mapping[str, Any] | None = None
    headers: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Ended:
    """The acquirer ended the request without a decision: a look-up tells whether it was performed."""

    cause: str
    unserved: Unserved | None = Unserved.FAILED


Exchanged = Decision | Promise | NotFound | NotPerformed | Unknown | Ended


class Dialect(Protocol):
    """The API of an acquirer."""

    @property
    def capabilities(self) -> Capabilities:
        """What the acquirer is capable of."""

    def perform(self, request: AcquirerRequest) -> HttpCall:
        """The HTTP request that performs an operation."""

    def look_up(self, request: AcquirerRequest) -> HttpCall:
        """The HTTP request that looks up an operation; of an acquirer that has look-ups."""

    def authorization(self, credential: str) -> dict[str, str]:
        """The headers with a credential, which is given as the value of the header Authorization."""

    def interpreted(self, status: int, headers: httpx.Headers, content: bytes, request: AcquirerRequest) -> Exchanged:
        """What an HTTP response means for the operation."""


@dataclass(frozen=True)
class Plain:
    """The platform's own form; see the module."""

    capabilities: Capabilities

    def perform(self, request: AcquirerRequest) -> HttpCall:
        """See :class:`Dialect`."""
        return HttpCall("POST", "/v1/operations", _body(request), {"Idempotency-Key": str(request.key)})

    def look_up(self, request: AcquirerRequest) -> HttpCall:
        """See :class:`Dialect`."""
        by_reference = self.capabilities.look_up is LookUp.BY_REFERENCE
        path = f"?merchant_reference={request.key}" if by_reference else f"/{request.key}"
        return HttpCall("GET", f"/v1/operations{path}", None, {"Idempotency-Key": str(request.key)})

    def authorization(self, credential: str) -> dict[str, str]:
        """See :class:`Dialect`."""
        return {"Authorization": credential}

    def interpreted(self, status: int, headers: httpx.Headers, content: bytes, request: AcquirerRequest) -> Exchanged:
        """See :class:`Dialect`."""
        if status == HTTPStatus.OK:
            return _answer(content, request)
        if status == HTTPStatus.NOT_FOUND:
            return NotFound() if _says_not_found(content, request) else Unknown("status 404", Unserved.FAILED)
        return without_answer(status, headers)


def _body(request: AcquirerRequest) -> dict[str, Any]:
    body: dict[str, Any] = {"kind": request.kind.value, "amount": request.amount, "currency": request.currency}
    body["merchant_reference"] = str(request.key)
    if request.token is not None:
        body["token"] = request.token
    if request.reference is not None:
        body["reference"] = request.reference
    return body


def without_answer(status: int, headers: httpx.Headers) -> NotPerformed | Unknown | Ended:
    """What a status means for the operation that says nothing of it."""
    if unserved := NOT_STARTED.get(status):
        return NotPerformed(f"status {status}", _retry_after(headers), unserved)
    if HTTPStatus.BAD_REQUEST <= status < HTTPStatus.INTERNAL_SERVER_ERROR and status not in UNDECIDED:
        return NotPerformed(f"status {status}")
    if status >= HTTPStatus.INTERNAL_SERVER_ERROR:
        return Ended(f"status {status}")
    return Unknown(f"status {status}")


def _says_not_found(content: bytes, request: AcquirerRequest) -> bool:
    """Whether a response says that the acquirer has no record of this key."""
    try:
        values = json.loads(content)
        return (values["key"], values["status"]) == (str(request.key), "not_found")
    except (ValueError, TypeError, KeyError):
        return False


def _answer(content: bytes, request: AcquirerRequest) -> Decision | Promise | Unknown:
    """The answer in a response's body, if it is on this operation."""
    try:
        values = json.loads(content)
        subject = (values["key"], values["kind"], values["amount"], values["currency"])
        status = str(values["status"])
        if subject != (str(request.key), request.kind.value, request.amount, request.currency):
            return Unknown("response for another operation")
        return ANSWERS[status](values)
    except (ValueError, TypeError, KeyError, AttributeError):
        return Unknown("invalid response")


def _approved(values: dict[str, Any]) -> Approved:
    return Approved(reference_in(values["reference"]), _moment(values.get("expires_at")))


def _declined(values: dict[str, Any]) -> Declined:
    return Declined(reason_in(values["reason"]))


def _pending(values: dict[str, Any]) -> Pending:
    return Pending(reference_in(values["reference"]))


def _action_required(values: dict[str, Any]) -> ActionRequired:
    action = values["action"]
    return action_in(
        reference=values["reference"],
        url=action["url"],
        method=action.get("method", "GET"),
        data=action.get("data", {}),
        expires_at=_moment(action.get("expires_at")),
    )


ANSWERS: dict[str, Callable[[dict[str, Any]], Decision | Promise]] = {
    "approved": _approved,
    "declined": _declined,
    "pending": _pending,
    "action_required": _action_required,
}


def reference_in(value: object) -> str:
    """The acquirer's name for a payment.

    Raises:
        ValueError: it is none that can be stored.
    """
    if not (isinstance(value, str) and REFERENCE.fullmatch(value)):
        raise ValueError("not a reference")
    return value


def reason_in(value: object) -> str:
    """The reason of a decline, as it is stored.

    Raises:
        ValueError: there is none.
    """
    if not (isinstance(value, str) and value):
        raise ValueError("not a reason")
    return UNPRINTABLE.sub("?", value)[:MAX_REASON_LENGTH]


def action_in(
    *, reference: object, url: object, method: object, data: object, expires_at: datetime | None
) -> ActionRequired:
    """What the cardholder is to do.

    Raises:
        ValueError: it is nothing that a cardholder's browser may be sent to.
    """
    address = urlsplit(url) if isinstance(url, str) and url.isascii() and url.isprintable() else None
    if not (address and address.scheme == "https" and address.hostname and not address.username):
        raise ValueError("not an https address")
    fields = _texts(data)
    if method not in {"GET", "POST"} or len(json.dumps([url, fields])) > MAX_ACTION_BYTES:
        raise ValueError("not an action")
    return ActionRequired(reference_in(reference), str(url), str(method), fields, expires_at)


def _texts(data: object) -> dict[str, str]:
    """Form fields.

    Raises:
        ValueError: they are none that the database can hold.
    """
    if not isinstance(data, dict) or not all(isinstance(text, str) for one in data.items() for text in one):
        raise ValueError("not form fields")
    fields = {str(name): str(value) for name, value in data.items()}
    if not "".join([*fields, *fields.values()]).isprintable():
        raise ValueError("not form fields")
    return fields


def _moment(value: object) -> datetime | None:
    """A time of RFC 3339; None where none is given.

    Raises:
        ValueError: it is none.
    """
    if value is None:
        return None
    moment = datetime.fromisoformat(str(value))
    if moment.tzinfo is None:
        raise ValueError("without an offset")
    return moment


def _retry_after(headers: httpx.Headers) -> float:
    """Seconds of the header Retry-After (RFC 9110, 10.2.3: seconds or a date); 0 without a valid one."""
    text = headers.get("Retry-After", "").strip()
    if text.isdecimal():
        return min(float(text), MAX_RETRY_AFTER_SECONDS)
    try:
        until = parsedate_to_datetime(text)
    except ValueError:
        return 0.0
    aware = until if until.tzinfo else until.replace(tzinfo=UTC)
    return min(max(0.0, (aware - datetime.now(UTC)).total_seconds()), MAX_RETRY_AFTER_SECONDS)
