"""The redrive command on the local AWS: it loses nothing wherever it is interrupted."""

from __future__ import annotations

import io
import json
import os
import secrets
import subprocess
import sys
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any
from uuid import uuid4

import boto3
import pytest
from rich.console import Console

from emulator import process
from emulator.address import environment
from operations.outcome import Failed, Refused
from operations.redrive import dead_letters
from operations.redrive.command import age, run
from operations.redrive.request import Filter, Place, Request, duration
from payments import repository
from payments.messages import ProcessOperation
from payments.states import OperationStatus
from shared import json_lines
from tests.payments.conftest import Database
from tests.processing.support import accepted
from tests.warm_aws import LocalAws

pytestmark = [pytest.mark.requirement("P3.2")]

REPOSITORY = Path(__file__).parents[2]
REGION = "us-east-2"


@pytest.fixture(scope="module")
def local_aws(empty_aws: LocalAws, tmp_path_factory: pytest.TempPathFactory) -> Iterator[process.Server]:
    with empty_aws(tmp_path_factory.mktemp("redrive-local-aws")) as server:
        yield server


class Queues:
    """A queue and its dead letters."""

    def __init__(self, folder: Path) -> None:
        self.sqs: Any = boto3.client("sqs", region_name=REGION)
        self.name = f"payments-{secrets.token_hex(4)}"
        self.record = folder / "discarded.jsonl"
        self.dead = self.sqs.create_queue(QueueName=f"{self.name}-dead-letters")["QueueUrl"]
        arn = self.sqs.get_queue_attributes(QueueUrl=self.dead, AttributeNames=["QueueArn"])["Attributes"]["QueueArn"]
        policy = json.dumps({"deadLetterTargetArn": arn, "maxReceiveCount": 3})
        self.source = self.sqs.create_queue(QueueName=self.name, Attributes={"RedrivePolicy": policy})["QueueUrl"]

    def bury(self, count: int = 1) -> list[ProcessOperation]:
        """Put messages among the dead letters."""
        messages = [ProcessOperation(uuid4(), uuid4(), f"c-{number}") for number in range(count)]
        for one in messages:
            self.put(one.to_json())
        return messages

    def put(self, body: str) -> None:
        attributes = {"kept": {"DataType": "String", "StringValue": "yes"}}
        self.sqs.send_message(QueueUrl=self.dead, MessageBody=body, MessageAttributes=attributes)

    def waiting(self, url: str) -> list[str]:
        """The bodies that can be received at this moment, which afterwards they can be again."""
        found, handles = [], []
        while messages := self.sqs.receive_message(
            QueueUrl=url, MaxNumberOfMessages=10, MessageAttributeNames=["All"]
        ).get("Messages", []):
            for one in messages:
                assert one["MessageAttributes"]["kept"]["StringValue"] == "yes"
                found.append(one["Body"])
                handles.append(one["ReceiptHandle"])
        for handle in handles:
            self.sqs.change_message_visibility(QueueUrl=url, ReceiptHandle=handle, VisibilityTimeout=0)
        return sorted(found)

    def run(self, **options: Any) -> str:
        """Run the command in this process, and return what it says."""
        said = io.StringIO()
        place = Place(environment="local", account_id=process.ACCOUNT_ID, region=REGION)
        request = Request(queue=self.name, place=place, approve=True, record=self.record, **options)
        run(request, Console(file=said, width=200, highlight=False, soft_wrap=True))
        return said.getvalue()


