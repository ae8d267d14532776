"""The pay command: sends a payment to the platform that deploy-local made, waits until it is settled, shows its way.

The payment takes the way of a customer's, from the platform's name on. A merchant and its key are made in a task's
container, as an operator makes them; the acquirer is the project's rehearsal acquirer.
"""

from __future__ import annotations

import json
import ssl
import sys
import time
import uuid
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import boto3
import httpx
from rich.console import Console
from rich.table import Table

from emulator import process, running
from emulator.address import HOST, environment
from operations.outcome import Failed, Refused
from operations.pay.way import Place, Stage, hops, stages
from operations.project_root import PROJECT
from settings import Settings
from settings.naming import PROCESS_PAYMENT

SECONDS_TO_SETTLE = 60.0
SECONDS_TO_RUN = 60.0
SECONDS_BETWEEN_LOOKS = 0.5
FINAL = {"captured", "authorized", "declined", "failed"}
SCOPES = "payments:read,payments:write,refunds:write"
NOTHING_RUNS = "no local AWS runs: run make deploy-local first"


@dataclass(frozen=True)
class Payer:
    """Sends payments to a local AWS."""

    settings: Settings
    directory: Path
    console: Console

    def pay(self, amount: int, currency: str) -> None:
        """Send a payment of ``amount``, in the currency's smallest unit, and show its way.

        Raises:
            Refused: nothing is deployed, or no task of the service runs.
            Failed: the payment is not settled; the message says which stage it did not reach.
        """
        server = process.find(self.directory)
        processing = self.settings.processing
        if server is None or processing is None:
            raise Refused(NOTHING_RUNS)
        place = self._place(processing.service)
        self._let_acquirer_answer(server, processing.acquirer.url)
        task = self._running_task(server, processing.service)
        key = self._key(server, task)
        edge = front_door(self.settings, server)
        since = datetime.now(UTC).isoformat(timespec="milliseconds")
        headers = {"Authorization": f"Bearer {key}", "Idempotency-Key": str(uuid.uuid4())}
        with edge.client(headers) as client:
            status = self._send(client, {"amount": amount, "currency": currency, "token": "tok_visa_1"})
        self._show(server, since, place, status)

    def print_key(self) -> None:
        """Print a new API key of the merchant, for requests by hand.

        Raises:
            Refused: nothing is deployed, or no task of the service runs.
            Failed: no key could be made.
        """
        server, processing = process.find(self.directory), self.settings.processing
        if server is None or processing is None:
            raise Refused(NOTHING_RUNS)
        self._let_acquirer_answer(server, processing.acquirer.url)
        print(self._key(server, self._running_task(server, processing.service)))

    def _place(self, service: str) -> Place:
        names, settings = self.settings.names, self.settings
        acquirer = settings.processing.acquirer.url if settings.processing else ""
        return Place(
            host=host_name(settings),
            task_role=names.of(f"{service}-task-{settings.primary.name}"),
            function_role=names.of(f"{PROCESS_PAYMENT}-{settings.primary.name}"),
            function=names.of(PROCESS_PAYMENT),
            acquirer=urlsplit(acquirer).hostname or "",
        )

    def _let_acquirer_answer(self, server: process.Server, url: str) -> None:
        """The rehearsal acquirer stands where the settings have the acquirer, and has issued a key."""
        command = [sys.executable, "-m", "rehearsal.acquirer"]
        variables = {"PYTHONPATH": str(PROJECT / "services" / "payments")}
        running.run_on_the_internet(server, urlsplit(url).hostname or "", command, variables)
        secrets = _client(server, "secretsmanager", self.settings.primary.name)
        name = self.settings.names.secret("acquirer")
        if not secrets.list_secret_version_ids(SecretId=name)["Versions"]:
            secrets.put_secret_value(SecretId=name, SecretString=json.dumps({"api_key": str(uuid.uuid4())}))

    def _running_task(self, server: process.Server, service: str) -> str:
        name, region = self.settings.names.of(service), self.settings.primary.name
        deadline = time.monotonic() + SECONDS_TO_RUN
        found: list[dict[str, object]] = []
        while time.monotonic() < deadline:
            found = [one for one in running.tasks(server) if (one["service"], one["region"]) == (name, region)]
            if ready := [one for one in found if one["url"]]:
                return str(ready[0]["arn"])
            time.sleep(SECONDS_BETWEEN_LOOKS)
        reasons = {str(one["reason"]) for one in found if one["reason"]}
        raise Refused(f"no task of {name} runs in {region}: {'; '.join(sorted(reasons)) or 'none was started'}")

    def _key(self, server: process.Server, task: str) -> str:
        """A new API key of the merchant `rehearsal`, who is made if there is none."""
        merchants = ["python", "-m", "payments", "merchants"]
        running.execute(server, task, [*merchants, "make", "rehearsal"])
        code, said = running.execute(server, task, [*merchants, "keys", "create", "rehearsal", "--scopes", SCOPES])
        for line in said.splitlines() if code == 0 else ():
            if line.startswith("{") and "key" in (values := json.loads(line)):
                return str(values["key"])
        raise Failed(f"no API key could be made for the merchant; the task said:\n{said.strip()}")

    def _send(self, client: httpx.Client, payment: dict[str, Any]) -> str:
        """Send it, and read it until it has a final status; the status that it had last."""
        answer = client.post("/api/v1/payments", json=payment)
        self.console.print(f"POST {client.base_url}/api/v1/payments: {answer.status_code}", highlight=False)
        if not answer.is_success:
            self.console.print(answer.text, markup=False)
            return ""
        identifier, status = answer.json()["id"], str(answer.json()["status"])
        deadline = time.monotonic() + SECONDS_TO_SETTLE
        while status not in FINAL and time.monotonic() < deadline:
            time.sleep(SECONDS_BETWEEN_LOOKS)
            read = client.get(f"/api/v1/payments/{identifier}")
            status = str(read.json()["status"]) if read.is_success else status  # a task may just be replaced
        self.console.print(f"payment {identifier}: {status}", highlight=False)
        return status

    def _show(self, server: process.Server, since: str, place: Place, status: str) -> None:
        table = Table("time", "who", "what", "answer, or the statement that allowed it", box=None, pad_edge=False)
        for hop in hops(server.directory, since, place):
            table.add_row(hop.time[11:23], hop.who, hop.what, hop.said)
        self.console.print(table)
        passed = stages(server.directory, since, place, status=status)
        if missing := next((one for one in passed if not one.is_reached), None):
            raise Failed(_not_reached(passed, missing, server))


