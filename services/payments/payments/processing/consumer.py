"""The handling of one queue message, as the Lambda function and the worker share it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import psycopg
from psycopg_pool import PoolTimeout

from payments import logs
from payments.messages import ProcessOperation
from payments.processing.processor import OperationNotFound, Processor, RetryLater, TriesUsedUp
from payments.processing.routing import Router
from shared.payment_metrics import DEAD_LETTERS, NOT_IN_DATABASE


@dataclass(frozen=True)
class Redelivery:
    """The message stays in the queue, and is to be delivered again after ``seconds``."""

    seconds: float
    cause: str


@dataclass(frozen=True)
class GivenUp:
    """The message is to be moved to the dead-letter queue, or redelivered after ``seconds`` where that is not possible.

    The queue moves it there by itself only after far more deliveries, as an outage of the acquirer takes some.
    """

    seconds: float
    cause: str


async def consume(
    processor: Processor | Router, message_id: str, body: str, receives: int, seconds: float
) -> Redelivery | GivenUp | None:
    """Process a message.

    Args:
        processor: processes its operation.
        message_id: the queue's id of the message.
        body: the message's body.
        receives: how often the message was delivered, this time included.
        seconds: how long the caller can wait.

    Returns:
        None where the message is to be deleted. Nothing of one message is raised: others are processed beside it.
    """
    about: dict[str, Any] = {"message_id": message_id, "receives": receives}
    try:
        message = ProcessOperation.from_json(body)
        about["operation_id"] = str(message.operation_id)
        about["acquirer_key"] = str(message.acquirer_key or message.operation_id)
        logs.correlation_id.set(message.correlation_id)
        await processor.process(message, seconds, receives)
    except RetryLater as retry:
        return Redelivery(retry.seconds, retry.cause)
    except TriesUsedUp as error:
        return _give_up(processor, about, receives, str(error))
    except Exception as error:  # noqa: BLE001 - whatever it is, it is of this message alone
        return _failed(processor, about, receives, error)
    return None


def _failed(
    processor: Processor | Router, about: dict[str, Any], receives: int, error: Exception
) -> Redelivery | GivenUp:
    """What becomes of a message whose processing has raised an error."""
    # Not the error's message, which can quote what was stored.
    cause = f"{'database: ' if isinstance(error, psycopg.Error) else ''}{type(error).__name__}"
    passes = isinstance(error, psycopg.OperationalError | PoolTimeout)
    (logs.info if passes else logs.error)("not processed", **about, cause=cause)
    if isinstance(error, OperationNotFound):
        # The rows may be lost that a payment was charged by: the message is the only evidence of it.
        processor.metrics.add(NOT_IN_DATABASE)
    if receives >= processor.settings.tries and not passes:
        return _give_up(processor, about, receives, cause)
    return Redelivery(processor.delay_seconds(receives), cause)


def _give_up(processor: Processor | Router, about: dict[str, Any], receives: int, cause: str) -> GivenUp:
    processor.metrics.add(DEAD_LETTERS)
    logs.error("given up: the message goes to the dead-letter queue", **about, cause=cause)
    return GivenUp(processor.delay_seconds(receives), cause)
