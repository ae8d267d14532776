"""A refusal that is tried: what is deleted, what uses it, how its use ends, and what AWS answers until then."""

from __future__ import annotations

import itertools
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from emulator.clock import DEFAULT_SECONDS_PER_MINUTE
from emulator.process import Server, set_clock
from tests.emulator.support import Client, client_for

_FAST = 0.001
_numbers = itertools.count(1)


class World:
    """Clients of the shared local AWS, and names that nothing else in it has."""

    def __init__(self, server: Server) -> None:
        self.server, self._client = server, client_for(server)

    def __call__(self, service: str, region: str = "us-east-2") -> Client:
        return self._client(service, region)

    def name(self) -> str:
        """One that is new."""
        return f"in-use-{next(_numbers)}"

    def let_minutes_pass(self) -> None:
        """Let the clock go fast; the test sets it back."""
        set_clock(self.server, _FAST)

    def set_back(self) -> None:
        """The clock's own speed again."""
        set_clock(self.server, DEFAULT_SECONDS_PER_MINUTE)


@dataclass(frozen=True)
class Use:
    """A resource that is in use: how it is deleted, and how its use ends."""

    delete: Callable[[], object]
    end: Callable[[], object]


@dataclass(frozen=True, kw_only=True)
class Refusal:
    """A deletion that AWS refuses while ``by``, types of Terraform's, or something that is no resource, use it."""

    type: str
    by: tuple[str, ...]
    operation: str
    """Of AWS, such as ``ec2:DeleteSubnet``."""
    code: str
    status: int
    make: Callable[[World], Use]

    def __str__(self) -> str:
        return f"{self.type} used by {' and '.join(self.by)}"


REFUSALS: list[Refusal] = []


def refused(type_: str, *by: str, operation: str, code: str, status: int = 400) -> Callable[[Any], Any]:
    """Register the decorated function, which makes the use."""

    def register(make: Callable[[World], Use]) -> Callable[[World], Use]:
        REFUSALS.append(Refusal(type=type_, by=by, operation=operation, code=code, status=status, make=make))
        return make

    return register
