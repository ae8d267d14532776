"""The deployed platform in a local AWS, as its customers and their acquirer meet it."""

from __future__ import annotations

import json
import ssl
import sys
import time
import uuid
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import boto3
import httpx

from emulator import process, running
from emulator.address import HOST, environment
from operations.merchants.command import Administration
from operations.outcome import Refused
from operations.project_root import PROJECT
from settings import Settings
from settings.processing import ProcessingSettings

SECONDS_TO_RUN = 60.0
SECONDS_BETWEEN_LOOKS = 0.5
FINAL = {"captured", "authorized", "declined", "failed"}
"""The statuses of a payment that change by no further answer of the acquirer."""
NOTHING_RUNS = "no local AWS runs: run make deploy-local first"


@dataclass(frozen=True, kw_only=True)
class Platform:
    """The platform of ``settings`` in a running local AWS."""

    settings: Settings
    processing: ProcessingSettings
    server: process.Server

    @classmethod
    def find(cls, settings: Settings, directory: Path) -> Platform:
        """The one whose local AWS lives in ``directory``.

        Raises:
            Refused: nothing is deployed.
        """
        server = process.find(directory)
        if server is None or settings.processing is None:
            raise Refused(NOTHING_RUNS)
        return cls(settings=settings, processing=settings.processing, server=server)

    def client(self, service: str, region: str = "") -> Any:
        """A client of a service, in the primary region unless another is named."""
        region = region or self.settings.primary.name
        variables = environment(self.server.url, region)
        make: Any = boto3.client
        return make(
            service,
            region_name=region,
            endpoint_url=self.server.url,
            aws_access_key_id=variables["AWS_ACCESS_KEY_ID"],
            aws_secret_access_key=variables["AWS_SECRET_ACCESS_KEY"],
        )

    def run_acquirer(self) -> str:
        """Run the rehearsal acquirer, who has issued a key, where the settings have the acquirer; its URL here."""
        command = [sys.executable, "-m", "rehearsal.acquirer"]
        variables = {"PYTHONPATH": str(PROJECT / "services" / "payments")}
        url = running.run_on_the_internet(self.server, self.acquirer_host, command, variables)
        secrets = self.client("secretsmanager")
        name = self.settings.names.secret("acquirer")
        if not secrets.list_secret_version_ids(SecretId=name)["Versions"]:
            secrets.put_secret_value(SecretId=name, SecretString=json.dumps({"api_key": str(uuid.uuid4())}))
        return url

    @property
    def acquirer_host(self) -> str:
        """The acquirer's host name."""
        return urlsplit(self.processing.acquirer.url).hostname or ""

    def tasks(self, region: str = "") -> list[dict[str, object]]:
        """The tasks of the payments service in a region, the primary one unless another is named."""
        name, region = self.settings.names.of(self.processing.service), region or self.settings.primary.name
        found = running.tasks(self.server)
        return [one for one in found if (one["service"], one["region"]) == (name, region)]

    def running_task(self) -> str:
        """The ARN of a task of the payments service that runs.

        Raises:
            Refused: none does.
        """
        deadline = time.monotonic() + SECONDS_TO_RUN
        found: list[dict[str, object]] = []
        while time.monotonic() < deadline:
            found = self.tasks()
            if ready := [one for one in found if one["url"]]:
                return str(ready[0]["arn"])
            time.sleep(SECONDS_BETWEEN_LOOKS)
        reasons = "; ".join(sorted({str(one["reason"]) for one in found if one["reason"]})) or "none was started"
        raise Refused(f"no task of {self.processing.service} runs in {self.settings.primary.name}: {reasons}")

    def new_key(self, merchant: str) -> str:
        """A new API key of a merchant, who is made if there is none: by the function that an operator calls.

        Raises:
            Refused: there is no such function, or no task runs to send the key to.
            Failed: no key could be made.
        """
        self.running_task()
        return str(self.administration().make_key(merchant)["key"])

    def administration(self) -> Administration:
        """What makes merchants and keys, in the primary region."""
        region = self.settings.primary.name
        return Administration(client=self.client("lambda"), names=self.settings.names, region=region)


@dataclass(frozen=True, kw_only=True)
class FrontDoor:
    """The platform's name, and the port of this machine where CloudFront answers for it."""

    name: str
    port: int
    authority: str
    certificate: Path | None = None
    """The client's certificate and key, where the door asks for one."""

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
        context = ssl.create_default_context(cadata=door.authority)
        if door.certificate:
            context.load_cert_chain(door.certificate)
        super().__init__(verify=context)
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
