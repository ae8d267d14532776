"""Event source mappings of SQS queues: emulation of Lambda's pollers.

A mapping's poller receives up to a batch of messages, invokes the function, and deletes them when it succeeds: all but
the batch item failures in its response, if the mapping has ReportBatchItemFailures. If the function fails, it deletes
none. The others are received again after their visibility timeout, and move to the dead-letter queue after the receives
of the redrive policy. A mapping runs one invocation at a time.
https://docs.aws.amazon.com/lambda/latest/dg/services-sqs-errorhandling.html

A poller is a thread that begins with a message, or with the mapping, and ends when the queue is empty.
"""

from __future__ import annotations

import contextlib
import json
import threading
import time
from collections.abc import Sequence
from typing import Any

from moto.awslambda.models import lambda_backends
from moto.sqs.exceptions import ReceiptHandleIsInvalid
from moto.sqs.models import sqs_backends

from emulator.runtime import functions
from emulator.turns import turn

REPORTS = "ReportBatchItemFailures"
SECONDS_BETWEEN_LOOKS = 0.1  # while all messages are hidden

_polling: set[str] = set()
"""The mappings that have a poller, by id; read and changed under the state lock."""


def wake(queue: Any) -> None:
    """Notify the mappings of a queue (one of moto's) of new messages. The caller holds the state lock."""
    for mapping in queue.lambda_event_source_mappings.values():
        if mapping.uuid not in _polling and _works(mapping, queue):
            _polling.add(mapping.uuid)
            threading.Thread(target=_poll, args=(mapping, queue), name=f"poller {queue.name}", daemon=True).start()


def _works(mapping: Any, queue: Any) -> bool:
    """Whether the mapping, its queue and its function still exist, and there is a message."""
    backend = lambda_backends[mapping.account_id][mapping.region]
    return bool(
        mapping.enabled
        and backend.get_event_source_mapping(mapping.uuid) is mapping
        and sqs_backends[queue.account_id][queue.region].queues.get(queue.name) is queue
        and backend.get_function_by_arn(mapping.function_arn)
        and queue._messages  # noqa: SLF001 (those that are hidden, too)
    )


def _poll(mapping: Any, queue: Any) -> None:
    while True:
        with turn():
            if not _works(mapping, queue):
                _polling.discard(mapping.uuid)
                return
            function = lambda_backends[mapping.account_id][mapping.region].get_function_by_arn(mapping.function_arn)
            sqs = sqs_backends[queue.account_id][queue.region]
            hidden_seconds = int(queue.visibility_timeout)
            messages = sqs.receive_message(queue.name, mapping.batch_size, 0, hidden_seconds, ["All"])
        if not messages:
            time.sleep(SECONDS_BETWEEN_LOOKS)
            continue
        outcome = functions.run(function, {"Records": [_record(one, queue) for one in messages]})
        with turn():
            for message in [] if outcome.failed else _done(mapping, messages, outcome.payload):
                _delete(queue, message)


def _record(message: Any, queue: Any) -> dict[str, Any]:
    """https://docs.aws.amazon.com/lambda/latest/dg/with-sqs.html#example-standard-queue-message-event."""
    attributes = {
        name: {member[0].lower() + member[1:]: value for member, value in attribute.items()}
        for name, attribute in message.message_attributes.items()
    }
    return {
        "messageId": message.id,
        "receiptHandle": message.receipt_handle,
        "body": message.body,
        "attributes": {
            "ApproximateReceiveCount": str(message.approximate_receive_count),
            "SentTimestamp": str(message.sent_timestamp),
            "SenderId": message.sender_id,
            "ApproximateFirstReceiveTimestamp": str(message.approximate_first_receive_timestamp),
        },
        "messageAttributes": attributes,
        "md5OfBody": message.body_md5,
        "eventSource": "aws:sqs",
        "eventSourceARN": queue.queue_arn,
        "awsRegion": queue.region,
    }


def _done(mapping: Any, messages: Sequence[Any], payload: str) -> list[Any]:
    """The messages that are not redelivered. A response that Lambda cannot parse counts as a failure of the batch."""
    if REPORTS not in (mapping.function_response_types or ()):
        return list(messages)
    answer = json.loads(payload)
    try:
        failed = {one["itemIdentifier"] for one in (answer or {}).get("batchItemFailures") or ()}
    except (AttributeError, KeyError, TypeError):
        return []
    if failed - {one.id for one in messages}:
        return []
    return [one for one in messages if one.id not in failed]


def _delete(queue: Any, message: Any) -> None:
    with contextlib.suppress(ReceiptHandleIsInvalid):  # the queue has been purged, or another has deleted it
        sqs_backends[queue.account_id][queue.region].delete_message(queue.name, message.receipt_handle)
