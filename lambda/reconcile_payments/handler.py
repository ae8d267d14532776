"""Looks after payments that nobody has answered, on a schedule.

Sends what the outbox holds and no publisher has sent, finds at the acquirer the answers that were lost, sends messages
again that were lost, and ends what the acquirer does not know of after the settled time: see
:mod:`payments.processing.reconciler`. It may run beside itself, and beside everything else.

The environment is that of process_payment, and RECONCILIATION_... .
"""

from __future__ import annotations

import asyncio
from functools import cache
from typing import Any, Protocol

from payments import logs, metrics
from payments.processing.composition import Composition, compose
from payments.processing.reconciliation import reconcile

SECONDS_KEPT = 5.0
"""At the end, for what was begun."""

logs.configure()


class Context(Protocol):
    """What is used of Lambda's context."""

    def get_remaining_time_in_millis(self) -> int:
        """Milliseconds until Lambda ends the function."""


def handler(_event: dict[str, Any], context: Context) -> dict[str, int]:
    """Look after what is due, and say what came of it."""

    def seconds() -> float:
        return context.get_remaining_time_in_millis() / 1000 - SECONDS_KEPT

    return loop().run_until_complete(reconcile(composition(), seconds))


@cache
def composition() -> Composition:
    """What all invocations of this process share, connections among it."""
    return compose(metrics.RECONCILIATION)


@cache
def loop() -> asyncio.AbstractEventLoop:
    """One for all invocations: connections belong to it."""
    return asyncio.new_event_loop()
