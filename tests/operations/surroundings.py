"""Runs commands in broken surroundings: one process that has loaded them, and a fork of it for each run.

`python surroundings.py` in a checkout reads a run a line from standard input and answers with a line, both JSON. A run
has arguments, variables, a folder to stand in and names of CHANGES, which are made to the fork before it begins.
"""

from __future__ import annotations

import contextlib
import gc
import importlib
import io
import json
import os
import pkgutil
import re
import resource
import selectors
import signal
import subprocess
import sys
import threading
import time
import traceback
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any, NoReturn

REPOSITORY = Path(__file__).parents[2]
MOST_SECONDS = 20.0
# https://docs.aws.amazon.com/STS/latest/APIReference/API_GetCallerIdentity.html
IDENTITY = """<GetCallerIdentityResponse><GetCallerIdentityResult><Account>{account}</Account><UserId>a</UserId>
<Arn>arn:aws:iam::{account}:user/a</Arn></GetCallerIdentityResult></GetCallerIdentityResponse>"""
DENIED = "<ErrorResponse><Error><Code>AccessDenied</Code><Message>no</Message></Error></ErrorResponse>"
STILL_RUNNING = 71
INTERPRETER = "INTERPRETER_OF_A_TEST"
"""The variable that names what stands for this Python, where a command runs it: for what synthesizes."""
# What a command may write to, and what a rehearsal leaves: a copied checkout has its own, or none.
NOT_LINKED = {".git", ".cache", ".local-aws", ".local-api", ".local-environments", "cdktf.out", "cfn-outputs", "docs"}


@dataclass(frozen=True, kw_only=True)
class Ended:
    """How a run ended: ``code`` is negative where a signal ended it, and STILL_RUNNING after MOST_SECONDS."""

    code: int
    stdout: str
    stderr: str

    @property
    def said(self) -> str:
        """All that it printed."""
        return self.stdout + self.stderr


class OnlyAnAccount:
    """An AWS that says whose the credentials are, and denies all else; what it is asked is in ``asked``."""

    def __init__(self, account: str = "123456789012") -> None:
        self.account = account
        self.asked: list[tuple[str, str]] = []
        """The service and region that each request is signed for."""

    def __enter__(self) -> str:
        """Its URL."""
        self._server = _Server(("127.0.0.1", 0), _Denial)
        self._server.aws = self
        threading.Thread(target=self._server.serve_forever, daemon=True).start()
        return f"http://127.0.0.1:{self._server.server_port}"

    def __exit__(self, *_: object) -> None:
        self._server.shutdown()
        self._server.server_close()


class _Server(ThreadingHTTPServer):
    aws: OnlyAnAccount

    def handle_error(self, *_: object) -> None:
        """Say nothing of a client that has left."""


