"""Messages of a dead-letter queue: received, released, returned or deleted, so that an interruption loses none.

An SQS message can only be read by receiving it, which hides it for the visibility timeout. Received messages are made
visible again afterwards; if this process is killed, they become visible after the timeout.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

import boto3
from botocore.exceptions import ClientError

from operations.outcome import Refused

AT_ONCE = 10
"""The most messages in a call: https://docs.aws.amazon.com/AWSSimpleQueueService/latest/SQSDeveloperGuide/quotas-messages.html."""
HIDDEN_SECONDS = 600
WAIT_SECONDS = 2
EMPTY_ANSWERS = 2
"""So many empty receives in a row mean an empty queue: a long poll queries all servers of the queue."""


@dataclass(frozen=True)
class Letter:
    """A dead letter. ``operation`` and the following fields are empty if the body is no message of the platform."""

    id: str
    receipt: str = field(repr=False)
    body: str
    attributes: dict[str, Any]
    sent_at: datetime
    """Time at which the message was first sent, which the move to the dead-letter queue keeps."""
    receives: int
    operation: str = ""
    payment: str = ""
    correlation: str = ""


class DeadLetters:
    """The dead-letter queue of one queue."""

    def __init__(self, queue: str, session: boto3.Session) -> None:
        """``queue`` is the name or the URL of the source queue.

        Raises:
            Refused: there is no such queue in the session's account and region, or it has no dead-letter queue.
        """
        self._client = session.client("sqs")
        try:
            self.source = self._client.get_queue_url(QueueName=queue.rpartition("/")[2])["QueueUrl"]
            found = self._client.get_queue_attributes(QueueUrl=self.source, AttributeNames=["RedrivePolicy"])
        except ClientError as error:
            if "NonExistentQueue" in error.response["Error"].get("Code", "") or "QueueDoesNotExist" in str(error):
                raise Refused(f"QUEUE: {queue!r} is not allowed; there is no such queue") from None
            raise
        if "://" in queue and queue != self.source:
            raise Refused(f"QUEUE: {queue!r} is not allowed; the queue of that name here is {self.source}")
        policy = found.get("Attributes", {}).get("RedrivePolicy")
        if not policy:
            raise Refused(f"QUEUE: {queue!r} is not allowed; it has no dead-letter queue")
        self.name = str(json.loads(policy)["deadLetterTargetArn"]).rpartition(":")[2]
        self.url = self._client.get_queue_url(QueueName=self.name)["QueueUrl"]

    def receive(self, limit: int) -> Iterator[list[Letter]]:
        """The messages, each once and up to the limit; hidden until they are released, or for ten minutes."""
        seen: set[str] = set()
        empty = 0
        while empty < EMPTY_ANSWERS and len(seen) < limit:
            messages = self._client.receive_message(
                QueueUrl=self.url,
                MaxNumberOfMessages=min(AT_ONCE, limit - len(seen)),
                VisibilityTimeout=HIDDEN_SECONDS,
                WaitTimeSeconds=WAIT_SECONDS,
                MessageSystemAttributeNames=["SentTimestamp", "ApproximateReceiveCount"],
                MessageAttributeNames=["All"],
            ).get("Messages", [])
            new = [one for one in messages if one["MessageId"] not in seen]
            empty = 0 if new else empty + 1
            seen.update(one["MessageId"] for one in new)
            yield [_letter(one) for one in new]

    def give_back(self, letters: Sequence[Letter]) -> None:
        """Make them visible again at once."""
        for batch in _batches(letters):
            entries: list[Any] = [
                {"Id": str(number), "ReceiptHandle": one.receipt, "VisibilityTimeout": 0}
                for number, one in enumerate(batch)
            ]
            self._client.change_message_visibility_batch(QueueUrl=self.url, Entries=entries)

    def send_to_source(self, letters: Sequence[Letter]) -> list[Letter]:
        """Send at most ten to the queue that they come from; those that it has."""
        entries: list[Any] = [
            {"Id": str(number), "MessageBody": one.body, "MessageAttributes": one.attributes}
            for number, one in enumerate(letters)
        ]
        answer = self._client.send_message_batch(QueueUrl=self.source, Entries=entries)
        return [letters[int(one["Id"])] for one in answer.get("Successful", [])]

    def delete(self, letters: Sequence[Letter]) -> list[Letter]:
        """Delete at most ten, and return the deleted ones."""
        entries: list[Any] = [{"Id": str(number), "ReceiptHandle": one.receipt} for number, one in enumerate(letters)]
        if not entries:
            return []
        answer = self._client.delete_message_batch(QueueUrl=self.url, Entries=entries)
        return [letters[int(one["Id"])] for one in answer.get("Successful", [])]


def _batches(letters: Sequence[Letter]) -> Iterator[Sequence[Letter]]:
    for start in range(0, len(letters), AT_ONCE):
        yield letters[start : start + AT_ONCE]


def _letter(message: Any) -> Letter:
    attributes = {
        name: {key: value for key, value in given.items() if key in {"DataType", "StringValue", "BinaryValue"}}
        for name, given in message.get("MessageAttributes", {}).items()
    }
    values = _values(message["Body"])
    return Letter(
        id=message["MessageId"],
        receipt=message["ReceiptHandle"],
        body=message["Body"],
        attributes=attributes,
        sent_at=datetime.fromtimestamp(int(message["Attributes"]["SentTimestamp"]) / 1000, UTC),
        receives=int(message["Attributes"]["ApproximateReceiveCount"]),
        operation=str(values.get("operation_id", "")),
        payment=str(values.get("payment_id", "")),
        correlation=str(values.get("correlation_id", "")),
    )


def _values(body: str) -> dict[str, Any]:
    try:
        values = json.loads(body)
    except ValueError:
        return {}
    return values if isinstance(values, dict) else {}
