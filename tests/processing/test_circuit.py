"""What a process makes of the shared circuit when the acquirer answers, without a database."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any

import pytest

from payments import repository
from payments.processing.circuit import Failure, SharedCircuit
from payments.repository import Circuit

pytestmark = pytest.mark.requirement("Q4")

FAILING, OPEN = Circuit(failures=3), Circuit(failures=10, times_opened=1, open_seconds=30.0)


class Database:
    """Says that the circuit is as a test wants, and notes whether it is closed."""

    def __init__(self, circuit: Circuit) -> None:
        self.circuit, self.closed = circuit, 0

    async def run(self, call: Callable[..., Any], *_: Any) -> Circuit:
        self.closed += call is repository.close_circuit
        return self.circuit


def closed_after(circuit: Circuit, *, answered: bool) -> int:
    """How often a process that has failed in a circuit closes it, once it has an answer or a served call."""
    database = Database(circuit)
    executor: Any = database

    async def run() -> None:
        shared = SharedCircuit(executor)
        await shared.failed(Failure("no answer"))
        await (shared.answered() if answered else shared.served())

    asyncio.run(run())
    return database.closed


def test_answer_ends_failures_in_a_row_and_closes_no_open_circuit() -> None:
    assert closed_after(FAILING, answered=True) == 1
    assert closed_after(OPEN, answered=True) == 0
    assert closed_after(Circuit(), answered=True) == 0


def test_served_call_closes_it_open_or_not() -> None:
    assert closed_after(FAILING, answered=False) == 1
    assert closed_after(OPEN, answered=False) == 1
    assert closed_after(Circuit(), answered=False) == 0
