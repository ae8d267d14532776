"""Forks a local AWS: another process with all that this one holds, on a port of its own, in a tenth of a second.

What took minutes to deploy is there for each test, which may change or destroy its copy. Neither sees what the other
does from then on. Memory is shared until one of the two writes to it.

Threads do not go along. So a fork is refused while something is under way: a request, a release, a poller, a function,
a workflow. Listeners of load balancers answer on other ports in the fork, from when they are first asked for.
"""

from __future__ import annotations

import contextlib
import gc
import json
import os
import select
import stat
import sys
import tempfile
import threading
import traceback
from collections.abc import Iterable, Iterator
from contextlib import AbstractContextManager
from pathlib import Path
from typing import TYPE_CHECKING, Any, NoReturn, Protocol, TextIO

from moto.s3.models import FakeKey, s3_backends
from werkzeug.serving import BaseWSGIServer, make_server

from emulator import turns
from emulator.address import HOST, STATE_FILE
from emulator.lifetime import CannotServeError, end_at_a_signal, lock_state, write_state
from emulator.process import LOG_FILE
from emulator.request_handler import RequestHandler
from emulator.runtime.execution_environments import ENVIRONMENTS
from emulator.runtime.tasks.process import THREAD

if TYPE_CHECKING:
    from _typeshed.wsgi import StartResponse, WSGIEnvironment


class Forkable(Protocol):
    """The application of a local AWS, as far as a fork needs it."""

    @property
    def directory(self) -> Path:
        """What takes the record."""
        ...

    def move_to(self, directory: Path) -> None:
        """Keep the record in another directory."""
        ...

    def no_request_begins(self) -> AbstractContextManager[int]:
        """Meanwhile; gives the number that are under way."""
        ...

    def __call__(self, environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        """Answer one request."""
        ...


# Threads that wait for requests, as Python names them after their functions, and those of tasks, which a fork begins
# without. Requests themselves are counted.
WAITING = ("(serve_forever)", "(process_request_thread)", THREAD)
SECONDS_TO_ANSWER = 20.0


class CannotForkError(Exception):
    """The local AWS cannot be forked, at least not now; the message is one line for a person."""


def fork(application: Forkable, directory: Path) -> dict[str, object]:
    """Fork this local AWS, in the thread of a request to it.

    Args:
        application: what this process serves.
        directory: takes the record, the log and the state of the fork.

    Returns:
        The fork's process id and port, once it answers.

    Raises:
        CannotForkError: something is under way, or a local AWS runs in the directory.
    """
    if sys.platform != "linux":
        raise CannotForkError(f"a process with threads is not forked on {sys.platform}")
    with turns.turn(), application.no_request_begins() as requests:
        _refuse_while_under_way(requests)
        gc.freeze()  # else a collection would write to all the memory that the two share
        heard, says = os.pipe()
        child = os.fork()
        if child:
            os.close(says)
            os.waitpid(child, 0)
            said = _word(heard)  # within the turn: until then both read the same files
    if not child:
        os.close(heard)
        _live(application, directory, says)
    if "error" in said:
        raise CannotForkError(str(said["error"]))
    return said


def _refuse_while_under_way(requests: int) -> None:
    mine = threading.current_thread()
    threads = [one.name for one in threading.enumerate() if one not in {mine, threading.main_thread()}]
    found = [name for name in threads if not name.endswith(WAITING)]
    if requests:
        found.append(f"{requests} requests")
    if found:
        raise CannotForkError(f"something is under way: {', '.join(found)}")


def _word(heard: int) -> dict[str, object]:
    """What the fork says of itself, once it answers, or why it does not."""
    with os.fdopen(heard, "rb") as pipe:
        ready, _, _ = select.select([pipe], [], [], SECONDS_TO_ANSWER)
        said = pipe.read() if ready else b""
    if not said:
        return {"error": f"the fork did not answer within {SECONDS_TO_ANSWER:g} s"}
    word: dict[str, object] = json.loads(said)
    return word


def _live(application: Forkable, directory: Path, says: int) -> NoReturn:
    """What the fork does, from its first moment to its end."""
    try:
        os.setsid()
        if os.fork():  # so that it is nobody's child who would have to take note of its end
            os._exit(0)
        state = lock_state(directory)  # locked for as long as it is open
        server = _serve(application, directory, state)
        os.write(says, json.dumps({"pid": os.getpid(), "port": server.server_port}).encode())
        os.close(says)
    except BaseException as failure:  # noqa: BLE001 (whatever it is, it must not go on as a second of the first)
        traceback.print_exc()
        reason = str(failure) if isinstance(failure, CannotServeError) else repr(failure)
        os.write(says, json.dumps({"error": reason}).encode())
        os._exit(1)
    end_at_a_signal(server)


def _serve(application: Forkable, directory: Path, state: TextIO) -> BaseWSGIServer:
    ENVIRONMENTS.forget()
    _let_go_of(application.directory)
    log = os.open(directory / LOG_FILE, os.O_WRONLY | os.O_CREAT | os.O_TRUNC)
    for descriptor in (sys.stdout.fileno(), sys.stderr.fileno()):
        os.dup2(log, descriptor)
    _own_files_of_objects()
    application.move_to(directory)
    server = make_server(HOST, 0, application, threaded=True, request_handler=RequestHandler)
    os.environ["MOTO_PORT"] = str(server.server_port)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    write_state(state, f"http://{HOST}:{server.server_port}")
    return server


def _let_go_of(directory: Path) -> None:
    """Close the sockets of the process that was forked, and its state file, which would stay locked."""
    state = (directory / STATE_FILE).stat()
    for descriptor in [int(path.name) for path in Path("/proc/self/fd").iterdir()]:
        with contextlib.suppress(OSError):  # the one that lists them is closed by now
            found = os.fstat(descriptor)
            if stat.S_ISSOCK(found.st_mode) or os.path.samestat(found, state):
                os.close(descriptor)


def _own_files_of_objects() -> None:
    """Give large objects of S3 files of their own: with a shared one goes the place where it is read."""
    for key in _objects():
        if key._value_buffer._rolled:  # noqa: SLF001
            content = key.value
            key._value_buffer = tempfile.SpooledTemporaryFile(key._max_buffer_size)  # noqa: SLF001, SIM115
            key._value_buffer.write(content)  # noqa: SLF001


def _objects() -> Iterator[Any]:
    for account in s3_backends.values():
        for backend in account.values():
            for bucket in backend.buckets.values():
                for name in list(bucket.keys):
                    yield from (key for key in bucket.keys.getlist(name) if isinstance(key, FakeKey))  # or a marker
