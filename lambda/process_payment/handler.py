"""Processes payments: SQS invokes it with a batch of messages, each for one operation of a payment.

The messages of a batch are processed at the same time. The response names those whose operation is still pending: SQS
keeps them and deletes the others. Each is redelivered after a delay of its own. One that is given up is put into the
dead-letter queue by the function: the queue itself would do so only after its maxReceiveCount, which an outage of the
acquirer must not reach. How an operation is processed is :mod:`payments.processing`.

Environment variables: those of payments.settings (DATABASE_...), payments.acquirer (ACQUIRER_..., BREAKER_...) and
payments.processing (PROCESSING_...), and AWS_REGION, ENVIRONMENT_SUFFIX, QUEUE_URL, DEAD_LETTER_QUEUE_URL and
ACQUIRER_SECRET_ARN.
"""

from __future__ import annotations

import asyncio
from functools import cache
from typing import Any

from aws_lambda_powertools.utilities.batch import AsyncBatchProcessor, EventType, async_process_partial_response
from aws_lambda_powertools.utilities.data_classes.sqs_event import SQSRecord
from aws_lambda_powertools.utilities.typing import LambdaContext
from botocore.exceptions import BotoCoreError, ClientError

from payments import logs
from payments.processing.composition import Composition, compose
from payments.processing.consumer import GivenUp, Redelivery, consume
from payments.queue import Queue
from shared.payment_metrics import PROCESSING

RESERVED_SECONDS = 5.0
"""Kept at the end of an invocation: for the response, and for the messages to be given back."""

logs.configure()
# A batch in which every message failed is reported like any other: an error would count against the function.
batches = AsyncBatchProcessor(event_type=EventType.SQS, raise_on_entire_batch_failure=False)


class StillPending(Exception):
    """The message stays in the queue."""


def handler(event: dict[str, Any], context: LambdaContext) -> dict[str, Any]:
    """Process a batch; returns the messages to be redelivered, as batchItemFailures."""
    response = async_process_partial_response(event=event, record_handler=process, processor=batches, context=context)
    composition().processor.metrics.flush()
    return dict(response)


async def process(record: SQSRecord, lambda_context: LambdaContext) -> None:
    """Process one message.

    Raises:
        StillPending: the message stays in the queue, invisible until it is to be redelivered.
    """
    seconds = lambda_context.get_remaining_time_in_millis() / 1000 - RESERVED_SECONDS
    receives = int(record.attributes.approximate_receive_count or 1)
    ended = await consume(composition().router, record.message_id, record.body, receives, seconds)
    if isinstance(ended, GivenUp) and not await _give_up(record):
        ended = Redelivery(ended.seconds, ended.cause)
    if isinstance(ended, Redelivery):
        await _redeliver(record, ended)
        raise StillPending(ended.cause)


async def _give_up(record: SQSRecord) -> bool:
    """Put a message into the dead-letter queue; returns whether it is there."""
    try:
        return await asyncio.to_thread(queue().give_up, record.body)
    except (BotoCoreError, ClientError) as error:
        logs.info("queue failed", cause=type(error).__name__)
        return False


async def _redeliver(record: SQSRecord, redelivery: Redelivery) -> None:
    """Set the message's delay; if that fails, the queue's visibility timeout applies."""
    try:
        await asyncio.to_thread(queue().redeliver, record.receipt_handle, redelivery.seconds)
    except (BotoCoreError, ClientError) as error:
        logs.info("queue failed", cause=type(error).__name__)


@cache
def composition() -> Composition:
    """The parts that all invocations of this execution environment share, with their connections."""
    return compose(PROCESSING)


@cache
def queue() -> Queue:
    """The queue of the messages."""
    environment = composition().environment
    return Queue(environment.queue_url, region=environment.aws_region, dead_letters=environment.dead_letter_queue_url)
