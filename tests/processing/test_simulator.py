"""The simulated acquirer does to each request what the seed says, keeps its book right, and bears many at once."""

from __future__ import annotations

import asyncio
import json
from collections import Counter
from typing import Any
from uuid import UUID, uuid4

import pytest

from rehearsal.acquirer import Behaviour
from rehearsal.book import Book, Refused
from tests.processing.support import simulated

SALE = {"kind": "sale", "amount": 100, "currency": "EUR", "token": "tok_1"}
SHARES = {"failing": 5.0, "slow": 5.0, "lost": 2.0, "silent": 1.0, "twice": 1.0}


def test_shares_come_true_and_again_with_the_same_seed() -> None:
    behaviour = Behaviour(seed=7, **{f"{name}_percent": share for name, share in SHARES.items()})
    keys = [str(UUID(int=number)) for number in range(20_000)]

    befallen = Counter(behaviour.of(key, 1) for key in keys)

    for name, share in SHARES.items():
        assert befallen[name] == pytest.approx(share * 200, rel=0.2)
    assert befallen == Counter(behaviour.model_copy().of(key, 1) for key in reversed(keys))
    assert befallen != Counter(behaviour.model_copy(update={"seed": 8}).of(key, 1) for key in keys)


def test_a_key_is_entered_once_and_not_with_another_request() -> None:
    book = Book()
    first = book.enter("k", SALE, "")

    assert book.enter("k", SALE, "do_not_honor") is first
    for changed in ({"amount": 101}, {"currency": "USD"}, {"token": "tok_2"}):
        with pytest.raises(Refused):
            book.enter("k", {**SALE, **changed}, "")
    assert book.summary()["sums"] == {"sale EUR": 100}
    assert book.summary()["asked_again"] == 1


def test_the_book_tells_who_was_charged_twice() -> None:
    book = Book()
    book.enter("a", SALE, "")
    book.enter("b", SALE, "insufficient_funds")
    assert book.summary()["charged_twice"] == []

    book.enter("c", {**SALE, "kind": "authorization"}, "")

    assert book.summary()["charged_twice"] == ["tok_1"]


@pytest.mark.parametrize("wrong", [{"amount": 0}, {"amount": True}, {"amount": "1"}, {"kind": "gift"}, {"token": ""}])
def test_a_wrong_request_is_not_entered(wrong: dict[str, Any]) -> None:
    book = Book()
    with pytest.raises(Refused):
        book.enter("k", {**SALE, **wrong}, "")
    assert not book.entries


def test_many_at_once() -> None:
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
            assert simulator.most_in_flight == at_once

    asyncio.run(asyncio.wait_for(main(), 120))
