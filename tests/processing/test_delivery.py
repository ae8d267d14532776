"""From a message to the acquirer's answer on the local AWS, with nobody in between but what the platform has.

The queue calls the real function, from its own zip; a real PostgreSQL and a simulated acquirer stand behind it.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any
from uuid import uuid4

import psycopg
import pytest

from emulator import process
from payments import repository
from payments.messages import ProcessOperation
from rehearsal.acquirer import Simulator
from settings import load
from synthesis.packaging import FUNCTIONS, package
from tests.emulator.release_support import eventually
from tests.emulator.roles import make_role
from tests.emulator.support import client_for
from tests.operations.support import Commands
from tests.payments.conftest import Database
from tests.payments.support import BY
from tests.processing.support import accepted
from tests.processing.test_functions import acquirer
from tests.warm_aws import LocalAws

__all__ = ["acquirer"]  # a fixture

pytestmark = [pytest.mark.requirement("P3.2", "Q2")]

TRIES = 2


class Processing:
    """The platform's queue, its dead letters and the function behind it, by their names of the local environment."""

    def __init__(self, aws: process.Server, database: Database, acquirer_url: str, archive: Path) -> None:
        make = client_for(aws)
        self.name = load("local").names.of("process-payment")
        self.sqs: Any = make("sqs")
        self.dead = self.sqs.create_queue(QueueName=load("local").names.of("process-payment-dead-letters"))["QueueUrl"]
        redrive = {"deadLetterTargetArn": self._arn(self.dead), "maxReceiveCount": TRIES}
        attributes = {"VisibilityTimeout": "60", "RedrivePolicy": json.dumps(redrive)}
        self.url = self.sqs.create_queue(QueueName=self.name, Attributes=attributes)["QueueUrl"]
        login = json.dumps({"username": "postgres", "password": database.server.password})
        role = make_role(make, "lambda.amazonaws.com", self.name)
        client = make("lambda")
        client.create_function(
            FunctionName=self.name,
            Role=role,
            Runtime="python3.13",
            Handler="handler.handler",
            Code={"ZipFile": archive.read_bytes()},
            Timeout=45,
            Environment={
                "Variables": {
                    "ENVIRONMENT_SUFFIX": "local",
                    "QUEUE_URL": self.url,
                    "DATABASE_HOST": database.server.host,
                    "DATABASE_PORT": str(database.server.port),
                    "DATABASE_NAME": database.name,
                    "DATABASE_LOGIN": "secret",
                    "DATABASE_SECRET_ARN": make("secretsmanager").create_secret(Name="login", SecretString=login)[
                        "ARN"
                    ],
                    "DATABASE_CA_FILE": str(database.server.ca),
                    "DATABASE_CONNECTIONS": "2",
                    "ACQUIRER_BASE_URL": acquirer_url,
                    "PROCESSING_TRIES": str(TRIES),
                    "PROCESSING_FIRST_DELAY_SECONDS": "0.2",
                    "PROCESSING_MAX_DELAY_SECONDS": "0.2",
                }
            },
        )
        client.create_event_source_mapping(
            EventSourceArn=self._arn(self.url),
            FunctionName=self.name,
            BatchSize=10,
            FunctionResponseTypes=["ReportBatchItemFailures"],
        )

    def _arn(self, url: str) -> str:
        found = self.sqs.get_queue_attributes(QueueUrl=url, AttributeNames=["QueueArn"])
        return str(found["Attributes"]["QueueArn"])

    def send(self, *messages: ProcessOperation) -> None:
        entries = [{"Id": str(number), "MessageBody": one.to_json()} for number, one in enumerate(messages)]
        self.sqs.send_message_batch(QueueUrl=self.url, Entries=entries)

    def dead_letters(self) -> int:
        found = self.sqs.get_queue_attributes(QueueUrl=self.dead, AttributeNames=["ApproximateNumberOfMessages"])
        return int(found["Attributes"]["ApproximateNumberOfMessages"])


def status(connection: psycopg.Connection[Any], message: ProcessOperation) -> str:
    found = repository.get_payment(connection, BY.merchant_id, message.payment_id)
    assert found
    return found.status.value


def test_messages_become_payments_and_an_unknown_operation_a_dead_letter(
    empty_aws: LocalAws,
    acquirer: tuple[Simulator, str],
    database: Database,
    tmp_path: Path,
) -> None:
    simulator, url = acquirer
    archive = package(FUNCTIONS / "process_payment", tmp_path / "process_payment.zip")
    with empty_aws(tmp_path / "aws") as aws, database.connect() as connection:
        processing = Processing(aws, database, url, archive)
        payments = [accepted(connection) for _ in range(3)]
        lost = ProcessOperation(uuid4(), uuid4(), "c-lost")
        processing.send(*payments, lost)
        eventually(lambda: processing.dead_letters() == 1)
        assert [status(connection, one) for one in payments] == ["captured"] * 3
        assert len(simulator.book.entries) == 3
        shown = Commands(aws)("redrive", processing.name)
        assert shown.returncode == 0, shown.stderr
        assert str(lost.operation_id) in shown.stdout
        assert "1 looked at, 1 of them fit" in shown.stdout
