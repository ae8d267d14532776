"""The outbox publisher: sends the messages of the outbox to the queue, at least once, next to any number of others.

Ten messages at a time are claimed, sent and deleted, each by a statement of its own: no transaction is open while the
queue takes its time, and what it has taken is not sent again when a later call fails. Of a publisher that dies, another
one sends the ten again: the consumer must accept a message twice.
"""

from __future__ import annotations

import threading
import time
from contextlib import suppress
from datetime import UTC, datetime, timedelta

from botocore.exceptions import BotoCoreError, ClientError

from payments import logs, metrics, repository
from payments.database import Database
from payments.lifetimes import Lifetimes
from payments.messages import ProcessOperation
from payments.queue import MAX_BATCH, Queue
from payments.repository import Connection, OutboxMessage
from shared.payment_metrics import OUTBOX_AGE, PUBLISHER_ROUNDS

BATCHES_PER_POLL = 10
POLL_SECONDS = 0.5
MAX_RETRY_SECONDS = 10.0
PURGE_SECONDS = 60.0
MONTHS_SECONDS = 3600.0
BEAT_SECONDS = 60.0
KEYS_PER_PURGE = 5000
MAX_PURGES = 20
"""At a time, so that messages do not wait for it: 100,000 keys a minute, of each process."""


def publish(connection: Connection, queue: Queue) -> list[OutboxMessage]:
    """Send up to a hundred messages of the outbox, and delete them from it; returns those that were sent.

    Raises:
        botocore.exceptions.BotoCoreError, botocore.exceptions.ClientError: the queue could not be reached, and nothing
            was sent.
    """
    sent: list[OutboxMessage] = []
    for _ in range(BATCHES_PER_POLL):
        messages = repository.claim_outbox_messages(connection, MAX_BATCH)
        if not messages:
            break
        try:
            sent += _send(connection, queue, messages)
        except (BotoCoreError, ClientError):
            if not sent:
                raise
            break  # the next poll finds the rest
    return sent


def _send(connection: Connection, queue: Queue, messages: list[OutboxMessage]) -> list[OutboxMessage]:
    """Send claimed messages, and delete those that the queue has taken, which are returned.

    One that the queue rejects stays claimed for a while: it does not stand in front of others.
    """
    try:
        ids, failed = queue.send({str(message.id): _body(message) for message in messages})
    except (BotoCoreError, ClientError):
        repository.release_outbox_messages(connection, [message.id for message in messages])
        raise
    for id_, code in failed.items():
        logs.error("message rejected by the queue", outbox_id=id_, code=code)
    taken = {int(id_) for id_ in ids}
    repository.delete_outbox_messages(connection, sorted(taken))
    return [message for message in messages if message.id in taken]


def purge(connection: Connection, older_than: timedelta) -> int:
    """Delete expired idempotency keys, as many as there are up to a limit; returns their number."""
    purged = 0
    for _ in range(MAX_PURGES):
        batch = repository.purge_idempotency_keys(connection, older_than, KEYS_PER_PURGE)
        purged += batch
        if batch < KEYS_PER_PURGE:
            break
    return purged


def _body(message: OutboxMessage) -> str:
    return ProcessOperation(
        message.operation_id, message.payment_id, message.correlation_id, message.trace, message.acquirer_key
    ).to_json()


class Publisher:
    """A thread that polls the outbox, and purges what is kept no longer: keys each minute, audit events each hour."""

    def __init__(self, database: Database, queue: Queue, *, environment: str, kept: Lifetimes) -> None:
        """``environment`` is the environment's suffix, for metrics."""
        self._database = database
        self._queue = queue
        self._environment = environment
        self._kept = kept
        self._wake = threading.Event()
        self._stopping = threading.Event()
        self._stop_at = 0.0
        self._purge_at = self._months_at = self._beat_at = 0.0
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
        if time.monotonic() > self._purge_at:
            self._purge_at = time.monotonic() + PURGE_SECONDS
            purge(self._connection, self._kept.idempotency_keys)
        if time.monotonic() > self._months_at:
            self._months_at = time.monotonic() + MONTHS_SECONDS
            repository.keep_audit_months(self._connection, self._kept.audit_months)
        if time.monotonic() > self._beat_at:
            self._beat_at = time.monotonic() + BEAT_SECONDS
            logs.info("outbox looked into", **metrics.embedded(self._environment, {PUBLISHER_ROUNDS: 1.0}))
        return len(sent)

    def _disconnect(self) -> None:
        connection, self._connection = self._connection, None
        if connection:
            with suppress(Exception):
                connection.close()
