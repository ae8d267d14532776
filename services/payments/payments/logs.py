"""Log lines of JSON on standard output, each with the correlation id of the request that it belongs to.

What a client sends is in none of them: no body, header, query or path, and of an error only its kind and where it was
raised, as messages of libraries quote values.
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

correlation_id: ContextVar[str | None] = ContextVar("correlation_id", default=None)
"""Of the request that is being answered."""

# A UUID with or without its hyphens, or the Root of AWS's X-Amzn-Trace-Id: nothing that means anything by itself.
CORRELATION_ID = re.compile(
    r"[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}|[0-9a-f]{32}|1-[0-9a-f]{8}-[0-9a-f]{24}"
)
TRACE_ROOT = re.compile(r"Root=(1-[0-9a-f]{8}-[0-9a-f]{24})")
MOST_FRAMES = 8

_logger = logging.getLogger("payments")


class _Json(logging.Formatter):
    def format(self, record: logging.LogRecord) -> str:
        """A line; values come as ``extra={"values": {...}}``."""
        line = {
            "timestamp": datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds"),
            "level": record.levelname,
            "message": record.getMessage(),
            "correlation_id": correlation_id.get(),
            **getattr(record, "values", {}),
        }
        if record.exc_info and record.exc_info[0]:
            line["error"] = record.exc_info[0].__name__
            line["raised_at"] = _frames(record.exc_info[2])
        return json.dumps({name: value for name, value in line.items() if value is not None}, default=str)


def configure(level: int = logging.INFO) -> None:
    """Send all log records of this process to standard output as JSON."""
    handler = logging.StreamHandler(sys.stdout)
    handler.setFormatter(_Json())
    logging.basicConfig(level=level, handlers=[handler], force=True)
    # What they say at this level is about their own doings.
    for name in ("botocore", "boto3", "urllib3", "uvicorn.access", "alembic", "asyncio", "opentelemetry"):
        logging.getLogger(name).setLevel(logging.WARNING)


def info(message: str, **values: object) -> None:
    """Log an event with values that are safe to keep."""
    _logger.info(message, extra={"values": values})


def error(message: str, problem: BaseException | None = None, **values: object) -> None:
    """Log that something went wrong: of ``problem`` its kind and where it was raised."""
    _logger.error(
        message, exc_info=(type(problem), problem, problem.__traceback__) if problem else None, extra={"values": values}
    )


def correlation_of(own: str | None, trace: str | None) -> str:
    """The id that a request comes with, or a new one.

    Args:
        own: the header X-Correlation-Id.
        trace: the header X-Amzn-Trace-Id, which load balancers add.
    """
    if own and CORRELATION_ID.fullmatch(own):
        return own
    found = TRACE_ROOT.match(trace or "")
    return found[1] if found else str(uuid4())


def _frames(where: TracebackType | None) -> list[str]:
    frames = traceback.extract_tb(where)[-MOST_FRAMES:]
    return [f"{Path(frame.filename).name}:{frame.lineno} {frame.name}" for frame in frames]
