"""Authentication to the acquirer: an API key that the acquirer issued, kept in Secrets Manager."""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import Callable
from typing import Any, Protocol

import boto3
from botocore.config import Config

MIN_SECONDS_BETWEEN_READS = 30.0
"""The secret is not read more often, however often the key is rejected."""
AWS_CONFIG = Config(connect_timeout=2, read_timeout=3, retries={"total_max_attempts": 2, "mode": "standard"})


class Credential(Protocol):
    """The credential that each request carries."""

    async def header(self) -> str:
        """The value of the Authorization header."""

    def rejected(self, header: str) -> None:
        """The acquirer has rejected this header."""


class ApiKey:
    """The ``api_key`` of a secret's JSON, cached until the acquirer rejects it: so it survives a rotation."""

    def __init__(self, secret: str, *, region: str, clock: Callable[[], float] = time.monotonic) -> None:
        """``secret`` is an ARN or a name."""
        make: Any = boto3.client
        self._client = make("secretsmanager", region_name=region, config=AWS_CONFIG)
        self._secret = secret
        self._clock = clock
        self._cached = ""
        self._stale = True
        self._read_at = -MIN_SECONDS_BETWEEN_READS
        self._lock = asyncio.Lock()

    async def header(self) -> str:
        """See :class:`Credential`.

        Raises:
            botocore.exceptions.BotoCoreError, botocore.exceptions.ClientError: the secret could not be read.
        """
        async with self._lock:
            if self._stale and (not self._cached or self._clock() - self._read_at >= MIN_SECONDS_BETWEEN_READS):
                self._cached = await asyncio.to_thread(self._read)
                self._read_at, self._stale = self._clock(), False
        return f"Bearer {self._cached}"

    def rejected(self, header: str) -> None:
        """See :class:`Credential`."""
        if header == f"Bearer {self._cached}":
            self._stale = True

    def _read(self) -> str:
        return str(json.loads(self._client.get_secret_value(SecretId=self._secret)["SecretString"])["api_key"])
