"""Two acquirers over HTTP, each with its own book: a payment is charged at one of them, whatever is out of order."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

import psycopg
import pytest

from payments import repository
from payments.acquirer.port import AcquirerRequest, LookUp
from payments.acquirer.settings import AcquirerOptions, OtherAcquirer, Route, RoutingSettings
from payments.identifiers import new_id
from payments.messages import ProcessOperation
from payments.metrics import MetricRecorder
from payments.processing.consumer import GivenUp, Redelivery, consume
from payments.processing.executor import DatabaseExecutor
from payments.processing.processor import Processor
from payments.processing.reconciler import Reconciler
from payments.processing.routing import Router
from payments.processing.settings import ProcessingSettings, ReconciliationSettings
from payments.repository import IdempotencyKey, NewOperation, NewPayment, StoredResponse
from payments.settings import Misconfigured
from payments.states import ACQUIRER, OperationKind
from rehearsal.acquirer import Behaviour, Simulator
from tests.payments.conftest import Database
from tests.payments.support import BY
from tests.processing.support import OneConnection, accepted, reached, requested, simulated

pytestmark = [pytest.mark.requirement("Q7", "Q4")]

SECOND = "second"
BOTH = RoutingSettings(
    acquirers={SECOND: OtherAcquirer(base_url="http://second.invalid")},
    acquirer_routes=(Route(currencies=frozenset({"SEK"}), acquirers=(SECOND,)), Route(acquirers=(ACQUIRER, SECOND))),
)
OPEN = "UPDATE payments.circuits SET failures = 10, times_opened = 1, open_until = now() + interval '1 hour'"
CLOSED = "UPDATE payments.circuits SET failures = 0, times_opened = 0, open_until = NULL"
EXPIRE = "UPDATE payments.operations SET claimed_until = now() - interval '1 second' WHERE claimed_until IS NOT NULL"
LOSE_EVERYTHING = "TRUNCATE payments.payments, payments.operations, payments.outbox, payments.idempotency_keys"


class Killed(BaseException):
    """The process ends here."""


@dataclass
class TwoAcquirers:
    """A router, both acquirers and the database."""

    simulators: dict[str, Simulator]
    connection: psycopg.Connection[Any]
    processors: dict[str, Processor]
    routing: RoutingSettings = BOTH

    async def consume(self, message: ProcessOperation) -> Redelivery | GivenUp | None:
        """As a process that has just been started, which knows no circuit yet."""
        for name, processor in self.processors.items():
            again = Processor(processor.database, processor.acquirer, processor.metrics, processor.settings, name=name)
            self.processors[name] = again
        return await consume(Router(self.processors, self.routing), "m", message.to_json(), 1, 30.0)

    def open(self, name: str) -> None:
        self.connection.execute("INSERT INTO payments.circuits (name) VALUES (%s) ON CONFLICT DO NOTHING", (name,))
        self.connection.execute(f"{OPEN} WHERE name = %s", (name,))

    def close(self) -> None:
        self.connection.execute(CLOSED)

    def status(self, message: ProcessOperation) -> str:
        found = repository.get_payment(self.connection, BY.merchant_id, message.payment_id)
        assert found
        return found.status.value

    def charged(self) -> dict[str, dict[str, int]]:
        """The sums in the book of each acquirer; nobody is charged twice at one of them."""
        books = {name: one.book.summary() for name, one in self.simulators.items()}
        assert [book["charged_twice"] for book in books.values()] == [[], []]
        return {name: book["sums"] for name, book in books.items()}

    def crash_after_request(self, name: str) -> None:
        """Let the process end once an acquirer has performed an operation, before anything of it is stored."""
        acquirer = self.processors[name].acquirer
        perform = acquirer.perform

        async def crash(request: AcquirerRequest, seconds: float) -> Any:
            acquirer.perform = perform  # type: ignore[method-assign]
            await perform(request, seconds)
            raise Killed

        acquirer.perform = crash  # type: ignore[method-assign]


@asynccontextmanager
async def two_acquirers(database: Database) -> AsyncIterator[TwoAcquirers]:
    quick = ProcessingSettings(call_seconds=5.0, claim_margin_seconds=5.0, first_delay_seconds=4.0)
    executor = DatabaseExecutor(OneConnection(database.connect), 8)
    recorder = MetricRecorder("test", "tests")
    simulators, processors = {}, {}
    async with AsyncExitStack() as stack:
        connection = stack.enter_context(database.connect())
        for name in (ACQUIRER, SECOND):
            simulators[name], url = await stack.enter_async_context(simulated())
            acquirer = await stack.enter_async_context(reached(url, read_seconds=10.0, total_seconds=12.0))
            processors[name] = Processor(executor, acquirer, recorder, quick, name=name)
        yield TwoAcquirers(simulators, connection, processors)
    executor.close()


Scenario = Callable[[TwoAcquirers], Awaitable[None]]
Run = Callable[[Scenario], None]


@pytest.fixture
def run(database: Database) -> Run:
    def run(scenario: Scenario) -> None:
        async def main() -> None:
            async with two_acquirers(database) as made:
                await scenario(made)

        asyncio.run(main())

    return run


def test_payment_goes_where_its_route_says_and_what_follows_to_the_acquirer_that_authorized_it(run: Run) -> None:
    async def scenario(world: TwoAcquirers) -> None:
        krona = accepted(world.connection, OperationKind.AUTHORIZATION, currency="SEK")
        euro = accepted(world.connection)
        for message in (krona, euro):
            assert await world.consume(message) is None
        world.routing = RoutingSettings(acquirers=BOTH.acquirers)  # another release routes otherwise
        assert await world.consume(requested(world.connection, krona.payment_id, OperationKind.CAPTURE, 1000)) is None
        assert await world.consume(requested(world.connection, krona.payment_id, OperationKind.REFUND, 400)) is None
        assert world.charged() == {
            SECOND: {"authorization SEK": 1250, "capture SEK": 1000, "refund SEK": 400},
            ACQUIRER: {"sale EUR": 1250},
        }

    run(scenario)


def test_new_payment_goes_to_the_next_acquirer_while_the_circuit_of_the_first_is_open(run: Run) -> None:
    async def scenario(world: TwoAcquirers) -> None:
        world.open(ACQUIRER)
        message = accepted(world.connection)
        assert await world.consume(message) is None
        assert world.charged() == {ACQUIRER: {}, SECOND: {"sale EUR": 1250}}
        world.open(SECOND)
        waiting = accepted(world.connection)
        assert isinstance(await world.consume(waiting), Redelivery)
        assert world.status(waiting) == "accepted"

    run(scenario)


def test_payment_that_was_not_performed_goes_to_the_next_acquirer_once_the_circuit_is_open(run: Run) -> None:
    async def scenario(world: TwoAcquirers) -> None:
        world.simulators[ACQUIRER].behaviour = Behaviour(down=True)
        message = accepted(world.connection)
        assert isinstance(await world.consume(message), Redelivery)
        world.open(ACQUIRER)
        assert await world.consume(message) is None
        world.simulators[ACQUIRER].behaviour = Behaviour()
        world.close()
        assert await world.consume(message) is None
        assert world.charged() == {ACQUIRER: {}, SECOND: {"sale EUR": 1250}}

    run(scenario)


def test_payment_of_a_process_that_ended_after_its_request_is_never_requested_from_another_acquirer(run: Run) -> None:
    async def scenario(world: TwoAcquirers) -> None:
        message = accepted(world.connection)
        world.crash_after_request(ACQUIRER)
        with pytest.raises(Killed):
            await world.consume(message)
        world.connection.execute(EXPIRE)
        world.open(ACQUIRER)
        for _ in range(3):
            assert isinstance(await world.consume(message), Redelivery)
        assert world.charged() == {ACQUIRER: {"sale EUR": 1250}, SECOND: {}}
        world.close()
        assert await world.consume(message) is None
        assert world.status(message) == "captured"
        assert world.charged() == {ACQUIRER: {"sale EUR": 1250}, SECOND: {}}

    run(scenario)


def test_payment_that_once_may_have_been_performed_stays_although_a_look_up_has_not_found_it(run: Run) -> None:
    """The request of the process that ended may still be under way to the acquirer."""

    async def scenario(world: TwoAcquirers) -> None:
        message = accepted(world.connection)
        world.crash_after_request(ACQUIRER)
        with pytest.raises(Killed):
            await world.consume(message)
        late = world.simulators[ACQUIRER].book.entries.pop(str(message.acquirer_key))
        world.connection.execute(EXPIRE)
        world.simulators[ACQUIRER].behaviour = Behaviour(down=True)  # look-ups work, and find nothing
        assert isinstance(await world.consume(message), Redelivery)
        world.open(ACQUIRER)
        assert isinstance(await world.consume(message), Redelivery)
        world.simulators[ACQUIRER].book.entries[str(message.acquirer_key)] = late
        world.simulators[ACQUIRER].behaviour = Behaviour()
        world.close()
        assert await world.consume(message) is None
        assert world.charged()[SECOND] == {}

    run(scenario)


def pay(world: TwoAcquirers) -> ProcessOperation:
    """A merchant's request, the same each time; returns its message."""
    now = datetime.now(UTC)
    first = NewOperation(new_id(now), new_id(now), OperationKind.SALE, 1250, "c", now)
    key = IdempotencyKey("order-1", b"f" * 32)
    payment = NewPayment("EUR", "tok_1", None, first)
    repository.create_payment(world.connection, BY, payment, key, StoredResponse(202, "{}"))
    with world.connection.transaction():
        (one,) = repository.claim_outbox_messages(world.connection, 10)
        repository.delete_outbox_messages(world.connection, [one.id])
    return ProcessOperation(one.operation_id, one.payment_id, one.correlation_id, acquirer_key=one.acquirer_key)


