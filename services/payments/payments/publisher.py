"""The outbox publisher: sends the messages of the outbox to the queue, at least once, next to any number of others.

Messages are read under a lock, sent, and deleted in one transaction. A publisher that dies before the commit has sent
messages that another one sends again: the consumer must accept a message twice.
"""

from __future__ import annotations

import threading
import time
from contextlib import suppress
from datetime import UTC, datetime, timedelta

from botocore.exceptions import BotoCoreError, ClientError

from payments import logs, metrics, repository
from payments.database import Database
from payments.messages import ProcessOperation
from payments.queue import MAX_BATCH, Queue
from payments.repository import Connection, OutboxMessage
from shared.payment_metrics import OUTBOX_AGE

MESSAGES_PER_TRANSACTION = 10 * MAX_BATCH
POLL_SECONDS = 0.5
MAX_RETRY_SECONDS = 10.0
PURGE_SECONDS = 600.0
KEYS_PER_PURGE = 5000


def publish(connection: Connection, queue: Queue) -> list[OutboxMessage]:
    """Send up to a hundred messages of the outbox, and delete them from it; returns those that were sent.

    Raises:
        botocore.exceptions.BotoCoreError, botocore.exceptions.ClientError: the queue could not be reached, and nothing
            was sent.
    """
    sent: set[int] = set()
    with connection.transaction():
        messages = repository.lock_outbox_messages(connection, MESSAGES_PER_TRANSACTION)
        for start in range(0, len(messages), MAX_BATCH):
            bodies = {str(message.id): _body(message) for message in messages[start : start + MAX_BATCH]}
            try:
                taken, failed = queue.send(bodies)
            except (BotoCoreError, ClientError):
                if not sent:
                    raise
                break  # what was sent is deleted first; the next poll finds the rest
            sent.update(int(id_) for id_ in taken)
            for id_, code in failed.items():
                logs.error("message rejected by the queue", outbox_id=id_, code=code)
        if sent:
            repository.delete_outbox_messages(connection, sorted(sent))
    return [message for message in messages if message.id in sent]


def _body(message: OutboxMessage) -> str:
    return ProcessOperation(
        message.operation_id, message.payment_id, message.correlation_id, message.trace, message.acquirer_key
    ).to_json()


class Publisher:
    """A thread that polls the outbox, and purges expired idempotency keys when the outbox is empty."""

    def __init__(self, database: Database, queue: Queue, *, environment: str, key_lifetime: timedelta) -> None:
        """``environment`` is the environment's suffix, for metrics; ``key_lifetime`` is of idempotency keys."""
        self._database = database
        self._queue = queue
        self._environment = environment
        self._key_lifetime = key_lifetime
        self._wake = threading.Event()
        self._stopping = threading.Event()
        self._stop_at = 0.0
        self._purge_at = 0.0
        self._connection: Connection | None = None
        self._thread = threading.Thread(target=self._run, name="publisher", daemon=True)

    def start(self) -> None:
        """Start the thread."""
        self._thread.start()

    def wake(self) -> None:
        """Poll at once: a message was put into the outbox."""
        self._wake.set()

    def stop(self, seconds: float) -> None:
        """Send what is left in the outbox, for at most ``seconds``, and end the thread."""
        self._stop_at = time.monotonic() + seconds
        self._stopping.set()
        self._wake.set()
        self._thread.join(seconds)

    def _run(self) -> None:
        pause = 0.0
        while True:
            try:
                sent = self._publish()
                pause = 0.0
            except Exception as error:  # noqa: BLE001 - whatever it is, the outbox must go on being sent
                logs.error("outbox not sent", error)
                self._disconnect()
                sent = 0
                pause = min(max(pause * 2, POLL_SECONDS), MAX_RETRY_SECONDS)
            if self._stopping.is_set() and (time.monotonic() > self._stop_at or not (sent or pause)):
                break
            if not sent:
                self._wait(pause or POLL_SECONDS)
        self._disconnect()

    def _wait(self, seconds: float) -> None:
        self._wake.wait(seconds)
        self._wake.clear()

    def _publish(self) -> int:
        if self._connection is None:
            self._connection = self._database.connect()
        sent = publish(self._connection, self._queue)
        if sent:
            now = datetime.now(UTC)
            ages = [(now - message.created_at) / timedelta(milliseconds=1) for message in sent]
            logs.info("outbox sent", messages=len(sent), **metrics.embedded(self._environment, {OUTBOX_AGE: ages}))
        elif time.monotonic() > self._purge_at:
            self._purge_at = time.monotonic() + PURGE_SECONDS
            repository.purge_idempotency_keys(self._connection, self._key_lifetime, KEYS_PER_PURGE)
        return len(sent)

    def _disconnect(self) -> None:
        connection, self._connection = self._connection, None
        if connection:
            with suppress(Exception):
                connection.close()
