"""Real processes: PostgreSQL, a server of SQS, the acquirer, and the service and its workers, which can be killed."""

from __future__ import annotations

import json
import os
import random
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.request import Request, urlopen

import boto3
import psycopg

from emulator.process import free_port
from payments.api_keys import KeyMode, Peppers
from payments.merchants import Merchants
from payments.migrate import migrate
from payments.roles import Process as LoginProcess
from payments.scopes import Scope
from rehearsal.acquirer import Behaviour
from tests import postgresql
from tests.load.proxy import Proxy
from tests.load.size import Size
from tests.payments.logins import PASSWORD, create_logins, logins
from tests.payments.support import PYTHON_PATH

REGION = "us-east-2"
SECONDS_TO_START = 60.0
MAX_RECEIVES = 1000
PAGE = os.sysconf("SC_PAGE_SIZE")
TICKS = os.sysconf("SC_CLK_TCK")
DURABLE = {"fsync": "on", "full_page_writes": "on", "synchronous_commit": "on", "shared_buffers": "256MB"}


@dataclass
class Process:
    """A process that is started again whenever it was killed."""

    name: str
    command: list[str]
    environment: dict[str, str]
    log: Path
    port: int = 0
    kills: int = 0
    cpu_seconds: float = 0.0
    """Of those that have ended."""
    running: subprocess.Popen[bytes] | None = None
    _said: int = 0

    def start(self) -> None:
        with self.log.open("ab") as log:
            self._said = log.tell()
            self.running = subprocess.Popen(
                self.command, env=self.environment, stdin=subprocess.DEVNULL, stdout=log, stderr=subprocess.STDOUT
            )

    def wait(self) -> None:
        """Wait until it says something, which it does once it is at work."""
        deadline = time.monotonic() + SECONDS_TO_START
        while self.log.stat().st_size <= self._said:
            assert time.monotonic() < deadline, f"{self.name} does not begin to work; see {self.log}"
            time.sleep(0.05)

    def kill(self) -> None:
        """As when a machine is lost: nothing is ended in order."""
        if self.running:
            self.cpu_seconds += self._cpu()
            self._end(signal.SIGKILL)
            self.kills += 1

    def stop(self) -> int:
        """As ECS ends a task."""
        self.cpu_seconds += self._cpu()
        return self._end(signal.SIGTERM)

    def _end(self, number: int) -> int:
        assert self.running
        self.running.send_signal(number)
        status = self.running.wait(60)
        self.running = None
        return status

    @property
    def cpu(self) -> float:
        """Seconds of processor time, of all that were started."""
        return self.cpu_seconds + self._cpu()

    def _cpu(self) -> float:
        try:
            text = Path(f"/proc/{self.running.pid}/stat").read_text() if self.running else ""
        except OSError:
            return 0.0
        values = text.rpartition(")")[2].split()
        return (int(values[11]) + int(values[12])) / TICKS if values else 0.0

    @property
    def resident_bytes(self) -> int:
        try:
            return int(Path(f"/proc/{self.running.pid}/statm").read_text().split()[1]) * PAGE if self.running else 0
        except OSError:
            return 0


ONE_MERCHANT = {"MERCHANT_REQUESTS_PER_SECOND": "10000", "MERCHANT_BURST": "10000", "MERCHANT_SHARE": "1"}
"""The limits of a merchant that is alone: none."""


