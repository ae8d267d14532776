"""Functions that were idle for weeks are woken before a release depends on them (W7.1)."""

from __future__ import annotations

from typing import Any

import botocore.session
import pytest
from botocore.stub import Stubber

from operations.outcome import Refused
from operations.waking import LOOKS, wake

pytestmark = pytest.mark.requirement("W7.1")

NAME = "payments-smoke-test-local"


class Lambda:
    """A client whose function has these states, one look after another."""

    def __init__(self, *states: str) -> None:
        session = botocore.session.get_session()
        session.set_credentials("key", "secret")
        self.client: Any = session.create_client("lambda", "us-east-2")
        self.stubber = Stubber(self.client)
        for number, state in enumerate(states):
            self.stubber.add_response("get_function_configuration", {"State": state}, {"FunctionName": NAME})
            if number == 0 and state == "Inactive":
                asked = {"FunctionName": NAME, "Payload": b"{}"}
                self.stubber.add_client_error(
                    "invoke", "ResourceNotReadyException", http_status_code=502, expected_params=asked
                )
        self.stubber.activate()


def test_active_function_is_checked_once() -> None:
    functions = Lambda("Active")
    wake(functions.client, NAME)
    functions.stubber.assert_no_pending_responses()


@pytest.mark.parametrize("states", [("Inactive", "Pending", "Active"), ("Pending", "Pending", "Active")])
def test_function_that_is_not_active_is_invoked_if_idle_and_waited_for(states: tuple[str, ...]) -> None:
    functions = Lambda(*states)
    wake(functions.client, NAME, seconds_between_looks=0)
    functions.stubber.assert_no_pending_responses()


def test_function_that_stays_pending_is_refused_with_a_line() -> None:
    functions = Lambda("Pending", *(["Pending"] * LOOKS))
    with pytest.raises(Refused, match=f"{NAME}: the function was idle for weeks"):
        wake(functions.client, NAME, seconds_between_looks=0)


def test_missing_function_is_left_to_its_caller() -> None:
    functions = Lambda()
    functions.stubber.add_client_error("get_function_configuration", "ResourceNotFoundException")
    wake(functions.client, NAME)
