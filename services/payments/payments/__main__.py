"""`python -m payments serve | publish | migrate | openapi | healthy`; settings come from the environment.

- serve: the API;
- publish: only what sends the outbox to the queue, beside those of the API's processes;
- migrate: brings the database's schema up to date, with a login of the schema's owner;
- openapi: prints the OpenAPI document;
- healthy: asks the process that serves in this container whether it is well, as the container's health check.

Exit codes: 0 done, 1 it failed, 2 the settings are wrong.
"""

from __future__ import annotations

import argparse
import http.client
import json
import os
import signal
import ssl
import sys
import threading
from http import HTTPStatus

from payments import logs
from payments.settings import DatabaseSettings, MigrationSettings, Misconfigured, ServiceSettings, read

SECONDS_TO_ANSWER = 3


def serve() -> int:
    """Serve the API until SIGTERM."""
    from payments import server

    server.serve(read(ServiceSettings), read(DatabaseSettings))
    return 0


def publish() -> int:
    """Send the outbox until SIGTERM."""
    from payments.publisher import Publisher, Queue

    settings = read(ServiceSettings)
    publisher = Publisher(
        read(DatabaseSettings).database(settings.aws_region, application="publisher"),
        Queue(settings.queue_url, settings.aws_region),
        environment=settings.environment_suffix,
        keep_keys=settings.keep_keys,
    )
    stopping = threading.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: stopping.set())
    publisher.start()
    stopping.wait()
    publisher.stop(settings.stop_seconds)
    return 0


def migrate() -> int:
    """Bring the schema up to date."""
    from payments import migrate

    settings = read(MigrationSettings)
    database = read(DatabaseSettings).database(settings.aws_region, application="migration")
    version = migrate.migrate(database.connect, application_role=settings.application_role)
    logs.info("migrated", version=version)
    return 0


def openapi() -> int:
    """Print the OpenAPI document."""
    from payments import api

    print(json.dumps(api.document(), indent=2))
    return 0


def healthy() -> int:
    """Ask the process that serves. It has a certificate of its own, and it is on this machine: none is verified."""
    plain = os.environ.get("HTTP_PORT")
    connection = (
        http.client.HTTPConnection("127.0.0.1", int(plain), timeout=SECONDS_TO_ANSWER)
        if plain
        else http.client.HTTPSConnection(
            "127.0.0.1",
            int(os.environ.get("HTTPS_PORT", "8443")),
            timeout=SECONDS_TO_ANSWER,
            context=ssl._create_unverified_context(),  # noqa: S323, SLF001
        )
    )
    connection.request("GET", "/api/health")
    return 0 if connection.getresponse().status == HTTPStatus.OK else 1


COMMANDS = {command.__name__: command for command in (serve, publish, migrate, openapi, healthy)}


def main() -> int:
    """Run the command that was asked for."""
    parser = argparse.ArgumentParser(
        prog="payments", description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    parser.add_argument("command", choices=COMMANDS)
    command = COMMANDS[parser.parse_args().command]
    logs.configure()
    try:
        return command()
    except Misconfigured as problem:
        print(problem, file=sys.stderr)
        return 2
    except Exception as problem:  # noqa: BLE001 - whatever it is, it is logged without what it quotes
        logs.error(f"{command.__name__} failed", problem)
        return 1


if __name__ == "__main__":
    sys.exit(main())