@dataclass
class World:
    """Everything that a load needs."""

    size: Size
    database: postgresql.Postgresql
    acquirer_url: str
    queue_url: str
    dead_letters_url: str
    environment: dict[str, str]
    api_key: str = field(repr=False)
    sqs: Any
    merchant_keys: list[str] = field(default_factory=list, repr=False)
    """An API key of each merchant."""
    services: list[Process] = field(default_factory=list)
    workers: list[Process] = field(default_factory=list)
    others: list[Process] = field(default_factory=list)
    proxy: Proxy = field(default_factory=lambda: Proxy(0))
    """Before the queue."""
    one_at_a_time: threading.Lock = field(default_factory=threading.Lock)
    """Held while a process is killed or replaced."""

    def connect(self) -> psycopg.Connection[Any]:
        return self.database.connect()

    def behave(self, **changed: Any) -> None:
        """Change how the acquirer behaves."""
        behaviour = behaviour_of(self.size).model_copy(update=changed)
        body = behaviour.model_dump_json().encode()
        with urlopen(Request(f"{self.acquirer_url}/_behaviour", body, method="PUT"), timeout=10) as answer:
            assert answer.status == 200

    def book(self, path: str = "/_book") -> Any:
        """What the acquirer has in its book."""
        with urlopen(self.acquirer_url + path, timeout=60) as answer:
            return json.loads(answer.read())

    def kill_one(self, chance: random.Random) -> str:
        """Kill a process of the service or a worker, start it again, and wait until it is at work."""
        with self.one_at_a_time:
            victim = chance.choice(self.services + self.workers)
            victim.kill()
            victim.start()
            victim.wait()
        return victim.name

    def replace(self, process: Process, folder: Path) -> int:
        """Replace a process by one whose code is in ``folder``, as ECS does; returns how the old one ended."""
        with self.one_at_a_time:
            status = process.stop()
            process.environment["PYTHONPATH"] = f"{folder}{os.pathsep}{process.environment['PYTHONPATH']}"
            process.start()
            process.wait()
        return status

    def dead_letters(self, hidden_seconds: int = 43_200) -> list[dict[str, Any]]:
        """The bodies of all dead letters; they are hidden for as long as a run takes."""
        found: dict[str, dict[str, Any]] = {}
        while messages := self.sqs.receive_message(
            QueueUrl=self.dead_letters_url, MaxNumberOfMessages=10, VisibilityTimeout=hidden_seconds
        ).get("Messages", []):
            found |= {one["MessageId"]: json.loads(one["Body"]) for one in messages}
        return list(found.values())


def behaviour_of(size: Size) -> Behaviour:
    """How the acquirer behaves in a run."""
    names = ("failing", "slow", "lost", "silent", "twice", "declined", "broken")
    shares = {f"{name}_percent": getattr(size, f"{name}_percent") for name in names}
    return Behaviour(seed=size.seed, seconds=size.acquirer_seconds, slow_seconds=size.slow_seconds, **shares)


@contextmanager
def world(size: Size, folder: Path) -> Iterator[World]:
    """Start everything, and end it."""
    with ExitStack() as stack:
        database = stack.enter_context(
            postgresql.running({"max_connections": "200", **(DURABLE if size.durable else {})})
        )
        others = [_acquirer(size, folder), _sqs(folder)]
        for process in others:
            process.start()
            stack.callback(process.stop)
        _wait([one.port for one in others])
        proxy = Proxy(others[1].port)
        proxy.start()
        stack.callback(proxy.stop)
        made = _made(size, database, others, folder, proxy)
        for process in made.services + made.workers:
            process.start()
            stack.callback(process.kill)
        _wait([one.port for one in made.services])
        for process in made.workers:
            process.wait()
        yield made


def _python(*arguments: str) -> list[str]:
    return [sys.executable, *arguments]


def _environment(**variables: str) -> dict[str, str]:
    kept = {name: value for name, value in os.environ.items() if not name.startswith(("AWS_", "DATABASE_", "OTEL_"))}
    return {**kept, "PYTHONPATH": PYTHON_PATH, **variables}


def _acquirer(size: Size, folder: Path) -> Process:
    port = free_port()
    command = _python(
        "-m", "rehearsal.acquirer", "--port", str(port), "--behaviour", behaviour_of(size).model_dump_json()
    )
    return Process("acquirer", command, _environment(), folder / "acquirer.log", port)


def _sqs(folder: Path) -> Process:
    """ministack's: moto's takes ninety times as long to send a batch once a thousand messages wait."""
    port = free_port()
    variables = {
        "GATEWAY_PORT": str(port),
        "BIND_HOST": "127.0.0.1",
        "MINISTACK_HOST": "127.0.0.1",
        "STATE_DIR": str(folder / "sqs"),
        "LOG_LEVEL": "ERROR",
        # It would open ports to everybody.
        "IOT_MTLS_ENABLED": "0",
        "SFTP_ENABLED": "0",
    }
    return Process("sqs", _python("-m", "ministack"), _environment(**variables), folder / "sqs.log", port)


