"""The settings of acquirers: their addresses, our timeouts, what each is capable of, and which payments it gets.

One acquirer is that of the ACQUIRER_ variables. Others, and the routes to them, are JSON: ACQUIRERS is an object of
options by name, ACQUIRER_ROUTES a list, of which the first route that a payment fits names its acquirers in order::

    ACQUIRERS='{"second": {"base_url": "https://second.example.com", "secret_arn": "arn:..."}}'
    ACQUIRER_ROUTES='[{"currencies": ["EUR", "SEK"], "acquirers": ["second", "acquirer"]}]'

What no route fits goes to the one of the ACQUIRER_ variables, which is named ``acquirer``. A payment goes to the next
acquirer of its route while the circuit of the one before is open.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import timedelta
from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field, model_validator
from pydantic_settings import BaseSettings, SettingsConfigDict

from payments.acquirer.port import Capabilities, LookUp
from payments.settings import Misconfigured
from payments.states import ACQUIRER, OperationKind

Name = Annotated[str, Field(pattern=r"^[a-z][a-z0-9-]{0,31}$")]


class AcquirerOptions(BaseModel):
    """An acquirer's address, our timeouts, and what it is capable of."""

    model_config = ConfigDict(frozen=True, extra="forbid", hide_input_in_errors=True)

    base_url: Annotated[str, Field(pattern=r"^https?://[^\s/?#@]+(/[^\s?#]*)?$")]
    """Such as https://acquirer.example.com."""
    connect_seconds: Annotated[float, Field(gt=0, le=30)] = 2.0
    """Timeout of a connection, TLS included, and of the wait for a free one."""
    read_seconds: Annotated[float, Field(gt=0, le=120)] = 10.0
    """Timeout of a whole response."""
    total_seconds: Annotated[float, Field(gt=0, le=300)] = 20.0
    """Timeout of a call, with all its attempts, pauses and look-ups."""
    tries: Annotated[int, Field(ge=1, le=10)] = 3
    """Attempts of a call."""
    first_pause_seconds: Annotated[float, Field(gt=0, le=10)] = 0.2
    """Pause before the second attempt, with jitter; each further pause is twice as long."""
    max_connections: Annotated[int, Field(ge=1, le=1000)] = 100
    """Connections that are open at the same time."""
    api: Literal["platform", "adyen"] = "platform"
    """Which API it has: the platform's own form, or Adyen's Checkout (:mod:`payments.acquirer.adyen`)."""
    merchant_account: str = ""
    """Of Adyen: the account that payments are made for."""
    return_url: str = ""
    """Of Adyen: where the cardholder's browser returns after acting."""
    look_up: LookUp = LookUp.BY_KEY
    """How it tells what became of a request whose response was lost."""
    key_retention_seconds: Annotated[float, Field(ge=0, le=366 * 86400)] = 7 * 86400.0
    """How long it remembers an idempotency key: a later repeat is never sent."""
    decides_within_seconds: Annotated[float, Field(ge=60, le=30 * 86400)] = 86400.0
    """How long a pending decision takes at most; after that a person is told."""

    @model_validator(mode="after")
    def _require_what_the_api_needs(self) -> AcquirerOptions:
        if self.api == "adyen" and not (self.merchant_account and self.return_url.startswith("https://")):
            raise ValueError("api adyen needs merchant_account, and return_url with https")
        if self.api == "adyen" and self.look_up is not LookUp.BY_REPEAT:
            raise ValueError("api adyen has no look-up: look_up must be repeat")
        return self

    @property
    def capabilities(self) -> Capabilities:
        """What the acquirer is capable of."""
        return Capabilities(
            look_up=self.look_up,
            key_retention=timedelta(seconds=self.key_retention_seconds),
            decides_within=timedelta(seconds=self.decides_within_seconds),
        )


class AcquirerSettings(BaseSettings, AcquirerOptions):
    """The one acquirer, or the first of several. Variables begin with ACQUIRER_, such as ACQUIRER_BASE_URL."""

    model_config = SettingsConfigDict(
        env_prefix="acquirer_", frozen=True, extra="ignore", hide_input_in_errors=True, env_ignore_empty=True
    )


class OtherAcquirer(AcquirerOptions):
    """One more acquirer."""

    secret_arn: str | None = None
    """The secret with its api_key as JSON; without it requests carry no credential."""
    settlement_prefix: str | None = None
    """What the keys of its settlement files begin with; without it none are read."""
    settlement_format: str = "csv"
    """The name of their form (:data:`payments.settlement.formats.FORMATS`)."""


class Route(BaseModel):
    """Which payments go to which acquirers. A condition that is left out holds for all payments."""

    model_config = ConfigDict(frozen=True, extra="forbid", hide_input_in_errors=True)

    currencies: frozenset[Annotated[str, Field(pattern=r"^[A-Z]{3}$")]] | None = None
    kinds: frozenset[OperationKind] | None = None
    """Of the payment's first operation: authorization, sale."""
    min_amount: Annotated[int, Field(ge=0)] = 0
    """In minor units of the currency, as ``max_amount`` is."""
    max_amount: int | None = None
    acquirers: Annotated[tuple[Name, ...], Field(min_length=1)]
    """The next one gets a payment while the circuit of those before it is open."""

    def fits(self, kind: OperationKind, amount: int, currency: str) -> bool:
        """Whether a payment fulfils all conditions."""
        return (
            (self.currencies is None or currency in self.currencies)
            and (self.kinds is None or kind in self.kinds)
            and self.min_amount <= amount
            and (self.max_amount is None or amount <= self.max_amount)
        )


class RoutingSettings(BaseSettings):
    """The other acquirers, and the routes to all of them."""

    model_config = SettingsConfigDict(frozen=True, hide_input_in_errors=True)

    acquirers: dict[Name, OtherAcquirer] = {}
    acquirer_routes: tuple[Route, ...] = ()

    def check(self, first: AcquirerOptions) -> None:
        """Refuse what could charge twice, or goes nowhere.

        Raises:
            Misconfigured: a line for each problem.
        """
        can: Mapping[str, Capabilities] = {
            ACQUIRER: first.capabilities,
            **{name: one.capabilities for name, one in self.acquirers.items() if name != ACQUIRER},
        }
        problems = ["ACQUIRERS: acquirer is the one of the ACQUIRER_ variables"] * (ACQUIRER in self.acquirers)
        for number, route in enumerate(self.acquirer_routes, start=1):
            where = f"ACQUIRER_ROUTES: route {number}"
            problems += [f"{where} names {name}, which ACQUIRERS lacks" for name in route.acquirers if name not in can]
            if len(set(route.acquirers)) < len(route.acquirers):
                problems.append(f"{where} names an acquirer twice")
            # After a loss of data each of them is asked what it has performed.
            mute = [name for name in route.acquirers if name in can and not can[name].can_look_up]
            if mute and len(route.acquirers) > 1:
                problems.append(f"{where} has {', '.join(mute)} beside others, which can look nothing up")
        if problems:
            raise Misconfigured("\n".join(problems))

    def acquirers_of(self, kind: OperationKind, amount: int, currency: str) -> tuple[str, ...]:
        """The acquirers of a payment, in order."""
        for route in self.acquirer_routes:
            if route.fits(kind, amount, currency):
                return route.acquirers
        return (ACQUIRER,)
