"""Adyen's Checkout API, version 71, as a dialect of the HTTP client, and its notifications.

https://docs.adyen.com/api-explorer/Checkout/71, https://docs.adyen.com/development-resources/api-idempotency and
https://docs.adyen.com/development-resources/webhooks/verify-hmac-signatures. The sandbox is
https://checkout-test.adyen.com/v71.

What is Adyen's own:

- A payment cannot be looked up. A request with the same key within the retention gets the first response once more; the
  documentation has named 7 days and 31 days as the least, so that 7 are believed.
- Captures, refunds and cancels are "received", and decided by a notification. So is what the cardholder has to act for.
- The reference of each request is our key, and comes back in each notification.
- A token is a stored payment method's id, after its shopper's reference and two hyphens.

Not there: what the cardholder's browser brings back from a redirect (redirectResult) has to be sent to
/payments/details, and nothing here does. Until then a payment that needs it stays requires_action, and a person is told
when its time is over.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import hmac
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from http import HTTPStatus
from typing import Any
from uuid import UUID

import httpx

from payments.acquirer.dialect import Exchanged, HttpCall, action_in, reason_in, reference_in, without_answer
from payments.acquirer.notifications import EVENT_ID, NotAuthentic, Notification, NotUnderstood, notification
from payments.acquirer.port import (
    AcquirerRequest,
    Approved,
    Capabilities,
    Decision,
    Declined,
    Pending,
    Promise,
    Unknown,
    Unserved,
)
from payments.states import OperationKind

LATER = {OperationKind.CAPTURE: "captures", OperationKind.REFUND: "refunds", OperationKind.VOID: "cancels"}
ANSWERED = {HTTPStatus.OK, HTTPStatus.CREATED}
DECIDED_LATER = {"Pending", "Received"}
REFUSED = {"Refused", "Cancelled", "Error"}
TO_THE_CARDHOLDER = {"RedirectShopper", "ChallengeShopper", "IdentifyShopper"}
IN_PROGRESS = "704"
"""Error code: a request with this key is being processed, or was. https://docs.adyen.com/development-resources/error-codes."""


@dataclass(frozen=True)
class Adyen:
    """See the module; a :class:`payments.acquirer.dialect.Dialect`."""

    capabilities: Capabilities
    merchant_account: str
    return_url: str
    """Where the cardholder's browser returns after acting."""

    def perform(self, request: AcquirerRequest) -> HttpCall:
        """See the protocol."""
        path = f"/payments/{request.reference}/{LATER[request.kind]}" if request.kind in LATER else "/payments"
        body: dict[str, Any] = {"merchantAccount": self.merchant_account, "reference": str(request.key)}
        if request.kind is not OperationKind.VOID:  # the whole authorization is cancelled
            body["amount"] = {"value": request.amount, "currency": request.currency}
        if request.kind not in LATER:
            body |= self._payment(request)
        return HttpCall("POST", path, body, {"Idempotency-Key": str(request.key)})

    def _payment(self, request: AcquirerRequest) -> dict[str, Any]:
        shopper, found, stored = (request.token or "").partition("--")
        method = {"type": "scheme", "storedPaymentMethodId": stored if found else shopper}
        if request.kind is OperationKind.SALE:
            capture: dict[str, Any] = {"captureDelayHours": 0}
        else:
            capture = {"additionalData": {"manualCapture": "true"}}
        return {
            "paymentMethod": method,
            "shopperInteraction": "ContAuth",
            "returnUrl": self.return_url,
            **({"shopperReference": shopper} if found else {}),
            **capture,
        }

    def look_up(self, request: AcquirerRequest) -> HttpCall:
        """There is none: :attr:`capabilities` say so, and nobody calls it."""
        raise NotImplementedError(f"{request.kind}: Adyen has no look-up")

    def authorization(self, credential: str) -> dict[str, str]:
        """See the protocol."""
        return {"X-API-Key": credential.removeprefix("Bearer ")}

    def interpreted(self, status: int, headers: httpx.Headers, content: bytes, request: AcquirerRequest) -> Exchanged:
        """See the protocol."""
        try:
            values = json.loads(content)
            if status in ANSWERED:
                return _later(values, request) if request.kind in LATER else _payment_answer(values, request)
            if values.get("errorCode") == IN_PROGRESS:
                return Unknown("in progress")
        except (ValueError, TypeError, KeyError, AttributeError):
            if status in ANSWERED:
                return Unknown("invalid response")
        if headers.get("transient-error", "").lower() == "true":
            return Unknown(f"status {status}, transient", Unserved.FAILED)
        return without_answer(status, headers)


