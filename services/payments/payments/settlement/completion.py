"""What reading settlement files needs of whoever processes payments (payments.processing.processor.Processor)."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Concatenate, ParamSpec, Protocol, TypeVar

from payments.metrics import MetricRecorder
from payments.repository import Connection, FinalStatus, Operation

P = ParamSpec("P")
R = TypeVar("R")


class Executor(Protocol):
    """Runs functions of the repository with a connection."""

    async def run(self, function: Callable[Concatenate[Connection, P], R], *args: P.args, **kwargs: P.kwargs) -> R:
        """Call a function with a connection and these arguments."""


class Completing(Protocol):
    """Completes operations, with a database and measures."""

    @property
    def database(self) -> Executor:
        """Where operations and differences are."""

    @property
    def metrics(self) -> MetricRecorder:
        """What is measured."""

    async def complete(self, operation: Operation, status: FinalStatus, **values: Any) -> bool:
        """Store the final status of an operation; returns whether it was the first one."""
