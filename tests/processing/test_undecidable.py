"""What cannot be decided is given up with all its tries: the reconciler, and a person, find it so."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any

import pytest

from payments import repository
from payments.processing.processor import Attempt, Processor, TriesUsedUp, Undecidable
from payments.processing.settings import ProcessingSettings

pytestmark = pytest.mark.requirement("Q4")


class Database:
    """Notes what is stored."""

    def __init__(self) -> None:
        self.stored: list[tuple[Callable[..., Any], dict[str, Any]]] = []

    async def run(self, call: Callable[..., Any], *_: Any, **values: Any) -> None:
        self.stored.append((call, values))


def test_what_cannot_be_decided_is_stored_before_it_is_given_up() -> None:
    database = Database()
    made: Any = (database, None, None, ProcessingSettings())
    nothing: Any = None

    async def run() -> None:
        await Processor(*made)._conclude(nothing, Attempt(Undecidable("may be forgotten"), nothing), {})

    with pytest.raises(TriesUsedUp, match="may be forgotten"):
        asyncio.run(run())
    ((call, values),) = database.stored
    assert call is repository.schedule_retry
    assert values["tries"] == ProcessingSettings().tries
