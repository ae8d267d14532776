"""The acquirer's HTTP client against a real server: performed, not performed and unknown are told apart."""

from __future__ import annotations

import asyncio
import contextlib
import socket
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import Any
from uuid import uuid4

import pytest

from payments.acquirer.breaker import CircuitState
from payments.acquirer.http_client import HttpAcquirer
from payments.acquirer.port import Approved, Declined, NotPerformed, Unknown, Unserved
from payments.states import OperationKind
from rehearsal.acquirer import Simulator
from tests.processing.support import KEY, PATIENT, SECONDS, reached, request, settings, simulated

pytestmark = [pytest.mark.requirement("P3.2")]

Scenario = Callable[[Simulator, HttpAcquirer], Awaitable[None]]


def run(scenario: Scenario, adapter: dict[str, Any] | None = None, **behaviour: Any) -> None:
    values = ({} if behaviour.get("silent_percent") else PATIENT) | (adapter or {})

    async def main() -> None:
        async with simulated(**behaviour) as (simulator, url), reached(url, **values) as acquirer:
            await scenario(simulator, acquirer)

    asyncio.run(main())


@asynccontextmanager
async def answering(*answers: bytes | float) -> AsyncIterator[tuple[str, list[bytes]]]:
    """A server that sends these responses in turn, and repeats the last; a number is silence in seconds."""
    heard: list[bytes] = []

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with contextlib.suppress(OSError, asyncio.IncompleteReadError):
            while True:
                head = await reader.readuntil(b"\r\n\r\n")
                length = [line for line in head.lower().split(b"\r\n") if line.startswith(b"content-length:")]
                heard.append(head + (await reader.readexactly(int(length[0].split(b":")[1])) if length else b""))
                said = answers[min(len(heard), len(answers)) - 1]
                if isinstance(said, float):
                    await asyncio.sleep(said)
                    break
                writer.write(said)
                await writer.drain()
        writer.close()

    async with await asyncio.start_server(serve, "127.0.0.1", 0) as server:
        yield f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}", heard


def answer(status: int, body: str = "{}", headers: str = "") -> bytes:
    return f"HTTP/1.1 {status} -\r\n{headers}Content-Length: {len(body)}\r\n\r\n{body}".encode()


APPROVED = (
    f'{{"key": "{KEY}", "kind": "sale", "amount": 1250, "currency": "EUR", "status": "approved", "reference": "r"}}'
)


NOT_FOUND_BODY = f'{{"key": "{KEY}", "status": "not_found"}}'
NOT_FOUND = answer(404, NOT_FOUND_BODY)


def perform(*answers: bytes | float, **adapter: Any) -> tuple[Any, list[bytes]]:
    """The outcome of a request that gets these responses, and what the server received."""
    values = ({} if any(isinstance(one, float) for one in answers) else PATIENT) | adapter

    async def main() -> tuple[Any, list[bytes]]:
        async with answering(*answers) as (url, heard), reached(url, **values) as acquirer:
            return await acquirer.perform(request(), SECONDS), heard

    return asyncio.run(main())


def test_approval_has_the_acquirers_reference() -> None:
    async def scenario(simulator: Simulator, acquirer: HttpAcquirer) -> None:
        assert await acquirer.perform(request(), SECONDS) == Approved(f"ref-{KEY}")
        assert simulator.book.accounts[f"ref-{KEY}"].captured == 1250

    run(scenario)


def test_decline_is_final_and_not_retried() -> None:
    async def scenario(simulator: Simulator, acquirer: HttpAcquirer) -> None:
        outcome = await acquirer.perform(request(), SECONDS)
        assert isinstance(outcome, Declined)
        assert outcome.reason in {"insufficient_funds", "do_not_honor", "expired_card"}
        assert simulator.book.requests[str(KEY)] == 1
        assert await acquirer.look_up(request(), SECONDS) == outcome

    run(scenario, declined_percent=100)