@pytest.fixture
def queues(local_aws: process.Server, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Queues:
    for name in [name for name in os.environ if name.startswith("AWS_")]:
        monkeypatch.delenv(name)
    for name, value in environment(local_aws.url).items():
        monkeypatch.setenv(name, value)
    monkeypatch.setattr(dead_letters, "WAIT_SECONDS", 0)
    return Queues(tmp_path)


def bodies(messages: list[ProcessOperation]) -> list[str]:
    return sorted(one.to_json() for one in messages)


def test_redrive_without_a_task_changes_nothing(queues: Queues) -> None:
    messages = queues.bury(12)
    queues.put("no message of ours")

    said = queues.run()

    for one in messages:
        assert str(one.operation_id) in said
        assert str(one.payment_id) in said
    assert "(not understood)" in said
    assert "13 looked at, 13 of them fit" in said
    assert "nothing was changed" in said
    assert len(queues.waiting(queues.dead)) == 13, "others see them at once"
    assert queues.waiting(queues.source) == []


def test_return_moves_all_messages_unchanged(queues: Queues) -> None:
    messages = queues.bury(23)

    said = queues.run(return_=True)

    assert "23 of 23 returned to the queue" in said
    assert queues.waiting(queues.source) == bodies(messages)
    assert queues.waiting(queues.dead) == []


def test_return_with_a_filter_leaves_the_rest(queues: Queues) -> None:
    first, second, third = queues.bury(3)

    queues.run(return_=True, filter=Filter(payment=str(second.payment_id)))

    assert queues.waiting(queues.source) == bodies([second])
    assert queues.waiting(queues.dead) == bodies([first, third])


@pytest.mark.parametrize(
    ("wanted", "fits"),
    [
        (Filter(older_than=timedelta(hours=1)), 0),
        (Filter(newer_than=timedelta(hours=1)), 2),
        (Filter(older_than=timedelta(0), newer_than=timedelta(hours=1)), 2),
        (Filter(newer_than=timedelta(hours=1), payment=str(uuid4())), 0),
    ],
)
def test_filters_by_age_and_payment(queues: Queues, wanted: Filter, fits: int) -> None:
    queues.bury(2)
    assert f"2 looked at, {fits} of them fit" in queues.run(filter=wanted)


def test_limit_bounds_the_messages_received(queues: Queues) -> None:
    queues.bury(5)
    assert "2 of 2 returned" in queues.run(return_=True, limit=2)
    assert len(queues.waiting(queues.dead)) == 3


def test_discarded_messages_are_recorded_with_the_reason(queues: Queues) -> None:
    messages = queues.bury(2)

    said = queues.run(discard="the customer was refunded by hand")

    assert "2 of 2 discarded" in said
    lines = list(json_lines.read(queues.record))
    assert sorted(line["body"] for line in lines) == bodies(messages)
    assert {line["reason"] for line in lines} == {"the customer was refunded by hand"}
    assert queues.waiting(queues.dead) == queues.waiting(queues.source) == []


def test_discard_without_a_writable_record_deletes_nothing(queues: Queues) -> None:
    messages = queues.bury(2)
    queues.record.mkdir()
    with pytest.raises(IsADirectoryError):
        queues.run(discard="a reason that is long enough")
    assert queues.waiting(queues.dead) == bodies(messages)


def test_interrupted_return_leaves_messages_in_both_queues(queues: Queues, monkeypatch: pytest.MonkeyPatch) -> None:
    messages = queues.bury(12)

    def interrupted(*_: object) -> Any:
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(dead_letters.DeadLetters, "delete", interrupted)
        with pytest.raises(KeyboardInterrupt):
            queues.run(return_=True)

    assert queues.waiting(queues.dead) == bodies(messages), "nothing was deleted"
    assert len(queues.waiting(queues.source)) == 10
    assert "12 of 12 returned" in queues.run(return_=True)
    assert set(queues.waiting(queues.source)) == set(bodies(messages))


def test_message_that_the_queue_rejects_stays_a_dead_letter(queues: Queues, monkeypatch: pytest.MonkeyPatch) -> None:
    messages = queues.bury(3)
    send = dead_letters.DeadLetters.send_to_source
    monkeypatch.setattr(dead_letters.DeadLetters, "send_to_source", lambda self, letters: send(self, letters[:2]))

    with pytest.raises(Failed, match="1 are still dead letters"):
        queues.run(return_=True)

    assert len(queues.waiting(queues.source)) == 2
    assert len(queues.waiting(queues.dead)) == 1
    assert sorted(queues.waiting(queues.source) + queues.waiting(queues.dead)) == bodies(messages)


def test_filters_by_database_details(
    queues: Queues, database: Database, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    connection = database.connect()
    cheap, dear, answered = (accepted(connection, amount=amount) for amount in (100, 90_000, 500))
    for message, cause in ((cheap, "TimeoutError"), (dear, "status 500")):
        claim = repository.claim(connection, message.operation_id, timedelta(minutes=1))
        assert claim
        repository.schedule_retry(connection, claim, cause, timedelta(0))
    repository.complete(connection, answered.operation_id, OperationStatus.DECLINED, reason="expired_card")
    for message in (cheap, dear, answered):
        queues.put(message.to_json())
    queues.put("no message of ours")
    secret: Any = boto3.client("secretsmanager", region_name=REGION)
    value = json.dumps({"username": "postgres", "password": database.server.password})
    arn = secret.create_secret(Name=queues.name, SecretString=value)["ARN"]
    for name, given in {
        "HOST": database.server.host,
        "PORT": str(database.server.port),
        "NAME": database.name,
        "LOGIN": "secret",
        "SECRET_ARN": arn,
        "CA_FILE": str(database.server.ca),
    }.items():
        monkeypatch.setenv(f"DATABASE_{name}", given)

    said = queues.run(database=True)
    assert "90000 EUR" in said
    assert "TimeoutError" in said

    for wanted, expected in (
        (Filter(reason="status 5"), dear),
        (Filter(min_amount=1000), dear),
        (Filter(max_amount=499, currency="EUR"), cheap),
        (Filter(completed=True), answered),
    ):
        said = queues.run(database=True, filter=wanted)
        assert "1 of them fit" in said
        assert str(expected.operation_id) in said
    assert "0 of them fit" in queues.run(database=True, filter=Filter(currency="USD"))
    connection.close()


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"return_": True, "discard": "a reason that is long enough"}, "--return: not allowed with --discard"),
        ({"discard": "because"}, "--discard: 'because' is not allowed; a reason of 10 characters or more is"),
        ({"filter": Filter(currency="EUR")}, "--currency: only the database knows it; --database is needed"),
    ],
)
def test_contradictory_options_are_refused(queues: Queues, options: dict[str, Any], message: str) -> None:
    messages = queues.bury(1)
    with pytest.raises(Refused, match=message):
        queues.run(**options)
    assert queues.waiting(queues.dead) == bodies(messages)


