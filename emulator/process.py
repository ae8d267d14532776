"""A local AWS in the background, for tests and commands, and the environment that points clients at it.

server = process.start(Path(".local-aws"))
subprocess.run(["terraform", "apply"], env=process.complete_environment(server.url))
process.stop(server)
"""

from __future__ import annotations

import contextlib
import fcntl
import http.client
import json
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from http import HTTPStatus
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from emulator.address import HOST, STATE_FILE, environment, identity
from emulator.clock import DEFAULT_SECONDS_PER_MINUTE

ACCOUNT_ID = "123456789012"
"""The account of the local AWS: moto's default for any access key."""

LOG_FILE = "server.log"
SECONDS_TO_START = 60.0
SECONDS_TO_STOP = 10.0
SECONDS_TO_FORK = 30.0
SECONDS_FOR_DATABASES = 60.0
SECONDS_FOR_CONTROLS = 30.0  # a busy machine answers late
_SECONDS_BETWEEN_LOOKS = 0.05


class EmulatorError(Exception):
    """The local AWS did not start, stop, answer or do what it was asked; the message is one line for the user."""


@dataclass(frozen=True)
class Server:
    """A running local AWS: its directory (record, log, state), its process id and its URL."""

    directory: Path
    pid: int
    url: str


def role_environment(server: Server, role_arn: str, region: str = "us-east-2") -> dict[str, str]:
    """:func:`environment` with a session of a role, assumed as by a workflow on GitHub, so that the record names it.

    The local AWS checks neither the token nor the role's trust policy.
    """
    import boto3
    from botocore import UNSIGNED
    from botocore.config import Config

    client = boto3.client("sts", region_name=region, endpoint_url=server.url, config=Config(signature_version=UNSIGNED))
    session = client.assume_role_with_web_identity(
        RoleArn=role_arn, RoleSessionName="rehearsal", WebIdentityToken="a-token-of-nobody"
    )["Credentials"]
    return {
        **environment(server.url, region),
        "AWS_ACCESS_KEY_ID": session["AccessKeyId"],
        "AWS_SECRET_ACCESS_KEY": session["SecretAccessKey"],
        "AWS_SESSION_TOKEN": session["SessionToken"],
    }


def complete_environment(url: str, base: Mapping[str, str] | None = None, region: str = "us-east-2") -> dict[str, str]:
    """The environment for a child process: ``base`` without its ``AWS_`` variables, plus :func:`environment`.

    Args:
        url: the URL of the local AWS.
        base: this process's environment if not given.
        region: the default region of clients.
    """
    inherited = os.environ if base is None else base
    kept = {name: value for name, value in inherited.items() if not name.startswith("AWS_")}
    return {**kept, **environment(url, region)}


def start(
    directory: Path | str,
    *,
    port: int | None = None,
    seconds_per_minute: float = DEFAULT_SECONDS_PER_MINUTE,
    tasks: int = 0,
    seconds_to_start: float = SECONDS_TO_START,
) -> Server:
    """Start a local AWS in the background and return once it is ready.

    Its output goes to ``server.log`` in ``directory``. It runs until :func:`stop`, also after this process ends.

    Args:
        directory: the directory of its record; created if it does not exist.
        port: TCP port on 127.0.0.1; a free one if not given.
        seconds_per_minute: how long a minute of a release takes; :func:`set_clock` changes it later.
        tasks: how many tasks of a service run as processes at most; 0 runs none.
        seconds_to_start: how long to wait until it is ready.

    Raises:
        EmulatorError: it did not start; the message is the server's own.
    """
    arguments = ["emulator", "serve", "--seconds-per-minute", str(seconds_per_minute)]
    arguments += ["--tasks", str(tasks)]
    return launch(arguments, directory, port=port, seconds_to_start=seconds_to_start)


def launch(
    arguments: Sequence[str],
    directory: Path | str,
    *,
    port: int | None = None,
    seconds_to_start: float = SECONDS_TO_START,
) -> Server:
    """:func:`start` for any module that serves a local AWS: ``python -m ARGUMENTS --port ... --directory ...``."""
    directory = Path(directory).resolve()
    directory.mkdir(parents=True, exist_ok=True)
    chosen = port or free_port()
    command = [sys.executable, "-m", *arguments, "--port", str(chosen), "--directory", str(directory)]
    log_path = directory / LOG_FILE
    with log_path.open("w", encoding="utf-8") as log:
        # A session of its own: Ctrl-C in a terminal reaches only the foreground command, which stops the server itself.
        child = subprocess.Popen(
            command,
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=subprocess.STDOUT,
            start_new_session=True,
            cwd=Path(__file__).parent.parent,
        )
    server = Server(directory, child.pid, f"http://{HOST}:{chosen}")
    try:
        _wait_until_ready(server, child, seconds_to_start)
    except BaseException:
        # Also when the wait is interrupted: no other process knows of the child yet.
        child.kill()
        child.wait()
        raise
    return server