def test_authorization_capture_and_refunds_succeed_in_turn() -> None:
    async def scenario(simulator: Simulator, acquirer: HttpAcquirer) -> None:
        reference = f"ref-{KEY}"
        assert await acquirer.perform(request(kind=OperationKind.AUTHORIZATION), SECONDS) == Approved(reference)
        later = {"token": None, "reference": reference}
        for kind, amount in ((OperationKind.CAPTURE, 1000), (OperationKind.REFUND, 400), (OperationKind.REFUND, 600)):
            outcome = await acquirer.perform(request(key=uuid4(), kind=kind, amount=amount, **later), SECONDS)
            assert outcome == Approved(reference)
        too_much = await acquirer.perform(request(key=uuid4(), kind=OperationKind.REFUND, amount=1, **later), SECONDS)
        assert too_much == Declined("not_possible")
        account = simulator.book.accounts[reference]
        assert (account.authorized, account.captured, account.refunded) == (0, 1000, 1000)

    run(scenario)


def test_broken_connection_after_success_is_looked_up() -> None:
    async def scenario(simulator: Simulator, acquirer: HttpAcquirer) -> None:
        assert await acquirer.perform(request(), SECONDS) == Approved(f"ref-{KEY}")
        assert simulator.book.requests[str(KEY)] == 1  # looked up, not sent again

    run(scenario, lost_percent=100)


def test_timeout_after_success_is_looked_up() -> None:
    async def scenario(simulator: Simulator, acquirer: HttpAcquirer) -> None:
        assert await acquirer.perform(request(), SECONDS) == Approved(f"ref-{KEY}")
        assert simulator.book.requests[str(KEY)] == 1

    run(scenario, silent_percent=100)


def test_failing_acquirer_gets_a_few_attempts() -> None:
    async def scenario(simulator: Simulator, acquirer: HttpAcquirer) -> None:
        outcome = await acquirer.perform(request(), SECONDS)
        assert isinstance(outcome, NotPerformed)
        assert outcome.cause.startswith("status 50")
        assert simulator.book.requests[str(KEY)] == 3
        assert not simulator.book.entries

    run(scenario, failing_percent=100)


def test_duplicate_response_is_not_taken_for_the_next_request() -> None:
    async def scenario(_: Simulator, acquirer: HttpAcquirer) -> None:
        for _number in range(20):
            one = request(key=uuid4())
            assert await acquirer.perform(one, SECONDS) == Approved(f"ref-{one.key}")

    run(scenario, twice_percent=100)


def test_response_for_another_operation_is_looked_up() -> None:
    other = APPROVED.replace(str(KEY), str(uuid4()))
    outcome, heard = perform(answer(200, other), NOT_FOUND)
    assert outcome == Unknown("response for another operation")
    assert [one.split()[0] for one in heard] == [b"POST", b"GET"]


@pytest.mark.parametrize(
    "wrong",
    [
        APPROVED.replace("1250", "1251"),
        APPROVED.replace("EUR", "USD"),
        APPROVED.replace("sale", "refund"),
        APPROVED.replace("approved", "processing"),
        APPROVED.replace('"reference": "r"', '"reference": null'),
        APPROVED.replace('"r"', f'"{"r" * 129}"'),
        "[]",
        "",
        "<html>",
    ],
)
def test_invalid_response_is_an_unknown_outcome(wrong: str) -> None:
    outcome, _ = perform(answer(200, wrong), NOT_FOUND)
    assert isinstance(outcome, Unknown)


def test_retry_after_is_honoured() -> None:
    began = time.monotonic()
    outcome, heard = perform(answer(503, headers="Retry-After: 1\r\n"), answer(200, APPROVED))
    assert outcome == Approved("r")
    assert time.monotonic() - began >= 1
    assert len(heard) == 2


def test_throttling_is_left_to_the_caller() -> None:
    outcome, heard = perform(answer(429, headers="Retry-After: 1\r\n"), answer(200, APPROVED))
    assert outcome == NotPerformed("status 429", 1.0, Unserved.THROTTLED)
    assert len(heard) == 1


@pytest.mark.parametrize("reference", ["\\u0000", "a\\u0000b", "\\ud800", "", " ", "a b", "r\u00e9f"])
def test_reference_that_the_database_cannot_hold_is_an_unknown_outcome(reference: str) -> None:
    body = APPROVED.replace('"r"', f'"{reference}"')
    outcome, _ = perform(answer(200, body.encode().decode("latin-1")), NOT_FOUND)
    assert outcome == Unknown("invalid response")


