"""The program that runs a container: ``python -m emulator.runtime.tasks.container BOX.json``.

It has three processes. The outer one stays in this machine's network: it listens on a port of 127.0.0.1 for clients of
the container, and opens the container's egress connections. The inner one creates the namespaces. The first process of
the new process namespace is the container's init, as with ``initProcessEnabled``: it starts the command, ends with it,
runs health checks, and opens connections to the container's port.

The outer process's standard input is a socket. It reads requests from it, a line of JSON each: ``{"do": "stop"}`` and
``{"do": "run", "id": 1, "command": [...], "seconds": 5}``. It writes ``{"port": 40123}`` at first, ``{"id": 1, "code":
0, "output": "..."}`` for each command, and ``{"ended": 0}`` at the end. When the socket is closed, the container is
killed. The command's output goes to the standard output.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import signal
import socket
import sys
import tempfile
from pathlib import Path
from typing import Any

from emulator.runtime.tasks import namespaces
from emulator.runtime.tasks.box import Box, Way
from emulator.runtime.tasks.files import add_processes, make_root
from emulator.runtime.tasks.init import Init

HOST = "127.0.0.1"
MESSAGE_BYTES = 65_536
CHUNK_BYTES = 65_536
MOST_LISTENERS = 64
_KILLED = 128


def main(box: Box) -> int:
    """Run a container to its end; returns its exit code, or 128 plus the number of the signal that ended it."""
    signal.pthread_sigmask(signal.SIG_SETMASK, set())  # the local AWS blocks SIGTERM, which its children inherit
    outside, inside = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    pid = os.fork()
    if not pid:
        outside.close()
        _become(box, inside)
    inside.close()
    outside.recv(1)  # its namespaces exist
    namespaces.map_users(pid, box.user)
    outside.send(b"!")
    return asyncio.run(_Outer(box, pid, outside).run())


def _become(box: Box, outer: socket.socket) -> None:
    """The inner process: create the container and wait for its end."""
    try:
        os.setsid()
        own = (namespaces.NEW_MOUNTS, namespaces.NEW_PROCESSES, namespaces.NEW_NETWORK, namespaces.NEW_IPC)
        namespaces.unshare(namespaces.NEW_USERS)
        outer.send(b"?")
        outer.recv(1)
        namespaces.unshare(sum(own) | namespaces.NEW_NAMES)
        listeners = _listeners(box.ways)
        socket.send_fds(outer, [b"ways"], [one.fileno() for one in listeners])
        for one in listeners:
            one.close()
        with tempfile.TemporaryDirectory(prefix="container-") as folder:
            first = os.fork()
            if not first:
                make_root(box, Path(folder))
                add_processes()
                Init(box, outer).run()
            _, status = os.waitpid(first, 0)
        os._exit(_code(status))
    except BaseException as error:  # noqa: BLE001 (after any error, this process must not continue as the outer one)
        print(f"the container could not be made: {error}", file=sys.stderr, flush=True)
        os._exit(1)


def _listeners(ways: tuple[Way, ...]) -> list[socket.socket]:
    """The listeners in the container's network at the addresses of its egress."""
    beside = {one.address for one in ways if not one.address.startswith("127.")}
    namespaces.begin_network(sorted(beside))
    return [socket.create_server((one.address, one.port)) for one in ways]


def _code(status: int) -> int:
    return _KILLED + os.WTERMSIG(status) if os.WIFSIGNALED(status) else os.WEXITSTATUS(status)


