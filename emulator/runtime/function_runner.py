"""Runs one invocation of a Lambda function.

``function_runner.py handler seconds answer-file network-file``, with the event on stdin. The network file has the view
of :mod:`emulator.runtime.vpc`. The program runs in the folder of the function's code and imports nothing of this
project.
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

    def __init__(self, seconds: float) -> None:
        self._deadline = time.monotonic() + seconds
        self.function_name = os.environ["AWS_LAMBDA_FUNCTION_NAME"]
        self.function_version = os.environ["AWS_LAMBDA_FUNCTION_VERSION"]
        self.memory_limit_in_mb = os.environ["AWS_LAMBDA_FUNCTION_MEMORY_SIZE"]
        self.log_group_name = os.environ["AWS_LAMBDA_LOG_GROUP_NAME"]
        self.log_stream_name = self.aws_request_id = os.environ["_REQUEST_ID"]
        self.invoked_function_arn = os.environ["_FUNCTION_ARN"]
        self.identity = self.client_context = None

    def get_remaining_time_in_millis(self) -> int:
        """Milliseconds until Lambda ends the function."""
        return max(0, int((self._deadline - time.monotonic()) * 1000))


def stand_in(network: dict[str, Any]) -> None:
    """Redirect connections to addresses of the function's VPC to their local ports, or let them time out; no others."""
    blocks = [ipaddress.ip_network(block) for block in network["networks"]]
    connect = socket.socket.connect

    def connect_there(self: socket.socket, address: Any) -> None:
        if self.family == socket.AF_INET and _is_in(address[0], blocks):
            port = network["ports"].get(f"{address[0]}:{address[1]}")
            if port is None:  # no listener, or a security group drops the packets: either way there is no response
                raise TimeoutError(errno.ETIMEDOUT, os.strerror(errno.ETIMEDOUT))
            address = ("127.0.0.1", port)
        connect(self, address)

    socket.socket.connect = connect_there  # type: ignore[assignment,method-assign]


def resolve(names: dict[str, str]) -> None:
    """Resolve these names to their addresses. psycopg resolves names by Python, too, and not by the system."""
    getaddrinfo = socket.getaddrinfo

    def look_up(host: Any, *arguments: Any, **keywords: Any) -> Any:
        name = host.decode("ascii") if isinstance(host, bytes) else host  # anyio, which httpx uses, passes bytes
        return getaddrinfo(names.get(name, host), *arguments, **keywords)

    socket.getaddrinfo = look_up


def trust(authorities: str) -> None:
    """Add these authorities wherever certifi's bundle is loaded; on AWS both bundles have Amazon's."""
    load = ssl.SSLContext.load_verify_locations

    def load_both(self: ssl.SSLContext, cafile: Any = None, capath: Any = None, cadata: Any = None) -> None:
        load(self, cafile, capath, cadata)
        if cafile and Path(os.fsdecode(cafile)).name == "cacert.pem":
            load(self, authorities)

    ssl.SSLContext.load_verify_locations = load_both  # type: ignore[method-assign]


def _is_in(host: str, blocks: list[Any]) -> bool:
    try:
        return any(ipaddress.ip_address(host) in block for block in blocks)
    except ValueError:
        return False  # a name


def main(handler: str, seconds: float, answer: Path, network: Path) -> None:
    """Call the handler, and write its result or error."""
    # The default action of the alarm's signal: the process ends.
    signal.setitimer(signal.ITIMER_REAL, seconds)
    view = json.loads(network.read_text(encoding="utf-8"))
    stand_in(view)
    resolve(view["names"])
    trust(os.environ["SSL_CERT_FILE"])
    event = json.load(sys.stdin)
    try:
        said = {"failed": False, "payload": _call(handler, event, Context(seconds))}
        text = json.dumps(said)
    except Exception as error:  # noqa: BLE001 (any exception of the function is its result)
        traceback.print_exc()
        payload = {
            "errorMessage": str(error),
            "errorType": type(error).__name__,
            "stackTrace": traceback.format_tb(error.__traceback__),
        }
        text = json.dumps({"failed": True, "payload": payload})
    sys.stdout.flush()
    answer.write_text(text, encoding="utf-8")


def _call(handler: str, event: Any, context: Context) -> Any:
    module, _, function = handler.rpartition(".")
    # After the libraries of this Python: those in the zip may be built for another processor.
    sys.path.append(str(Path.cwd()))
    return getattr(importlib.import_module(module.replace("/", ".")), function)(event, context)


if __name__ == "__main__":
    main(sys.argv[1], float(sys.argv[2]), Path(sys.argv[3]), Path(sys.argv[4]))
