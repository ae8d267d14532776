"""Structured logs: JSON lines on standard output, each with the correlation id of its request.

No line has anything that a client sent: no body, header, query or path. Of an exception a line has only the type and
where it was raised, as the messages of libraries quote values.
"""

from __future__ import annotations

import json
import logging
import re
import sys
import traceback
from contextvars import ContextVar
from datetime import UTC, datetime
from pathlib import Path
from types import TracebackType
from uuid import uuid4

from payments.cards import holds_card_number

correlation_id: ContextVar[str | None] = ContextVar("correlation_id", default=None)
"""Of the request or message that is being handled."""
caller: ContextVar[dict[str, str] | None] = ContextVar("caller", default=None)
"""The merchant_id and credential_id of the request that is being handled, once they are known."""

# A UUID with or without hyphens, or the Root of AWS's X-Amzn-Trace-Id: neither can carry anything else.
CORRELATION_ID = re.compile(
    r"[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}|[0-9a-f]{32}|1-[0-9a-f]{8}-[0-9a-f]{24}"
)
TRACE_ROOT = re.compile(r"Root=(1-[0-9a-f]{8}-[0-9a-f]{24})")
MAX_FRAMES = 8

_logger = logging.getLogger("payments")


class _Json(logging.Formatter):
    def format(self, record: logging.LogRecord) -> str:
        """The line of a record whose values were given as ``extra={"values": {...}}``."""
        line = {
            "timestamp": datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds"),
            "level": record.levelname,
            "message": record.getMessage(),
            "correlation_id": correlation_id.get(),
            **(caller.get() or {}),
            **getattr(record, "values", {}),
        }
        if record.exc_info and record.exc_info[0]:
            line["error"] = record.exc_info[0].__name__
            line["raised_at"] = _frames(record.exc_info[2])
        return json.dumps({name: value for name, value in line.items() if value is not None}, default=str)


def configure(level: int = logging.INFO) -> None:
    """Write all log records of this process to standard output as JSON."""
    handler = logging.StreamHandler(sys.stdout)
    handler.setFormatter(_Json())
    logging.basicConfig(level=level, handlers=[handler], force=True)
    # Below warnings these libraries log their own workings.
    for name in ("botocore", "boto3", "urllib3", "uvicorn.access", "alembic", "asyncio", "opentelemetry"):
        logging.getLogger(name).setLevel(logging.WARNING)


def info(message: str, **values: object) -> None:
    """Log an event, with values that are not sensitive."""
    _logger.info(message, extra={"values": values})


def error(message: str, exception: BaseException | None = None, **values: object) -> None:
    """Log an error, with the type of its exception and where it was raised."""
    _logger.error(
        message,
        exc_info=(type(exception), exception, exception.__traceback__) if exception else None,
        extra={"values": values},
    )


def correlation_of(own: str | None, trace: str | None) -> str:
    """The correlation id of a request: the one that it was sent with, or a new one. It is logged and stored.

    Args:
        own: the header X-Correlation-Id, if any.
        trace: the header X-Amzn-Trace-Id, if any; load balancers add it.
    """
    if own and CORRELATION_ID.fullmatch(own) and not holds_card_number(own):
        return own
    found = TRACE_ROOT.match(trace or "")
    return found[1] if found else str(uuid4())


def _frames(where: TracebackType | None) -> list[str]:
    frames = traceback.extract_tb(where)[-MAX_FRAMES:]
    return [f"{Path(frame.filename).name}:{frame.lineno} {frame.name}" for frame in frames]
