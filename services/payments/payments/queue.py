"""The SQS queue between the outbox and the processing of operations. Its calls block: they are for threads."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import boto3
from botocore.config import Config

MAX_BATCH = 10
"""Messages in one call: https://docs.aws.amazon.com/AWSSimpleQueueService/latest/SQSDeveloperGuide/quotas-messages.html."""
MAX_VISIBILITY_SECONDS = 43_200
CONNECT_SECONDS = 3
ANSWER_SECONDS = 5
"""For SQS to answer a call, in addition to the time that the call waits for messages."""


@dataclass(frozen=True)
class Message:
    """A received message."""

    id: str
    receipt: str
    body: str
    receives: int
    """How often it was delivered, this time included."""


class Queue:
    """An SQS queue."""

    def __init__(
        self, url: str, *, region: str, wait_seconds: int = 0, connections: int = 10, dead_letters: str | None = None
    ) -> None:
        """Make a client.

        Args:
            url: the queue's.
            region: the queue's.
            wait_seconds: how long :meth:`receive` waits for a message (long polling).
            connections: calls at the same time.
            dead_letters: the URL of its dead-letter queue, for :meth:`give_up`.
        """
        make: Any = boto3.client
        # By default boto3 would wait for a minute, five times.
        config = Config(
            connect_timeout=CONNECT_SECONDS,
            read_timeout=wait_seconds + ANSWER_SECONDS,
            retries={"total_max_attempts": 2, "mode": "standard"},
            max_pool_connections=connections,
        )
        self._client = make("sqs", region_name=region, config=config)
        self._url = url
        self._dead_letters = dead_letters
        self._wait_seconds = wait_seconds

    def check(self) -> None:
        """Raise an error of botocore unless the queue can be reached."""
        self._client.get_queue_attributes(QueueUrl=self._url, AttributeNames=["QueueArn"])

    def send(self, bodies: Mapping[str, str]) -> tuple[list[str], dict[str, str]]:
        """Send up to ten messages.

        Args:
            bodies: the body of each message, by an id of the caller's.

        Returns:
            The ids of the messages that the queue has taken, and by id the error codes of those that it has not.
        """
        entries = [{"Id": id_, "MessageBody": body} for id_, body in bodies.items()]
        response = self._client.send_message_batch(QueueUrl=self._url, Entries=entries)
        failed = {entry["Id"]: str(entry.get("Code", "")) for entry in response.get("Failed", [])}
        return [entry["Id"] for entry in response.get("Successful", [])], failed

    def receive(self, max_messages: int, visibility_seconds: int) -> list[Message]:
        """Receive messages, at most ten; no other consumer gets them for ``visibility_seconds``."""
        response = self._client.receive_message(
            QueueUrl=self._url,
            MaxNumberOfMessages=min(max_messages, MAX_BATCH),
            WaitTimeSeconds=self._wait_seconds,
            VisibilityTimeout=visibility_seconds,
            MessageSystemAttributeNames=["ApproximateReceiveCount"],
        )
        return [
            Message(
                one["MessageId"], one["ReceiptHandle"], one["Body"], int(one["Attributes"]["ApproximateReceiveCount"])
            )
            for one in response.get("Messages", [])
        ]

    def delete(self, messages: Sequence[Message]) -> int:
        """Delete at most ten messages; returns how many of them could not be deleted."""
        entries = [{"Id": str(number), "ReceiptHandle": one.receipt} for number, one in enumerate(messages)]
        response = self._client.delete_message_batch(QueueUrl=self._url, Entries=entries)
        return len(response.get("Failed", []))

    def redeliver(self, receipt: str, seconds: float) -> None:
        """Let a received message be delivered again after ``seconds``, instead of after its visibility timeout."""
        visibility = min(max(0, round(seconds)), MAX_VISIBILITY_SECONDS)
        self._client.change_message_visibility(QueueUrl=self._url, ReceiptHandle=receipt, VisibilityTimeout=visibility)

    def give_up(self, body: str) -> bool:
        """Put a message's body into the dead-letter queue; returns whether there is one.

        The message itself is deleted after that. The queue moves a message by itself only by the number of deliveries,
        of which an outage of the acquirer takes many.
        """
        if self._dead_letters is None:
            return False
        self._client.send_message(QueueUrl=self._dead_letters, MessageBody=body)
        return True
