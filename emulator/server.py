"""The server of the local AWS: one process, on 127.0.0.1 only, until SIGTERM or SIGINT."""

from __future__ import annotations

import logging
import os
import signal
import socket
import threading
from collections.abc import Callable
from pathlib import Path

from werkzeug.serving import BaseWSGIServer, make_server

from emulator.address import HOST, identity
from emulator.clock import CLOCK, DEFAULT_SECONDS_PER_MINUTE
from emulator.lifetime import CannotServeError, end_at_a_signal, lock_state, write_state

MOTO_ENVIRONMENT = {
    # Roles attach AWS's own policies (service roles, AmazonECSTaskExecutionRolePolicy ...).
    "MOTO_IAM_LOAD_MANAGED_POLICIES": "true",
    # Nothing here starts an instance from a public image, and loading them costs seconds.
    "MOTO_EC2_LOAD_DEFAULT_AMIS": "false",
    # A validation that ends at once: DNS is not what is rehearsed.
    "MOTO_ACM_VALIDATION_WAIT": "0",
    # Concurrency of functions that an account has in a region: Lambda's default.
    # https://docs.aws.amazon.com/lambda/latest/dg/gettingstarted-limits.html
    "MOTO_LAMBDA_CONCURRENCY_QUOTA": "1000",
    # Otherwise each response carries headers for browsers.
    "MOTO_DISABLE_GLOBAL_CORS": "true",
    # The virtual host of a bucket is never used with an IP address; its absence spares a parse of each host.
    "S3_IGNORE_SUBDOMAIN_BUCKETNAME": "true",
}
"""What moto must be told before it is imported."""


def serve(
    port: int,
    directory: Path,
    *,
    contract: bool = True,
    seconds_per_minute: float = DEFAULT_SECONDS_PER_MINUTE,
    tasks: int = 0,
    ready: Callable[[str], None],
) -> None:
    """Serve until SIGTERM or SIGINT, then end the process with exit code 0.

    Args:
        port: TCP port on 127.0.0.1.
        directory: takes the record and the state of the server; made if it does not exist.
        contract: whether requests are held against AWS's models.
        seconds_per_minute: how long a minute of a release takes.
        tasks: how many tasks of a service run at most; 0 are none.
        ready: called with the URL once the server answers.

    Raises:
        CannotServeError: the port is in use, or the directory belongs to a server that runs.
    """
    url = f"http://{HOST}:{port}"
    refuse_port_in_use(port)
    directory = directory.resolve()
    state = lock_state(directory)
    # Blocked in every thread (threads inherit the mask), so that only sigwait below receives them.
    signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGTERM, signal.SIGINT})
    os.environ.update(MOTO_ENVIRONMENT)
    os.environ["MOTO_PORT"] = str(port)
    logging.getLogger("werkzeug").setLevel(logging.ERROR)

    CLOCK.set(seconds_per_minute)
    server = _make_server(port, directory, contract=contract)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    _keep_tasks(tasks)
    write_state(state, url)
    if identity(url) != {"pid": os.getpid(), "directory": str(directory)}:
        raise CannotServeError(f"port {port} is answered by another program")
    ready(url)
    end_at_a_signal(server)


def _make_server(port: int, directory: Path, *, contract: bool) -> BaseWSGIServer:
    # moto reads its environment when it is imported.
    from emulator.application import LocalAws
    from emulator.moto import install
    from emulator.request_handler import RequestHandler

    install()
    application = LocalAws(directory, contract=contract)
    return make_server(HOST, port, application, threaded=True, request_handler=RequestHandler)


def _keep_tasks(most: int) -> None:
    from emulator.runtime.tasks.keeper import KEEPER  # which needs moto, too

    KEEPER.begin(most)


def refuse_port_in_use(port: int) -> None:
    """Raise CannotServeError if something listens on the port of 127.0.0.1."""
    with socket.socket() as probe:
        probe.settimeout(1.0)
        if probe.connect_ex((HOST, port)) != 0:
            return
    owner = identity(f"http://{HOST}:{port}", seconds=1.0)
    who = f"the local AWS of {owner['directory']} (process {owner['pid']})" if owner else "another program"
    raise CannotServeError(f"port {port} is in use by {who}")
