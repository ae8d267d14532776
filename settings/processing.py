"""How payments are processed after a service has accepted them: the queue, the functions behind it, the acquirer."""

from __future__ import annotations

import ipaddress
from typing import Annotated, Literal

from pydantic import Field, model_validator

from settings.base import Rule, SettingsModel, matching
from settings.common import LEAST_AUDIT_MONTHS, AuditMonths
from settings.network import PRIVATE_RANGES
from settings.services import ServiceName

CLAIM_SECONDS = 15  # a try's claim of its payment outlasts its calls by 10, and a function's report needs 5
LEAST_CONNECTIONS = 2  # of the payments service's pool: one of them publishes the outbox
HOUR_SECONDS = 3600
WIDEST_ACQUIRER_PREFIX = 24  # a payment acquirer names a few addresses, never a provider's whole range


def public_network(block: str) -> str:
    """The block in its usual form.

    Raises:
        ValueError: it is none, too wide, or private.
    """
    try:
        network = ipaddress.IPv4Network(block)
    except ValueError as error:
        raise ValueError("an IPv4 CIDR block is allowed, such as 203.0.113.0/28, with no address bit set") from error
    own = (*PRIVATE_RANGES, ipaddress.IPv4Network("127.0.0.0/8"))
    if network.prefixlen < WIDEST_ACQUIRER_PREFIX or any(network.subnet_of(one) for one in own):
        raise ValueError(f"a block of public addresses from /{WIDEST_ACQUIRER_PREFIX} to /32 is allowed")
    return str(network)


AcquirerNetwork = Annotated[
    str, Rule(public_network, f"a block of public addresses from /{WIDEST_ACQUIRER_PREFIX} to /32 is allowed")
]
AcquirerUrl = Annotated[
    str, matching(r"https://[a-z0-9.-]+(/[A-Za-z0-9._~/-]*)?", "an https:// URL on port 443 is allowed")
]


class FunctionSettings(SettingsModel):
    """The functions that process payments from the queue."""

    concurrency: Annotated[int, Field(ge=2, le=1000)] = 10
    """Maximum concurrency of the function."""
    batch_size: Annotated[int, Field(ge=1, le=10)] = 10
    """Messages per invocation; they are processed concurrently."""
    connections_per_function: Annotated[int, Field(ge=2, le=20)] = 5
    """Maximum database connections of one execution environment."""
    call_seconds: Annotated[int, Field(ge=5, le=100)] = 25
    """Timeout of one call of the acquirer, in seconds."""
    timeout_seconds: Annotated[int, Field(ge=20, le=120)] = 45
    """Timeout of the function in seconds; the queue's visibility timeout is six times as long."""
    tries: Annotated[int, Field(ge=1, le=50)] = 12
    """Requests to the acquirer without a decision, while it serves others, before a message becomes a dead letter."""
    memory_mib: Annotated[int, Field(ge=256, le=3008)] = 512
    """Memory of a function; its processor share grows with it."""

    @model_validator(mode="after")
    def _batch_fits(self) -> FunctionSettings:
        if (needed := self.call_seconds + CLAIM_SECONDS) > self.timeout_seconds:
            raise ValueError(
                f"timeout_seconds: {self.timeout_seconds} is not allowed; {needed} or more is: call_seconds "
                f"({self.call_seconds}) and {CLAIM_SECONDS} to store the answer"
            )
        return self


class AcquirerCapabilities(SettingsModel):
    """What acquirers differ in. Its documentation says it; a wrong value here charges twice, or never asks again."""

    look_up: Literal["key", "reference", "repeat", "file"] = "key"
    """How it tells what became of a request whose response was lost: by our idempotency key, by our reference, by a
    repeat of the request, or in its settlement file only."""
    key_retention_hours: Annotated[int, Field(ge=0, le=366 * 24)] = 7 * 24
    """Hours that it remembers an idempotency key: a later repeat is never sent."""
    decides_within_hours: Annotated[int, Field(ge=1, le=30 * 24)] = 24
    """Hours that a pending decision takes at most; after that a person is told."""

    @model_validator(mode="after")
    def _keys_are_remembered(self) -> AcquirerCapabilities:
        if self.look_up in {"key", "repeat"} and not self.key_retention_hours:
            raise ValueError(
                f"key_retention_hours: 0 is not allowed; 1 or more is: look_up is {self.look_up!r}, which needs the key"
            )
        return self

    @property
    def variables(self) -> dict[str, str]:
        """Environment variables of a process that calls it, by the names that services/payments reads."""
        return {
            "ACQUIRER_LOOK_UP": self.look_up,
            "ACQUIRER_KEY_RETENTION_SECONDS": str(self.key_retention_hours * HOUR_SECONDS),
            "ACQUIRER_DECIDES_WITHIN_SECONDS": str(self.decides_within_hours * HOUR_SECONDS),
        }


class AcquirerSettings(AcquirerCapabilities):
    """The acquirer, which settles payments.

    The secret PREFIX/SUFFIX/acquirer has its API key: `{"api_key": "..."}`; PREFIX/SUFFIX/acquirer-notifications has
    the keys that it signs notifications with: `{"notification_keys": ["...", ...]}`.
    """

    url: AcquirerUrl
    """Where it is called, by HTTPS on 443, through NAT."""
    networks: Annotated[tuple[AcquirerNetwork, ...], Field(strict=False, max_length=20)] = ()
    """Its addresses: the functions then reach no others on the internet. None are all, for one that names none."""


class ProcessingSettings(FunctionSettings):
    """How payments are processed: the queue that a service fills, the functions behind it, and the acquirer."""

    service: ServiceName
    """The service that accepts payments, as services/payments does: it may send to the queue, and knows where it is."""
    acquirer: AcquirerSettings
    """The acquirer's endpoint."""
    api_key_mode: Literal["live", "test"] = "test"
    """Of which kind merchants' API keys are: their prefix says it, and the API takes no others."""
    audit_months: AuditMonths = LEAST_AUDIT_MONTHS
    """Months that the database keeps audit events, all at hand; a lower value drops what is older within the hour."""
    reserve_concurrency: bool = True
    """Whether the account's concurrency is reserved for it; AWS keeps 100 of the account unreserved."""
    reconcile_minutes: Annotated[int, Field(ge=1, le=60)] = 5
    """Minutes between two reconciliations of unanswered payments."""
    migrate_on_deploy: bool = True
    """Whether a deployment migrates the database schema; if not, `make migrate` does."""
