"""The composition root of the processes that process operations: builds their parts from environment variables."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated

from pydantic import Field

from payments.acquirer.credential import ApiKey
from payments.acquirer.http_client import AcquirerSettings, HttpAcquirer
from payments.database import Database, Pool
from payments.metrics import MetricRecorder
from payments.processing.executor import DatabaseExecutor
from payments.processing.processor import Processor
from payments.processing.settings import ProcessingSettings
from payments.roles import PROCESSING
from payments.settings import DatabaseSettings, RegionSettings, read


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
    processor: Processor
    acquirer: HttpAcquirer
    database: Database
    pool: Pool

    async def close(self) -> None:
        """Close all connections."""
        await self.acquirer.close()
        self.processor.database.close()
        self.pool.close()


def compose(service: str) -> Composition:
    """Read the settings and build the parts; connections are opened when they are needed.

    Args:
        service: the process's name in metrics and in the database's views: process_payment, reconcile_payments, worker.

    Raises:
        payments.settings.Misconfigured: a line for each variable that is missing or invalid.
    """
    environment, settings = read(EnvironmentSettings), read(DatabaseSettings)
    acquirer_settings, processing = read(AcquirerSettings), read(ProcessingSettings)
    secret, region = environment.acquirer_secret_arn, environment.aws_region
    acquirer = HttpAcquirer(acquirer_settings, credential=ApiKey(secret, region=region) if secret else None)
    database = settings.database(region, application=service, role=PROCESSING)
    pool = Pool(database, settings.connections)
    pool.open()
    processor = Processor(
        DatabaseExecutor(pool, settings.connections),
        acquirer,
        MetricRecorder(environment.environment_suffix, service),
        processing,
    )
    return Composition(environment, processor, acquirer, database, pool)
