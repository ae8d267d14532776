"""Limits by merchant: a rate, and a share of the connections, which nobody takes from another (Q3)."""

from __future__ import annotations

import asyncio
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from uuid import uuid4

import httpx
import pytest

from payments.api_keys import ApiKey, KeyMode
from payments.quotas import MAX_ADDRESSES, LookupQuotas, Quota, Quotas, TooManyRequests
from payments.scopes import Scope
from shared import json_lines
from tests.payments.conftest import Platform, Start
from tests.payments.load import until
from tests.payments.support import authorized, keyed
from tests.payments.test_pressure import LOCK

pytestmark = [pytest.mark.requirement("Q3")]

QUOTA = Quota(requests_per_second=10, burst=3, running=2, waiting=1, max_wait_seconds=60)
ONE, OTHER = uuid4(), uuid4()


class Clock:
    now = 0.0

    def __call__(self) -> float:
        return self.now


async def ask(quotas: Quotas, merchant: object) -> int | str:
    """How a request is answered that takes no time: 200, or the seconds after which to try again."""
    try:
        async with quotas.place(merchant):  # type: ignore[arg-type]
            return 200
    except TooManyRequests as error:
        return dict(error.headers or {})["Retry-After"]


def test_burst_is_accepted_and_then_the_rate_of_each_merchant() -> None:
    clock = Clock()
    quotas = Quotas(QUOTA, clock=clock)

    async def run() -> None:
        assert [await ask(quotas, ONE) for _ in range(5)] == [200] * 3 + ["1"] * 2
        assert await ask(quotas, OTHER) == 200, "another merchant has its own"
        clock.now += 0.1
        assert [await ask(quotas, ONE) for _ in range(2)] == [200, "1"]
        clock.now += 3600
        assert [await ask(quotas, ONE) for _ in range(4)] == [200] * 3 + ["1"], "no more than a burst is saved up"

    asyncio.run(run())


def test_retry_after_is_the_time_until_the_rate_allows_a_request() -> None:
    quotas = Quotas(replace(QUOTA, requests_per_second=0.1, burst=1), clock=Clock())

    async def run() -> None:
        assert [await ask(quotas, ONE) for _ in range(2)] == [200, "10"]

    asyncio.run(run())


def test_merchant_at_its_share_waits_and_other_merchants_do_not() -> None:
    quotas = Quotas(replace(QUOTA, burst=100), clock=Clock())

    async def run() -> None:
        end = asyncio.Event()
        begun: list[int] = []

        async def slow() -> None:
            async with quotas.place(ONE):
                begun.append(1)
                await end.wait()

        slow_ones = [asyncio.create_task(slow()) for _ in range(3)]
        await asyncio.sleep(0)
        await asyncio.sleep(0)
        assert len(begun) == 2
        assert await ask(quotas, ONE) == "1", "two run and one waits: there is no place for more"
        assert await ask(quotas, OTHER) == 200
        end.set()
        await asyncio.gather(*slow_ones)
        assert len(begun) == 3
        assert [await ask(quotas, ONE) for _ in range(3)] == [200] * 3, "each has given back what it had"

    asyncio.run(run())


def test_request_that_waits_too_long_for_its_share_gets_429() -> None:
    quotas = Quotas(replace(QUOTA, running=1, max_wait_seconds=0.01), clock=Clock())

    async def run() -> None:
        async with quotas.place(ONE):
            with pytest.raises(TooManyRequests):
                await asyncio.create_task(_place(quotas))
        await _place(quotas)

    asyncio.run(run())