def test_repeat_of_lost_rows_meets_the_charge_at_whichever_acquirer_it_is(run: Run) -> None:
    async def scenario(world: TwoAcquirers) -> None:
        world.open(ACQUIRER)
        assert await world.consume(pay(world)) is None
        assert world.charged() == {ACQUIRER: {}, SECOND: {"sale EUR": 1250}}
        world.connection.execute(LOSE_EVERYTHING)
        repository.begin_epoch(world.connection, "restored")
        again = pay(world)
        assert isinstance(await world.consume(again), Redelivery), "the first cannot be asked what it has performed"
        world.close()
        assert await world.consume(again) is None
        assert world.status(again) == "captured"
        refund = requested(world.connection, again.payment_id, OperationKind.REFUND, 1250)
        assert await world.consume(refund) is None
        assert world.charged() == {ACQUIRER: {}, SECOND: {"sale EUR": 1250, "refund EUR": 1250}}

    run(scenario)


def test_acquirers_share_the_time_in_which_they_are_asked_for_a_repeat(run: Run) -> None:
    async def scenario(world: TwoAcquirers) -> None:
        repository.begin_epoch(world.connection, "restored")
        message, asked = pay(world), list[tuple[str, float]]()
        patient = ProcessingSettings(call_seconds=50.0, claim_margin_seconds=5.0)
        for name, processor in world.processors.items():
            acquirer = processor.acquirer
            again = Processor(processor.database, acquirer, processor.metrics, patient, name=name)
            world.processors[name] = again

            async def noted(request: AcquirerRequest, seconds: float, name: str = name, ask: Any = acquirer) -> Any:
                asked.append((name, seconds))
                return await type(ask).look_up(ask, request, seconds)

            acquirer.look_up = noted  # type: ignore[method-assign]
        await Router(world.processors, world.routing).process(message, 60.0)
        assert world.status(message) == "captured"
        assert asked[:2] == [(ACQUIRER, 30.0), (SECOND, 30.0)]

    run(scenario)


