"""The service keeps the contract of its OpenAPI document, whatever it is sent."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

import psycopg
import pytest

from payments import repository
from payments.states import OperationStatus
from tests.payments.support import SERVICE, Running

pytestmark = [pytest.mark.requirement("Q1")]

HOOKS = Path(__file__).with_name("contract_hooks.py")
EXAMPLES = os.environ.get("CONTRACT_EXAMPLES", "15")  # `make test-payments` sets more
SECONDS = 600


def test_every_response_to_generated_requests_is_in_the_document(
    service: Running, service_database: psycopg.Connection[tuple[object, ...]], tmp_path: Path
) -> None:
    # Payments that can be captured, refunded and voided: ids from responses are used in other requests.
    for capture in ("automatic", "manual") * 3:
        payment = service.create(capture=capture).json()["id"]
        (operation,) = repository.list_operations(service_database, payment)
        repository.complete(service_database, operation.id, OperationStatus.SUCCEEDED, acquirer_reference="acq")
    # The environment of the local AWS makes it the proxy, too.
    environment = {name: value for name, value in os.environ.items() if not name.lower().endswith("_proxy")}
    done = subprocess.run(
        [
            sys.executable, "-m", "schemathesis.cli", "run", str(SERVICE / "openapi.json"), "--url", service.url,
            "--checks", "all", "--max-examples", EXAMPLES, "--seed", "1", "--generation-database", "none", "--no-color",
            "--header", f"Authorization: Bearer {service.key}",
        ],
        env={**environment, "SCHEMATHESIS_HOOKS": str(HOOKS)},
        cwd=tmp_path, capture_output=True, text=True, timeout=SECONDS, check=False,
    )  # fmt: skip
    print(done.stdout)
    assert done.returncode == 0, done.stdout + done.stderr
    assert re.search(r"([0-9]{3,}) generated, \1 passed", done.stdout), done.stdout
