"""Queues call functions for real: in batches, of which single messages may stay."""

from __future__ import annotations

import json
import secrets
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import pytest

from tests.emulator.release_support import Make, eventually, make_function
from tests.emulator.test_functions import log_of

pytestmark = pytest.mark.requirement("W8.2", "P3.2")

JUDGING = """
import json

def handle(event, context):
    records = event["Records"]
    print("batch", json.dumps([[one["body"], one["attributes"]["ApproximateReceiveCount"]] for one in records]))
    if any(one["body"] == "crash" for one in event["Records"]):
        raise RuntimeError("crash")
    return {"batchItemFailures": [
        {"itemIdentifier": one["messageId"] if one["body"] == "bad" else "unknown"}
        for one in event["Records"] if one["body"] in ("bad", "strange")
    ]}
"""


@dataclass
class World:
    """A queue, its dead letters, and a function behind it."""

    client: Make
    name: str
    url: str
    dead: str
    arn: str
    mapping: str

    def send(self, *bodies: str) -> None:
        entries = [{"Id": str(number), "MessageBody": body} for number, body in enumerate(bodies)]
        self.client("sqs").send_message_batch(QueueUrl=self.url, Entries=entries)

    def batches(self) -> list[list[list[str]]]:
        lines = log_of(self.client, f"/aws/lambda/{self.name}")
        return [json.loads(line.removeprefix("batch ")) for line in lines if line.startswith("batch ")]

    def left(self) -> int:
        kinds = ["ApproximateNumberOfMessages", "ApproximateNumberOfMessagesNotVisible"]
        found = self.client("sqs").get_queue_attributes(QueueUrl=self.url, AttributeNames=kinds)["Attributes"]
        return sum(int(value) for value in found.values())

    def dead_letters(self) -> list[str]:
        answer = self.client("sqs").receive_message(QueueUrl=self.dead, MaxNumberOfMessages=10, VisibilityTimeout=0)
        return sorted(one["Body"] for one in answer.get("Messages", []))

    def change(self, **values: Any) -> None:
        self.client("lambda").update_event_source_mapping(UUID=self.mapping, **values)


@pytest.fixture
def world(client: Make) -> Callable[..., World]:
    def make(**mapping: Any) -> World:
        name, sqs = f"payments-{secrets.token_hex(4)}", client("sqs")
        dead = sqs.create_queue(QueueName=f"{name}-dead-letters")["QueueUrl"]
        dead_arn = sqs.get_queue_attributes(QueueUrl=dead, AttributeNames=["QueueArn"])["Attributes"]["QueueArn"]
        redrive = json.dumps({"deadLetterTargetArn": dead_arn, "maxReceiveCount": 2})
        url = sqs.create_queue(QueueName=name, Attributes={"VisibilityTimeout": "1", "RedrivePolicy": redrive})[
            "QueueUrl"
        ]
        arn = sqs.get_queue_attributes(QueueUrl=url, AttributeNames=["QueueArn"])["Attributes"]["QueueArn"]
        make_function(client, name, JUDGING)
        made = client("lambda").create_event_source_mapping(
            EventSourceArn=arn,
            FunctionName=name,
            **{"BatchSize": 10, "FunctionResponseTypes": ["ReportBatchItemFailures"], **mapping},
        )
        return World(client, name, url, dead, arn, made["UUID"])

    return make


def test_failed_items_are_redelivered_and_then_dead_lettered(world: Callable[..., World]) -> None:
    made = world()
    made.send("good", "bad", "good")
    eventually(lambda: made.dead_letters() == ["bad"])
    assert made.left() == 0
    first, *others = made.batches()
    assert first == [["good", "1"], ["bad", "1"], ["good", "1"]]
    assert others == [[["bad", "2"]]]


@pytest.mark.parametrize("body", ["crash", "strange"])
def test_of_a_batch_that_failed_or_was_answered_wrongly_nothing_is_deleted(
    world: Callable[..., World], body: str
) -> None:
    made = world()
    made.send("good", body)
    eventually(lambda: made.dead_letters() == sorted(["good", body]))
    assert made.left() == 0


def test_without_such_answers_a_batch_is_done_whatever_is_in_them(world: Callable[..., World]) -> None:
    made = world(FunctionResponseTypes=[])
    made.send("bad", "bad")
    eventually(lambda: made.left() == 0)
    assert made.batches() == [[["bad", "1"], ["bad", "1"]]]
    assert made.dead_letters() == []


def test_disabled_mapping_waits_and_deleted_one_invokes_nothing(world: Callable[..., World]) -> None:
    made = world(Enabled=False)
    made.send("good")
    assert made.left() == 1
    made.change(Enabled=True)
    eventually(lambda: made.left() == 0)
    assert len(made.batches()) == 1
    made.client("lambda").delete_event_source_mapping(UUID=made.mapping)
    made.send("good")
    assert made.left() == 1
    assert made.client("lambda").list_event_source_mappings(FunctionName=made.name)["EventSourceMappings"] == []
    assert len(made.batches()) == 1


def test_batch_has_at_most_the_size_of_the_mapping(world: Callable[..., World]) -> None:
    made = world(Enabled=False, BatchSize=2)
    made.send(*["good"] * 5)
    made.change(Enabled=True)
    eventually(lambda: made.left() == 0)
    assert [len(batch) for batch in made.batches()] == [2, 2, 1]
