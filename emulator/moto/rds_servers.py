"""RDS: a real PostgreSQL behind the endpoints of each Aurora PostgreSQL cluster (:mod:`emulator.runtime.databases`)."""

from __future__ import annotations

from typing import Any

from moto.rds.responses import RDSResponse

from emulator.moto.extend import Method, override
from emulator.runtime.databases.clusters import SERVERS

READING = ("Describe", "List")


@override(RDSResponse)
def call_action(original: Method, self: Any) -> Any:
    """Reconcile the servers after each call."""
    answer = original(self)
    if not self._get_action().startswith(READING):
        SERVERS.settle()
    return answer