class _Outer:
    """The outer process."""

    def __init__(self, box: Box, pid: int, init: socket.socket) -> None:
        self._box, self._pid, self._init = box, pid, init
        self._asked: dict[int, asyncio.Future[tuple[dict[str, Any], list[int]]]] = {}
        self._numbers = 0
        self._stopping: asyncio.Task[None] | None = None
        self._running: set[asyncio.Task[None]] = set()

    async def run(self) -> int:
        loop = asyncio.get_running_loop()
        self._commands = await _stream(socket.socket(fileno=os.dup(sys.stdin.fileno())))
        _, descriptors, _, _ = await asyncio.to_thread(socket.recv_fds, self._init, MESSAGE_BYTES, MOST_LISTENERS)
        for way, descriptor in zip(self._box.ways, descriptors, strict=False):
            await asyncio.start_server(self._leave_by(way), sock=socket.socket(fileno=descriptor))
        self._init.setblocking(False)
        loop.add_reader(self._init, self._hear)
        server = await asyncio.start_server(self._enter, HOST, 0)
        self._say({"port": server.sockets[0].getsockname()[1]})
        reading = asyncio.ensure_future(self._obey())
        code = await asyncio.to_thread(self._wait)
        reading.cancel()
        self._say({"ended": code})
        with contextlib.suppress(ConnectionError):
            await self._commands[1].drain()
        return code

    def _wait(self) -> int:
        return _code(os.waitpid(self._pid, 0)[1])

    def _say(self, said: dict[str, Any]) -> None:
        self._commands[1].write(json.dumps(said).encode() + b"\n")

    async def _obey(self) -> None:
        while line := await self._commands[0].readline():
            asked = json.loads(line)
            if asked["do"] == "stop":
                self._stopping = asyncio.ensure_future(self._stop())
            else:
                task = asyncio.ensure_future(self._check(asked) if asked["do"] == "run" else self._probe(asked))
                self._running.add(task)
                task.add_done_callback(self._running.discard)
        self._tell({"do": "kill"})  # the local AWS has closed the socket

    async def _stop(self) -> None:
        """Send SIGTERM, and SIGKILL after the box's stop time."""
        self._tell({"do": "signal", "number": int(signal.SIGTERM)})
        await asyncio.sleep(self._box.stop_seconds)
        self._tell({"do": "kill"})

    async def _check(self, asked: dict[str, Any]) -> None:
        said, _ = await self._ask({"do": "run", "command": asked["command"], "seconds": asked["seconds"]})
        self._say({"id": asked["id"], "code": said["code"], "output": said["output"]})

    async def _probe(self, asked: dict[str, Any]) -> None:
        """Connect to the container's port, and say by the code whether somebody listens there."""
        _, descriptors = await self._ask({"do": "connect", "port": self._box.port})
        for one in descriptors:
            os.close(one)
        self._say({"id": asked["id"], "code": int(not descriptors), "output": ""})

    # --- the init ---

    def _tell(self, asked: dict[str, Any]) -> None:
        with contextlib.suppress(OSError):  # it has ended
            self._init.send(json.dumps(asked).encode())

    async def _ask(self, asked: dict[str, Any]) -> tuple[dict[str, Any], list[int]]:
        self._numbers += 1
        future: asyncio.Future[tuple[dict[str, Any], list[int]]] = asyncio.get_running_loop().create_future()
        self._asked[self._numbers] = future
        self._tell({**asked, "id": self._numbers})
        return await future

    def _hear(self) -> None:
        with contextlib.suppress(BlockingIOError, ConnectionError):
            content, descriptors, _, _ = socket.recv_fds(self._init, MESSAGE_BYTES, 1)
            if not content:
                asyncio.get_running_loop().remove_reader(self._init)
                return
            said = json.loads(content)
            if future := self._asked.pop(said["id"], None):
                future.set_result((said, descriptors))

    # --- connections ---

    async def _enter(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        _, descriptors = await self._ask({"do": "connect", "port": self._box.port})
        if not descriptors:
            writer.transport.abort()
            return
        await _join((reader, writer), await _stream(socket.socket(fileno=descriptors[0])))

    def _leave_by(self, way: Way) -> Any:
        async def leave(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            try:
                there = await asyncio.open_connection(way.host, way.host_port)
            except OSError:
                writer.transport.abort()
                return
            await _join((reader, writer), there)

        return leave


Stream = tuple[asyncio.StreamReader, asyncio.StreamWriter]


async def _stream(opened: socket.socket) -> Stream:
    return await asyncio.open_connection(sock=opened)


async def _join(here: Stream, there: Stream) -> None:
    """Forward data in both directions until both ends have closed."""
    await asyncio.gather(_hand_on(here[0], there[1]), _hand_on(there[0], here[1]))
    for _, writer in (here, there):
        writer.close()


async def _hand_on(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    with contextlib.suppress(OSError):
        while content := await reader.read(CHUNK_BYTES):
            writer.write(content)
            await writer.drain()
    with contextlib.suppress(OSError, RuntimeError):
        writer.write_eof()


if __name__ == "__main__":
    sys.exit(main(Box.from_json(Path(sys.argv[1]).read_text(encoding="utf-8"))))
