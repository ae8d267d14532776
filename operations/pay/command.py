"""The pay command: sends a payment to the platform that deploy-local made, waits until it is settled, shows its way.

The payment takes the way of a customer's, from the platform's name on. A merchant and its key are made by the function
that an operator calls for it; the acquirer is the project's rehearsal acquirer.
"""

from __future__ import annotations

import time
import uuid
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import httpx
from rich.console import Console

from emulator import process
from operations.outcome import Failed
from operations.pay.platform import FINAL, Platform, front_door, host_name
from operations.pay.way import Place, Stage, drawn, hops, stages
from settings import Settings
from settings.naming import PROCESS_PAYMENT

SECONDS_TO_SETTLE = 60.0
SECONDS_BETWEEN_LOOKS = 0.5
MERCHANT = "rehearsal"


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
        platform = Platform.find(self.settings, self.directory)
        platform.run_acquirer()
        key = platform.new_key(MERCHANT)
        door = front_door(self.settings, platform.server)
        since = datetime.now(UTC).isoformat(timespec="milliseconds")
        headers = {"Authorization": f"Bearer {key}", "Idempotency-Key": str(uuid.uuid4())}
        with door.client(headers) as client:
            status = self._send(client, {"amount": amount, "currency": currency, "token": "tok_visa_1"})
        self._show(platform.server, since, self._place(platform), status)

    def print_key(self) -> None:
        """Print a new API key of the merchant, for requests by hand.

        Raises:
            Refused: nothing is deployed, or no task of the service runs.
            Failed: no key could be made.
        """
        platform = Platform.find(self.settings, self.directory)
        platform.run_acquirer()
        print(platform.new_key(MERCHANT))

    def _place(self, platform: Platform) -> Place:
        names, regions = self.settings.names, (self.settings.primary.name, self.settings.recovery.name)
        return Place(
            host=host_name(self.settings),
            task_roles=tuple(names.of(f"{platform.processing.service}-task-{region}") for region in regions),
            function_roles=tuple(names.of(f"{PROCESS_PAYMENT}-{region}") for region in regions),
            function=names.of(PROCESS_PAYMENT),
            acquirer=platform.acquirer_host,
        )

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
        self.console.print(drawn(hops(server.directory, since, place)))
        passed = stages(server.directory, since, place, status=status)
        if missing := next((one for one in passed if not one.is_reached), None):
            raise Failed(_not_reached(passed, missing, server))


def _not_reached(passed: list[Stage], missing: Stage, server: process.Server) -> str:
    reached = ", ".join(one.name for one in passed if one.is_reached) or "nothing"
    return f"the payment is not settled: it did not reach {missing.name} (it reached {reached}); see {server.directory}"
