"""Processes payments: SQS invokes it with a batch of messages, each for one operation of a payment.

The messages of a batch are processed at the same time. Those that have no answer yet are reported by their ids, so that
SQS keeps them and deletes the others; each is given out again after a delay of its own, and goes to the dead letters
after as many tries as the queue says. How an operation is processed is :mod:`payments.processing`.

The environment says where everything is: see payments.settings (DATABASE_...), payments.acquirer (ACQUIRER_...,
BREAKER_...) and payments.processing (PROCESSING_...). Besides: AWS_REGION, ENVIRONMENT_SUFFIX, QUEUE_URL and
ACQUIRER_SECRET_ARN.
PROCESSING_TRIES is to be the queue's maxReceiveCount.
"""

from __future__ import annotations

import asyncio
from functools import cache
from typing import Any

from aws_lambda_powertools.utilities.batch import AsyncBatchProcessor, EventType, async_process_partial_response
from aws_lambda_powertools.utilities.data_classes.sqs_event import SQSRecord
from aws_lambda_powertools.utilities.typing import LambdaContext
from botocore.exceptions import BotoCoreError, ClientError

from payments import logs, metrics
from payments.processing.composition import Composition, compose
from payments.processing.consumer import Later, consume
from payments.processing.queue import Queue

SECONDS_KEPT = 5.0
"""For the report, and what it takes to give messages back."""

logs.configure()
# A batch of which nothing succeeded is reported like any other; an error would count as one of the function's.
batches = AsyncBatchProcessor(event_type=EventType.SQS, raise_on_entire_batch_failure=False)


class NotAnswered(Exception):
    """The message is to stay in the queue."""


def handler(event: dict[str, Any], context: LambdaContext) -> dict[str, Any]:
    """Process a batch, and report the messages that are to be given out again."""
    answer = async_process_partial_response(event=event, record_handler=process, processor=batches, context=context)
    composition().processor.measures.flush()
    return dict(answer)


async def process(record: SQSRecord, lambda_context: LambdaContext) -> None:
    """Process one message.

    Raises:
        NotAnswered: it stays in the queue, hidden for as long as it is to wait.
    """
    seconds = lambda_context.get_remaining_time_in_millis() / 1000 - SECONDS_KEPT
    receives = int(record.attributes.approximate_receive_count or 1)
    later = await consume(composition().processor, record.message_id, record.body, receives, seconds)
    if later:
        await _give_out_again(record, later)
        raise NotAnswered(later.cause)


async def _give_out_again(record: SQSRecord, later: Later) -> None:
    """Say when; if that cannot be said, the queue's own visibility timeout holds."""
    try:
        await asyncio.to_thread(queue().give_out_again, record.receipt_handle, later.seconds)
    except (BotoCoreError, ClientError) as error:
        logs.info("the queue failed", cause=type(error).__name__)


@cache
def composition() -> Composition:
    """What all invocations of this process share, connections among it."""
    return compose(metrics.PROCESSING)


@cache
def queue() -> Queue:
    """The queue that the messages are from."""
    environment = composition().environment
    return Queue(environment.queue_url, region=environment.aws_region, wait_seconds=0)
