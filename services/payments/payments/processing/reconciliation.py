"""A whole run of the reconciler: what the outbox holds is sent, then what nobody has answered is looked after."""

from __future__ import annotations

from collections.abc import Callable

from botocore.exceptions import BotoCoreError, ClientError

from payments import logs, publisher
from payments.processing.composition import Composition
from payments.processing.reconciler import Reconciler
from payments.processing.settings import ReconciliationSettings
from payments.repository import Connection
from payments.settings import read

SECONDS_FOR_LETTERS = 10.0
"""Least time left with which another hundred letters are sent."""


async def reconcile(parts: Composition, seconds: Callable[[], float]) -> dict[str, int]:
    """Do it all, and say what came of it.

    Args:
        parts: what the process shares.
        seconds: how much time is left.

    Raises:
        psycopg.Error: the database failed; a later run goes on.
    """
    settings = read(ReconciliationSettings)
    if settings.writer_host and settings.writer_host != await parts.processor.database.run(_host):
        logs.info("not reconciled: the writer is in the other region, whose reconciler sees to it")
        return {}
    sent = await _publish(parts, seconds)
    report = await Reconciler(parts.processor, settings).run(seconds)
    parts.processor.measures.flush()
    said = {"letters": sent, "found": report.found, **report.results}
    logs.info("reconciled", **said, oldest_seconds=round(report.oldest_seconds))
    return said


def _host(connection: Connection) -> str:
    """Which of the hosts of DATABASE_HOST a connection was made to: the writer's."""
    return connection.info.host


async def _publish(parts: Composition, seconds: Callable[[], float]) -> int:
    """Send what no publisher has sent; how much that was."""
    queue = publisher.Queue(parts.environment.queue_url, parts.environment.aws_region)

    def publish(connection: Connection) -> int:
        return len(publisher.publish(connection, queue))

    sent = 0
    try:
        while seconds() > SECONDS_FOR_LETTERS and (more := await parts.processor.database.run(publish)):
            sent += more
    except (BotoCoreError, ClientError) as error:
        logs.error("outbox not sent", error)  # answers can be found without the queue
    return sent
