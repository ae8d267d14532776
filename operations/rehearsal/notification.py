"""Notifications of the acquirer in a rehearsal: forged, signed and repeated, sent to the platform's name.

Payments of cards whose charges the rehearsal acquirer leaves undecided change by a notification and by nothing else:
its book goes on saying that they are pending until the end. The signature is written here as an acquirer writes it,
from the documentation (services/payments/README.md).
"""

from __future__ import annotations

import hashlib
import hmac
import json
import secrets
import time
import uuid
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from http import HTTPStatus
from typing import Any

import httpx

from operations.outcome import Failed
from operations.rehearsal.credential import Administration
from operations.rehearsal.customers import AMOUNT, CURRENCY, Door
from operations.rehearsal.customers import PATH as PAYMENTS_PATH

PATH = "/api/v1/acquirer/notifications"
UNDECIDED_TOKEN = "tok_later_"  # noqa: S105 - how tokens begin, of cards that the rehearsal acquirer decides on later
PAYMENTS = 5
TIMES_AT_ONCE = 3
"""How often each notification is sent at the same moment."""
SECONDS_TO_HAPPEN = 300.0
SECONDS_BETWEEN_LOOKS = 0.25
TOO_OLD_SECONDS = 600
CAPTURED, UNDECIDED = "captured", "accepted"

State = Mapping[str, Any]
"""A payment with its operations, as its merchant reads it."""


@dataclass(frozen=True)
class Acquirer:
    """The rehearsal acquirer, and what it says of its operations by itself."""

    url: str
    key: bytes = field(repr=False)
    """Of those that it signs its notifications with."""

    def undecided(self) -> dict[str, dict[str, Any]]:
        """Its operations without a decision, by the card's token."""
        entries = httpx.get(f"{self.url}/_book/entries", trust_env=False).raise_for_status().json()
        return {str(one["subject"]): one for one in entries if one["status"] == "pending"}

    def decide(self, operation: Mapping[str, Any]) -> None:
        """Have its book say what the notification has said."""
        address = f"{self.url}/_book/decisions/{operation['key']}"
        httpx.put(address, json={"approved": True}, trust_env=False).raise_for_status()

    def sign(self, body: bytes, *, key: bytes | None = None, age_seconds: int = 0) -> dict[str, str]:
        """The headers of a notification that was signed so long ago, by its own key unless another is given."""
        at = int(time.time()) - age_seconds
        signature = hmac.new(key or self.key, f"{at}.".encode() + body, hashlib.sha256).hexdigest()
        return {"Acquirer-Signature": f"t={at},v1={signature}", "Content-Type": "application/json"}

    def forgeries(self, body: bytes) -> dict[str, tuple[bytes, Mapping[str, str]]]:
        """Notifications that it has not sent, or not lately: bodies with their headers."""
        changed = body.replace(b'"approved"', b'"declined"')
        return {
            "without a signature": (body, {"Content-Type": "application/json"}),
            "by another key": (body, self.sign(body, key=secrets.token_bytes(len(self.key)))),
            "of another body": (changed, self.sign(body)),
            "signed long ago": (body, self.sign(body, age_seconds=TOO_OLD_SECONDS)),
        }


def approval(operation: Mapping[str, Any]) -> bytes:
    """A notification that an operation is approved."""
    said = {name: value for name, value in operation.items() if name != "subject"}
    return json.dumps({"id": f"evt_{uuid.uuid4().hex}", "operation": {**said, "status": "approved"}}).encode()


def notify(door: Door, acquirer: Acquirer, administration: Administration, merchant: str) -> str:
    """Let an acquirer decide on payments of a merchant by notifications; returns what was seen.

    Args:
        door: where the merchant and the acquirer come to.
        acquirer: the rehearsal's.
        administration: makes the merchant's key.
        merchant: its name.

    Raises:
        Refused: the function that administers merchants refused.
        Failed: it could not be run, a forged notification was accepted or changed something, a signed one was refused,
            did not change its payment, or changed it more than once.
    """
    key = str(administration.make_key(merchant)["key"])
    with door.client({"Authorization": f"Bearer {key}"}) as shop, door.client({}) as internet:
        payments = _pay(shop)
        operations = _wait(lambda: _all_of(payments, acquirer.undecided()), "the acquirer has all operations")
        bodies = {token: approval(one) for token, one in operations.items()}
        forged = _forge(internet, acquirer, list(bodies.values()))
        if changed := [one["id"] for one in _read(shop, payments) if one["status"] != UNDECIDED]:
            raise Failed(f"{len(changed)} payments changed without a signed notification, the first is {changed[0]}")
        *first, last = bodies.values()
        _send(internet, acquirer, first * TIMES_AT_ONCE)
        _wait(lambda: _captured(shop, list(payments.values())[:-1]), "each payment is captured by its notification")
        before = _read(shop, payments)[:-1]
        _send(internet, acquirer, first)
        _send(internet, acquirer, [last])  # behind the repeats on any way that keeps an order
        _wait(lambda: _captured(shop, list(payments.values())), "the last payment is captured by its notification")
        after = _read(shop, payments)
    for one, again in zip(before, after, strict=False):
        if one != again:
            raise Failed(f"a repeated notification changed payment {one['id']}: {one} became {again}")
    _refuse_more_than_once(after)
    for operation in operations.values():
        acquirer.decide(operation)
    repeats = len(first) * TIMES_AT_ONCE
    said = f"{len(payments)} payments captured by their notifications"
    return f"{said}; {forged} forged ones refused, {repeats} repeats without effect"


