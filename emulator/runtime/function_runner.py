"""Runs the invocations of a Lambda function, one after the other, until nobody asks for more.

``function_runner.py handler network-file descriptor``: the descriptor is of a socket that gives an invocation and takes
its answer, each a line of JSON. The network file has the view of :mod:`emulator.runtime.vpc`, which may differ at each
invocation. The program runs in the folder of the function's code and imports nothing of this project.
"""

from __future__ import annotations

import errno
import importlib
import ipaddress
import json
import os
import signal
import socket
import ssl
import sys
import time
import traceback
from pathlib import Path
from typing import Any


class Context:
    """The context object: a handler's second argument."""

    def __init__(self, seconds: float, request_id: str) -> None:
        self._deadline = time.monotonic() + seconds
        self.function_name = os.environ["AWS_LAMBDA_FUNCTION_NAME"]
        self.function_version = os.environ["AWS_LAMBDA_FUNCTION_VERSION"]
        self.memory_limit_in_mb = os.environ["AWS_LAMBDA_FUNCTION_MEMORY_SIZE"]
        self.log_group_name = os.environ["AWS_LAMBDA_LOG_GROUP_NAME"]
        self.log_stream_name = os.environ["AWS_LAMBDA_LOG_STREAM_NAME"]
        self.aws_request_id = request_id
        self.invoked_function_arn = os.environ["_FUNCTION_ARN"]
        self.identity = self.client_context = None

    def get_remaining_time_in_millis(self) -> int:
        """Milliseconds until Lambda ends the function."""
        return max(0, int((self._deadline - time.monotonic()) * 1000))


def stand_in(network: dict[str, Any], tried: list[str]) -> None:
    """Lead connections into closed blocks to what stands there, or let them time out; addresses are added to ``tried``.

    Libraries that connect without Python, such as libpq, are led by names alone (:func:`resolve`).
    """

    def replace(name: str) -> None:
        connect = getattr(socket.socket, name)

        def connect_there(self: socket.socket, address: Any) -> Any:
            host = network["names"].get(address[0], address[0]) if self.family in _INTERNET else ""
            if host and _is_in(host, network["closed"]):
                where = f"{host}:{address[1]}"
                tried.append(where)
                way = network["ways"].get(where)
                if way is None:  # nothing is there, or the network drops the packets: either way there is no response
                    raise TimeoutError(errno.ETIMEDOUT, os.strerror(errno.ETIMEDOUT))
                address = tuple(way)
            return connect(self, address)

        setattr(socket.socket, name, connect_there)

    replace("connect")
    replace("connect_ex")


def resolve(network: dict[str, Any], tried: list[str]) -> None:
    """Resolve the network's names to their addresses; names are added to ``tried``.

    psycopg resolves names by Python, too, and not by the system.
    """
    getaddrinfo = socket.getaddrinfo

    def look_up(host: Any, *arguments: Any, **keywords: Any) -> Any:
        name = host.decode("ascii") if isinstance(host, bytes) else host  # anyio, which httpx uses, passes bytes
        if name in network["names"]:
            tried.append(name)
        return getaddrinfo(network["names"].get(name, host), *arguments, **keywords)

    socket.getaddrinfo = look_up


def trust(authorities: str) -> None:
    """Add these authorities wherever certifi's bundle is loaded; on AWS both bundles have Amazon's."""
    load = ssl.SSLContext.load_verify_locations

    def load_both(self: ssl.SSLContext, cafile: Any = None, capath: Any = None, cadata: Any = None) -> None:
        load(self, cafile, capath, cadata)
        if cafile and Path(os.fsdecode(cafile)).name == "cacert.pem":
            load(self, authorities)

    ssl.SSLContext.load_verify_locations = load_both  # type: ignore[method-assign]


_INTERNET = {socket.AF_INET, socket.AF_INET6}
_EVERYWHERE = "0.0.0.0/0"


def _is_in(host: str, blocks: list[str]) -> bool:
    """Whether an address is in a block; where every block is closed, names and addresses of version 6 are, too."""
    if _EVERYWHERE in blocks:
        return True
    try:
        return any(ipaddress.ip_address(host) in ipaddress.ip_network(block) for block in blocks)
    except ValueError:
        return False  # a name


def main(handler: str, network_file: Path, channel: socket.socket) -> None:
    """Answer every invocation with the handler's result or error."""
    network: dict[str, Any] = {}
    tried: list[str] = []
    stand_in(network, tried)
    resolve(network, tried)
    trust(os.environ["SSL_CERT_FILE"])
    # After the libraries of this Python: those in the zip may be built for another processor.
    sys.path.append(str(Path.cwd()))
    for line in channel.makefile("rb"):
        invocation = json.loads(line)
        # The default action of the alarm's signal: the process ends.
        signal.setitimer(signal.ITIMER_REAL, invocation["seconds"])
        network.update(json.loads(network_file.read_text(encoding="utf-8")))
        tried.clear()
        answer = _answered(handler, invocation, tried)
        signal.setitimer(signal.ITIMER_REAL, 0)
        channel.sendall(answer.encode() + b"\n")


def _answered(handler: str, invocation: dict[str, Any], tried: list[str]) -> str:
    os.environ["_X_AMZN_TRACE_ID"] = invocation["trace"]
    try:
        payload = _call(handler, invocation["event"], Context(invocation["seconds"], invocation["request_id"]))
        text = json.dumps({"failed": False, "payload": payload, "tried": sorted(set(tried))})
    except Exception as error:  # noqa: BLE001 (any exception of the function is its result)
        traceback.print_exc()
        failure = {
            "errorMessage": str(error),
            "errorType": type(error).__name__,
            "stackTrace": traceback.format_tb(error.__traceback__),
        }
        text = json.dumps({"failed": True, "payload": failure, "tried": sorted(set(tried))})
    sys.stdout.flush()
    return text


def _call(handler: str, event: Any, context: Context) -> Any:
    module, _, function = handler.rpartition(".")
    return getattr(importlib.import_module(module.replace("/", ".")), function)(event, context)


if __name__ == "__main__":
    main(sys.argv[1], Path(sys.argv[2]), socket.socket(fileno=int(sys.argv[3])))
