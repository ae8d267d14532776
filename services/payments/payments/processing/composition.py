"""Puts together what a process needs that processes operations, from its environment variables."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated

from pydantic import Field
from pydantic_settings import BaseSettings, SettingsConfigDict

from payments.acquirer.credential import ApiKey
from payments.acquirer.over_http import AcquirerSettings, HttpAcquirer
from payments.database import Database as Server
from payments.database import Pool
from payments.processing.measures import Measures
from payments.processing.processor import Database, Processor
from payments.processing.settings import ProcessingSettings
from payments.settings import DatabaseSettings, read


class EnvironmentSettings(BaseSettings):
    """Where a process stands. Variables are named after the fields, in capitals."""

    model_config = SettingsConfigDict(frozen=True, hide_input_in_errors=True)

    aws_region: Annotated[str, Field(min_length=1)]
    environment_suffix: Annotated[str, Field(pattern=r"^[a-z0-9-]{1,32}$")]
    """Names the environment in metrics."""
    queue_url: Annotated[str, Field(min_length=1)]
    """The queue of SQS with the operations that are to be processed."""
    acquirer_secret_arn: str | None = None
    """The secret whose JSON holds the acquirer's api_key; without it nothing is shown to the acquirer."""


@dataclass(frozen=True)
class Composition:
    """What was put together, and has to be closed."""

    environment: EnvironmentSettings
    processor: Processor
    acquirer: HttpAcquirer
    server: Server
    pool: Pool

    async def close(self) -> None:
        """Close all connections."""
        await self.acquirer.close()
        self.processor.database.close()
        self.pool.close()


def compose(service: str) -> Composition:
    """Read the settings and open what they name; connections are made when they are needed.

    Args:
        service: who it is, in metrics and in the database's views: process_payment, reconcile_payments, worker.

    Raises:
        payments.settings.Misconfigured: a line for each variable that is missing or wrong.
    """
    environment, settings = read(EnvironmentSettings), read(DatabaseSettings)
    acquirer_settings, processing = read(AcquirerSettings), read(ProcessingSettings)
    secret, region = environment.acquirer_secret_arn, environment.aws_region
    acquirer = HttpAcquirer(acquirer_settings, credential=ApiKey(secret, region=region) if secret else None)
    server = settings.database(region, application=service)
    pool = Pool(server, settings.connections)
    pool.open()
    processor = Processor(
        Database(pool, settings.connections), acquirer, Measures(environment.environment_suffix, service), processing
    )
    return Composition(environment, processor, acquirer, server, pool)
