"""What a message of the queue comes to: the one rule that the Lambda function and the worker share."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import psycopg
from psycopg_pool import PoolTimeout

from payments import logs, metrics
from payments.messages import NotUnderstood, ProcessOperation
from payments.processing.processor import Again, NoSuchOperation, Processor


@dataclass(frozen=True)
class Later:
    """The message stays in the queue, and is to be given out again in so many seconds."""

    seconds: float
    cause: str


async def consume(processor: Processor, message_id: str, body: str, receives: int, seconds: float) -> Later | None:
    """Process a message.

    Args:
        processor: does it.
        message_id: the queue's name for the message.
        body: its text.
        receives: how often the queue has given it out, this time included.
        seconds: how long the caller can wait.

    Returns:
        Nothing if it is done with, and to be deleted. What cannot be processed stays, too: the queue moves it to the
        dead letters after the settled number of tries, with all that it says.
    """
    about: dict[str, Any] = {"message_id": message_id, "receives": receives}
    try:
        message = ProcessOperation.from_json(body)
        about["operation_id"] = str(message.operation_id)
        logs.correlation_id.set(message.correlation_id)
        await processor.process(message, seconds)
    except Again as again:
        later = Later(again.seconds, again.cause)
    except (NotUnderstood, NoSuchOperation) as error:
        later = Later(processor.delay_seconds(receives), type(error).__name__)
        logs.error("not processed", **about, cause=later.cause)
    except (psycopg.Error, PoolTimeout) as error:
        # Not the words of the error: they can quote what was stored.
        later = Later(processor.delay_seconds(receives), f"database: {type(error).__name__}")
        logs.info("not processed", **about, cause=later.cause)
    else:
        return None
    if receives >= processor.settings.tries:
        processor.measures.add(metrics.DEAD_LETTERS)
        logs.error("given up: the message goes to the dead letters", **about, cause=later.cause)
    return later
