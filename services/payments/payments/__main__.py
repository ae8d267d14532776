"""`python -m payments COMMAND`; settings come from environment variables.

- serve: the API, and the outbox publisher
- publish: the outbox publisher alone
- work: a worker that consumes the queue, as the function process_payment does
- reconcile: one run of the reconciler
- migrate: brings the database's schema up to date, with a login of the schema's owner
- operations: the details of operations, a line of JSON each, for the ids on standard input
- merchants: merchants and their API keys; `merchants --help` tells more
- settlement: the acquirer's settlement files and what differs; `settlement --help` tells more
- epoch CAUSE: after rows were lost: what is older is looked up at the acquirer before it is requested
- openapi: prints the OpenAPI document
- healthy: the container's health check: requests /api/health of the process that serves
- hold SECONDS: does nothing for so long; a task that does keeps a way to the database open for an operator

Exit codes: 0 done, 1 failed, 2 invalid settings.
"""

from __future__ import annotations

import argparse
import asyncio
import http.client
import json
import os
import signal
import ssl
import sys
import threading
from contextlib import closing
from dataclasses import asdict
from http import HTTPStatus
from uuid import UUID

from payments import logs
from payments.settings import DatabaseSettings, MigrationSettings, Misconfigured, RegionSettings, ServiceSettings, read

HEALTH_TIMEOUT_SECONDS = 3


def serve() -> int:
    """Serve the API until SIGTERM."""
    from payments import server

    server.serve(read(ServiceSettings), read(DatabaseSettings))
    return 0


def publish() -> int:
    """Send the outbox until SIGTERM."""
    from payments.publisher import Publisher
    from payments.queue import Queue
    from payments.roles import PUBLISHING

    settings = read(ServiceSettings)
    publisher = Publisher(
        read(DatabaseSettings).database(settings.aws_region, application="publisher", role=PUBLISHING),
        Queue(settings.queue_url, region=settings.aws_region),
        environment=settings.environment_suffix,
        kept=settings.lifetimes,
    )
    stopping = threading.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: stopping.set())
    publisher.start()
    stopping.wait()
    publisher.stop(settings.stop_seconds)
    return 0


def work() -> int:
    """Consume the queue until SIGTERM."""
    from payments.processing import worker

    asyncio.run(worker.work())
    return 0


def reconcile() -> int:
    """Run the reconciler once, and print a line of JSON with the number of operations by result."""
    from payments.processing import reconciler

    print(json.dumps(asyncio.run(reconciler.run_once())))
    return 0


def migrate() -> int:
    """Bring the schema up to date."""
    from payments import migrate

    settings = read(MigrationSettings)
    database = read(DatabaseSettings).database(settings.aws_region, application="migration")
    version = migrate.migrate(database.connect, logins=settings.database_logins)
    logs.info("migrated", version=version)
    return 0


def operations() -> int:
    """Print the details of those operations that exist, of the ids on standard input."""
    from payments import repository
    from payments.roles import ADMINISTRATION

    ids = [UUID(line) for line in sys.stdin.read().split()]
    region = read(RegionSettings).aws_region
    database = read(DatabaseSettings).database(region, application="operations", role=ADMINISTRATION)
    with closing(database.connect()) as connection:
        for details in repository.get_details(connection, ids):
            print(json.dumps(asdict(details), default=str))
    return 0


def epoch() -> int:
    """Begin an epoch of the database, as after a restore, with the further arguments as its cause."""
    from payments import repository
    from payments.repository.epochs import MAX_CAUSE
    from payments.roles import ADMINISTRATION

    cause = " ".join(sys.argv[2:])[:MAX_CAUSE]
    if not cause:
        print("epoch: say why, such as: epoch restored to 12:05", file=sys.stderr)
        return 2
    region = read(RegionSettings).aws_region
    database = read(DatabaseSettings).database(region, application="epoch", role=ADMINISTRATION)
    with closing(database.connect()) as connection:
        logs.info("epoch began", began_at=str(repository.begin_epoch(connection, cause)))
    return 0


def merchants() -> int:
    """Make, list and change merchants and their keys, as the further arguments say."""
    from payments import administration
    from payments.merchants import Refused

    try:
        return administration.run(sys.argv[2:])
    except Refused as refused:
        print(refused, file=sys.stderr)
        return 1


def settlement() -> int:
    """List settlement files and differences, and resolve these, as the further arguments say."""
    from payments.merchants import Refused
    from payments.settlement import command

    try:
        return command.run(sys.argv[2:])
    except Refused as refused:
        print(refused, file=sys.stderr)
        return 1


def openapi() -> int:
    """Print the OpenAPI document."""
    from payments import application

    print(json.dumps(application.document(), indent=2))
    return 0


def healthy() -> int:
    """Request /api/health of this container. The certificate is self-signed, and not verified on the loopback."""
    plain = os.environ.get("HTTP_PORT")
    connection = (
        http.client.HTTPConnection("127.0.0.1", int(plain), timeout=HEALTH_TIMEOUT_SECONDS)
        if plain
        else http.client.HTTPSConnection(
            "127.0.0.1",
            int(os.environ.get("HTTPS_PORT", "8443")),
            timeout=HEALTH_TIMEOUT_SECONDS,
            context=ssl._create_unverified_context(),  # noqa: S323, SLF001
        )
    )
    connection.request("GET", "/api/health")
    return 0 if connection.getresponse().status == HTTPStatus.OK else 1


def hold() -> int:
    """Do nothing for the seconds of the further argument, or until SIGTERM."""
    stopping = threading.Event()
    signal.signal(signal.SIGTERM, lambda *_: stopping.set())
    try:
        stopping.wait(float(*sys.argv[2:]))
    except (TypeError, ValueError):
        print("hold takes a number of seconds", file=sys.stderr)
        return 2
    return 0


COMMANDS = {
    command.__name__: command
    for command in (
        *(serve, publish, work, reconcile, migrate, operations, merchants, settlement),
        *(epoch, openapi, healthy, hold),
    )
}
WITH_ARGUMENTS = (epoch.__name__, merchants.__name__, settlement.__name__, hold.__name__)


def main() -> int:
    """Run a command."""
    parser = argparse.ArgumentParser(
        prog="payments", description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    parser.add_argument("command", choices=COMMANDS)
    parser.add_argument("arguments", nargs=argparse.REMAINDER, help="of the command")
    given = parser.parse_args()
    if given.arguments and given.command not in WITH_ARGUMENTS:
        parser.error(f"{given.command} takes no arguments")
    command = COMMANDS[given.command]
    logs.configure()
    try:
        return command()
    except Misconfigured as problem:
        print(problem, file=sys.stderr)
        return 2
    except Exception as error:  # noqa: BLE001 - whatever it is, it is logged without the values that it quotes
        logs.error(f"{command.__name__} failed", error)
        return 1


if __name__ == "__main__":
    sys.exit(main())
