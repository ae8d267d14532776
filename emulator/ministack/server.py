"""The server: ministack with its additions, on 127.0.0.1 only, until SIGTERM or SIGINT."""

from __future__ import annotations

import json
import os
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

from emulator.address import HOST
from emulator.lifetime import lock_state, write_state
from emulator.process import ACCOUNT_ID
from emulator.server import refuse_port_in_use

Scope = dict[str, Any]
Receive = Callable[[], Awaitable[dict[str, Any]]]
Send = Callable[[dict[str, Any]], Awaitable[None]]
Application = Callable[[Scope, Receive, Send], Awaitable[None]]


def environment(port: int) -> dict[str, str]:
    """Environment variables that ministack reads when it is imported."""
    return {
        "BIND_HOST": HOST,
        "MINISTACK_HOST": HOST,
        "GATEWAY_PORT": str(port),
        "MINISTACK_ACCOUNT_ID": ACCOUNT_ID,
        "IOT_MTLS_ENABLED": "0",
        "SFTP_ENABLED": "0",
        "PERSIST_STATE": "0",
    }


def serve(port: int, directory: Path) -> None:
    """Serve until SIGTERM or SIGINT. Everything it knows is in memory and ends with it.

    Raises:
        CannotServeError: the port is in use, or the directory belongs to a server that runs.
    """
    refuse_port_in_use(port)
    directory = directory.resolve()
    state = lock_state(directory)
    os.environ.update(environment(port))
    from ministack import app

    from emulator.ministack import additions

    additions.install()
    app.app = _identified(additions.wrapped(app.app), {"pid": os.getpid(), "directory": str(directory)})
    write_state(state, f"http://{HOST}:{port}")
    os.sys.argv[1:] = []  # type: ignore[attr-defined]  # ministack reads it
    app.main()


def _identified(inner: Application, identity: dict[str, Any]) -> Application:
    """Serves the identity of the server, as the other local AWS does (emulator.server.identity)."""

    async def application(scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "http" and scope["path"] == "/_local-aws":
            await answer(send, 200, identity)
        else:
            await inner(scope, receive, send)

    return application


async def answer(send: Send, status: int, body: Any) -> None:
    """Answer with JSON."""
    headers = [(b"content-type", b"application/json")]
    await send({"type": "http.response.start", "status": status, "headers": headers})
    await send({"type": "http.response.body", "body": json.dumps(body).encode()})