@pytest.mark.parametrize("reason", ["\\u0000", "no \\ud800", "\\u00fcber"])
def test_decline_with_an_unprintable_reason_is_a_decline(reason: str) -> None:
    body = APPROVED.replace('"approved", "reference": "r"', f'"declined", "reason": "{reason}"')
    outcome, _ = perform(answer(200, body))
    assert isinstance(outcome, Declined)
    assert "?" in outcome.reason
    assert outcome.reason.isascii()
    assert outcome.reason.isprintable()


OF_ANOTHER_KEY = NOT_FOUND_BODY.replace(str(KEY), "0193a8f0-0000-7000-8000-000000000002")


@pytest.mark.parametrize("body", ["", "<html>", "{}", "[]", f'{{"key": "{KEY}"}}', OF_ANOTHER_KEY])
def test_404_that_does_not_name_the_key_says_nothing_of_the_operation(body: str) -> None:
    async def main() -> None:
        async with answering(answer(404, body)) as (url, _), reached(url) as acquirer:
            assert await acquirer.perform(request(), SECONDS) == Unknown("status 404", Unserved.FAILED)
            assert await acquirer.look_up(request(), SECONDS) == Unknown("look-up: status 404", Unserved.FAILED)

    asyncio.run(main())


def test_retry_after_beyond_the_deadline_is_passed_to_the_caller() -> None:
    outcome, heard = perform(answer(503, headers="Retry-After: 600\r\n"))
    assert outcome == NotPerformed("status 503", 600.0, Unserved.FAILED)
    assert len(heard) == 1


def test_retry_after_may_be_a_date() -> None:
    outcome, _ = perform(answer(503, headers="Retry-After: Fri, 31 Dec 2999 23:59:59 GMT\r\n"))
    assert outcome == NotPerformed("status 503", 3600.0, Unserved.FAILED)


@pytest.mark.parametrize("headers", ["", "Retry-After: soon\r\n", "Retry-After: -5\r\n"])
def test_invalid_retry_after_is_ignored(headers: str) -> None:
    outcome, _ = perform(answer(503, headers=headers), answer(200, APPROVED))
    assert outcome == Approved("r")


@pytest.mark.parametrize("status", [400, 401, 403, 422])
def test_rejected_request_is_not_performed_and_not_looked_up(status: int) -> None:
    outcome, heard = perform(answer(status), tries=1)
    unserved = Unserved.CREDENTIAL_REJECTED if status in {401, 403} else None
    assert outcome == NotPerformed(f"status {status}", unserved=unserved)
    assert len(heard) == 1


@pytest.mark.parametrize("status", [408, 409, 302, 204])
def test_undecided_status_is_an_unknown_outcome(status: int) -> None:
    headers = "Location: http://127.0.0.1:9/\r\n" if status == 302 else ""
    outcome, _ = perform(answer(status, "", headers), NOT_FOUND)
    assert outcome == Unknown(f"status {status}")


def test_timeout_without_a_record_is_an_unknown_outcome() -> None:
    outcome, heard = perform(5.0, NOT_FOUND)
    assert outcome == Unknown("TimeoutError", Unserved.FAILED)
    assert [one.split()[0] for one in heard] == [b"POST", b"GET"]


def test_failed_look_up_is_an_unknown_outcome() -> None:
    outcome, heard = perform(answer(500), answer(500))
    assert outcome == Unknown("status 500", Unserved.FAILED)
    assert [one.split()[0] for one in heard] == [b"POST", b"GET", b"GET", b"GET"]


def test_connection_refused_is_not_performed_and_unknown_to_a_look_up() -> None:
    async def main() -> None:
        with socket.socket() as taken:
            taken.bind(("127.0.0.1", 0))
            async with reached(f"http://127.0.0.1:{taken.getsockname()[1]}") as acquirer:
                assert await acquirer.perform(request(), SECONDS) == NotPerformed(
                    "ConnectError", unserved=Unserved.FAILED
                )
                assert await acquirer.look_up(request(), SECONDS) == Unknown("look-up: ConnectError", Unserved.FAILED)

    asyncio.run(main())


