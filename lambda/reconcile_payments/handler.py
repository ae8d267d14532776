"""Looks after payments that nobody has answered, on a schedule.

Sends what the outbox holds and no publisher has sent, finds at the acquirer the answers that were lost, sends messages
again that were lost, and ends what the acquirer does not know of after the settled time: see
:mod:`payments.processing.reconciler`. It may run beside itself, and beside everything else.

The environment is that of process_payment, and RECONCILIATION_... .
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from functools import cache
from typing import Any, Protocol

from botocore.exceptions import BotoCoreError, ClientError

from payments import logs, publisher
from payments.processing.composition import Composition, compose
from payments.processing.reconciler import Reconciler
from payments.processing.settings import ReconciliationSettings
from payments.repository import Connection
from payments.settings import read

SERVICE = "reconcile_payments"
SECONDS_KEPT = 5.0
SECONDS_FOR_LETTERS = 10.0
"""Least time left with which another hundred letters are sent."""

logs.configure()


class Context(Protocol):
    """What is used of Lambda's context."""

    def get_remaining_time_in_millis(self) -> int:
        """Milliseconds until Lambda ends the function."""


def handler(_event: dict[str, Any], context: Context) -> dict[str, Any]:
    """Look after what is due, and say what came of it."""

    def seconds() -> float:
        return context.get_remaining_time_in_millis() / 1000 - SECONDS_KEPT

    return loop().run_until_complete(_run(seconds))


async def _run(seconds: Callable[[], float]) -> dict[str, Any]:
    parts = composition()
    queue = publisher.Queue(parts.environment.queue_url, parts.environment.aws_region)

    def publish(connection: Connection) -> int:
        return len(publisher.publish(connection, queue))

    sent = 0
    try:
        while seconds() > SECONDS_FOR_LETTERS and (more := await parts.processor.database.run(publish)):
            sent += more
    except (BotoCoreError, ClientError) as error:
        logs.error("outbox not sent", error)  # answers can be found without the queue
    report = await Reconciler(parts.processor, read(ReconciliationSettings)).run(seconds)
    parts.processor.measures.flush()
    said = {"letters": sent, "found": report.found, **report.results}
    logs.info("reconciled", **said, oldest_seconds=round(report.oldest_seconds))
    return said


@cache
def composition() -> Composition:
    """What all invocations of this process share, connections among it."""
    return compose(SERVICE)


@cache
def loop() -> asyncio.AbstractEventLoop:
    """One for all invocations: connections belong to it."""
    return asyncio.new_event_loop()
