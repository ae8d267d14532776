"""A worker may be killed before or after any of its outward calls: nothing is lost or charged twice."""

from __future__ import annotations

import json
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import replace
from pathlib import Path
from typing import Any
from urllib.request import urlopen

import boto3
import pytest

from payments.messages import ProcessOperation
from rehearsal.acquirer import Behaviour
from tests.load.size import QUICK
from tests.load.world import REGION, Process, _acquirer, _environment, _python, _sqs, _wait
from tests.payments.conftest import Database
from tests.processing.crashing import CRASHED
from tests.processing.support import accepted

pytestmark = [pytest.mark.requirement("P3.2")]

KEYS = {"aws_access_key_id": "AKIAIOSFODNN7EXAMPLE", "aws_secret_access_key": "local"}
# receive, claim, POST, complete, delete; a lost response is looked up in between.
CALLS = {"": 5, "lost_percent": 6}


@pytest.fixture(scope="module")
def outside(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[dict[str, str], str]]:
    """The URLs of acquirers, by the fault of all their requests, and of SQS."""
    folder = tmp_path_factory.mktemp("outside")
    with ExitStack() as stack:
        acquirers = {name: _acquirer(replace(QUICK, seed=1), folder) for name in CALLS}
        for name, process in acquirers.items():
            behaviour = Behaviour(**({name: 100.0} if name else {}))
            process.command[-1] = behaviour.model_dump_json()
        sqs = _sqs(folder)
        for process in (*acquirers.values(), sqs):
            process.start()
            stack.callback(process.kill)
        _wait([process.port for process in (*acquirers.values(), sqs)])
        yield {name: f"http://127.0.0.1:{one.port}" for name, one in acquirers.items()}, f"http://127.0.0.1:{sqs.port}"


def client(service: str, endpoint_url: str) -> Any:
    """A client of the local AWS, whatever this process's environment says."""
    make: Any = boto3.client
    return make(service, endpoint_url=endpoint_url, region_name=REGION, **KEYS)


def messages_in(sqs: Any, queue: str) -> int:
    """How many messages a queue holds, visible or not."""
    attributes = sqs.get_queue_attributes(QueueUrl=queue, AttributeNames=["All"])["Attributes"]
    return int(attributes["ApproximateNumberOfMessages"]) + int(attributes["ApproximateNumberOfMessagesNotVisible"])


def run_all(cases: list[dict[str, Any]], environment: dict[str, str]) -> list[int]:
    done = subprocess.run(
        _python("-m", "tests.processing.crashing"),
        input=json.dumps(cases),
        env=environment,
        cwd=Path(__file__).parents[2],
        capture_output=True,
        text=True,
        check=True,
        timeout=180,
    )
    assert done.stderr == ""
    return list(json.loads(done.stdout.splitlines()[-1]))


def test_worker_that_crashes_at_any_call_is_continued_by_the_next(
    outside: tuple[dict[str, str], str], database: Database
) -> None:
    acquirers, aws = outside
    sqs = client("sqs", aws)
    secrets = client("secretsmanager", aws)
    login = json.dumps({"username": "postgres", "password": database.server.password})
    secret = secrets.create_secret(Name=database.name, SecretString=login)["ARN"]
    environment = _environment(
        AWS_ENDPOINT_URL=aws,
        AWS_ACCESS_KEY_ID=KEYS["aws_access_key_id"],
        AWS_SECRET_ACCESS_KEY=KEYS["aws_secret_access_key"],
        AWS_REGION=REGION,
        ENVIRONMENT_SUFFIX="test",
        DATABASE_HOST=database.server.host,
        DATABASE_PORT=str(database.server.port),
        DATABASE_NAME=database.name,
        DATABASE_LOGIN="secret",
        DATABASE_SECRET_ARN=secret,
        DATABASE_CA_FILE=str(database.server.ca),
        DATABASE_CONNECTIONS="2",
        # A claim holds for five seconds, and a message is hidden for six.
        PROCESSING_CALL_SECONDS="4",
        PROCESSING_CLAIM_MARGIN_SECONDS="1",
        PROCESSING_FIRST_DELAY_SECONDS="1",
        WORKER_VISIBILITY_MARGIN_SECONDS="1",
        WORKER_WAIT_SECONDS="1",
        WORKER_POLLERS="1",
    )
    connection = database.connect()
    cases: list[dict[str, Any]] = []
    messages: list[tuple[str, ProcessOperation]] = []
    for fault, calls in CALLS.items():
        for call in range(1, calls + 1):
            for when in ("before", "after"):
                queue = sqs.create_queue(QueueName=f"{database.name}-{len(cases)}")["QueueUrl"]
                message = accepted(connection)
                sqs.send_message(QueueUrl=queue, MessageBody=message.to_json())
                where = {"QUEUE_URL": queue, "ACQUIRER_BASE_URL": acquirers[fault]}
                cases.append({"environment": where, "call": call, "when": when})
                messages.append((fault, message))

    ended = run_all(cases, environment)

    assert ended == [CRASHED] * len(cases), "each of the calls is made"

    # After the last call, which deletes the message, nothing is left to be done; on a slow machine an answer of the
    # acquirer is looked up too, and the last call of these is another one.
    left = [case for case in cases if messages_in(sqs, case["environment"]["QUEUE_URL"])]
    ended = run_all([{**case, "call": 0} for case in left], environment)

    assert ended == [0] * len(left)
    for fault, message in messages:
        row = connection.execute("SELECT status FROM payments.payments WHERE id = %s", (message.payment_id,)).fetchone()
        assert row == ("captured",), fault
    for fault, url in acquirers.items():
        with urlopen(f"{url}/_book") as answer:
            book = json.loads(answer.read())
        number = CALLS[fault] * 2
        assert book["charged_twice"] == []
        assert book["counts"] == {"sale EUR": number}
        assert book["sums"] == {"sale EUR": 1250 * number}
    assert [messages_in(sqs, case["environment"]["QUEUE_URL"]) for case in cases] == [0] * len(cases)
    connection.close()


