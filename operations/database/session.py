"""A port of this machine that leads to the database, by AWS's own plugin, and psql on it."""

from __future__ import annotations

import json
import os
import shutil
import signal
import socket
import subprocess
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any

from operations.database.place import DATABASE_NAME, PORT, Place
from operations.interruption import IN_ITS_OWN_GROUP, deferred
from operations.outcome import Failed, Refused
from operations.project_root import PROJECT

PLUGIN = "session-manager-plugin"
INSTALL = (
    "https://docs.aws.amazon.com/systems-manager/latest/userguide/session-manager-working-with-install-plugin.html"
)
DOCUMENT = "AWS-StartPortForwardingSessionToRemoteHost"
# The plugin reads the answer, which has the session's token, from the variable that its first argument names; an
# argument could be read by everybody on this machine.
# https://github.com/aws/session-manager-plugin/blob/1.2.553.0/src/sessionmanagerplugin/session/session.go
ANSWER = "AWS_SSM_START_SESSION_RESPONSE"
SECONDS_TO_LISTEN = 30.0
SECONDS_TO_END = 5.0
CERTIFICATES = PROJECT / "shared" / "rds-ca-bundle.pem"


def refuse_without_plugin() -> None:
    """Raises Refused where the plugin is not installed."""
    if shutil.which(PLUGIN) is None:
        raise Refused(f"{PLUGIN}: not found on PATH; install it ({INSTALL})")


@contextmanager
def forwarded(client: Any, place: Place, target: str, *, reason: str) -> Iterator[int]:
    """The port of 127.0.0.1 that leads to the database, for as long as the block lasts.

    ``reason`` is kept with the session: https://docs.aws.amazon.com/systems-manager/latest/APIReference/API_StartSession.html

    Raises:
        Failed: the plugin does not listen.
        ClientError: AWS refused the session.
    """
    port = free_port()
    parameters = {"host": [place.host], "portNumber": [str(PORT)], "localPortNumber": [str(port)]}
    asked = {"Target": target, "DocumentName": DOCUMENT, "Parameters": parameters, "Reason": reason}
    answer = client.start_session(**asked)
    answer = {name: answer[name] for name in ("SessionId", "TokenValue", "StreamUrl")}
    arguments = [ANSWER, place.region, "StartSession", os.environ.get("AWS_PROFILE", ""), json.dumps(asked)]
    try:
        plugin = subprocess.Popen(
            [PLUGIN, *arguments, client.meta.endpoint_url],
            env={**os.environ, ANSWER: json.dumps(answer)},
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            **IN_ITS_OWN_GROUP,
        )
        try:
            _wait_for(plugin, port)
            yield port
        finally:
            _end(plugin)
    finally:
        with deferred():
            client.terminate_session(SessionId=answer["SessionId"])


def variables(
    place: Place, *, port: int, user: str, token: str, certificates: str = str(CERTIFICATES)
) -> dict[str, str]:
    """Libpq's variables for a connection by the port, which is the server's own by its certificate.

    https://www.postgresql.org/docs/current/libpq-envars.html
    """
    return {
        "PGHOST": place.host,
        "PGHOSTADDR": "127.0.0.1",
        "PGPORT": str(port),
        "PGUSER": user,
        "PGDATABASE": DATABASE_NAME,
        "PGPASSWORD": token,
        "PGSSLMODE": "verify-full",
        "PGSSLROOTCERT": certificates,
        "PGAPPNAME": "make database",
    }


def psql(connection: Mapping[str, str], query: str | None) -> None:
    """Run psql for a person, or for one query.

    Raises:
        Refused: it is not installed.
        Failed: it failed; it has said why.
    """
    if shutil.which("psql") is None:
        raise Refused("psql: not found on PATH; install PostgreSQL's client")
    command = ["psql", "--no-psqlrc", "--set=ON_ERROR_STOP=1", *(["--command", query] if query else [])]
    # Ctrl-C ends a statement of psql's, and not this command around it.
    before = signal.signal(signal.SIGINT, lambda *_: None)
    try:
        code = subprocess.run(command, env={**os.environ, **connection}, check=False).returncode
    finally:
        signal.signal(signal.SIGINT, before)
    if code:
        raise Failed(f"psql ended with exit code {code}")


def free_port() -> int:
    """A port that nothing listens on."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        return int(free.getsockname()[1])


def _wait_for(plugin: subprocess.Popen[bytes], port: int) -> None:
    until = time.monotonic() + SECONDS_TO_LISTEN
    while time.monotonic() < until:
        if plugin.poll() is not None:
            raise Failed(f"{PLUGIN} ended with exit code {plugin.returncode}; 1.2.497 or newer is needed ({INSTALL})")
        try:
            socket.create_connection(("127.0.0.1", port), timeout=1).close()
        except OSError:
            time.sleep(0.1)
        else:
            return
    raise Failed(f"{PLUGIN} does not listen after {SECONDS_TO_LISTEN:.0f} s")


def _end(plugin: subprocess.Popen[bytes]) -> None:
    plugin.terminate()
    try:
        plugin.wait(SECONDS_TO_END)
    except subprocess.TimeoutExpired:
        plugin.kill()
        plugin.wait()
