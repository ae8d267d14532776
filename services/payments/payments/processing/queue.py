"""A queue of SQS as its consumer uses it: calls that block, for threads."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import boto3
from botocore.config import Config

MOST_AT_ONCE = 10
"""Messages in one call: https://docs.aws.amazon.com/AWSSimpleQueueService/latest/SQSDeveloperGuide/quotas-messages.html."""
LONGEST_VISIBILITY_SECONDS = 43_200


@dataclass(frozen=True)
class Message:
    """A message as it was received."""

    id: str
    receipt: str
    body: str
    receives: int
    """How often it was given out, this time included."""


class Queue:
    """One queue."""

    def __init__(self, url: str, *, region: str, wait_seconds: int, connections: int = 10) -> None:
        """``wait_seconds`` is how long a call waits for a message."""
        make: Any = boto3.client
        # boto3 would otherwise wait for minutes, and try five times.
        config = Config(
            connect_timeout=3,
            read_timeout=wait_seconds + 5,
            retries={"total_max_attempts": 2, "mode": "standard"},
            max_pool_connections=connections,
        )
        self._client = make("sqs", region_name=region, config=config)
        self._url = url
        self._wait_seconds = wait_seconds

    def receive(self, most: int, hidden_seconds: int) -> list[Message]:
        """Messages, at most ten; nobody else gets them for so long."""
        answer = self._client.receive_message(
            QueueUrl=self._url,
            MaxNumberOfMessages=min(most, MOST_AT_ONCE),
            WaitTimeSeconds=self._wait_seconds,
            VisibilityTimeout=hidden_seconds,
            MessageSystemAttributeNames=["ApproximateReceiveCount"],
        )
        return [
            Message(
                one["MessageId"], one["ReceiptHandle"], one["Body"], int(one["Attributes"]["ApproximateReceiveCount"])
            )
            for one in answer.get("Messages", [])
        ]

    def delete(self, messages: Sequence[Message]) -> int:
        """Delete at most ten messages; how many of them were not."""
        entries = [{"Id": str(number), "ReceiptHandle": one.receipt} for number, one in enumerate(messages)]
        answer = self._client.delete_message_batch(QueueUrl=self._url, Entries=entries)
        return len(answer.get("Failed", []))

    def give_out_again(self, receipt: str, seconds: float) -> None:
        """Let a message be given out again after so many seconds."""
        hidden = min(max(0, round(seconds)), LONGEST_VISIBILITY_SECONDS)
        self._client.change_message_visibility(QueueUrl=self._url, ReceiptHandle=receipt, VisibilityTimeout=hidden)
