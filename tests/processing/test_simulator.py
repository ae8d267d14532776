"""The simulated acquirer: reproducible faults, a correct book, and many requests at the same time."""

from __future__ import annotations

import asyncio
import json
from collections import Counter
from typing import Any
from uuid import UUID, uuid4

import httpx
import pytest

from rehearsal.acquirer import Behaviour
from rehearsal.book import Book, InvalidRequest
from tests.processing.support import simulated

SALE = {"kind": "sale", "amount": 100, "currency": "EUR", "token": "tok_1"}
SHARES = {"failing": 5.0, "slow": 5.0, "lost": 2.0, "silent": 1.0, "twice": 1.0}


def test_faults_have_their_shares_and_are_reproduced_by_the_seed() -> None:
    behaviour = Behaviour(seed=7, **{f"{name}_percent": share for name, share in SHARES.items()})
    keys = [str(UUID(int=number)) for number in range(20_000)]

    faults = Counter(behaviour.fault(key, 1) for key in keys)

    for name, share in SHARES.items():
        assert faults[name] == pytest.approx(share * 200, rel=0.2)
    assert faults == Counter(behaviour.model_copy().fault(key, 1) for key in reversed(keys))
    assert faults != Counter(behaviour.model_copy(update={"seed": 8}).fault(key, 1) for key in keys)


def test_key_is_performed_once_and_rejected_for_another_request() -> None:
    book = Book()
    first = book.enter("k", SALE, "")

    assert book.enter("k", SALE, "do_not_honor") is first
    for changed in ({"amount": 101}, {"currency": "USD"}, {"token": "tok_2"}):
        with pytest.raises(InvalidRequest):
            book.enter("k", {**SALE, **changed}, "")
    assert book.summary()["sums"] == {"sale EUR": 100}
    assert book.summary()["repeated"] == 1


def test_summary_names_tokens_that_were_charged_twice() -> None:
    book = Book()
    book.enter("a", SALE, "")
    book.enter("b", SALE, "insufficient_funds")
    assert book.summary()["charged_twice"] == []

    book.enter("c", {**SALE, "kind": "authorization"}, "")

    assert book.summary()["charged_twice"] == ["tok_1"]


@pytest.mark.parametrize("wrong", [{"amount": 0}, {"amount": True}, {"amount": "1"}, {"kind": "gift"}, {"token": ""}])
def test_invalid_request_is_rejected_without_an_entry(wrong: dict[str, Any]) -> None:
    book = Book()
    with pytest.raises(InvalidRequest):
        book.enter("k", {**SALE, **wrong}, "")
    assert not book.entries


def test_two_thousand_requests_can_wait_at_the_same_time() -> None:
    """Requests that nobody answers stay with it; each is a timer, and each was entered."""
    at_once = 2000

    async def one(port: int) -> asyncio.StreamWriter:
        _, writer = await asyncio.open_connection("127.0.0.1", port)
        body = json.dumps({**SALE, "token": str(uuid4())}).encode()
        head = f"POST /v1/operations HTTP/1.1\r\nIdempotency-Key: {uuid4()}\r\nContent-Length: {len(body)}\r\n\r\n"
        writer.write(head.encode() + body)
        return writer

    async def main() -> None:
        async with simulated(silent_percent=100) as (simulator, url):
            writers = await asyncio.gather(*(one(int(url.rpartition(":")[2])) for _ in range(at_once)))
            while simulator.in_flight < at_once:
                await asyncio.sleep(0.01)
            assert simulator.book.summary()["sums"] == {"sale EUR": 100 * at_once}
            for writer in writers:
                writer.close()
            while simulator.in_flight:
                await asyncio.sleep(0.01)
            assert simulator.max_in_flight == at_once

    asyncio.run(asyncio.wait_for(main(), 120))


def test_request_by_another_api_key_is_refused_and_enters_nothing() -> None:
    async def main() -> None:
        async with simulated(api_keys=("issued",)) as (simulator, url), httpx.AsyncClient(base_url=url) as client:
            statuses = [
                (await client.request(method, "/v1/operations" + path, json=SALE, headers=headers)).status_code
                for method, path in (("POST", ""), ("GET", "/k"))
                for headers in (
                    {"Authorization": "Bearer former", "Idempotency-Key": "k"},
                    {"Authorization": "Bearer issued", "Idempotency-Key": "k"},
                )
            ]
            assert statuses == [401, 200, 401, 200]
            assert simulator.book.summary()["sums"] == {"sale EUR": 100}
            shown = (await client.put("/_behaviour", json={"api_keys": ["other"]})).text
            assert "other" not in shown

    asyncio.run(main())
