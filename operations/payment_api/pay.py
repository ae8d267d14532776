"""The pay-api command: sends a payment to the payment API that deploy-api-local made, and shows its way.

The payment takes the way of a client's: by mutual TLS and with an API key through the gateway's custom domain. A
merchant, its key and its certificate are made as an operator makes them; the acquirer is the rehearsal acquirer.
"""

from __future__ import annotations

import json
import sys
import time
import uuid
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import httpx
from rich.console import Console

from emulator import running
from emulator.ministack import process
from emulator.ministack.clients import Authority
from emulator.ministack.existing import CLIENTS
from operations.merchants.command import Administration
from operations.outcome import Failed, Refused
from operations.pay.platform import FINAL, FrontDoor
from operations.pay.way import Place, drawn, hops, stages
from operations.payment_api.local import DIRECTORY
from operations.project_root import PROJECT
from payment_api.settings import Settings, load

MERCHANT = "rehearsal"
SECONDS_TO_RUN, SECONDS_TO_SETTLE, SECONDS_BETWEEN_LOOKS = 90.0, 60.0, 0.5
NOTHING_RUNS = "nothing is deployed to a local AWS; run make deploy-api-local"


@dataclass(frozen=True, kw_only=True)
class Client:
    """A merchant's client: the door that it comes to with its certificate, and the keys that it sends."""

    merchant: str
    door: FrontDoor
    key: str = field(repr=False)
    """The merchant's own API key."""
    plan_key: str = field(repr=False)
    """The API key of the gateway's usage plan."""

    @property
    def headers(self) -> dict[str, str]:
        """Those of every request."""
        return {"Authorization": f"Bearer {self.key}", "x-api-key": self.plan_key}

    def connect(self, **headers: str) -> httpx.Client:
        """A connection pool of the client."""
        return self.door.client({**self.headers, **headers})


@dataclass(frozen=True, kw_only=True)
class DeployedApi:
    """The payment API in a running local AWS."""

    settings: Settings
    server: process.Server
    directory: Path

    @classmethod
    def find(cls, directory: Path = DIRECTORY) -> DeployedApi:
        """The one whose local AWS lives in ``directory``.

        Raises:
            Refused: nothing is deployed.
        """
        server, path = process.find(directory), directory / "settings.toml"
        if server is None or not (directory / "deployed").exists():
            raise Refused(NOTHING_RUNS)
        return cls(settings=load(str(path)), server=server, directory=directory)

    def api(self, service: str) -> Any:
        """A client of a service of AWS, as the account's administrator."""
        return process.client(service, self.server.url, self.settings.region)

    def client(self, merchant: str) -> Client:
        """A client of a merchant, with a new key and a new certificate.

        Raises:
            Refused: no task of the service runs.
            Failed: the key or the certificate was refused.
        """
        self.run_acquirer()
        self.running_task()
        own, region = self.administration(), self.settings.region
        key = str(own.make_key(merchant)["key"])
        path = self.directory / f"client-of-{merchant}.pem"
        fingerprint = Authority.load(self.directory / CLIENTS).issue(merchant, path)
        own.perform(["certificates", "add", merchant, fingerprint])
        name = self.settings.domain.api_name
        found = running.gateway(self.server, region, name)
        door = FrontDoor(name=name, port=found.https, authority=found.authority, certificate=path)
        return Client(merchant=merchant, door=door, key=key, plan_key=self.api_key())

    def administration(self) -> Administration:
        """The function that makes merchants and their credentials."""
        return Administration(client=self.api("lambda"), names=self.settings.names, region=self.settings.region)

    def api_key(self) -> str:
        """The current API key of clients, which the operator hands over."""
        found = self.api("secretsmanager").get_secret_value(SecretId=self.settings.secrets.api_key)
        return str(json.loads(found["SecretString"])["api_key"])

    @property
    def acquirer_host(self) -> str:
        """The acquirer's host name."""
        return urlsplit(self.settings.acquirer.url).hostname or ""

    def run_acquirer(self) -> str:
        """Run the rehearsal acquirer where the settings have the acquirer; its URL on this machine."""
        command = [sys.executable, "-m", "rehearsal.acquirer"]
        variables = {"PYTHONPATH": str(PROJECT / "services" / "payments")}
        return running.run_on_the_internet(self.server, self.acquirer_host, command, variables)

    def running_task(self) -> str:
        """The ARN of a task of the service that runs.

        Raises:
            Refused: none does.
        """
        deadline, found = time.monotonic() + SECONDS_TO_RUN, list[dict[str, object]]()
        while time.monotonic() < deadline:
            found = running.tasks(self.server)
            if ready := [one for one in found if one["url"]]:
                return str(ready[0]["arn"])
            time.sleep(SECONDS_BETWEEN_LOOKS)
        reasons = "; ".join(sorted({str(one["reason"]) for one in found if one["reason"]})) or "none was started"
        raise Refused(f"no task of the service runs: {reasons}")

    def place(self) -> Place:
        """Whose records are of a payment."""
        names, ecs = self.settings.names, self.api("ecs")
        (service,) = ecs.describe_services(cluster=names.of("payments"), services=[names.of("payments")])["services"]
        task = ecs.describe_task_definition(taskDefinition=service["taskDefinition"])["taskDefinition"]
        return Place(
            host=self.settings.domain.api_name,
            task_roles=(str(task["taskRoleArn"]).rpartition("/")[2],),
            function_roles=(names.of("process-payment"),),
            function=names.of("process-payment"),
            acquirer=self.acquirer_host,
            door="gateway",
            authorizer=names.of("show-certificate"),
        )


def pay(amount: int, currency: str, console: Console, directory: Path = DIRECTORY) -> None:
    """Send a payment of ``amount``, in the currency's smallest unit, and show its way.

    Raises:
        Refused: nothing is deployed, or no task of the service runs.
        Failed: the payment is not settled; the message says which stage it did not reach.
    """
    api = DeployedApi.find(directory)
    client = api.client(MERCHANT)
    since = datetime.now(UTC).isoformat(timespec="milliseconds")
    with client.connect(**{"Idempotency-Key": str(uuid.uuid4())}) as connection:
        status = send(connection, {"amount": amount, "currency": currency, "token": "tok_visa_1"}, console)
    place = api.place()
    console.print(drawn(hops(directory, since, place)))
    passed = stages(directory, since, place, status=status)
    if missing := next((one for one in passed if not one.is_reached), None):
        reached = ", ".join(one.name for one in passed if one.is_reached) or "nothing"
        raise Failed(f"the payment is not settled: it did not reach {missing.name} (it reached {reached})")


def send(connection: httpx.Client, payment: dict[str, Any], console: Console) -> str:
    """Send a payment, and read it until it has a final status; the status that it had last."""
    answer = connection.post("/api/v1/payments", json=payment)
    console.print(f"POST {connection.base_url}/api/v1/payments: {answer.status_code}", highlight=False)
    if not answer.is_success:
        console.print(answer.text, markup=False)
        return ""
    identifier, status = answer.json()["id"], str(answer.json()["status"])
    deadline = time.monotonic() + SECONDS_TO_SETTLE
    while status not in FINAL and time.monotonic() < deadline:
        time.sleep(SECONDS_BETWEEN_LOOKS)
        read = connection.get(f"/api/v1/payments/{identifier}")
        status = str(read.json()["status"]) if read.is_success else status
    console.print(f"payment {identifier}: {status}", highlight=False)
    return status