def test_database_option_without_a_database_is_refused(queues: Queues, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("DATABASE_HOST", raising=False)
    messages = queues.bury(1)
    with pytest.raises(Refused, match="DATABASE_HOST: is missing"):
        queues.run(database=True, return_=True)
    assert queues.waiting(queues.dead) == bodies(messages)


@pytest.mark.parametrize("text", ["", "1", "h", "1w", "-1h", "1.5h"])
def test_invalid_age_is_refused(text: str) -> None:
    with pytest.raises(Refused, match=r"--older-than: .* is not allowed"):
        duration("--older-than", text)


def test_ages_are_shown_in_their_largest_unit() -> None:
    assert duration("--older-than", "90m") == timedelta(minutes=90)
    assert [age(timedelta(seconds=seconds)) for seconds in (0, 119, 120, 7200, 172_800)] == [
        "0s",
        "119s",
        "2m",
        "2h",
        "2d",
    ]


def command(*arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "operations", "redrive", *arguments],
        cwd=REPOSITORY,
        capture_output=True,
        text=True,
        check=False,
    )


def test_command_returns_messages(queues: Queues) -> None:
    messages = queues.bury(2)
    done = command(queues.name, "--return", "--newer-than", "1h")
    assert (done.returncode, done.stderr) == (0, "")
    assert "2 of 2 returned to the queue" in done.stdout
    assert queues.waiting(queues.source) == bodies(messages)


def test_command_names_a_queue_that_does_not_exist(queues: Queues) -> None:
    done = command("no-such-queue")
    assert done.returncode == 2
    assert done.stderr == "QUEUE: 'no-such-queue' is not allowed; there is no such queue\n"

    done = command(f"{queues.name}-dead-letters")
    assert done.returncode == 2
    assert "it has no dead-letter queue" in done.stderr


def test_deletion_without_confirmation_is_refused(queues: Queues) -> None:
    messages = queues.bury(2)
    done = command(queues.name, "--discard", "a reason that is long enough")
    assert (done.returncode, done.stderr) == (2, "--approve: needed where there is no terminal to ask on\n")
    assert queues.waiting(queues.dead) == bodies(messages)


def test_queue_url_of_another_account_or_region_is_refused(queues: Queues) -> None:
    done = command(f"https://sqs.eu-west-1.amazonaws.com/999999999999/{queues.name}")
    assert done.returncode == 2
    assert done.stderr.endswith(f"is not allowed; the queue of that name here is {queues.source}\n")