def find(directory: Path | str) -> Server | None:
    """The running local AWS of ``directory``, or None."""
    directory = Path(directory).resolve()
    try:
        state = (directory / STATE_FILE).open(encoding="utf-8")
    except FileNotFoundError:
        return None
    with state:
        try:
            # The server holds the lock while it runs: if the lock is free, the server has ended.
            fcntl.flock(state, fcntl.LOCK_SH | fcntl.LOCK_NB)
        except OSError:
            text = state.read()
            return Server(directory, **json.loads(text)) if text else None
    return None


def stop(server: Server, *, seconds_to_stop: float = SECONDS_TO_STOP) -> None:
    """End ``server``: SIGTERM, and SIGKILL if it still runs after ``seconds_to_stop``. It may have ended already."""
    if find(server.directory) != server:
        # Its process id may by now belong to another process.
        _reap(server.pid)
        return
    for sent in (signal.SIGTERM, signal.SIGKILL):
        with contextlib.suppress(ProcessLookupError):
            os.kill(server.pid, sent)
        deadline = time.monotonic() + seconds_to_stop
        while time.monotonic() < deadline:
            _reap(server.pid)
            if find(server.directory) is None:
                _reap(server.pid)
                return
            time.sleep(_SECONDS_BETWEEN_LOOKS)
    raise EmulatorError(f"the local AWS in {server.directory} (process {server.pid}) did not end")


def set_clock(server: Server, seconds_per_minute: float) -> None:
    """Set how long a minute of a release or workflow takes from now on, including running ones.

    Raises:
        EmulatorError: it is not above 0, or the server does not answer.
    """
    control(server, "clock", {"seconds_per_minute": seconds_per_minute})


def stand_for(server: Server, image: str, url: str | None) -> None:
    """Register the server at ``url`` as the stand-in for tasks of ``image``; None removes it.

    Raises:
        EmulatorError: it is no URL, or the local AWS does not respond.
    """
    control(server, "images", {"image": image, "url": url})


@dataclass(frozen=True)
class Databases:
    """The values that a client of a local AWS's databases needs: addresses by endpoint, and the CA's PEM."""

    names: dict[str, str]
    authority: str


def databases(server: Server) -> Databases:
    """Start PostgreSQL behind each database cluster, as happens for a function or task in a VPC that may connect.

    Raises:
        EmulatorError: it cannot run here, or the local AWS does not respond.
    """
    said: dict[str, Any] = control(server, "databases", {}, seconds=SECONDS_FOR_DATABASES)
    return Databases(said["names"], said["authority"])


def take_snapshot(server: Server, region: str, cluster: str) -> str:
    """Let RDS take an automated snapshot of a cluster and send its event, as it does every night; returns its name.

    A second call within a minute sends the event of the same snapshot again.

    Raises:
        EmulatorError: there is no such cluster, or the server does not answer.
    """
    return str(control(server, "snapshots", {"region": region, "cluster": cluster})["snapshot"])


def begin_step(server: Server, name: str) -> None:
    """Say what a rehearsal does from now on: uses of statements are recorded under this name.

    Raises:
        EmulatorError: the server does not answer.
    """
    control(server, "step", {"name": name})


@dataclass(frozen=True, order=True)
class Statement:
    """A statement of a policy: of which kind, of whose, its name in it, and its effect.

    ``owner`` is the same in every deployment; ``document`` is how the record of this one has it.
    """

    kind: str
    owner: str
    statement: str
    effect: str
    document: str


def statements(server: Server) -> list[Statement]:
    """Every statement of every policy that the local AWS holds.

    Raises:
        EmulatorError: the server does not answer.
    """
    found: Any = control(server, "statements", {})["statements"]
    return sorted(Statement(**one) for one in found)


def strike(server: Server, *struck: Statement) -> None:
    """Let statements decide nothing, as if they were deleted; all others decide again.

    Raises:
        EmulatorError: the server does not answer.
    """
    control(server, "strike", {"statements": [[one.kind, one.document, one.statement] for one in struck]})