@dataclass(frozen=True, kw_only=True)
class FrontDoor:
    """The platform's name, and the port of this machine where CloudFront answers for it."""

    name: str
    port: int
    authority: str

    def client(self, headers: Mapping[str, str]) -> httpx.Client:
        """A client that connects there, and verifies the certificate of the name."""
        return httpx.Client(
            base_url=f"https://{self.name}",
            headers=dict(headers),
            timeout=30,
            trust_env=False,
            transport=_There(self),
        )


class _There(httpx.HTTPTransport):
    """Connects to the edge's port of this machine, whatever the name resolves to."""

    def __init__(self, door: FrontDoor) -> None:
        super().__init__(verify=ssl.create_default_context(cadata=door.authority))
        self._door = door

    def handle_request(self, request: httpx.Request) -> httpx.Response:
        """Send it there, with the name in the TLS handshake."""
        request.extensions = {**request.extensions, "sni_hostname": self._door.name}
        request.url = request.url.copy_with(host=HOST, port=self._door.port)
        return super().handle_request(request)


def front_door(settings: Settings, server: process.Server) -> FrontDoor:
    """Where the platform's name is answered on this machine.

    Raises:
        Refused: no record of Route 53 leads from it to a distribution.
    """
    name = host_name(settings)
    try:
        edge = running.edge(server, name)
    except process.EmulatorError as missing:
        raise Refused(f"CloudFront does not answer for {name}: {missing}") from None
    return FrontDoor(name=name, port=edge.https, authority=edge.authority)


def host_name(settings: Settings) -> str:
    """The first of the names that customers use."""
    return settings.edge.names_in(settings.domain.name, settings.environment_suffix)[0]


def _not_reached(passed: list[Stage], missing: Stage, server: process.Server) -> str:
    reached = ", ".join(one.name for one in passed if one.is_reached) or "nothing"
    return f"the payment is not settled: it did not reach {missing.name} (it reached {reached}); see {server.directory}"


def _client(server: process.Server, service: str, region: str) -> Any:
    variables = environment(server.url, region)
    make: Any = boto3.client
    return make(
        service,
        region_name=region,
        endpoint_url=server.url,
        aws_access_key_id=variables["AWS_ACCESS_KEY_ID"],
        aws_secret_access_key=variables["AWS_SECRET_ACCESS_KEY"],
    )
