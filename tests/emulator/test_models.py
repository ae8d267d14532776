"""The published models, read by many requests at once."""

from __future__ import annotations

import sys
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from io import BytesIO

import pytest
from moto.core.request import Request

from emulator.contract import find_target, models

pytestmark = pytest.mark.requirement("W8.2")

THREADS = 8
ROUNDS = 15
"""Without the lock a fifth of all matches fails: hardly ever none of 120."""


def request(path: str) -> Request:
    return Request(
        {
            "REQUEST_METHOD": "GET",
            "PATH_INFO": path,
            "RAW_URI": path,
            "QUERY_STRING": "",
            "SERVER_NAME": "127.0.0.1",
            "SERVER_PORT": "80",
            "wsgi.url_scheme": "http",
            "wsgi.input": BytesIO(),
        }
    )


@pytest.fixture
def threads_in_turn_after_each_step() -> Iterator[None]:
    before = sys.getswitchinterval()
    sys.setswitchinterval(1e-6)
    yield
    sys.setswitchinterval(before)


@pytest.mark.usefixtures("threads_in_turn_after_each_step")
def test_first_requests_to_a_service_that_arrive_at_once_are_all_understood() -> None:
    """moto keeps an operation that is half made where another thread finds it (OperationModel without http_trait)."""
    found: set[str] = set()
    for _ in range(ROUNDS):
        models._service_model.cache_clear()
        models._router.cache_clear()
        together = threading.Barrier(THREADS)

        def find(_: int, together: threading.Barrier = together) -> str:
            together.wait()
            target = find_target("guardduty", request("/detector"))
            return str(target.operation.name) if target else ""

        with ThreadPoolExecutor(THREADS) as pool:
            found.update(pool.map(find, range(THREADS)))
    assert found == {"ListDetectors"}