def test_refusals_come_late_up_to_a_number_and_none_of_them_holds_up_an_accepted_request(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("payments.quotas.MAX_WITHHELD", 2)
    quotas = Quotas(replace(QUOTA, burst=1, refusal_seconds=60), clock=Clock())

    async def run() -> None:
        assert await ask(quotas, ONE) == 200
        late = [asyncio.create_task(ask(quotas, ONE)) for _ in range(2)]
        await asyncio.sleep(0)
        assert await ask(quotas, ONE) == "1", "two are withheld, which are as many as may be"
        assert await ask(quotas, OTHER) == 200
        assert not any(one.done() for one in late)
        for one in late:
            one.cancel()
        await asyncio.wait(late)
        late = [asyncio.create_task(ask(quotas, ONE)) for _ in range(2)]
        await asyncio.sleep(0)
        assert not any(one.done() for one in late), "whoever has gone leaves a place"
        for one in late:
            one.cancel()

    asyncio.run(run())


async def _place(quotas: Quotas) -> None:
    async with quotas.place(ONE):
        pass


def test_flood_of_one_merchant_leaves_connections_to_others(service_platform: Platform, start: Start) -> None:
    """One merchant's requests are all held by the database; another's are answered meanwhile."""
    running = start(service_platform, DATABASE_CONNECTIONS="5", WAITING_SECONDS="20", PUBLISHES="false")
    with service_platform.merchants() as merchants:
        key = merchants.create_key(merchants.make("another").id, [Scope.PAYMENTS_READ])[1].text
    answers: list[httpx.Response] = []
    with ThreadPoolExecutor(60) as clients, service_platform.database.connect() as blocker:
        with blocker.transaction():
            blocker.execute(f"{LOCK.replace('ACCESS EXCLUSIVE', 'EXCLUSIVE')}")  # nobody writes, who reads may
            for _ in range(60):
                clients.submit(lambda: answers.append(running.create()))
            until(lambda: bool(answers), "answer to the flood")
            assert {answer.status_code for answer in answers} == {429}
            with httpx.Client(base_url=running.url, headers=authorized(key), trust_env=False) as other:
                for _ in range(20):
                    assert other.get("/api/v1/payments", headers=keyed()).status_code == 200
            assert {answer.status_code for answer in answers} == {429}
        until(lambda: len(answers) == 60, "answers to all")
    problems = [answer for answer in answers if answer.status_code == 429]
    assert {one.json()["type"] for one in problems} == {"urn:payments:problem:too-many-requests"}
    assert all(int(one.headers["Retry-After"]) >= 1 for one in problems)
    assert {answer.status_code for answer in answers} == {202, 429}


def test_unknown_credentials_of_an_address_are_bounded_and_found_ones_count_for_nothing() -> None:
    clock = Clock()
    quotas = LookupQuotas(per_second=0.5, burst=3, clock=clock)
    for _ in range(10):
        quotas.take("192.0.2.1")()
    for address in ("192.0.2.1", "2001:db8::1"):
        for _ in range(3):
            quotas.take(address)
        with pytest.raises(TooManyRequests) as refused:
            quotas.take(address)
        assert dict(refused.value.headers or {})["Retry-After"] == "2"
    with pytest.raises(TooManyRequests):
        quotas.take("2001:db8::ffff")  # which is of the same site
    quotas.take("192.0.2.2")
    clock.now += 2
    quotas.take("192.0.2.1")


def test_addresses_that_are_remembered_are_bounded() -> None:
    quotas = LookupQuotas(per_second=1, burst=1, clock=Clock())
    for number in range(MAX_ADDRESSES + 1):
        quotas.take(f"10.{number >> 16}.{number >> 8 & 255}.{number & 255}")
    quotas.take("10.0.0.0")  # the first one was forgotten


QUERIES = "SELECT calls FROM pg_stat_user_functions WHERE funcname = 'credential_of'"


def test_guessed_keys_cost_a_bounded_number_of_queries_and_keep_no_merchant_out(
    service_platform: Platform, start: Start
) -> None:
    """Three hundred well-formed keys of one address, which forges others; a merchant behind another is answered."""
    settings = {"UNKNOWN_CREDENTIALS_BURST": "10", "UNKNOWN_CREDENTIALS_PER_SECOND": "0.001", "PUBLISHES": "false"}
    with service_platform.database.connect() as superuser:
        superuser.execute(f"ALTER DATABASE {service_platform.database.name} SET track_functions = 'all'")
    running = start(service_platform, **settings)
    assert running.create().status_code == 202

    def guess(number: int) -> httpx.Response:
        forwarded = {"X-Forwarded-For": f"203.0.113.{number % 250}, 198.51.100.7"}
        return running.client.get(
            "/api/v1/payments", headers={**authorized(ApiKey.make(KeyMode.TEST).text), **forwarded}
        )

    with ThreadPoolExecutor(20) as guessers:
        answers = list(guessers.map(guess, range(300)))
    assert [sum(one.status_code == status for one in answers) for status in (401, 429)] == [10, 290]
    assert all(int(one.headers["Retry-After"]) >= 1 for one in answers if one.status_code == 429)
    # Of the same address: who is known goes on, who is not waits; of another one each merchant is answered.
    with service_platform.merchants() as merchants:
        key = merchants.create_key(merchants.make("another").id, [Scope.PAYMENTS_READ])[1].text
    own, others = {"X-Forwarded-For": "198.51.100.7"}, {"X-Forwarded-For": "198.51.100.8"}
    assert running.client.get("/api/v1/payments", headers=own).status_code == 200
    assert running.client.get("/api/v1/payments", headers={**authorized(key), **own}).status_code == 429
    assert running.client.get("/api/v1/payments", headers={**authorized(key), **others}).status_code == 200
    assert running.stop() == 0
    with service_platform.database.connect() as superuser:
        assert superuser.execute(QUERIES).fetchone() == (12,), "ten guesses and two merchants"
    lines = list(json_lines.read(running.log))
    counted = [sum(line.get(name, 0) for line in lines) for name in ("RequestsUnauthenticated", "RequestsThrottled")]
    assert counted == [10, 291]
