"""The command's calls of AWS, as they leave the process: counted, ended before, or with the answer lost."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any

import botocore.client
import pytest
from botocore.exceptions import ConnectionClosedError

from operations.region import Region

PRIMARY, RECOVERY = Region.PRIMARY, Region.RECOVERY
SECONDS_BETWEEN_LOOKS = 0.02
IMAGE = f"registry.example.com/payments/web@sha256:{'5' * 64}"
NUMBERS = itertools.count()
TRUST = '{"Version":"2012-10-17","Statement":[]}'


class Killed(BaseException):
    """The end of the process: nothing catches it, and no call after it has any effect."""


@dataclass
class Outside:
    """The calls of the command to AWS, which can be made to be its last, or to lose their answer."""

    calls: list[str] = field(default_factory=list)
    at: int | None = None
    after: bool = False
    how: type[BaseException] = Killed
    ended: bool = False

    def watch(self, monkeypatch: pytest.MonkeyPatch) -> Outside:
        """Look at each call of this process; those of a test itself are not meant: it asks when nothing is watched."""
        client_type: Any = botocore.client.BaseClient
        original = client_type._make_api_call
        outside = self

        def call(client: Any, operation: str, parameters: dict[str, Any]) -> Any:
            if not outside.watching:
                return original(client, operation, parameters)
            if outside.ended:
                raise Killed
            number = len(outside.calls)
            outside.calls.append(operation)
            if number == outside.at and not outside.after:
                outside.fail(operation)
            answer = original(client, operation, parameters)
            if number == outside.at:
                outside.fail(operation)
            return answer

        monkeypatch.setattr(client_type, "_make_api_call", call)
        return self

    watching: bool = False

    def fail(self, operation: str) -> None:
        if self.how is Killed:
            self.ended = True
            raise Killed
        raise ConnectionClosedError(endpoint_url=f"https://{operation}")

    def during(
        self, action: Callable[[], Any], *, at: int | None = None, after: bool = False, how: Any = Killed
    ) -> Any:
        """Do something while its calls are watched."""
        self.calls, self.at, self.after, self.how, self.ended, self.watching = [], at, after, how, False, True
        try:
            return action()
        finally:
            self.watching = False


def changes(calls: list[str]) -> Iterator[int]:
    """The numbers of the calls that change something."""
    reads = ("Describe", "Get", "List", "Test")
    yield from (number for number, call in enumerate(calls) if not call.startswith(reads))
