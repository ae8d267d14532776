"""The Lambda functions as Lambda invokes them: partial batch responses, delays, shared connections, timeouts."""

from __future__ import annotations

import asyncio
import importlib.util
import json
import re
import sys
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from types import ModuleType
from typing import Any
from uuid import uuid4

import boto3
import psycopg
import pytest
from moto.server import ThreadedMotoServer

from payments import repository
from payments.messages import ProcessOperation
from payments.repository.settlement import list_differences
from rehearsal.acquirer import Behaviour, Simulator, start
from rehearsal.settlement import settlement_file
from shared.payment_metrics import ENVIRONMENT_DIMENSION, RECONCILER_RUNS
from synthesis.packaging import FUNCTIONS
from tests.payments.conftest import Database
from tests.payments.support import BY
from tests.processing.support import accepted, seen_by_acquirer

pytestmark = [pytest.mark.requirement("P3.2", "Q2")]

REPOSITORY = Path(__file__).parents[2]
REGION = "us-east-2"
NAMES = ("process_payment", "reconcile_payments")


class Lambda:
    """Lambda's context, with a clock that runs."""

    def __init__(self, seconds: float) -> None:
        self._ends = time.monotonic() + seconds

    def get_remaining_time_in_millis(self) -> int:
        return max(0, int((self._ends - time.monotonic()) * 1000))


@dataclass
class World:
    """A queue, an acquirer in a thread of its own, and the function."""

    database: Database
    connection: psycopg.Connection[Any]
    simulator: Simulator
    sqs: Any
    queue: str

    def function(self, name: str) -> ModuleType:
        """The handler's module, loaded anew as in a new process."""
        spec = importlib.util.spec_from_file_location(f"{name}_handler", FUNCTIONS / name / "handler.py")
        assert spec
        assert spec.loader
        module = importlib.util.module_from_spec(spec)
        sys.modules[spec.name] = module
        spec.loader.exec_module(module)
        return module

    def send(self, *bodies: str) -> dict[str, Any]:
        """Send messages to the queue, and receive them as the event that Lambda makes of them."""
        for body in bodies:
            self.sqs.send_message(QueueUrl=self.queue, MessageBody=body)
        return self.receive(len(bodies))

    def receive(self, count: int, seconds: float = 60.0) -> dict[str, Any]:
        """As many messages, as the event that Lambda makes of them."""
        found: list[Any] = []
        deadline = time.monotonic() + seconds
        while len(found) < count:
            assert time.monotonic() < deadline, f"{len(found)} of {count} messages came"
            found += self.sqs.receive_message(
                QueueUrl=self.queue, MaxNumberOfMessages=10, AttributeNames=["All"], WaitTimeSeconds=1
            ).get("Messages", [])
        records = [
            {
                "messageId": one["MessageId"],
                "receiptHandle": one["ReceiptHandle"],
                "body": one["Body"],
                "attributes": one["Attributes"],
                "messageAttributes": {},
                "eventSource": "aws:sqs",
                "eventSourceARN": f"arn:aws:sqs:{REGION}:123456789012:payments",
                "awsRegion": REGION,
            }
            for one in found
        ]
        return {"Records": records}

    def status(self, message: ProcessOperation) -> str:
        found = repository.get_payment(self.connection, BY.merchant_id, message.payment_id)
        assert found
        return found.status.value


@pytest.fixture(scope="module")
def aws() -> Iterator[str]:
    server = ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
    server.start()
    host, port = server.get_host_and_port()
    yield f"http://{host}:{port}"
    server.stop()


@pytest.fixture
def acquirer() -> Iterator[tuple[Simulator, str]]:
    """It answers from a thread of its own, as the function's event loop stands still between two invocations."""
    simulator, loop, ready = Simulator(Behaviour()), asyncio.new_event_loop(), threading.Event()
    ports: list[int] = []

    async def listen() -> None:
        server = await start(simulator)
        ports.append(server.sockets[0].getsockname()[1])
        ready.set()

    thread = threading.Thread(target=lambda: (loop.run_until_complete(listen()), loop.run_forever()), daemon=True)
    thread.start()
    ready.wait()
    yield simulator, f"http://127.0.0.1:{ports[0]}"
    loop.call_soon_threadsafe(loop.stop)
    thread.join()
    loop.close()


