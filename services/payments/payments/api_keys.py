"""API keys: `pay_live_ID_SECRETCHECK`, created here, shown once, and stored as a keyed hash.

- `live` or `test` is the mode of the environment; environments of the other mode reject the key.
- ID, 16 characters, is the identifier for look-ups. It is not secret: logs and people may refer to a key by it.
- SECRET, 43 characters, has 256 random bits.
- CHECK, 6 characters, is the CRC-32 of everything before it, by which secret scanners recognize a leaked key.

All parts are letters and digits, so that a double click selects the whole key. The hash is HMAC-SHA-256 under a pepper
that is not in the database, so that keys cannot be guessed from a copy of the database alone. During a rotation the
secret has several peppers: {"current": "2026", "peppers": {"2025": "...", "2026": "..."}}.
"""

from __future__ import annotations

import hashlib
import hmac
import json
import re
import secrets
import string
import threading
import time
import zlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any

import boto3
from botocore.config import Config

ALPHABET = string.digits + string.ascii_letters
ID_LENGTH, SECRET_LENGTH, CHECK_LENGTH = 16, 43, 6
PREFIX = "pay_"
"""What every API key begins with, and no access token."""
FORM = re.compile(
    rf"{PREFIX}(live|test)_([0-9A-Za-z]{{{ID_LENGTH}}})_[0-9A-Za-z]{{{SECRET_LENGTH}}}[0-9A-Za-z]{{{CHECK_LENGTH}}}"
)
MIN_PEPPER_LENGTH = 32
MIN_SECONDS_BETWEEN_READS = 10.0
"""Minimum interval between two reads of the secret, however many keys refer to a pepper that it does not have."""
AWS_CONFIG = Config(connect_timeout=2, read_timeout=3, retries={"total_max_attempts": 2, "mode": "standard"})


class KeyMode(StrEnum):
    """The mode of the environments that accept a key."""

    LIVE = "live"
    TEST = "test"


@dataclass(frozen=True)
class ApiKey:
    """A key with valid form and checksum. It is not authenticated yet."""

    mode: KeyMode
    id: str
    text: str = field(repr=False)

    @classmethod
    def make(cls, mode: KeyMode, id_: str | None = None) -> ApiKey:
        """A new key, with a new id unless one is given."""
        id_ = id_ or _random(ID_LENGTH)
        text = f"{PREFIX}{mode}_{id_}_{_random(SECRET_LENGTH)}"
        return cls(mode, id_, text + _check(text))

    @classmethod
    def parse(cls, text: str) -> ApiKey | None:
        """The key in a text; None where its form or checksum is invalid."""
        found = FORM.fullmatch(text)
        if not found or _check(text[:-CHECK_LENGTH]) != text[-CHECK_LENGTH:]:
            return None
        return cls(KeyMode(found[1]), found[2], text)

    def hashed(self, pepper: bytes) -> bytes:
        """The hash that is stored."""
        return hmac.digest(pepper, self.text.encode(), hashlib.sha256)


def _random(length: int) -> str:
    return "".join(secrets.choice(ALPHABET) for _ in range(length))


def _check(text: str) -> str:
    number, digits = zlib.crc32(text.encode()), ""
    for _ in range(CHECK_LENGTH):
        number, digit = divmod(number, len(ALPHABET))
        digits = ALPHABET[digit] + digits
    return digits


class PeppersInvalid(Exception):
    """The secret does not have the form that is described above. The message quotes nothing of it."""


class Peppers:
    """The peppers in a secret of Secrets Manager, cached; read again for an unknown pepper."""

    def __init__(
        self, secret: str, *, region: str, client: Any = None, clock: Callable[[], float] = time.monotonic
    ) -> None:
        """``secret`` is an ARN or a name; ``client`` is boto3's of Secrets Manager."""
        make: Any = boto3.client
        self._client = client or make("secretsmanager", region_name=region, config=AWS_CONFIG)
        self._secret = secret
        self._clock = clock
        self._current = ""
        self._known: Mapping[str, bytes] = {}
        self._asked_at = float("-inf")  # also where it failed: callers do not queue for a secret that cannot be read
        self._lock = threading.Lock()

    def current(self) -> tuple[str, bytes]:
        """The name and value of the pepper for new keys, freshly read.

        Raises:
            PeppersInvalid: the secret has another form.
            botocore.exceptions.BotoCoreError, botocore.exceptions.ClientError: the secret could not be read.
        """
        with self._lock:
            self._read()
            return self._current, self._known[self._current]

    def known(self, name: str) -> bytes | None:
        """The pepper with a name, if it is cached; this makes no call."""
        return self._known.get(name)

    def get(self, name: str) -> bytes | None:
        """The pepper with a name; None where there is none.

        Raises:
            PeppersInvalid: the secret has another form.
            botocore.exceptions.BotoCoreError, botocore.exceptions.ClientError: the secret could not be read.
        """
        if found := self.known(name):
            return found
        with self._lock:
            if self._clock() - self._asked_at >= MIN_SECONDS_BETWEEN_READS:
                self._read()
            return self._known.get(name)

    def check(self) -> None:
        """Raise the error that prevents the peppers from being read, if any."""
        if not self._known:
            self.current()

    def _read(self) -> None:
        self._asked_at = self._clock()
        self._current, self._known = _peppers(self._client.get_secret_value(SecretId=self._secret)["SecretString"])


def _peppers(text: str) -> tuple[str, dict[str, bytes]]:
    try:
        values = json.loads(text)
        current, peppers = values["current"], {name: value.encode() for name, value in values["peppers"].items()}
    except (ValueError, KeyError, TypeError, AttributeError):
        raise PeppersInvalid('the secret is not {"current": NAME, "peppers": {NAME: TEXT}}') from None
    if current not in peppers or min(map(len, peppers.values())) < MIN_PEPPER_LENGTH:
        raise PeppersInvalid(
            f"current names none of the peppers, or one is shorter than {MIN_PEPPER_LENGTH} characters"
        )
    return current, peppers