def refuse_other_methods(door: Door) -> None:
    """Refuse that anything but a POST gets past the web ACL, which answers 403; the service would answer 405.

    Raises:
        Failed: it does.
    """
    with door.client({}) as internet:
        if (status := internet.get(PATH).status_code) != HTTPStatus.FORBIDDEN:
            raise Failed(f"GET {PATH} is not refused by the web ACL: {status}")


def _pay(shop: httpx.Client) -> dict[str, str]:
    """Payments of cards that are decided on later: their ids by the cards' tokens."""
    found: dict[str, str] = {}
    for _ in range(PAYMENTS):
        token = f"{UNDECIDED_TOKEN}{uuid.uuid4().hex}"
        body = {"amount": AMOUNT, "currency": CURRENCY, "token": token}
        answer = shop.post(PAYMENTS_PATH, json=body, headers={"Idempotency-Key": str(uuid.uuid4())})
        if not answer.is_success:
            raise Failed(f"a payment was not accepted: {answer.status_code} {answer.text.strip()}")
        found[token] = str(answer.json()["id"])
    return found


def _all_of(payments: Mapping[str, str], undecided: Mapping[str, dict[str, Any]]) -> dict[str, dict[str, Any]]:
    """The operations of all payments, or none while one is missing."""
    return {token: undecided[token] for token in payments} if payments.keys() <= undecided.keys() else {}


def _forge(internet: httpx.Client, acquirer: Acquirer, bodies: Sequence[bytes]) -> int:
    """Send what the acquirer has not; returns how many were refused."""
    number = 0
    for body in bodies:
        for kind, (content, headers) in acquirer.forgeries(body).items():
            status = internet.post(PATH, content=content, headers=dict(headers)).status_code
            if status != HTTPStatus.FORBIDDEN:
                raise Failed(f"a notification {kind} is not refused: {status}")
            number += 1
    return number


def _send(internet: httpx.Client, acquirer: Acquirer, bodies: Sequence[bytes]) -> None:
    """Send signed notifications at the same moment."""

    def send(body: bytes) -> int:
        return internet.post(PATH, content=body, headers=acquirer.sign(body)).status_code

    with ThreadPoolExecutor(len(bodies)) as pool:
        statuses = list(pool.map(send, bodies))
    if refused := [status for status in statuses if status != HTTPStatus.NO_CONTENT]:
        number = f"{len(refused)} of {len(statuses)}"
        raise Failed(f"{number} signed notifications were refused, the first with {refused[0]}")


def _read(shop: httpx.Client, payments: Mapping[str, str]) -> list[State]:
    return [shop.get(f"{PAYMENTS_PATH}/{one}").raise_for_status().json() for one in payments.values()]


def _captured(shop: httpx.Client, identifiers: Sequence[str]) -> bool:
    found = (shop.get(f"{PAYMENTS_PATH}/{one}").raise_for_status().json() for one in identifiers)
    return all(one["status"] == CAPTURED for one in found)


def _refuse_more_than_once(states: Sequence[State]) -> None:
    for one in states:
        if (one["captured_amount"], len(one["operations"])) != (AMOUNT, 1):
            raise Failed(f"payment {one['id']} was captured otherwise than once: {one}")


def _wait(look: Callable[[], Any], what: str) -> Any:
    """What a look has found, once it has found something."""
    deadline = time.monotonic() + SECONDS_TO_HAPPEN
    while not (found := look()):
        if time.monotonic() > deadline:
            raise Failed(f"waited {SECONDS_TO_HAPPEN:g} s in vain: {what}")
        time.sleep(SECONDS_BETWEEN_LOOKS)
    return found