@pytest.fixture
def world(
    aws: str, acquirer: tuple[Simulator, str], database: Database, monkeypatch: pytest.MonkeyPatch
) -> Iterator[World]:
    simulator, url = acquirer
    for name, value in {
        "AWS_ENDPOINT_URL": aws,
        "AWS_ACCESS_KEY_ID": "AKIAIOSFODNN7EXAMPLE",
        "AWS_SECRET_ACCESS_KEY": "testing",
        "AWS_REGION": REGION,
        "AWS_DEFAULT_REGION": REGION,
        "LAMBDA_TASK_ROOT": "/var/task",
        "ENVIRONMENT_SUFFIX": "test",
        "ACQUIRER_BASE_URL": url,
        "DATABASE_HOST": database.server.host,
        "DATABASE_PORT": str(database.server.port),
        "DATABASE_NAME": database.name,
        "DATABASE_LOGIN": "secret",
        "DATABASE_CA_FILE": str(database.server.ca),
        "DATABASE_CONNECTIONS": "2",
        "PROCESSING_FIRST_DELAY_SECONDS": "1",
    }.items():
        monkeypatch.setenv(name, value)
    sqs = boto3.client("sqs", region_name=REGION)
    queue = sqs.create_queue(QueueName=database.name, Attributes={"VisibilityTimeout": "300"})["QueueUrl"]
    login = json.dumps({"username": "postgres", "password": database.server.password})
    secrets: Any = boto3.client("secretsmanager", region_name=REGION)
    monkeypatch.setenv("QUEUE_URL", queue)
    monkeypatch.setenv("DATABASE_SECRET_ARN", secrets.create_secret(Name=database.name, SecretString=login)["ARN"])
    with database.connect() as connection:
        yield World(database, connection, simulator, sqs, queue)


def failures(answer: dict[str, Any]) -> set[str]:
    return {one["itemIdentifier"] for one in answer["batchItemFailures"]}


def test_pending_messages_are_batch_item_failures(world: World) -> None:
    function = world.function("process_payment")
    good, again, broken = (accepted(world.connection) for _ in range(3))
    assert function.handler(world.send(again.to_json()), Lambda(60)) == {"batchItemFailures": []}
    world.simulator.behaviour = Behaviour(
        broken_percent=50, seed=_seed(str(broken.acquirer_key), str(good.acquirer_key))
    )
    event = world.send(good.to_json(), again.to_json(), broken.to_json(), "no message of ours")

    answer = function.handler(event, Lambda(60))

    ids = {record["body"]: record["messageId"] for record in event["Records"]}
    assert failures(answer) == {ids[broken.to_json()], ids["no message of ours"]}
    assert [world.status(one) for one in (good, again, broken)] == ["captured", "captured", "accepted"]
    assert world.simulator.book.requests[str(again.acquirer_key)] == 1
    close(function)


def _seed(broken: str, good: str) -> int:
    """One with which the first is broken and the second is not."""
    return next(
        seed
        for seed in range(1000)
        if Behaviour(broken_percent=50, seed=seed).fault(broken, 1)
        and not Behaviour(broken_percent=50, seed=seed).fault(good, 1)
    )


def test_message_is_redelivered_after_its_own_delay(world: World) -> None:
    function = world.function("process_payment")
    message = accepted(world.connection)
    world.simulator.behaviour = Behaviour(down=True)
    event = world.send(message.to_json())
    assert failures(function.handler(event, Lambda(60))) == {event["Records"][0]["messageId"]}

    world.simulator.behaviour = Behaviour()
    event = world.receive(1)  # the queue hides for five minutes

    assert event["Records"][0]["attributes"]["ApproximateReceiveCount"] == "2"
    assert function.handler(event, Lambda(60)) == {"batchItemFailures": []}
    assert world.status(message) == "captured"
    close(function)


def test_invocations_share_database_connections(world: World) -> None:
    function = world.function("process_payment")
    for _ in range(3):
        event = world.send(*(accepted(world.connection).to_json() for _ in range(3)))
        assert function.handler(event, Lambda(60)) == {"batchItemFailures": []}

    query = "SELECT count(*) FROM pg_stat_activity WHERE application_name = 'process_payment' AND datname = %s"
    assert world.connection.execute(query, (world.database.name,)).fetchone() == (2,)
    close(function)


def test_invocation_without_time_reports_all_messages_and_starts_none(world: World) -> None:
    function = world.function("process_payment")
    messages = [accepted(world.connection) for _ in range(3)]
    event = world.send(*(one.to_json() for one in messages))

    answer = function.handler(event, Lambda(12))

    assert failures(answer) == {record["messageId"] for record in event["Records"]}
    assert not world.simulator.book.requests
    (operation,) = repository.list_operations(world.connection, messages[0].payment_id)
    assert operation.attempts == 0
    close(function)


def test_reconciler_completes_lost_responses_and_publishes_the_outbox(world: World) -> None:
    function = world.function("reconcile_payments")
    lost = accepted(world.connection, age_seconds=3600)
    waiting = accepted(world.connection, age_seconds=7200)
    world.simulator.book.enter(
        str(lost.acquirer_key),
        {"kind": "sale", "amount": 1250, "currency": "EUR", "token": f"tok_{lost.payment_id}"},
        "",
    )
    claim = "UPDATE payments.operations SET attempts = 1 WHERE id = %s"
    world.connection.execute(claim, (lost.operation_id,))
    world.connection.execute(
        "INSERT INTO payments.outbox (operation_id, created_at) VALUES (%s, now())", (waiting.operation_id,)
    )

    said = function.handler({}, Lambda(60))

    assert said == {"published": 1, "found": 2, "completed": 1, "resent": 1}
    assert world.status(lost) == "captured"
    (record,) = world.receive(1)["Records"]
    assert json.loads(record["body"])["operation_id"] == str(waiting.operation_id)
    close(function)


