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
_SECONDS_BETWEEN_LOOKS = 0.05


class EmulatorError(Exception):
    """The local AWS could not be started or stopped; the message is one line for a person."""


@dataclass(frozen=True)
class Server:
    """A local AWS that runs: its directory (record, log, state), its process id and its URL."""

    directory: Path
    pid: int
    url: str


def role_environment(server: Server, role_arn: str, region: str = "us-east-2") -> dict[str, str]:
    """As :func:`environment`, with a session of a role that a workflow on GitHub assumes: the record then names it.

    The local AWS asks neither for a token nor whom the role trusts.
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
    """The environment for a child process: ``base`` without any ``AWS_`` variable, and :func:`environment`.

    Args:
        url: of the local AWS.
        base: this process's environment when not given.
        region: where a client that names no region goes.
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
    """Start a local AWS in the background and return once it answers.

    Its output goes to ``server.log`` in ``directory``. It lives until :func:`stop`, also after this process ends.

    Args:
        directory: takes its record; made if it does not exist.
        port: TCP port on 127.0.0.1; a free one when not given.
        seconds_per_minute: how long a minute of a release takes; :func:`set_clock` changes it later.
        tasks: how many tasks of a service run at most, as processes; 0 are none.
        seconds_to_start: how long to wait for it to answer.

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
    """As ``start``, of any module that serves a local AWS: ``python -m ARGUMENTS --port ... --directory ...``."""
    directory = Path(directory).resolve()
    directory.mkdir(parents=True, exist_ok=True)
    chosen = port or free_port()
    command = [sys.executable, "-m", *arguments, "--port", str(chosen), "--directory", str(directory)]
    log_path = directory / LOG_FILE
    with log_path.open("w", encoding="utf-8") as log:
        # A session of its own: Ctrl-C in a terminal is for the command in front, which stops the server itself.
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
        # Also when the wait is interrupted: nobody else knows of the child yet.
        child.kill()
        child.wait()
        raise
    return server


def find(directory: Path | str) -> Server | None:
    """The local AWS that runs in ``directory``, or None."""
    directory = Path(directory).resolve()
    try:
        state = (directory / STATE_FILE).open(encoding="utf-8")
    except FileNotFoundError:
        return None
    with state:
        try:
            # The server holds the lock for as long as it lives: a lock that can be had is a server that has ended.
            fcntl.flock(state, fcntl.LOCK_SH | fcntl.LOCK_NB)
        except OSError:
            text = state.read()
            return Server(directory, **json.loads(text)) if text else None
    return None


def stop(server: Server, *, seconds_to_stop: float = SECONDS_TO_STOP) -> None:
    """End ``server``: SIGTERM, and SIGKILL when it still runs after ``seconds_to_stop``. It may have ended already."""
    if find(server.directory) != server:
        # Its process id may by now be somebody else's.
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
    """Let a minute of a release or workflow take so long from now on, also in one that is going on.

    Raises:
        EmulatorError: it is not above 0, or the server does not answer.
    """
    control(server, "clock", {"seconds_per_minute": seconds_per_minute})


def stand_for(server: Server, image: str, url: str | None) -> None:
    """Let the server at ``url`` answer for the tasks of ``image`` from now on; with None nobody does any more.

    Raises:
        EmulatorError: it is no URL, or the server does not answer.
    """
    control(server, "images", {"image": image, "url": url})


@dataclass(frozen=True)
class Databases:
    """What a client of the databases of a local AWS needs: addresses by endpoint, and the authority's PEM."""

    names: dict[str, str]
    authority: str


def databases(server: Server) -> Databases:
    """Let PostgreSQL run behind each database cluster from now on, as it does once somebody in a VPC may need it.

    Raises:
        EmulatorError: it cannot run here, or the server does not answer.
    """
    said: dict[str, Any] = control(server, "databases", {}, seconds=SECONDS_FOR_DATABASES)
    return Databases(said["names"], said["authority"])


def take_snapshot(server: Server, region: str, cluster: str) -> str:
    """Let RDS take an automated snapshot of a cluster, and tell of it, as it does every night. Returns its name.

    Within a minute it is the same snapshot, of which it tells once more.

    Raises:
        EmulatorError: there is no such cluster, or the server does not answer.
    """
    return str(control(server, "snapshots", {"region": region, "cluster": cluster})["snapshot"])


def let_fail(server: Server, operation: str, code: str, times: int = 1) -> None:
    """Let the next calls of an operation fail with an error code, such as Throttling.

    Raises:
        EmulatorError: the server does not answer.
    """
    control(server, "faults", {"operation": operation, "code": code, "times": times})


def lose_region(server: Server, region: str, *, silent: bool = False) -> None:
    """Let nothing in a region answer any more: its APIs end in 503, or ``silent`` in no answer within a minute.

    Raises:
        EmulatorError: the server does not answer.
    """
    control(server, "regions", {"region": region, "lost": True, "silent": silent})


def restore_region(server: Server, region: str) -> None:
    """Have a lost region back, as it was.

    Raises:
        EmulatorError: the server does not answer.
    """
    control(server, "regions", {"region": region, "lost": False, "silent": False})


def fork(server: Server, directory: Path | str) -> Server:
    """Another local AWS with all that this one holds, at once; it lives until :func:`stop`.

    Args:
        server: stays as it is; neither sees what the other does from now on.
        directory: takes the fork's record; made if it does not exist.

    Raises:
        EmulatorError: something is under way in the server, which is named, or the directory belongs to another.
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


def control(server: Server, path: str, asked: dict[str, object], *, seconds: float = 5.0) -> dict[str, object]:
    """Ask the local AWS itself for something (emulator/controls.py); its answer.

    Raises:
        EmulatorError: it refuses, or does not answer.
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
    """A TCP port on 127.0.0.1 that nothing uses at the moment."""
    with socket.socket() as probe:
        probe.bind((HOST, 0))
        return int(probe.getsockname()[1])


def _wait_until_ready(server: Server, child: subprocess.Popen[bytes], seconds: float) -> None:
    deadline = time.monotonic() + seconds
    expected = {"pid": server.pid, "directory": str(server.directory)}
    while child.poll() is None:
        # Who answers must be the child: on a port that another server has, that server would answer.
        if find(server.directory) == server and identity(server.url) == expected:
            return
        if time.monotonic() > deadline:
            raise EmulatorError(f"the local AWS did not answer within {seconds:g} s; see {server.directory / LOG_FILE}")
        time.sleep(_SECONDS_BETWEEN_LOOKS)
    said = (server.directory / LOG_FILE).read_text(encoding="utf-8", errors="replace").strip().splitlines()
    raise EmulatorError(said[-1] if said else f"the local AWS ended with exit code {child.returncode}")


def _reap(pid: int) -> None:
    """Take note of the end of a child, which would otherwise stay a zombie; no matter if it is nobody's or not ours."""
    with contextlib.suppress(ChildProcessError):
        os.waitpid(pid, os.WNOHANG)
