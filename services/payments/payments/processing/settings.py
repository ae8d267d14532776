"""The settings of processing and reconciliation."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field
from pydantic_settings import BaseSettings, SettingsConfigDict


class ProcessingSettings(BaseSettings):
    """Attempts, delays and claims. Variables begin with PROCESSING_, such as PROCESSING_TRIES."""

    model_config = SettingsConfigDict(env_prefix="processing_", frozen=True, hide_input_in_errors=True)

    call_seconds: Annotated[float, Field(gt=0, le=300)] = 25.0
    """For all calls to the acquirer in one attempt."""
    claim_margin_seconds: Annotated[float, Field(ge=1, le=300)] = 10.0
    """How much longer than its calls an attempt holds its claim: for the database to store the decision."""
    tries: Annotated[int, Field(ge=1, le=1000)] = 12
    """Requests without a decision, while the acquirer serves others, before a message becomes a dead letter; also
    deliveries of a message that cannot be read, or whose operation is not in the database."""
    new_seconds: Annotated[float, Field(ge=0, le=86400)] = 60.0
    """The age up to which an operation is requested without a look-up before: an older one may have been restored."""
    repeats_seconds: Annotated[float, Field(ge=0, le=30 * 86400)] = 3 * 86400.0
    """For how long after a failover or a restore a merchant may repeat what is lost, and each acquirer of a payment's
    route is asked for it first: not less than the lifetime of idempotency keys."""
    first_delay_seconds: Annotated[float, Field(gt=0, le=900)] = 15.0
    """Delay before the second attempt; each further delay is twice as long."""
    max_delay_seconds: Annotated[float, Field(gt=0, le=43200)] = 900.0
    """The longest delay between two attempts."""

    def delay_seconds(self, attempts: int, jitter: float) -> float:
        """The delay after so many attempts; ``jitter`` is from 0 to 1."""
        longest = min(self.first_delay_seconds * 2.0 ** min(attempts - 1, 30), self.max_delay_seconds)
        return longest * (0.5 + 0.5 * jitter)


class ReconciliationSettings(BaseSettings):
    """When the reconciler takes care of a pending operation. Variables begin with RECONCILIATION_."""

    model_config = SettingsConfigDict(env_prefix="reconciliation_", frozen=True, hide_input_in_errors=True)

    writer_host: str | None = None
    """If given, a run does nothing unless the writer is this host of DATABASE_HOST: one of two regions reconciles."""
    min_age_seconds: Annotated[float, Field(ge=0, le=86400)] = 300.0
    """Younger operations are left to the queue."""
    resend_after_seconds: Annotated[float, Field(ge=0, le=86400)] = 1800.0
    """How long after it was due an operation's message counts as lost, and is sent again."""
    fail_after_seconds: Annotated[float, Field(ge=0, le=30 * 86400)] = 86400.0
    """The age at which an operation may fail that was given up, and that the acquirer has no record of."""
    times_not_found: Annotated[int, Field(ge=1, le=100)] = 4
    """Answers of the acquirer, hours apart, that it has no record of an operation, before that has failed."""
    max_look_up_seconds: Annotated[float, Field(ge=0, le=86400)] = 3600.0
    """The longest between two look-ups of an operation: an eighth of its age, and min_age_seconds at least."""
    min_notification_seconds: Annotated[float, Field(ge=0, le=86400)] = 60.0
    """Younger notifications are left to the queue."""
    max_operations: Annotated[int, Field(ge=1, le=100_000)] = 500
    """Operations in one run."""
    concurrency: Annotated[int, Field(ge=1, le=100)] = 10
    """Operations at the same time."""