def _later(values: dict[str, Any], request: AcquirerRequest) -> Exchanged:
    if values["status"] != "received" or values["paymentPspReference"] != request.reference:
        return Unknown("response for another operation")
    return Pending(reference_in(values["pspReference"]))


def _payment_answer(values: dict[str, Any], request: AcquirerRequest) -> Decision | Promise | Unknown:
    asked = {"value": request.amount, "currency": request.currency}
    subject = values.get("merchantReference", str(request.key)), values.get("amount", asked)
    if subject != (str(request.key), asked):
        return Unknown("response for another operation")
    result = values["resultCode"]
    if result in REFUSED:
        return Declined(reason_in(values.get("refusalReason") or result))
    if result in TO_THE_CARDHOLDER:
        return _action(values, request)
    reference = reference_in(values["pspReference"])
    if result == "Authorised":
        return Approved(reference)
    return Pending(reference) if result in DECIDED_LATER else Unknown("invalid response")


def _action(values: dict[str, Any], request: AcquirerRequest) -> Promise:
    """The redirect; before it Adyen may have no reference of its own, and ours stands for it."""
    action = values["action"]
    if action["type"] != "redirect":
        raise ValueError("not a redirect")
    return action_in(
        reference=values.get("pspReference") or str(request.key),
        url=action["url"],
        method=action.get("method", "GET"),
        data=action.get("data") or {},
        expires_at=None,
    )


DECISIONS = {"AUTHORISATION", "CAPTURE", "REFUND", "CANCELLATION"}
"""Events that say whether a request has succeeded."""
FAILURES = {"CAPTURE_FAILED", "REFUND_FAILED"}
"""Events that say that what had succeeded has failed."""


@dataclass(frozen=True)
class AdyenNotifications:
    """Adyen's notifications in JSON: each item is signed by itself, without a time, and stored once.

    https://docs.adyen.com/development-resources/webhooks/webhook-types
    """

    keys: Sequence[bytes]
    """In hexadecimal, as Adyen shows them."""
    merchant_account: str

    def read(self, headers: Mapping[str, str], body: bytes, now: float) -> Sequence[Notification]:  # noqa: ARG002
        """See :class:`payments.acquirer.notifications.Notifications`."""
        try:
            items = [one["NotificationRequestItem"] for one in json.loads(body)["notificationItems"]]
            for item in items:
                self._verify(item)
            return [found for item in items if (found := self._decision(item))]
        except (ValueError, TypeError, KeyError, AttributeError):
            raise NotUnderstood("not a notification") from None

    def _verify(self, item: dict[str, Any]) -> None:
        given = str((item.get("additionalData") or {}).get("hmacSignature", ""))
        if not any(hmac.compare_digest(given.encode(), signature(key, item).encode()) for key in self.keys):
            raise NotAuthentic("the signature is wrong")
        if item["merchantAccountCode"] != self.merchant_account:
            raise NotAuthentic("of another merchant account")

    def _decision(self, item: dict[str, Any]) -> Notification | None:
        """The decision of an item; None where it has none, or is of a payment that was made elsewhere."""
        event, succeeded = item["eventCode"], item["success"] == "true"
        if event not in DECISIONS | FAILURES:
            return None
        try:
            UUID(item["merchantReference"])
        except ValueError:
            return None
        decision: Decision = Approved(reference_in(item["pspReference"]))
        if event in FAILURES or not succeeded:
            decision = Declined(reason_in(item.get("reason") or event.lower()))
        event_id = f"{event}:{item['pspReference']}:{item['success']}"
        if not EVENT_ID.fullmatch(event_id):
            raise ValueError("not an event")
        amount = item["amount"]
        return notification(event_id, item["merchantReference"], decision, amount["value"], amount["currency"])


def signature(key: bytes, item: Mapping[str, Any]) -> str:
    """The signature of an item, in base64.

    Raises:
        NotAuthentic: the key is not hexadecimal.
    """
    fields = (
        item["pspReference"],
        item.get("originalReference") or "",
        item["merchantAccountCode"],
        item["merchantReference"],
        item["amount"]["value"],
        item["amount"]["currency"],
        item["eventCode"],
        item["success"],
    )
    try:
        secret = binascii.unhexlify(key)
    except binascii.Error:
        raise NotAuthentic("the key is not hexadecimal") from None
    signed = ":".join(str(field) for field in fields).encode()
    return base64.b64encode(hmac.new(secret, signed, hashlib.sha256).digest()).decode()