def let_fail(server: Server, operation: str, code: str, times: int = 1) -> None:
    """Make the next calls of an operation fail with an error code, such as Throttling.

    Raises:
        EmulatorError: the server does not answer.
    """
    control(server, "faults", {"operation": operation, "code": code, "times": times})


def lose_region(server: Server, region: str, *, silent: bool = False) -> None:
    """Make a region unavailable: its APIs return 503, or with ``silent`` do not respond for a minute.

    Raises:
        EmulatorError: the server does not answer.
    """
    control(server, "regions", {"region": region, "lost": True, "silent": silent}, seconds=SECONDS_FOR_DATABASES)


def restore_region(server: Server, region: str) -> None:
    """Make a lost region available again, with its state unchanged.

    Raises:
        EmulatorError: the server does not answer.
    """
    control(server, "regions", {"region": region, "lost": False, "silent": False}, seconds=SECONDS_FOR_DATABASES)


def fork(server: Server, directory: Path | str) -> Server:
    """Start another local AWS with a copy of this one's state at once; it runs until :func:`stop`.

    Args:
        server: stays unchanged; from now on neither sees changes of the other.
        directory: the directory of the fork's record; created if it does not exist.

    Raises:
        EmulatorError: an operation runs in the server, which the message names, or the directory is in use.
    """
    directory = Path(directory).resolve()
    said = control(server, "fork", {"directory": str(directory)}, seconds=SECONDS_TO_FORK)
    return Server(directory, int(str(said["pid"])), f"http://{HOST}:{said['port']}")


@contextlib.contextmanager
def forked(server: Server, directory: Path | str) -> Iterator[Server]:
    """A fork of a local AWS for the duration of a ``with`` block."""
    copy = fork(server, directory)
    try:
        yield copy
    finally:
        stop(copy)


def control(
    server: Server, path: str, asked: dict[str, object], *, seconds: float = SECONDS_FOR_CONTROLS
) -> dict[str, object]:
    """Send a request to the local AWS's own controls (emulator/controls.py); returns the response.

    Raises:
        EmulatorError: it refuses, or does not respond.
    """
    connection = http.client.HTTPConnection(urlsplit(server.url).netloc, timeout=seconds)
    try:
        connection.request("PUT", f"/_local-aws/{path}", json.dumps(asked))
        answer = connection.getresponse()
        said = answer.read().decode()
    except (OSError, http.client.HTTPException) as failure:
        raise EmulatorError(f"the local AWS at {server.url} does not answer: {failure}") from None
    finally:
        connection.close()
    if answer.status != HTTPStatus.OK:
        raise EmulatorError(said)
    known: dict[str, object] = json.loads(said)
    return known


@contextlib.contextmanager
def running(
    directory: Path | str, *, port: int | None = None, seconds_per_minute: float = DEFAULT_SECONDS_PER_MINUTE
) -> Iterator[Server]:
    """A local AWS for the duration of a ``with`` block."""
    server = start(directory, port=port, seconds_per_minute=seconds_per_minute)
    try:
        yield server
    finally:
        stop(server)


def free_port() -> int:
    """A TCP port on 127.0.0.1 that is free at the moment."""
    with socket.socket() as probe:
        probe.bind((HOST, 0))
        return int(probe.getsockname()[1])


def _wait_until_ready(server: Server, child: subprocess.Popen[bytes], seconds: float) -> None:
    deadline = time.monotonic() + seconds
    expected = {"pid": server.pid, "directory": str(server.directory)}
    while child.poll() is None:
        # The response must be the child's: if another server has the port, that one responds.
        if find(server.directory) == server and identity(server.url) == expected:
            return
        if time.monotonic() > deadline:
            raise EmulatorError(f"the local AWS did not answer within {seconds:g} s; see {server.directory / LOG_FILE}")
        time.sleep(_SECONDS_BETWEEN_LOOKS)
    said = (server.directory / LOG_FILE).read_text(encoding="utf-8", errors="replace").strip().splitlines()
    raise EmulatorError(said[-1] if said else f"the local AWS ended with exit code {child.returncode}")


def _reap(pid: int) -> None:
    """Reap a child that has ended and would otherwise stay a zombie; other process ids are ignored."""
    with contextlib.suppress(ChildProcessError):
        os.waitpid(pid, os.WNOHANG)
