"""The keys by which notifications of the acquirer are verified, kept in Secrets Manager."""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Callable
from typing import Any

import boto3

from payments.acquirer.credential import AWS_CONFIG

SECONDS_BETWEEN_READS = 60.0
"""So long after a rotation the new key is accepted at the latest: the acquirer repeats what was refused."""
MIN_KEY_BYTES = 32


class KeysInvalid(Exception):
    """The secret has another form. The message quotes nothing of it."""


class NotificationKeys:
    """The ``notification_keys`` of a secret's JSON: texts of 32 characters or more, two of them in a rotation."""

    def __init__(
        self, secret: str, *, region: str, client: Any = None, clock: Callable[[], float] = time.monotonic
    ) -> None:
        """``secret`` is an ARN or a name; ``client`` is boto3's of Secrets Manager."""
        make: Any = boto3.client
        self._client = client or make("secretsmanager", region_name=region, config=AWS_CONFIG)
        self._secret = secret
        self._clock = clock
        self._keys: tuple[bytes, ...] = ()
        self._read_at = -float("inf")
        self._lock = threading.Lock()

    def get(self) -> tuple[bytes, ...]:
        """The keys; this may make a call.

        Raises:
            KeysInvalid: the secret has another form.
            botocore.exceptions.BotoCoreError, botocore.exceptions.ClientError: the secret could not be read.
        """
        with self._lock:
            if self._clock() - self._read_at >= SECONDS_BETWEEN_READS:
                self._keys = _keys(self._client.get_secret_value(SecretId=self._secret)["SecretString"])
                self._read_at = self._clock()
            return self._keys


def _keys(text: str) -> tuple[bytes, ...]:
    try:
        keys = tuple(key.encode() for key in json.loads(text)["notification_keys"])
    except (ValueError, KeyError, TypeError, AttributeError):
        raise KeysInvalid('the secret has no "notification_keys": [TEXT, ...]') from None
    if not keys or min(map(len, keys)) < MIN_KEY_BYTES:
        raise KeysInvalid(f"no notification key, or one of less than {MIN_KEY_BYTES} characters")
    return keys
