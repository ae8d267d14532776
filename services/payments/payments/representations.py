"""The API's request and response bodies, as JSON."""

from __future__ import annotations

import base64
import binascii
from datetime import datetime
from enum import StrEnum
from typing import Annotated, Any, Literal
from uuid import UUID

from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field

from payments import repository
from payments.cards import holds_card_number
from payments.money import DIGITS, MAX_AMOUNT
from payments.states import OperationKind, OperationStatus, PaymentStatus

Currency = StrEnum("Currency", {code: code for code in sorted(DIGITS)})  # type: ignore[misc]


def without_card_number(text: str) -> str:
    """Reject a text with a card number in it."""
    if holds_card_number(text):
        raise ValueError("card numbers are not accepted; send the card's token")
    return text


def as_integer(value: Any) -> Any:
    """JSON has one kind of number: 10.0 is 10. https://json-schema.org/draft/2020-12/json-schema-core#section-4.2.3."""
    return int(value) if isinstance(value, float) and value.is_integer() else value


Amount = Annotated[
    int,
    Field(strict=True, ge=1, le=MAX_AMOUNT, description="In minor units of the currency, such as cents."),
    BeforeValidator(as_integer),
]


class RequestBody(BaseModel):
    """A request body: unknown members are invalid, and so is a value of another type."""

    model_config = ConfigDict(extra="forbid", frozen=True)


class CaptureMode(StrEnum):
    """When the amount is captured."""

    AUTOMATIC = "automatic"
    """With the authorization."""
    MANUAL = "manual"
    """By a later request."""


class PaymentRequest(RequestBody):
    """A payment to be taken."""

    amount: Amount
    currency: Annotated[Currency, Field(description="ISO 4217 code.")]
    token: Annotated[
        str,
        Field(
            pattern=r"^[A-Za-z0-9_-]{8,128}$",
            description="The acquirer's token of the card. Card numbers are not accepted.",
        ),
        AfterValidator(without_card_number),
    ]
    capture: Annotated[
        CaptureMode,
        Field(description="automatic captures with the authorization; manual waits for a request to capture."),
    ] = CaptureMode.AUTOMATIC
    reference: Annotated[
        str | None,
        Field(
            pattern=r"^[A-Za-z0-9_./-]{1,64}$", description="Your own name for the payment, such as an order number."
        ),
        AfterValidator(lambda text: text and without_card_number(text)),
    ] = None


class CaptureRequest(RequestBody):
    """A capture of an authorized payment: of the given amount, or of all of it. The rest is released."""

    amount: Amount | None = None


class RefundRequest(RequestBody):
    """A refund of a captured payment, full or partial."""

    amount: Amount


class VoidRequest(RequestBody):
    """A void of an authorized payment: an empty object, as the whole authorization is released."""


class Operation(BaseModel):
    """An operation of a payment, which the acquirer performs or declines. Amounts are in minor units."""

    id: UUID
    payment_id: UUID
    kind: OperationKind
    amount: int
    status: OperationStatus = Field(description="pending until the acquirer has decided.")
    reason: str | None = Field(description="Why it was declined or failed, such as insufficient_funds.")
    created_at: datetime
    completed_at: datetime | None = Field(description="When it left the status pending.")

    @classmethod
    def of(cls, stored: repository.Operation) -> Operation:
        """The representation of a stored operation."""
        return cls(**{name: getattr(stored, name) for name in cls.model_fields})

    @classmethod
    def pending(cls, new: repository.NewOperation) -> Operation:
        """The representation of an operation that is about to be stored."""
        return cls(
            id=new.id,
            payment_id=new.payment_id,
            kind=new.kind,
            amount=new.amount,
            status=OperationStatus.PENDING,
            reason=None,
            created_at=new.created_at,
            completed_at=None,
        )


class NextAction(BaseModel):
    """What the cardholder has to do before the acquirer decides, such as authenticate by 3-D Secure."""

    type: Literal["redirect"] = Field(description="Send the cardholder's browser to the URL.")
    url: str
    method: Literal["GET", "POST"] = Field(description="HTTP method by which the browser goes there.")
    data: dict[str, str] = Field(description="Form fields that it sends there, with POST.")


class Payment(BaseModel):
    """A payment. Amounts are in minor units of the currency."""

    id: UUID
    status: PaymentStatus
    amount: int
    currency: str
    captured_amount: int
    refunding_amount: int = Field(description="Sum of the pending refunds.")
    refunded_amount: int
    reference: str | None
    created_at: datetime
    updated_at: datetime
    next_action: NextAction | None = Field(
        None,
        description="What the cardholder has to do while the status is requires_action; null once that is done and the "
        "acquirer is deciding.",
    )
    capture_before: datetime | None = Field(
        None,
        description="When the acquirer releases the authorization, if it has said so: then the payment is expired.",
    )

    @classmethod
    def of(cls, stored: repository.Payment) -> Payment:
        """The representation of a stored payment."""
        return cls(**_values(stored))

    @classmethod
    def accepted(cls, new: repository.NewPayment) -> Payment:
        """The representation of a payment that is about to be stored."""
        return cls(
            id=new.first.payment_id,
            status=PaymentStatus.ACCEPTED,
            amount=new.first.amount,
            currency=new.currency,
            captured_amount=0,
            refunding_amount=0,
            refunded_amount=0,
            reference=new.reference,
            created_at=new.first.created_at,
            updated_at=new.first.created_at,
        )


class PaymentWithOperations(Payment):
    """A payment with all of its operations, oldest first."""

    operations: list[Operation]

    @classmethod
    def with_operations(
        cls, stored: repository.Payment, operations: list[repository.Operation]
    ) -> PaymentWithOperations:
        """The representation of a stored payment and its operations."""
        return cls(**_values(stored), operations=[Operation.of(one) for one in operations])


def _values(stored: repository.Payment) -> dict[str, Any]:
    return {name: getattr(stored, name) for name in Payment.model_fields}


class PaymentPage(BaseModel):
    """A page of payments, newest first."""

    payments: list[Payment]
    next_cursor: str | None = Field(description="The cursor of the next page; null on the last one.")


class Health(BaseModel):
    """The result of a health check."""

    status: str


VERSION = b"\x01"


def cursor_after(payment_id: UUID) -> str:
    """The cursor of the page that follows a payment."""
    return base64.urlsafe_b64encode(VERSION + payment_id.bytes).rstrip(b"=").decode()


def payment_before(cursor: str) -> UUID:
    """The payment that a cursor's page follows.

    Raises:
        ValueError: it is no cursor of this API.
    """
    try:
        read = base64.b64decode(cursor + "=" * (-len(cursor) % 4), altchars=b"-_", validate=True)
    except binascii.Error:
        raise ValueError("not a cursor") from None
    if read[:1] != VERSION or cursor_after(UUID(bytes=read[1:])) != cursor:
        raise ValueError("not a cursor")
    return UUID(bytes=read[1:])