def _made(size: Size, database: postgresql.Postgresql, others: list[Process], folder: Path, proxy: Proxy) -> World:
    acquirer, sqs_server = others
    aws = {
        "AWS_ENDPOINT_URL": f"http://127.0.0.1:{proxy.port}",
        "AWS_ACCESS_KEY_ID": "AKIAIOSFODNN7EXAMPLE",
        "AWS_SECRET_ACCESS_KEY": "local",
        "AWS_REGION": REGION,
        "AWS_DEFAULT_REGION": REGION,
        "AWS_EC2_METADATA_DISABLED": "true",
        "AWS_CONFIG_FILE": os.devnull,
        "AWS_SHARED_CREDENTIALS_FILE": os.devnull,
    }
    with database.connect() as connection:
        create_logins(connection)
    migrate(database.connect, logins=logins())

    def client(service: str) -> Any:
        make: Any = boto3.client
        return make(
            service,
            region_name=REGION,
            endpoint_url=f"http://127.0.0.1:{sqs_server.port}",
            aws_access_key_id=aws["AWS_ACCESS_KEY_ID"],
            aws_secret_access_key=aws["AWS_SECRET_ACCESS_KEY"],
        )

    sqs = client("sqs")
    dead_letters = sqs.create_queue(QueueName="payments-dead-letters")["QueueUrl"]
    arn = sqs.get_queue_attributes(QueueUrl=dead_letters, AttributeNames=["QueueArn"])["Attributes"]["QueueArn"]
    policy = json.dumps({"deadLetterTargetArn": arn, "maxReceiveCount": MAX_RECEIVES})
    queue = sqs.create_queue(QueueName="payments", Attributes={"RedrivePolicy": policy})["QueueUrl"]
    secrets = {
        process: client("secretsmanager").create_secret(
            Name=user, SecretString=json.dumps({"username": user, "password": PASSWORD})
        )["ARN"]
        for user, process in logins().items()
    }
    peppers = client("secretsmanager").create_secret(
        Name="peppers", SecretString=json.dumps({"current": "first", "peppers": {"first": "p" * 64}})
    )["ARN"]
    environment = _environment(
        **aws,
        API_KEY_PEPPERS_SECRET_ARN=peppers,
        ENVIRONMENT_SUFFIX="load",
        QUEUE_URL=queue,
        DATABASE_HOST=database.host,
        DATABASE_PORT=str(database.port),
        DATABASE_NAME="postgres",
        DATABASE_LOGIN="secret",
        DATABASE_SECRET_ARN=secrets[LoginProcess.API],
        DATABASE_PUBLISHER_SECRET_ARN=secrets[LoginProcess.PUBLISHING],
        DATABASE_CA_FILE=str(database.ca),
        DATABASE_CONNECTIONS="8",
        **(ONE_MERCHANT if size.merchants == 1 else {}),
        LISTEN="127.0.0.1",
        DRAIN_SECONDS="0.3",
        ACQUIRER_BASE_URL=f"http://127.0.0.1:{acquirer.port}",
        # Everything is near, and a run is short.
        ACQUIRER_READ_SECONDS="5",
        ACQUIRER_TOTAL_SECONDS="12",
        PROCESSING_CALL_SECONDS="12",
        PROCESSING_CLAIM_MARGIN_SECONDS="3",
        PROCESSING_TRIES=str(size.tries),
        DEAD_LETTER_QUEUE_URL=dead_letters,
        PROCESSING_FIRST_DELAY_SECONDS="1",
        PROCESSING_MAX_DELAY_SECONDS="8",
        BREAKER_MAX_OPEN_SECONDS="5",
        BREAKER_OPEN_SECONDS="2",
        WORKER_CONCURRENCY=str(size.at_once),
        WORKER_WAIT_SECONDS="2",
        WORKER_VISIBILITY_MARGIN_SECONDS="2",
    )
    with database.connect() as connection:
        merchants = Merchants(
            connection, Peppers(peppers, region=REGION, client=client("secretsmanager")), KeyMode.TEST
        )
        made_merchants = [merchants.make(f"load-{number}").id for number in range(size.merchants)]
        keys = [merchants.create_key(one, [Scope.PAYMENTS_WRITE])[1].text for one in made_merchants]
    url = f"http://127.0.0.1:{acquirer.port}"
    processing = {**environment, "DATABASE_SECRET_ARN": secrets[LoginProcess.PROCESSING]}
    made = World(size, database, url, queue, dead_letters, processing, keys[0], sqs, others=others, proxy=proxy)
    made.merchant_keys = keys
    for number in range(size.services):
        port = free_port()
        name = f"service-{number + 1}"
        own = {**environment, "HTTP_PORT": str(port)}
        made.services.append(Process(name, _python("-m", "payments", "serve"), own, folder / f"{name}.log", port))
    for number in range(size.workers):
        name = f"worker-{number + 1}"
        command = _python("-m", "payments", "work")
        made.workers.append(Process(name, command, dict(processing), folder / f"{name}.log"))
    return made


def _wait(ports: list[int]) -> None:
    import socket

    deadline = time.monotonic() + SECONDS_TO_START
    for port in ports:
        while True:
            try:
                socket.create_connection(("127.0.0.1", port), 1).close()
                break
            except OSError:
                assert time.monotonic() < deadline, f"nothing listens on {port}"
                time.sleep(0.05)
