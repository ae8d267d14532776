"""What the API takes and answers, as JSON."""

from __future__ import annotations

import base64
import binascii
from datetime import datetime
from enum import StrEnum
from typing import Annotated, Any
from uuid import UUID

from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field

from payments import repository
from payments.cards import holds_card_number
from payments.money import DIGITS, LARGEST_AMOUNT
from payments.states import Kind, Progress, State

Currency = StrEnum("Currency", {code: code for code in sorted(DIGITS)})  # type: ignore[misc]


def without_card_number(text: str) -> str:
    """Refuse what looks like a card number."""
    if holds_card_number(text):
        raise ValueError("a card number is not allowed, here or anywhere; send the token that stands for the card")
    return text


def as_integer(value: Any) -> Any:
    """JSON knows one kind of number: 10.0 is 10. https://json-schema.org/draft/2020-12/json-schema-core#section-4.2.3."""
    return int(value) if isinstance(value, float) and value.is_integer() else value


Amount = Annotated[
    int,
    Field(strict=True, ge=1, le=LARGEST_AMOUNT, description="In minor units of the currency, such as cents."),
    BeforeValidator(as_integer),
]


class Request(BaseModel):
    """A body that a client sends: nothing unknown, and no type for another."""

    model_config = ConfigDict(extra="forbid", frozen=True)


class Capture(StrEnum):
    """When the amount is taken."""

    AUTOMATIC = "automatic"
    """At once."""
    MANUAL = "manual"
    """When a capture is asked for."""


class PaymentRequest(Request):
    """A payment that is to be taken."""

    amount: Amount
    currency: Annotated[Currency, Field(description="ISO 4217.")]
    token: Annotated[
        str,
        Field(
            pattern=r"^[A-Za-z0-9_-]{8,128}$",
            description="What stands for the card at the acquirer. A card number is refused.",
        ),
        AfterValidator(without_card_number),
    ]
    capture: Capture = Capture.AUTOMATIC
    reference: Annotated[
        str | None,
        Field(pattern=r"^[A-Za-z0-9_./-]{1,64}$", description="What you call it, such as the number of an order."),
        AfterValidator(lambda text: text and without_card_number(text)),
    ] = None


class CaptureRequest(Request):
    """How much of what was authorized is to be taken; all of it, if nothing is said."""

    amount: Amount | None = None


class RefundRequest(Request):
    """How much of what was captured is to be given back."""

    amount: Amount


class VoidRequest(Request):
    """Nothing: what was authorized is released altogether."""


class Operation(BaseModel):
    """Something that is asked of the acquirer."""

    id: UUID
    payment_id: UUID
    kind: Kind
    amount: int
    state: Progress
    reason: str | None = Field(description="Of a refusal.")
    created_at: datetime
    settled_at: datetime | None

    @classmethod
    def of(cls, stored: repository.Operation) -> Operation:
        """As it is stored."""
        return cls(
            id=stored.id,
            payment_id=stored.payment_id,
            kind=stored.kind,
            amount=stored.amount,
            state=stored.state,
            reason=stored.reason,
            created_at=stored.created_at,
            settled_at=stored.settled_at,
        )

    @classmethod
    def asked(cls, new: repository.NewOperation) -> Operation:
        """As it is when it has just been asked for."""
        return cls(
            id=new.id,
            payment_id=new.payment_id,
            kind=new.kind,
            amount=new.amount,
            state=Progress.ASKED,
            reason=None,
            created_at=new.created_at,
            settled_at=None,
        )


class Payment(BaseModel):
    """A payment. Amounts are in minor units of the currency."""

    id: UUID
    state: State
    amount: int
    currency: str
    captured_amount: int
    refunding_amount: int = Field(description="Refunds that the acquirer has not answered yet.")
    refunded_amount: int
    reference: str | None
    created_at: datetime
    updated_at: datetime

    @classmethod
    def of(cls, stored: repository.Payment) -> Payment:
        """As it is stored."""
        return cls(**_values(stored))

    @classmethod
    def accepted(cls, new: repository.NewPayment) -> Payment:
        """As it is when it has just been accepted."""
        return cls(
            id=new.first.payment_id,
            state=State.ACCEPTED,
            amount=new.first.amount,
            currency=new.currency,
            captured_amount=0,
            refunding_amount=0,
            refunded_amount=0,
            reference=new.reference,
            created_at=new.first.created_at,
            updated_at=new.first.created_at,
        )


class PaymentInDetail(Payment):
    """A payment with everything that was asked of the acquirer, the oldest first."""

    operations: list[Operation]

    @classmethod
    def with_operations(cls, stored: repository.Payment, operations: list[repository.Operation]) -> PaymentInDetail:
        """As they are stored."""
        return cls(**_values(stored), operations=[Operation.of(one) for one in operations])


def _values(stored: repository.Payment) -> dict[str, object]:
    return {name: getattr(stored, name) for name in Payment.model_fields}


class Payments(BaseModel):
    """A page of payments, the newest first."""

    payments: list[Payment]
    next_cursor: str | None = Field(description="Names the next page; null on the last one.")


class Health(BaseModel):
    """Whether all is well."""

    status: str


VERSION = b"\x01"


def cursor_after(payment_id: UUID) -> str:
    """A cursor for the page that begins behind a payment."""
    return base64.urlsafe_b64encode(VERSION + payment_id.bytes).rstrip(b"=").decode()


def payment_before(cursor: str) -> UUID:
    """The payment behind which a page begins.

    Raises:
        ValueError: it is no cursor of ours.
    """
    try:
        read = base64.b64decode(cursor + "=" * (-len(cursor) % 4), altchars=b"-_", validate=True)
    except binascii.Error:
        raise ValueError("not a cursor") from None
    if read[:1] != VERSION or cursor_after(UUID(bytes=read[1:])) != cursor:
        raise ValueError("not a cursor")
    return UUID(bytes=read[1:])