def test_reconciler_looks_an_operation_up_at_its_acquirer(run: Run) -> None:
    async def scenario(world: TwoAcquirers) -> None:
        message = accepted(world.connection, currency="SEK", age_seconds=30)
        world.crash_after_request(SECOND)
        with pytest.raises(Killed):
            await world.consume(message)
        world.connection.execute(EXPIRE)
        world.open(ACQUIRER)
        settings = ReconciliationSettings(min_age_seconds=0)
        report = await Reconciler(Router(world.processors, BOTH), settings).run(lambda: 60.0)
        assert report.results == {"completed": 1}
        assert world.status(message) == "captured"

    run(scenario)


def test_claim_for_another_acquirer_is_refused_while_it_may_have_been_performed(run: Run) -> None:
    async def scenario(world: TwoAcquirers) -> None:
        message = accepted(world.connection)
        over = timedelta(seconds=-1)
        assert repository.claim(world.connection, message.operation_id, over)
        assert repository.claim(world.connection, message.operation_id, over, acquirer=SECOND) is None
        # As the version before claims, which knows one acquirer.
        world.connection.execute("UPDATE payments.operations SET acquirer = NULL")
        assert repository.claim(world.connection, message.operation_id, over, acquirer=SECOND) is None
        assert repository.claim(world.connection, message.operation_id, over)

    run(scenario)


@pytest.mark.parametrize(
    ("routing", "said"),
    [
        ({"acquirer_routes": [{"acquirers": ["third"]}]}, "route 1 names third, which ACQUIRERS lacks"),
        ({"acquirer_routes": [{"acquirers": [ACQUIRER, ACQUIRER]}]}, "route 1 names an acquirer twice"),
        (
            {
                "acquirers": {SECOND: {"base_url": "http://a.invalid", "look_up": LookUp.BY_FILE}},
                "acquirer_routes": [{"acquirers": [ACQUIRER, SECOND]}],
            },
            "route 1 has second beside others, which can look nothing up",
        ),
        ({"acquirers": {ACQUIRER: {"base_url": "http://a.invalid"}}}, "acquirer is the one of the ACQUIRER_ variables"),
    ],
)
def test_routes_that_could_charge_twice_or_go_nowhere_are_refused(routing: dict[str, Any], said: str) -> None:
    with pytest.raises(Misconfigured, match=said):
        RoutingSettings.model_validate(routing).check(AcquirerOptions(base_url="http://first.invalid"))
