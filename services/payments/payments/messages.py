"""The queue's message: a request to process one operation, sent by the outbox and read by the consumer."""

from __future__ import annotations

import json
from dataclasses import dataclass
from uuid import UUID

VERSION = 1


class InvalidMessage(Exception):
    """The message is none of this service's, or of an unknown version."""


@dataclass(frozen=True)
class ProcessOperation:
    """Requests that an operation be processed. It has only ids, and what correlates logs and traces."""

    operation_id: UUID
    payment_id: UUID
    correlation_id: str
    trace: str | None = None
    """W3C traceparent."""
    acquirer_key: UUID | None = None
    """The operation's key at the acquirer, for a person: where the database has lost the row, nothing else has it."""

    def to_json(self) -> str:
        """The body of the message."""
        return json.dumps(
            {
                "version": VERSION,
                "operation_id": str(self.operation_id),
                "payment_id": str(self.payment_id),
                "correlation_id": self.correlation_id,
                "trace": self.trace,
                "acquirer_key": str(self.acquirer_key) if self.acquirer_key else None,
            }
        )

    @classmethod
    def from_json(cls, body: str) -> ProcessOperation:
        """Read a message's body.

        Raises:
            InvalidMessage: it is no such message.
        """
        try:
            values = json.loads(body)
            if values["version"] != VERSION:
                raise InvalidMessage(f"version {values['version']}; {VERSION} is known")
            return cls(
                UUID(values["operation_id"]),
                UUID(values["payment_id"]),
                str(values["correlation_id"]),
                values.get("trace"),
                UUID(key) if (key := values.get("acquirer_key")) else None,
            )
        except (ValueError, TypeError, KeyError, AttributeError):
            raise InvalidMessage("not a request to process an operation") from None
