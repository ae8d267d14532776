"""Reconciles payments that have been pending for too long, on a schedule.

It sends what the outbox holds, looks up decisions whose response was lost, sends lost messages again, and fails what
the acquirer has no record of after a settled time: see :mod:`payments.processing.reconciler`. Then it reads the
acquirer's settlement files that are new (:mod:`payments.settlement`). Runs may overlap, with each other and with
everything else.

Environment variables: those of process_payment, RECONCILIATION_... and SETTLEMENT_... .
"""

from __future__ import annotations

import asyncio
from functools import cache
from typing import Any, Protocol

from payments import logs
from payments.processing.composition import Composition, compose
from payments.processing.reconciler import reconcile
from shared.payment_metrics import RECONCILIATION

RESERVED_SECONDS = 5.0
"""Kept at the end of an invocation: for what has been begun."""

logs.configure()


class Context(Protocol):
    """The part of Lambda's context that is used."""

    def get_remaining_time_in_millis(self) -> int:
        """Milliseconds until the invocation times out."""


def handler(_event: dict[str, Any], context: Context) -> dict[str, int]:
    """Make a run; returns the number of operations by result."""

    def seconds_left() -> float:
        return context.get_remaining_time_in_millis() / 1000 - RESERVED_SECONDS

    return loop().run_until_complete(reconcile(composition(), seconds_left))


@cache
def composition() -> Composition:
    """The parts that all invocations of this execution environment share, with their connections."""
    return compose(RECONCILIATION)


@cache
def loop() -> asyncio.AbstractEventLoop:
    """One event loop for all invocations, as connections belong to it."""
    return asyncio.new_event_loop()
