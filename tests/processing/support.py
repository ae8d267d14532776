"""An acquirer in this process, and an adapter that is in no hurry only where a test says so."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any
from uuid import UUID

from payments.acquirer.over_http import AcquirerSettings, HttpAcquirer
from payments.acquirer.port import Demand
from payments.states import Kind
from rehearsal.acquirer import Behaviour, Simulator, start

KEY = UUID("0193a8f0-0000-7000-8000-000000000001")


def demand(**values: Any) -> Demand:
    return Demand(**{"key": KEY, "kind": Kind.SALE, "amount": 1250, "currency": "EUR", "token": "tok_1", **values})


def settings(url: str, **values: Any) -> AcquirerSettings:
    quick = {"connect_seconds": 1.0, "read_seconds": 0.3, "total_seconds": 2.0, "first_pause_seconds": 0.01}
    return AcquirerSettings(base_url=url, **{**quick, **values})


@asynccontextmanager
async def simulated(**behaviour: Any) -> AsyncIterator[tuple[Simulator, str]]:
    """A simulated acquirer and where it is."""
    simulator = Simulator(Behaviour(**behaviour))
    server = await start(simulator)
    try:
        yield simulator, f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"
    finally:
        server.close()


@asynccontextmanager
async def reached(url: str, **values: Any) -> AsyncIterator[HttpAcquirer]:
    """The adapter for an acquirer at ``url``."""
    adapter = HttpAcquirer(settings(url, **values))
    try:
        yield adapter
    finally:
        await adapter.close()
