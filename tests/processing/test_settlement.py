"""The acquirer's settlement file against the database, both ways: what agrees, what differs, and what a person does."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID, uuid4

import psycopg
import pytest

from payments.merchants import Refused
from payments.messages import ProcessOperation
from payments.repository import settlement as stored
from payments.repository.settlement import DifferenceKind, StoredDifference
from payments.settlement import reader
from payments.settlement.command import _differences, _files, _parser, _resolve
from payments.settlement.files import File, Line, split
from payments.settlement.formats import Csv, UnreadableLine
from payments.settlement.reader import Reader
from payments.states import OperationKind
from rehearsal.settlement import settlement_file
from shared import payment_metrics as metrics
from tests.payments.conftest import Database
from tests.processing.support import World, accepted, requested, world

pytestmark = [pytest.mark.requirement("Q6")]

Scenario = Callable[[World, "Folder"], Awaitable[None]]
BEGINS = datetime.now(UTC) - timedelta(hours=20)
ENDS = BEGINS + timedelta(days=1)


@dataclass
class Folder:
    """The bucket, in this process. A file that is written again is another version."""

    files: dict[str, bytes] = field(default_factory=dict)
    versions: dict[str, int] = field(default_factory=dict)

    def put(self, name: str, text: str) -> None:
        self.files[name] = text.encode()
        self.versions[name] = self.versions.get(name, 0) + 1

    def list(self) -> list[File]:
        return [File(name, str(self.versions[name])) for name in sorted(self.files)]

    def lines(self, file: File, offset: int) -> Iterator[Line]:
        content = self.files[file.name][offset:]
        return split((content[at : at + 100] for at in range(0, len(content), 100)), offset)


def run(database: Database, scenario: Scenario, **values: Any) -> None:
    async def main() -> None:
        async with world(database, **values) as made:
            await scenario(made, Folder())

    asyncio.run(main())


async def read(world: World, folder: Folder, seconds: float = 60.0) -> int:
    return await Reader(world.processor, folder, Csv()).run(lambda: seconds)


def book(world: World, begins: datetime = BEGINS, ends: datetime = ENDS) -> list[str]:
    """The acquirer's file, of its own book."""
    return list(settlement_file(world.simulator.book.entries.values(), begins, ends))


def differences(world: World, *, closed: bool = False) -> list[StoredDifference]:
    return stored.list_differences(world.connection, 1000, closed=closed)


def kinds(world: World) -> list[DifferenceKind]:
    return [one.kind for one in differences(world)]


def completed_before(world: World, seconds: float) -> None:
    """Let every operation have been completed so long ago."""
    world.connection.execute(
        "UPDATE payments.operations SET completed_at = completed_at - %s, settled_at = settled_at - %s",
        (timedelta(seconds=seconds),) * 2,
    )


async def captured(world: World, amount: int = 1250) -> ProcessOperation:
    message = accepted(world.connection, amount=amount)
    await world.process(message)
    return message


def test_file_of_the_acquirers_own_book_agrees_with_the_database(database: Database) -> None:
    async def scenario(world: World, folder: Folder) -> None:
        sale = await captured(world)
        authorization = accepted(world.connection, OperationKind.AUTHORIZATION, 900)
        await world.process(authorization)
        await world.process(requested(world.connection, authorization.payment_id, OperationKind.CAPTURE, 400))
        await world.process(requested(world.connection, sale.payment_id, OperationKind.REFUND, 250))
        world.behave(declined_percent=100)
        await captured(world)
        completed_before(world, 3600)
        await read(world, folder)
        assert world.measured(metrics.SETTLEMENT_OVERDUE)[-1] == pytest.approx(3600, abs=60), "no file yet"

        folder.put("2026-11-27.csv", "".join(book(world)))
        assert await read(world, folder) == 1

        assert not differences(world)
        (file,) = stored.list_files(world.connection, 10)
        assert (file.operations, file.matched, file.is_complete) == (5, 5, True)
        assert world.measured(metrics.SETTLEMENT_DIFFERENCES) == [0, 0]
        assert world.measured(metrics.SETTLEMENT_OVERDUE)[-1] == 0
        assert await read(world, folder) == 0, "it is read once"
        folder.put("2026-11-27.csv", "".join(book(world)))
        assert await read(world, folder) == 1
        assert not differences(world), "nor does a file differ that is put there again"

    run(database, scenario)


