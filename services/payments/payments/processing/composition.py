"""The composition root of the processes that process operations: builds their parts from environment variables."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Annotated

from pydantic import Field

from payments.acquirer.adyen import Adyen
from payments.acquirer.credential import ApiKey
from payments.acquirer.dialect import Dialect, Plain
from payments.acquirer.http_client import HttpAcquirer
from payments.acquirer.settings import AcquirerOptions, AcquirerSettings, RoutingSettings
from payments.database import Database, Pool
from payments.metrics import MetricRecorder
from payments.processing.executor import DatabaseExecutor
from payments.processing.processor import Processor
from payments.processing.routing import Router
from payments.processing.settings import ProcessingSettings
from payments.roles import PROCESSING
from payments.settings import DatabaseSettings, RegionSettings, read
from payments.states import ACQUIRER


class EnvironmentSettings(RegionSettings):
    """The environment of a process. Variables are named after the fields, in capitals."""

    environment_suffix: Annotated[str, Field(pattern=r"^[a-z0-9-]{1,32}$")]
    """The environment's suffix, for metrics."""
    queue_url: Annotated[str, Field(min_length=1)]
    """The SQS queue of operations to be processed."""
    dead_letter_queue_url: str | None = None
    """Its dead-letter queue; without it a message that is given up stays, until the queue moves it."""
    acquirer_secret_arn: str | None = None
    """The secret with the acquirer's api_key as JSON; without it requests carry no credential."""


@dataclass(frozen=True)
class Composition:
    """The parts of a process, which closes them when it ends."""

    environment: EnvironmentSettings
    router: Router
    routing: RoutingSettings
    acquirers: Mapping[str, HttpAcquirer]
    database: Database
    pool: Pool

    @property
    def processor(self) -> Processor:
        """The processor of the first acquirer."""
        return self.router.first

    async def close(self) -> None:
        """Close all connections."""
        for acquirer in self.acquirers.values():
            await acquirer.close()
        self.processor.database.close()
        self.pool.close()


def dialect_of(settings: AcquirerOptions) -> Dialect:
    """The API that the settings name."""
    if settings.api == "adyen":
        return Adyen(settings.capabilities, settings.merchant_account, settings.return_url)
    return Plain(settings.capabilities)


def compose(service: str) -> Composition:
    """Read the settings and build the parts; connections are opened when they are needed.

    Args:
        service: the process's name in metrics and in the database's views: process_payment, reconcile_payments, worker.

    Raises:
        payments.settings.Misconfigured: a line for each variable that is missing or invalid.
    """
    environment, settings = read(EnvironmentSettings), read(DatabaseSettings)
    first, routing, processing = read(AcquirerSettings), read(RoutingSettings), read(ProcessingSettings)
    routing.check(first)
    acquirers = {
        ACQUIRER: _acquirer(first, environment.acquirer_secret_arn, environment),
        **{name: _acquirer(one, one.secret_arn, environment) for name, one in routing.acquirers.items()},
    }
    database = settings.database(environment.aws_region, application=service, role=PROCESSING)
    pool = Pool(database, settings.connections)
    pool.open()
    executor = DatabaseExecutor(pool, settings.connections)
    recorder = MetricRecorder(environment.environment_suffix, service)
    processors = {
        name: Processor(executor, acquirer, recorder, processing, name=name) for name, acquirer in acquirers.items()
    }
    return Composition(environment, Router(processors, routing), routing, acquirers, database, pool)


def _acquirer(options: AcquirerOptions, secret: str | None, environment: EnvironmentSettings) -> HttpAcquirer:
    credential = ApiKey(secret, region=environment.aws_region) if secret else None
    return HttpAcquirer(options, dialect=dialect_of(options), credential=credential)
