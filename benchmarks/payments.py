"""`make bench-payments`: requests a second of the payments service, beside a handler that only does the insert.

The bare handler is what can be had on this machine: the same server, the same database by the same driver and pool, and
one INSERT of one row. Rounds of all are interleaved, so that what else the machine does meets all alike; the ratio is
the figure to compare, not the requests a second.

Beside it is the service without identity (benchmarks/without_identity.py): what authentication, authorization, quotas,
row-level security and audit events take of the processors, the service's and the database's together, is at most
1.15 times what a request takes without them.
"""

from __future__ import annotations

import asyncio
import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated
from uuid import uuid4

import httpx
import typer
from rich.console import Console
from rich.table import Table

import benchmarks.without_identity as without_identity_module
from benchmarks.without_identity import take_identity_away
from emulator.process import free_port
from payments.migrate import migrate
from payments.roles import API
from tests import postgresql
from tests.payments import conftest
from tests.payments.logins import USER, create_logins, logins
from tests.payments.support import authorized, running, wait_for_port

BODY = {"amount": 1000, "currency": "USD", "token": "tok_bench_1"}
CLIENTS = 16
CONNECTIONS = "10"
BARE = """
import asyncio, os, sys
from concurrent.futures import ThreadPoolExecutor
import uvicorn
from psycopg_pool import ConnectionPool
pool = ConnectionPool(os.environ["BARE_CONNINFO"], min_size=10, max_size=10, kwargs={"autocommit": True}, open=True)
threads = ThreadPoolExecutor(10)
def insert(body):
    with pool.connection() as connection:
        connection.execute("INSERT INTO bare (body) VALUES (%s)", (body,))
async def app(scope, receive, send):
    message = await receive()
    await asyncio.get_running_loop().run_in_executor(threads, insert, message["body"].decode())
    await send({"type": "http.response.start", "status": 202, "headers": [(b"content-length", b"2")]})
    await send({"type": "http.response.body", "body": b"{}"})
uvicorn.run(app, port=int(sys.argv[1]), log_level="warning", lifespan="off", access_log=False)
"""


UNLIMITED = {"MERCHANT_REQUESTS_PER_SECOND": "10000", "MERCHANT_BURST": "10000", "MERCHANT_SHARE": "1"}
"""There is one merchant, whose limits are not what is measured."""
MOST_OF_IDENTITY = 1.15
WITH_IDENTITY, WITHOUT_IDENTITY = "payments, one process", "payments without identity, one process"
AGAINST = "the other checkout, one process"
TICKS = os.sysconf("SC_CLK_TCK")


@dataclass(frozen=True)
class Contender:
    """Processes that are asked in turn for a path."""

    urls: Sequence[str]
    processes: Sequence[int]
    path: str = "/api/v1/payments"
    key: str = field(default="", repr=False)
    """The API key; the bare handler asks for none."""
    database: conftest.Database | None = None
    """Whose connections are its own while it is measured."""

    def processor_seconds(self) -> dict[int, float]:
        """What each process has had of the processors; it knows nothing of what else the machine does.

        Processes of the database's connections are among them.
        """
        found = {}
        for process in (*self.processes, *self._connections()):
            with suppress(FileNotFoundError):  # a connection has ended
                fields = Path(f"/proc/{process}/stat").read_text().rpartition(")")[2].split()
                found[process] = (int(fields[11]) + int(fields[12])) / TICKS
        return found

    def _connections(self) -> list[int]:
        if self.database is None:
            return []
        query = "SELECT pid FROM pg_stat_activity WHERE datname = %s"
        with self.database.server.connect() as connection:
            return [int(pid) for (pid,) in connection.execute(query, (self.database.name,))]


@dataclass
class Figures:
    """What was measured of a contender, over all rounds."""

    rates: list[float] = field(default_factory=list)
    times: list[float] = field(default_factory=list)
    processor_seconds: float = 0.0

    @property
    def milliseconds_of_a_request(self) -> float:
        """Of the processors."""
        return self.processor_seconds / len(self.times) * 1000


async def measure(contender: Contender, seconds: float) -> tuple[float, list[float]]:
    """Requests a second, and the seconds that each took."""
    limits = httpx.Limits(max_connections=CLIENTS)
    urls, path = contender.urls, contender.path
    headers = authorized(contender.key) if contender.key else {}
    async with httpx.AsyncClient(timeout=30, trust_env=False, limits=limits, headers=headers) as client:
        times: list[float] = []
        until = time.perf_counter() + seconds

        async def one(number: int) -> None:
            url = urls[number % len(urls)] + path
            while time.perf_counter() < until:
                began = time.perf_counter()
                answer = await client.post(url, json=BODY, headers={"Idempotency-Key": str(uuid4())})
                assert answer.status_code == 202, answer.text
                times.append(time.perf_counter() - began)

        began = time.perf_counter()
        await asyncio.gather(*(one(number) for number in range(CLIENTS)))
        return len(times) / (time.perf_counter() - began), times


@contextmanager
def bare(conninfo: str, database: conftest.Database) -> Iterator[Contender]:
    """The handler that only does the insert."""
    port = free_port()
    process = subprocess.Popen([sys.executable, "-c", BARE, str(port)], env={**os.environ, "BARE_CONNINFO": conninfo})
    try:
        wait_for_port(port)
        yield Contender([f"http://127.0.0.1:{port}"], [process.pid], "/", database=database)
    finally:
        process.kill()
        process.wait()


