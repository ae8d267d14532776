"""The handling of one queue message, as the Lambda function and the worker share it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import psycopg
from psycopg_pool import PoolTimeout

from payments import logs
from payments.messages import InvalidMessage, ProcessOperation
from payments.processing.processor import OperationNotFound, Processor, RetryLater
from shared.payment_metrics import DEAD_LETTERS


@dataclass(frozen=True)
class Redelivery:
    """The message stays in the queue, and is to be delivered again after ``seconds``."""

    seconds: float
    cause: str


async def consume(processor: Processor, message_id: str, body: str, receives: int, seconds: float) -> Redelivery | None:
    """Process a message.

    Args:
        processor: processes its operation.
        message_id: the queue's id of the message.
        body: the message's body.
        receives: how often the message was delivered, this time included.
        seconds: how long the caller can wait.

    Returns:
        None where the message is to be deleted. One that cannot be processed stays in the queue like one to be retried:
        after its last delivery the queue moves it to the dead-letter queue.
    """
    about: dict[str, Any] = {"message_id": message_id, "receives": receives}
    try:
        message = ProcessOperation.from_json(body)
        about["operation_id"] = str(message.operation_id)
        logs.correlation_id.set(message.correlation_id)
        await processor.process(message, seconds)
    except RetryLater as retry:
        redelivery = Redelivery(retry.seconds, retry.cause)
    except (InvalidMessage, OperationNotFound) as error:
        redelivery = Redelivery(processor.delay_seconds(receives), type(error).__name__)
        logs.error("not processed", **about, cause=redelivery.cause)
    except (psycopg.Error, PoolTimeout) as error:
        # Not the error's message, which can quote what was stored.
        redelivery = Redelivery(processor.delay_seconds(receives), f"database: {type(error).__name__}")
        logs.info("not processed", **about, cause=redelivery.cause)
    else:
        return None
    if receives >= processor.settings.tries:
        processor.metrics.add(DEAD_LETTERS)
        logs.error("given up: the message goes to the dead-letter queue", **about, cause=redelivery.cause)
    return redelivery
