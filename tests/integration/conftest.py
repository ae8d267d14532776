"""What was deployed, as cfn-outputs/flat-outputs.json names it: on AWS or the local AWS, as the environment says.

These tests run where somebody asks for them by their folder, as `make test-api` and `make test-api-local` do; `make
test` deploys first, and runs them in a process of their own (tests/lifecycle/test_payment_api.py).
"""

from __future__ import annotations

import json
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import boto3
import pytest

PROJECT = Path(__file__).parents[2]
FOLDER = Path(os.environ.get("PAYMENT_API_OUTPUTS", PROJECT / "cfn-outputs"))

Outputs = dict[str, str]
Client = Callable[[str], Any]


def pytest_ignore_collect(collection_path: Path, config: pytest.Config) -> bool | None:
    asked_for = [Path(one.partition("::")[0]).resolve() for one in config.invocation_params.args if one[:1] != "-"]
    own = Path(__file__).parent
    return None if any(path == own or own in path.parents for path in asked_for) else True


@pytest.fixture(scope="session")
def outputs() -> Outputs:
    path = FOLDER / "flat-outputs.json"
    if not path.exists():
        pytest.fail("nothing is deployed: make deploy-api ENV=... or make deploy-api-local writes flat-outputs.json")
    found: Outputs = json.loads(path.read_text())
    assert found, "flat-outputs.json is empty: nothing can have been deployed"
    return found


@pytest.fixture(scope="session")
def client(outputs: Outputs) -> Client:
    """Makes a client of boto3 for a service, in the API's region; where AWS is, the environment says."""
    make: Any = boto3.client
    return lambda service: make(service, region_name=outputs["Region"])