@contextmanager
def of_checkout(
    checkout: Path,
    server: postgresql.Postgresql,
    platform: conftest.Platform,
    directory: Path,
    environment: dict[str, str],
) -> Iterator[Contender]:
    """The service of another checkout, such as the version before, on a database of its own with its own schema."""
    service = checkout / "services" / "payments"
    with conftest.database_of(server) as database:
        migrate(database.connect, directory=service / "payments" / "migrations")
        with database.connect() as connection:
            for role in (USER, API):  # its rights are its own, which are not known here
                connection.execute(f"GRANT USAGE ON SCHEMA payments TO {role}")
                connection.execute(f"GRANT ALL ON ALL TABLES IN SCHEMA payments TO {role}")
                connection.execute(f"GRANT EXECUTE ON ALL FUNCTIONS IN SCHEMA payments TO {role}")
        own = {**platform.environment, **environment, "DATABASE_NAME": database.name}
        with running(directory, own, python_path=f"{service}{os.pathsep}{checkout}") as one:
            yield Contender([one.url], [one.process.pid], key=one.key, database=database)


@contextmanager
def without_identity(
    server: postgresql.Postgresql, directory: Path, environment: dict[str, str]
) -> Iterator[Contender]:
    """The service without identity, on a database of its own."""
    with conftest.database_of(server) as database:
        migrate(database.connect, logins=logins())
        with database.connect() as connection:
            take_identity_away(connection)
        own = {**environment, "DATABASE_NAME": database.name}
        command = (sys.executable, "-P", without_identity_module.__file__)  # benchmarks/ has a payments.py, too
        with running(directory, own, command=command) as one:
            yield Contender([one.url], [one.process.pid], key=one.key, database=database)


def main(
    seconds: Annotated[float, typer.Option(help="How long a round takes.")] = 4.0,
    rounds: Annotated[int, typer.Option(help="Rounds of each, interleaved.")] = 3,
    against: Annotated[Path | None, typer.Option(help="A checkout of the version to be measured beside this.")] = None,
) -> None:
    """Measure and print a table."""
    with ExitStack() as stack:
        server = stack.enter_context(postgresql.running())
        database = stack.enter_context(conftest.database_of(server))
        with server.connect() as connection:
            create_logins(connection)
        migrate(database.connect, logins=logins())
        with database.connect() as connection:
            connection.execute("CREATE TABLE bare (id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY, body text)")
        directory = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        aws = stack.enter_context(conftest.local_aws())
        platform = conftest.platform_of(database, aws)
        environment = {**platform.environment, "DATABASE_CONNECTIONS": CONNECTIONS, "PUBLISHES": "false", **UNLIMITED}
        services = [stack.enter_context(running(directory, environment)) for _ in range(2)]
        urls, processes = [one.url for one in services], [one.process.pid for one in services]
        conninfo = (
            f"host={server.host} port={server.port} dbname={database.name} user=postgres password={server.password} "
            f"sslmode=verify-full sslrootcert={server.ca}"
        )
        plain = stack.enter_context(bare(conninfo, database))
        contenders = {
            "only the insert, one process": plain,
            WITH_IDENTITY: Contender(urls[:1], processes[:1], key=services[0].key, database=database),
            WITHOUT_IDENTITY: stack.enter_context(without_identity(server, directory, environment)),
            "payments, two processes": Contender(urls, processes, key=services[0].key, database=database),
        }
        if against:
            other = of_checkout(against.resolve(), server, platform, directory, environment)
            contenders[AGAINST] = stack.enter_context(other)
        found = asyncio.run(_rounds(contenders, seconds, rounds))
    _print(found)
    ratio = found[WITH_IDENTITY].milliseconds_of_a_request / found[WITHOUT_IDENTITY].milliseconds_of_a_request
    Console().print(f"Identity: {ratio:.2f} times the processor time of a request, at most {MOST_OF_IDENTITY}")
    if ratio > MOST_OF_IDENTITY:
        raise typer.Exit(1)


async def _rounds(contenders: dict[str, Contender], seconds: float, rounds: int) -> dict[str, Figures]:
    found = {name: Figures() for name in contenders}
    for one in contenders.values():  # each is warm before it counts
        await measure(one, 1.0)
    for _ in range(rounds):
        for name, one in contenders.items():
            before = one.processor_seconds()
            rate, times = await measure(one, seconds)
            found[name].rates.append(rate)
            found[name].times.extend(times)
            found[name].processor_seconds += sum(
                seconds_now - before.get(process, 0.0) for process, seconds_now in one.processor_seconds().items()
            )
    return found


def _print(found: dict[str, Figures]) -> None:
    table = Table("", "requests/s", "of the insert alone", "processor ms a request", "p50 ms", "p95 ms", "p99 ms")
    reference = statistics.median(next(iter(found.values())).rates)
    for name, figures in found.items():
        rate = statistics.median(figures.rates)
        cuts = statistics.quantiles(figures.times, n=100)
        table.add_row(
            name,
            f"{rate:.0f}",
            f"{rate / reference:.2f}",
            f"{figures.milliseconds_of_a_request:.2f}",
            *(f"{cuts[part - 1] * 1000:.1f}" for part in (50, 95, 99)),
        )
    Console(width=120).print(table)


if __name__ == "__main__":
    typer.run(main)