@pytest.mark.requirement("Q4")
@pytest.mark.parametrize(("declined_percent", "status"), [(0, "captured"), (100, "declined")])
def test_pending_operation_ends_by_the_acquirers_word(database: Database, declined_percent: int, status: str) -> None:
    async def scenario(world: World, folder: Folder) -> None:
        message = accepted(world.connection)
        world.behave(silent_percent=100, declined_percent=declined_percent)
        with pytest.raises(Exception, match="retry in"):
            await world.process(message, 6.0)
        assert world.status(message) == "accepted"

        folder.put("file", "".join(book(world)))
        await read(world, folder)

        assert world.status(message) == status
        assert not differences(world)
        assert world.measured(metrics.RECONCILED) == [1]
        assert world.requests(message) == 1

    run(database, scenario, adapter={"read_seconds": 5.0})


@pytest.mark.requirement("Q7")
def test_file_of_an_acquirer_is_held_against_the_operations_that_were_requested_from_it(database: Database) -> None:
    async def scenario(world: World, folder: Folder) -> None:
        first, second = await captured(world), await captured(world, 900)
        world.connection.execute(
            "UPDATE payments.operations SET acquirer = 'second' WHERE id = %s", (second.operation_id,)
        )
        completed_before(world, 3600)
        begins, *lines, end = book(world)
        folder.put("first", "".join([begins, *(one for one in lines if str(first.acquirer_key) in one), "end,1\n"]))
        await read(world, folder)
        assert not differences(world), "the other one is in another acquirer's file"
        theirs = Folder()
        theirs.put("second-without", f"{begins}end,0\n")
        await Reader(world.processor, theirs, Csv(), acquirer="second").run(lambda: 60.0)
        assert kinds(world) == [DifferenceKind.MISSING_THERE]
        folder.put("first-with-both", "".join([begins, *lines, end]))
        await read(world, folder)
        assert DifferenceKind.AMOUNT_DIFFERS in kinds(world), "it was requested from the other acquirer"

    run(database, scenario)


def test_all_that_differs_is_found_and_touches_nothing_else(database: Database) -> None:
    async def scenario(world: World, folder: Folder) -> None:
        messages = {name: await captured(world) for name in ("same", "amount", "status", "missing", "twice", "broken")}
        pending = accepted(world.connection)
        completed_before(world, 3600)
        lines = {name: f",{message.acquirer_key}," for name, message in messages.items()}
        found = book(world)
        by = {name: next(line for line in found if key in line) for name, key in lines.items()}
        stranger = by["same"].replace(str(messages["same"].acquirer_key), str(uuid4()))
        other_amount = by["amount"].replace(str(messages["amount"].acquirer_key), str(pending.acquirer_key))
        changed = [
            *(found[0], by["same"], by["amount"].replace(",1250,", ",1251,")),
            *(by["status"].replace(",approved,", ",declined,"), by["twice"], by["twice"], stranger),
            *(by["broken"].replace(",1250,", ",12 50,"), "x" * 5000 + "\n", "\xff\n", "operation,1\n"),
            *(other_amount.replace(",EUR,", ",USD,"), "end,8\n"),
        ]
        folder.put("file", "".join(changed))
        folder.put("other", "".join(book(world)[:1]))
        await read(world, folder)

        of = {one.subject: one for one in differences(world)}
        keys = {name: str(message.acquirer_key) for name, message in messages.items()}
        assert of[keys["amount"]].kind is DifferenceKind.AMOUNT_DIFFERS
        assert (of[keys["amount"]].here, of[keys["amount"]].there) == (
            "sale 1250 EUR succeeded",
            "sale 1251 EUR approved",
        )
        assert of[keys["status"]].kind is DifferenceKind.STATUS_DIFFERS
        assert of[keys["missing"]].kind is DifferenceKind.MISSING_THERE
        assert of[keys["twice"]].kind is DifferenceKind.SETTLED_TWICE
        assert of[keys["broken"]].kind is DifferenceKind.MISSING_THERE, "its line cannot be read"
        assert of[str(pending.acquirer_key)].kind is DifferenceKind.AMOUNT_DIFFERS
        assert world.status(pending) == "accepted"
        assert keys["same"] not in of
        assert {one.line for one in differences(world) if one.kind is DifferenceKind.UNREADABLE} == {8, 9, 10, 11}
        assert of["other"].there == "has no end"
        assert kinds(world).count(DifferenceKind.MISSING_HERE) == 1
        assert world.measured(metrics.SETTLEMENT_DIFFERENCES) == [len(of)]
        assert not [one for one in differences(world) if "12 50" in str(one)], "nothing of a line that is not valid"

        folder.put("file", "".join([*found[:-1], f"end,{len(found) - 2}\n"]))
        folder.put("other", "".join([found[0], "end,0\n"]))
        await read(world, folder)
        left = {DifferenceKind.SETTLED_TWICE, DifferenceKind.MISSING_HERE, DifferenceKind.AMOUNT_DIFFERS}
        assert set(kinds(world)) == left, "what a newer version takes back is closed by itself"
        assert [one.subject for one in differences(world) if one.kind is DifferenceKind.AMOUNT_DIFFERS] == [
            str(pending.acquirer_key)
        ]

    run(database, scenario)


