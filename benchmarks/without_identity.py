"""The payments service without identity, to measure what that costs: `python without_identity.py -m payments serve`.

Each request is taken for one of the same merchant: nothing is authenticated, authorized, limited by merchant or written
into the log of whose it was. The database has neither row-level security nor audit events (:func:`take_identity_away`).
"""

from __future__ import annotations

import runpy
import sys
from collections.abc import Callable, Coroutine
from pathlib import Path
from typing import Any
from uuid import UUID

import psycopg
from fastapi import Request, Response
from fastapi.routing import APIRoute

from payments.authentication import Caller
from payments.authorization import AuthorizedRoute
from payments.repository import FIRST_MERCHANT_ID, Requester

ANYBODY = Caller(Requester(FIRST_MERCHANT_ID, UUID(int=1)), frozenset())
TABLES = ("payments", "operations", "outbox", "idempotency_keys")
TRIGGERS = ("audit_when_asked", "audit_when_answered")


def take_identity_away(connection: psycopg.Connection[Any]) -> None:
    """Drop from a schema what keeps merchants apart and tells who did what. ``connection`` is the owner's."""
    for table in TABLES:
        connection.execute(f"ALTER TABLE payments.{table} DISABLE ROW LEVEL SECURITY".encode())
    for trigger in TRIGGERS:
        connection.execute(f"DROP TRIGGER {trigger} ON payments.operations".encode())


def _for_anybody(route: APIRoute) -> Callable[[Request], Coroutine[Any, Any, Response]]:
    handle = APIRoute.get_route_handler(route)

    async def take(request: Request) -> Response:
        request.state.caller = ANYBODY
        return await handle(request)

    return take


if __name__ == "__main__":
    _, _, module, *arguments = sys.argv
    AuthorizedRoute.get_route_handler = _for_anybody  # type: ignore[method-assign,assignment]
    sys.path[0] = str(Path.cwd())  # as with -m
    sys.argv = [module, *arguments]
    runpy.run_module(module, run_name="__main__", alter_sys=True)
