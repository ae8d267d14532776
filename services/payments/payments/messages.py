"""The message that asks for an operation to be processed: what the outbox sends, and the queue's consumer reads."""

from __future__ import annotations

import json
from dataclasses import dataclass
from uuid import UUID

VERSION = 1


class NotUnderstood(Exception):
    """The message is none of ours, or of a version that is not known."""


@dataclass(frozen=True)
class ProcessOperation:
    """Operation and payment by id, and what its log lines and spans belong to. All else is in the database."""

    operation_id: UUID
    payment_id: UUID
    correlation_id: str
    trace: str | None = None
    """W3C traceparent."""

    def to_json(self) -> str:
        """The body of the message."""
        return json.dumps(
            {
                "version": VERSION,
                "operation_id": str(self.operation_id),
                "payment_id": str(self.payment_id),
                "correlation_id": self.correlation_id,
                "trace": self.trace,
            }
        )

    @classmethod
    def from_json(cls, body: str) -> ProcessOperation:
        """Read a message's body.

        Raises:
            NotUnderstood: it is not such a message.
        """
        try:
            values = json.loads(body)
            if values["version"] != VERSION:
                raise NotUnderstood(f"version {values['version']}; {VERSION} is known")
            return cls(
                UUID(values["operation_id"]),
                UUID(values["payment_id"]),
                str(values["correlation_id"]),
                values.get("trace"),
            )
        except (ValueError, TypeError, KeyError, AttributeError):
            raise NotUnderstood("not a message that asks for an operation") from None