def test_run_without_time_is_taken_up_where_it_ended(database: Database, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(reader, "LINES_OF_A_PART", 2)

    async def scenario(world: World, folder: Folder) -> None:
        for _ in range(4):
            await captured(world)
        folder.put("file", "".join(book(world)))
        left = iter((60.0, 60.0, 0.0, 0.0))
        assert await Reader(world.processor, folder, Csv()).run(lambda: next(left)) == 0
        (file,) = stored.list_files(world.connection, 1)
        assert (file.lines, file.read_at) == (4, None)
        assert await read(world, folder) == 1
        (file,) = stored.list_files(world.connection, 1)
        assert (file.lines, file.matched) == (6, 4)
        assert not differences(world)

    run(database, scenario)


def test_failing_file_and_failing_operation_stop_no_other(database: Database, monkeypatch: pytest.MonkeyPatch) -> None:
    async def scenario(world: World, folder: Folder) -> None:
        poisoned, well = accepted(world.connection), accepted(world.connection)
        world.behave(silent_percent=100)
        for message in (poisoned, well):
            with pytest.raises(Exception, match="retry in"):
                await world.process(message, 6.0)
        complete = world.processor.complete

        async def failing(operation: Any, *args: Any, **values: Any) -> bool:
            if operation.id == poisoned.operation_id:
                raise psycopg.errors.LockNotAvailable
            return await complete(operation, *args, **values)

        monkeypatch.setattr(world.processor, "complete", failing)
        folder.put("a-broken-file", "")
        folder.put("b", "".join(book(world)))
        lines = folder.lines

        def gone(file: File, offset: int) -> Iterator[Line]:
            if file.name == "a-broken-file":
                raise psycopg.OperationalError
            return lines(file, offset)

        monkeypatch.setattr(folder, "lines", gone)
        with pytest.raises(reader.SettlementFailed, match="a-broken-file"):
            await read(world, folder)
        assert world.status(well) == "captured"
        assert [(one.kind, one.operation_id) for one in differences(world)] == [
            (DifferenceKind.STATUS_DIFFERS, poisoned.operation_id)
        ]
        assert world.measured(metrics.SETTLEMENT_DIFFERENCES) == [1], "metrics are written whatever happens"

    run(database, scenario, adapter={"read_seconds": 5.0})


@pytest.mark.requirement("Q3")
def test_person_lists_and_resolves_once_and_the_audit_says_who(database: Database) -> None:
    async def scenario(world: World, folder: Folder) -> None:
        line = f"operation,{uuid4()},ref,sale,700,EUR,approved,,{ENDS.isoformat()}\n"
        folder.put("file", "".join([book(world)[0], line, "end,1\n"]))
        await read(world, folder)
        (found,) = differences(world)

        resolve = _parser().parse_args(["resolve", str(found.id), "refunded as case 17"])
        with role(world.connection, "payments_administration_rights"):
            _resolve(world.connection, resolve)
            with pytest.raises(Refused):
                _resolve(world.connection, resolve)
            assert not _differences(world.connection, _parser().parse_args(["differences"]))
            (shown,) = _differences(world.connection, _parser().parse_args(["differences", "--all"]))
            (file,) = _files(world.connection, _parser().parse_args(["files"]))
        assert (shown["explanation"], shown["closed_by"]) == ("refunded as case 17", "postgres")
        assert (file["complete"], file["operations"]) == (True, 1)
        rows = world.connection.execute(
            "SELECT action, login FROM payments.audit_events WHERE object_id = %s ORDER BY id", (found.id,)
        ).fetchall()
        assert rows == [("settlement_difference.found", "postgres"), ("settlement_difference.closed", "postgres")]
        for statement in (
            "UPDATE payments.settlement_differences SET explanation = 'other', closed_at = NULL",
            "DELETE FROM payments.settlement_differences",
        ):
            with pytest.raises(psycopg.errors.CheckViolation):
                world.connection.execute(statement)
        folder.put("file", "".join([book(world)[0], line, "end,1\n"]))
        await read(world, folder)
        assert not differences(world), "what was resolved is not found again"

    run(database, scenario)


@contextmanager
def role(connection: psycopg.Connection[Any], name: str) -> Iterator[None]:
    connection.execute(f"SET ROLE {name}")
    yield
    connection.execute("RESET ROLE")


@pytest.mark.parametrize(
    "line",
    [
        "",
        "period,2,2026-11-27T00:00:00Z,2026-11-28T00:00:00Z",
        "period,1,2026-11-27T00:00:00Z,2026-11-27T00:00:00Z",
        "period,1,2026-11-27T00:00:00,2026-11-28T00:00:00Z",
        "end,-1",
        'end,"1',
        *(
            f"operation,{key},{reference},{kind},{amount},{currency},{status},,{at}"
            for key, reference, kind, amount, currency, status, at in (
                ("k", "r", "sale", "1", "EUR", "approved", "2026-11-27T00:00:00Z"),
                (UUID(int=1), "\0", "sale", "1", "EUR", "approved", "2026-11-27T00:00:00Z"),
                (UUID(int=1), "r", "sail", "1", "EUR", "approved", "2026-11-27T00:00:00Z"),
                (UUID(int=1), "r", "sale", "0", "EUR", "approved", "2026-11-27T00:00:00Z"),
                (UUID(int=1), "r", "sale", "1.5", "EUR", "approved", "2026-11-27T00:00:00Z"),
                (UUID(int=1), "r", "sale", "٣", "EUR", "approved", "2026-11-27T00:00:00Z"),
                (UUID(int=1), "r", "sale", "1", "eur", "approved", "2026-11-27T00:00:00Z"),
                (UUID(int=1), "r", "sale", "1", "EUR", "maybe", "2026-11-27T00:00:00Z"),
                (UUID(int=1), "r", "sale", "1", "EUR", "approved", "0001-01-01T00:00:00+23:00"),
            )
        ),
    ],
)
def test_line_without_the_form_is_refused(line: str) -> None:
    with pytest.raises(UnreadableLine) as refused:
        Csv().parse(line.encode())
    assert line not in str(refused.value) or not line


def test_lines_are_the_same_in_chunks_of_any_size() -> None:
    content = b"first\n\n" + b"y" * 5000 + b"\nlast\nrest"
    whole = list(split(iter([content]), 7))
    assert [(len(one.text), one.ends, one.whole) for one in whole] == [
        (5, 13, True),
        (0, 14, True),
        (2048, 5015, False),
        (4, 5020, True),
        (4, 5024, False),
    ]
    for size in (1, 3, 2049):
        assert list(split((content[at : at + size] for at in range(0, len(content), size)), 7)) == whole
