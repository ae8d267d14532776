"""How we show the acquirer who we are: a key of its own making, kept in Secrets Manager."""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import Callable
from typing import Any, Protocol

import boto3
from botocore.config import Config

SECONDS_BETWEEN_READS = 30.0
"""However often a key is refused, the secret is read again no sooner."""
AWS_CONFIG = Config(connect_timeout=2, read_timeout=3, retries={"total_max_attempts": 2, "mode": "standard"})


class Credential(Protocol):
    """The header that goes with each request."""

    async def header(self) -> str:
        """The value of Authorization."""

    def refused(self, header: str) -> None:
        """Take note that the acquirer does not accept it."""


class ApiKey:
    """A key of Secrets Manager, held until it is refused; its JSON holds ``api_key``. A rotation goes unnoticed."""

    def __init__(self, secret: str, *, region: str, clock: Callable[[], float] = time.monotonic) -> None:
        """``secret`` is an ARN, or a name."""
        make: Any = boto3.client
        self._client = make("secretsmanager", region_name=region, config=AWS_CONFIG)
        self._secret = secret
        self._clock = clock
        self._held = ""
        self._stale = True
        self._read_at = -SECONDS_BETWEEN_READS
        self._lock = asyncio.Lock()

    async def header(self) -> str:
        """See :class:`Credential`.

        Raises:
            botocore.exceptions.BotoCoreError, botocore.exceptions.ClientError: the secret could not be read.
        """
        async with self._lock:
            if self._stale and (not self._held or self._clock() - self._read_at >= SECONDS_BETWEEN_READS):
                self._held = await asyncio.to_thread(self._read)
                self._read_at, self._stale = self._clock(), False
        return f"Bearer {self._held}"

    def refused(self, header: str) -> None:
        """See :class:`Credential`."""
        if header == f"Bearer {self._held}":
            self._stale = True

    def _read(self) -> str:
        return str(json.loads(self._client.get_secret_value(SecretId=self._secret)["SecretString"])["api_key"])