class _Denial(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server: _Server

    def _answer(self) -> None:
        asked = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        known = b"Action=GetCallerIdentity" in asked
        text = (IDENTITY.format(account=self.server.aws.account) if known else DENIED).encode()
        if scope := re.search(r"Credential=[^/]+/\d+/([^/]+)/([^/]+)/", self.headers.get("Authorization", "")):
            self.server.aws.asked.append((scope[2], scope[1]))
        self.send_response(200 if known else 403)
        self.send_header("Content-Type", "text/xml")
        self.send_header("Content-Length", str(len(text)))
        self.end_headers()
        self.wfile.write(text)

    do_GET = do_POST = do_PUT = do_HEAD = do_DELETE = do_PATCH = _answer  # noqa: N815 - as the base class wants them

    def log_message(self, *_: object) -> None:
        """Say nothing."""


class Checkout:
    """A checkout of links with folders of its own, and the process whose forks run its commands."""

    def __init__(self, folder: Path) -> None:
        folder.mkdir(parents=True)
        for entry in REPOSITORY.iterdir():
            if entry.name not in NOT_LINKED:
                (folder / entry.name).symlink_to(entry)
        (folder / "docs").mkdir()
        self.folder = folder
        self._process = subprocess.Popen(
            [sys.executable, "-m", "tests.operations.surroundings"],
            cwd=folder,
            env={**os.environ, "PYTHONPATH": str(folder)},
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )

    def run(self, arguments: Iterable[str], variables: Mapping[str, str], changes: Iterable[str] = ()) -> Ended:
        """Run `python -m operations ARGUMENTS` with ``variables`` as its whole environment."""
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        run = {"arguments": list(arguments), "variables": dict(variables), "changes": list(changes)}
        print(json.dumps(run), file=self._process.stdin, flush=True)
        return Ended(**json.loads(self._process.stdout.readline()))

    def end(self) -> None:
        """End the process."""
        assert self._process.stdin is not None
        self._process.stdin.close()
        self._process.wait()


def _ascii() -> None:
    """A terminal that can show ASCII only, as with LC_ALL=POSIX in older systems."""
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(encoding="ascii", errors="strict")


def _full_disk() -> None:
    """No file can be written: nothing may become longer than 0 bytes. Pipes still can."""
    resource.setrlimit(resource.RLIMIT_FSIZE, (0, 0))


def _impatient() -> None:
    """Programs get less time to answer than in earnest."""
    from operations import preflight

    preflight.SECONDS_TO_ANSWER = 0.2


CHANGES = {"ascii": _ascii, "full disk": _full_disk, "impatient": _impatient}


def _serve() -> None:
    _load()
    for line in sys.stdin:
        print(json.dumps(_run(json.loads(line))), flush=True)


def _load() -> None:
    """Import what the commands import when they run, so that a fork need not."""
    import operations

    for module in pkgutil.walk_packages(operations.__path__, "operations."):
        importlib.import_module(module.name)
    importlib.import_module("payment_api.settings")
    gc.collect()
    gc.freeze()  # so that a fork copies no page for the sake of its garbage collector
    gc.disable()


def _run(run: dict[str, Any]) -> dict[str, Any]:
    ends = {name: os.pipe() for name in ("stdout", "stderr")}
    child = os.fork()
    if child == 0:
        os.setsid()
        for number, (_, write) in enumerate(ends.values(), start=1):
            os.dup2(write, number)
        _in_fork(run)
    for _, write in ends.values():
        os.close(write)
    said, ended = _read({read: name for name, (read, _) in ends.items()}, child)
    with contextlib.suppress(ProcessLookupError):
        os.killpg(child, signal.SIGKILL)
    code = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
    return {"code": code if ended else STILL_RUNNING, **said}


def _read(names: dict[int, str], child: int) -> tuple[dict[str, str], bool]:
    """What a process writes until it ends, and whether it does in time. What it has started may live on."""
    said = dict.fromkeys(names.values(), b"")
    deadline = time.monotonic() + MOST_SECONDS
    ended = False
    with selectors.DefaultSelector() as selector:
        for read in names:
            selector.register(read, selectors.EVENT_READ)
        while not ended and time.monotonic() < deadline:
            ended = os.waitid(os.P_PID, child, os.WEXITED | os.WNOHANG | os.WNOWAIT) is not None
            # Once it has ended, what it wrote is there already; none of it is waited for.
            while ready := selector.select(0.0 if ended else 0.01):
                for key, _ in ready:
                    if text := os.read(key.fd, 65536):
                        said[names[key.fd]] += text
                    else:
                        selector.unregister(key.fd)
    for read in names:
        os.close(read)
    return {name: text.decode(errors="replace") for name, text in said.items()}, ended


def _in_fork(run: dict[str, Any]) -> NoReturn:
    code = 70
    try:
        from operations.__main__ import main

        sys.stdin = open(os.devnull)  # noqa: PTH123, SIM115 - it lives as long as the process
        sys.stdout = io.TextIOWrapper(io.FileIO(1, "w"), encoding="utf-8", write_through=True)
        sys.stderr = io.TextIOWrapper(io.FileIO(2, "w"), encoding="utf-8", write_through=True)
        os.environ.clear()
        os.environ.update(run["variables"])
        sys.argv = ["operations", *run["arguments"]]
        if program := run["variables"].get(INTERPRETER):
            sys.executable = program
        for change in run["changes"]:
            CHANGES[change]()
        main()
        code = 0
    except SystemExit as end:
        code = end.code if isinstance(end.code, int) else int(end.code is not None)
    except BaseException:  # noqa: BLE001 - what a user would see
        traceback.print_exc()
        code = 1
    finally:
        with contextlib.suppress(OSError):
            sys.stdout.flush()
        os._exit(code)


if __name__ == "__main__":
    _serve()
