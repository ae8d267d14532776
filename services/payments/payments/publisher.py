"""Sends the outbox to the queue: at least once, in batches, beside any number of other publishers.

What was read stays locked until it is sent and deleted, in one transaction. A publisher that dies in between has sent
what another will send again: who receives must be able to take a message twice.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Sequence
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from typing import Any

import boto3
from botocore.exceptions import BotoCoreError, ClientError

from payments import logs, metrics, repository
from payments.database import AWS_CONFIG, Database
from payments.messages import ProcessOperation
from payments.repository import Connection, Letter

BATCH = 10  # the most that SQS takes at once
LETTERS = 10 * BATCH
SECONDS_BETWEEN_LOOKS = 0.5
MOST_SECONDS_BETWEEN_TRIES = 10.0
SECONDS_BETWEEN_PURGES = 600.0
KEYS_PER_PURGE = 5000


class Queue:
    """The queue of SQS that takes what is to be processed."""

    def __init__(self, url: str, region: str) -> None:
        make: Any = boto3.client
        self._client = make("sqs", region_name=region, config=AWS_CONFIG)
        self._url = url

    def send(self, letters: Sequence[Letter]) -> list[int]:
        """Send up to ten; the ids of those that the queue has."""
        entries = [{"Id": str(letter.id), "MessageBody": _message(letter).to_json()} for letter in letters]
        answer = self._client.send_message_batch(QueueUrl=self._url, Entries=entries)
        for failed in answer.get("Failed", []):
            logs.error("message refused by the queue", letter=failed["Id"], code=failed.get("Code"))
        return [int(entry["Id"]) for entry in answer.get("Successful", [])]

    def check(self) -> None:
        """Raises whatever keeps the queue from being reached."""
        self._client.get_queue_attributes(QueueUrl=self._url, AttributeNames=["QueueArn"])


def _message(letter: Letter) -> ProcessOperation:
    return ProcessOperation(letter.operation_id, letter.payment_id, letter.correlation_id, letter.trace)


def publish(connection: Connection, queue: Queue) -> list[Letter]:
    """Send what the outbox holds, up to a hundred letters; returns those that were sent.

    Raises:
        botocore.exceptions.BotoCoreError, botocore.exceptions.ClientError: the queue was not to be reached, not once.
    """
    sent: set[int] = set()
    with connection.transaction():
        letters = repository.letters(connection, LETTERS)
        for start in range(0, len(letters), BATCH):
            try:
                sent.update(queue.send(letters[start : start + BATCH]))
            except (BotoCoreError, ClientError):
                if not sent:
                    raise
                break  # what was sent is deleted first; the next look finds the others
        if sent:
            repository.sent(connection, sorted(sent))
    return [letter for letter in letters if letter.id in sent]


class Publisher:
    """A thread that keeps the outbox empty."""

    def __init__(self, database: Database, queue: Queue, *, environment: str, keep_keys: timedelta) -> None:
        """``keep_keys``: older idempotency keys are forgotten, which is done here beside."""
        self._database = database
        self._queue = queue
        self._environment = environment
        self._keep_keys = keep_keys
        self._wake = threading.Event()
        self._stopping = threading.Event()
        self._stop_at = 0.0
        self._purge_at = 0.0
        self._connection: Connection | None = None
        self._thread = threading.Thread(target=self._run, name="publisher", daemon=True)

    def start(self) -> None:
        """Begin to look after the outbox."""
        self._thread.start()

    def wake(self) -> None:
        """Something was put into the outbox."""
        self._wake.set()

    def stop(self, seconds: float) -> None:
        """Send what is left, in so much time, and end."""
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
            except Exception as problem:  # noqa: BLE001 - whatever it is, letters must go on being sent
                logs.error("outbox not sent", problem)
                self._disconnect()
                sent = 0
                pause = min(max(pause * 2, SECONDS_BETWEEN_LOOKS), MOST_SECONDS_BETWEEN_TRIES)
            if self._stopping.is_set() and (time.monotonic() > self._stop_at or not (sent or pause)):
                break
            if not sent:
                self._wait(pause or SECONDS_BETWEEN_LOOKS)
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
            ages = [(now - letter.created_at) / timedelta(milliseconds=1) for letter in sent]
            logs.info(
                "outbox sent", letters=len(sent), **metrics.embedded(self._environment, {metrics.OUTBOX_AGE: ages})
            )
        elif time.monotonic() > self._purge_at:
            self._purge_at = time.monotonic() + SECONDS_BETWEEN_PURGES
            repository.purge_keys(self._connection, self._keep_keys, KEYS_PER_PURGE)
        return len(sent)

    def _disconnect(self) -> None:
        connection, self._connection = self._connection, None
        if connection:
            with suppress(Exception):
                connection.close()