def test_trickling_response_times_out() -> None:
    async def drip(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        with contextlib.suppress(OSError):
            for byte in answer(200, APPROVED):
                writer.write(bytes([byte]))
                await asyncio.sleep(0.05)
        writer.close()

    async def main() -> None:
        async with await asyncio.start_server(drip, "127.0.0.1", 0) as server:
            url = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"
            async with reached(url, total_seconds=0.6) as acquirer:
                began = time.monotonic()
                assert await acquirer.perform(request(), SECONDS) == Unknown("TimeoutError", Unserved.FAILED)
                assert time.monotonic() - began < 2.0  # the whole answer takes eight

    asyncio.run(main())


def test_response_that_is_too_large_is_an_unknown_outcome() -> None:
    outcome, _ = perform(answer(200, "x" * 100_000), NOT_FOUND)
    assert outcome == Unknown("ResponseTooLarge", Unserved.FAILED)


def test_call_ends_within_the_callers_time() -> None:
    async def scenario(_: Simulator, acquirer: HttpAcquirer) -> None:
        began = time.monotonic()
        outcome = await acquirer.perform(request(), 0.2)
        assert isinstance(outcome, Unknown)
        assert time.monotonic() - began < 1.0

    run(scenario, adapter={"read_seconds": 30.0, "total_seconds": 60.0}, silent_percent=100)


def test_call_without_time_sends_nothing() -> None:
    async def scenario(simulator: Simulator, acquirer: HttpAcquirer) -> None:
        assert await acquirer.perform(request(), 0.0) == NotPerformed("no time left", unserved=Unserved.SUSPENDED)
        assert not simulator.book.requests

    run(scenario)


def test_failing_acquirer_opens_the_circuit() -> None:
    breaker = {"window_calls": 4, "min_calls": 4, "open_seconds": 30}

    async def scenario(simulator: Simulator, acquirer: HttpAcquirer) -> None:
        for _ in range(2):
            await acquirer.perform(request(key=uuid4()), SECONDS)
        assert acquirer.open_for_seconds() > 15
        requests = sum(simulator.book.requests.values())
        outcome = await acquirer.perform(request(key=uuid4()), SECONDS)
        assert isinstance(outcome, NotPerformed)
        assert outcome.cause == "circuit open"
        assert outcome.retry_after_seconds > 15
        assert sum(simulator.book.requests.values()) == requests

    run(scenario, adapter={"breaker": breaker, "tries": 2}, silent_percent=0, failing_percent=100)


def test_cancelled_call_is_not_counted_by_the_circuit_breaker() -> None:
    breaker = {"window_calls": 1, "min_calls": 1}

    async def scenario(_: Simulator, acquirer: HttpAcquirer) -> None:
        task = asyncio.create_task(acquirer.perform(request(), SECONDS))
        await asyncio.sleep(0.05)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        assert acquirer.breaker.state is CircuitState.CLOSED

    run(scenario, adapter={"breaker": breaker}, silent_percent=100)


class Keys:
    """A credential that changes after it was rejected."""

    def __init__(self) -> None:
        self.number = 1

    async def header(self) -> str:
        return f"Bearer secret-{self.number}"

    def rejected(self, header: str) -> None:
        assert header == f"Bearer secret-{self.number}"
        self.number += 1


def test_request_has_key_and_credential_and_retries_with_a_rotated_one() -> None:
    async def main() -> None:
        async with answering(answer(401), answer(200, APPROVED)) as (url, heard):
            acquirer = HttpAcquirer(settings(url), credential=Keys())
            assert await acquirer.perform(request(), SECONDS) == Approved("r")
            await acquirer.close()
        for number, one in enumerate(heard, 1):
            assert b"\r\nidempotency-key: " + str(KEY).encode() in one.lower()
            assert f"\r\nauthorization: bearer secret-{number}\r\n".encode() in one.lower()
        assert len(heard) == 2

    asyncio.run(main())


def test_representation_of_a_request_hides_the_token() -> None:
    assert "tok_1" not in repr(request())


@pytest.mark.parametrize(
    ("name", "value"),
    [("base_url", one) for one in ("acquirer", "ftp://a", "https://user@a")] + [("tries", 0), ("read_seconds", 0)],
)
def test_invalid_settings_are_rejected(name: str, value: object) -> None:
    with pytest.raises(ValueError, match=name):
        settings(**{"url": "http://a", name: value} if name != "base_url" else {"url": value})  # type: ignore[arg-type]