@pytest.mark.requirement("Q6")
def test_reconciler_reads_the_settlement_file_of_the_bucket(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    """The acquirer's own file, by its own book, through S3."""
    s3: Any = boto3.client("s3", region_name=REGION)
    bucket = f"settlement-{uuid4()}"
    s3.create_bucket(Bucket=bucket, CreateBucketConfiguration={"LocationConstraint": REGION})
    monkeypatch.setenv("SETTLEMENT_BUCKET", bucket)
    function = world.function("reconcile_payments")
    message = accepted(world.connection)
    seen = seen_by_acquirer(world.connection, message)
    world.simulator.book.enter(seen.key, seen.body, "")
    assert function.handler({}, Lambda(60))["settlement_files"] == 0
    day = timedelta(days=1)
    for name, entries in (("1.csv", list(world.simulator.book.entries.values())), ("2.csv", [])):
        now = datetime.now(UTC)
        file = "".join(settlement_file(entries, now - day, now))
        s3.put_object(Bucket=bucket, Key=f"settlement/{name}", Body=file.encode())
    s3.put_object(Bucket=bucket, Key="of-another/3.csv", Body=b"anything")

    said = [function.handler({}, Lambda(60))["settlement_files"] for _ in range(2)]

    assert said == [2, 0]
    assert world.status(message) == "captured"
    assert not list_differences(world.connection, 10, closed=True)
    close(function)


@pytest.mark.requirement("W7.2")
@pytest.mark.parametrize(("writer_host", "works"), [("localhost", True), ("127.0.0.1", False), ("none", False)])
def test_reconciler_runs_only_in_the_region_of_the_writer_and_ends_without_error_elsewhere(
    world: World, monkeypatch: pytest.MonkeyPatch, writer_host: str, works: bool
) -> None:
    """Both know both hosts; what each asks is whether the one that it was let in at is its own region's."""
    monkeypatch.setenv("DATABASE_HOST", "not-a-host.invalid,localhost")
    monkeypatch.setenv("RECONCILIATION_WRITER_HOST", writer_host)
    function = world.function("reconcile_payments")
    waiting = accepted(world.connection, age_seconds=7200)

    said = function.handler({}, Lambda(60))

    assert bool(said) is works
    (operation,) = repository.list_operations(world.connection, waiting.payment_id)
    assert operation.attempts == 0
    if works:
        assert said["found"] == 1
    close(function)


def beats(capsys: pytest.CaptureFixture[str]) -> list[dict[str, Any]]:
    """The heartbeats since the last time."""
    lines = [json.loads(line) for line in capsys.readouterr().out.splitlines() if RECONCILER_RUNS.name in line]
    return [{name: line[name] for name in (ENVIRONMENT_DIMENSION, RECONCILER_RUNS.name)} for line in lines]


@pytest.mark.requirement("W5.2", "W7.2")
@pytest.mark.parametrize("writer_host", ["localhost", "127.0.0.1", "none"])
def test_reconciler_beats_at_each_run_also_where_it_stands_by_or_fails(
    world: World, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], writer_host: str
) -> None:
    """A run without a heartbeat is one that nobody sees: its silence pages, whichever region has the writer."""
    monkeypatch.setenv("RECONCILIATION_WRITER_HOST", writer_host)
    function = world.function("reconcile_payments")
    beat = {ENVIRONMENT_DIMENSION: "test", RECONCILER_RUNS.name: 1.0}
    capsys.readouterr()
    function.handler({}, Lambda(60))
    assert beats(capsys) == [beat]

    def failed(*_: object) -> None:
        raise psycopg.OperationalError("the database is gone")

    monkeypatch.setattr(function.composition().processor.database, "run", failed)
    with pytest.raises(psycopg.OperationalError):
        function.handler({}, Lambda(60))
    assert beats(capsys) == [beat]
    monkeypatch.undo()
    close(function)


def close(function: ModuleType) -> None:
    """End the connections, as the end of the process would."""
    parts = function.composition()
    parts.processor.database.close()
    parts.pool.close()


@pytest.mark.parametrize("name", NAMES)
def test_function_requirements_are_those_of_the_lock(name: str) -> None:
    locked = {
        package: values["version"]
        for section in json.loads((REPOSITORY / "Pipfile.lock").read_text(encoding="utf-8")).values()
        for package, values in section.items()
        if isinstance(values, dict) and "version" in values
    }
    lines = (FUNCTIONS / name / "requirements.txt").read_text(encoding="utf-8").splitlines()
    wanted = [line for line in lines if not line.startswith("#")]
    assert len(wanted) > 10
    for line in wanted:
        found = re.fullmatch(r"([a-z0-9-]+)(==[\w.]+) --hash=sha256:[0-9a-f]{64}", line)
        assert found, line
        assert locked[found[1]] == found[2]
