"""How operations are processed."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field
from pydantic_settings import BaseSettings, SettingsConfigDict


class ProcessingSettings(BaseSettings):
    """Tries, pauses and claims. Variables begin with PROCESSING_, such as PROCESSING_TRIES."""

    model_config = SettingsConfigDict(env_prefix="processing_", frozen=True, hide_input_in_errors=True)

    call_seconds: Annotated[float, Field(gt=0, le=300)] = 25.0
    """For all that one try asks of the acquirer."""
    claim_margin_seconds: Annotated[float, Field(ge=1, le=300)] = 10.0
    """How much longer than its calls a try holds its claim: for the database to take the answer."""
    tries: Annotated[int, Field(ge=1, le=1000)] = 5
    """As many as the queue gives out a message (its maxReceiveCount) before it goes to the dead letters."""
    first_delay_seconds: Annotated[float, Field(gt=0, le=900)] = 15.0
    """Before the second try; each further delay twice as long."""
    longest_delay_seconds: Annotated[float, Field(gt=0, le=43200)] = 900.0
    """The longest delay between two tries."""

    def delay_seconds(self, tries: int, chance: float) -> float:
        """How long to wait after so many tries; ``chance`` is from 0 to 1."""
        longest = min(self.first_delay_seconds * 2.0 ** min(tries - 1, 30), self.longest_delay_seconds)
        return longest * (0.5 + 0.5 * chance)


class ReconciliationSettings(BaseSettings):
    """When an operation is looked after that nobody has answered. Variables begin with RECONCILIATION_."""

    model_config = SettingsConfigDict(env_prefix="reconciliation_", frozen=True, hide_input_in_errors=True)

    writer_host: str | None = None
    """Only while the writer is at this endpoint of DATABASE_HOST is anything done: of two regions one reconciles."""
    asked_before_seconds: Annotated[float, Field(ge=0, le=86400)] = 300.0
    """Operations younger than this are the queue's affair."""
    send_again_seconds: Annotated[float, Field(ge=0, le=86400)] = 1800.0
    """One that was due for so long has lost its message, and gets another."""
    give_up_seconds: Annotated[float, Field(ge=0, le=30 * 86400)] = 86400.0
    """One that the acquirer does not know of after so long has failed."""
    most_operations: Annotated[int, Field(ge=1, le=100_000)] = 500
    """How many one run looks after."""
    at_once: Annotated[int, Field(ge=1, le=100)] = 10
    """How many at the same time."""