def test_stopped_worker_completes_its_messages(
    outside: tuple[dict[str, str], str], database: Database, tmp_path: Path
) -> None:
    """SIGTERM while the acquirer takes its time: the answer is stored, the message deleted, the exit code 0."""
    _, aws = outside
    folder = tmp_path
    acquirer = _acquirer(replace(QUICK, seed=1), folder)
    acquirer.command[-1] = Behaviour(seconds=2.0).model_dump_json()
    acquirer.start()
    _wait([acquirer.port])
    sqs = client("sqs", aws)
    secrets = client("secretsmanager", aws)
    login = json.dumps({"username": "postgres", "password": database.server.password})
    queue = sqs.create_queue(QueueName=database.name)["QueueUrl"]
    connection = database.connect()
    message = accepted(connection)
    sqs.send_message(QueueUrl=queue, MessageBody=message.to_json())
    environment = _environment(
        AWS_ENDPOINT_URL=aws,
        AWS_ACCESS_KEY_ID=KEYS["aws_access_key_id"],
        AWS_SECRET_ACCESS_KEY=KEYS["aws_secret_access_key"],
        AWS_REGION=REGION,
        ENVIRONMENT_SUFFIX="test",
        QUEUE_URL=queue,
        ACQUIRER_BASE_URL=f"http://127.0.0.1:{acquirer.port}",
        DATABASE_HOST=database.server.host,
        DATABASE_PORT=str(database.server.port),
        DATABASE_NAME=database.name,
        DATABASE_LOGIN="secret",
        DATABASE_SECRET_ARN=secrets.create_secret(Name=f"{database.name}-2", SecretString=login)["ARN"],
        DATABASE_CA_FILE=str(database.server.ca),
        WORKER_WAIT_SECONDS="1",
    )
    worker = Process("worker", _python("-m", "payments", "work"), environment, folder / "worker.log")
    worker.start()
    deadline = time.monotonic() + 120
    while True:
        assert time.monotonic() < deadline, (folder / "worker.log").read_text()
        with urlopen(f"http://127.0.0.1:{acquirer.port}/_book") as answer:
            if json.loads(answer.read())["requests"]:
                break
        time.sleep(0.02)

    assert worker.stop() == 0

    row = connection.execute("SELECT status FROM payments.payments WHERE id = %s", (message.payment_id,)).fetchone()
    assert row == ("captured",)
    assert messages_in(sqs, queue) == 0
    acquirer.kill()
    connection.close()


def test_worker_without_settings_names_the_missing_ones() -> None:
    environment = _environment()
    done = subprocess.run(
        [sys.executable, "-m", "payments", "work"], env=environment, capture_output=True, text=True, check=False
    )
    assert done.returncode == 2
    assert "QUEUE_URL: is missing" in done.stderr
    assert "Traceback" not in done.stderr
