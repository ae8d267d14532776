"""Reads settlement files and holds them against the database, both ways: see :mod:`payments.settlement`.

What a line says of a pending operation is the acquirer's word: the operation is completed by it. All else that differs
is stored for a person. A file is read in parts; each is stored with the place where the next one begins, so that a run
without time left is taken up by the next, and a file that is put there again changes nothing. A line that cannot be
read is a difference of its own, and touches no other.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Generator, Sequence
from contextlib import closing
from dataclasses import replace
from datetime import datetime, timedelta
from itertools import islice
from typing import Annotated
from uuid import UUID

import psycopg
from botocore.exceptions import BotoCoreError, ClientError
from pydantic import Field, field_validator
from pydantic_settings import BaseSettings, SettingsConfigDict

from payments import logs
from payments.identifiers import lowest_id
from payments.repository import settlement as stored
from payments.repository import unsettled
from payments.repository.operations import get_claim_status
from payments.repository.settlement import Batch, Difference, DifferenceKind, Known, SettlementFile
from payments.settlement.completion import Completing
from payments.settlement.files import File, Files, Line
from payments.settlement.formats import FORMATS, End, Format, Period, Record, SettledOperation, UnreadableLine
from payments.states import ACQUIRER, OperationStatus
from shared.payment_metrics import RECONCILED, SETTLEMENT_DIFFERENCES, SETTLEMENT_OVERDUE

LINES_OF_A_PART = 500
MIN_SECONDS = 10.0
"""Time left with which another part is read."""
MARGIN = timedelta(minutes=15)
"""How much later than at the acquirer an operation may be completed here, at the end of a period: it is then looked for
in the files up to the next one."""
LOOK_BACK = timedelta(days=3)
"""How much earlier than it was completed an operation of a period may have been created."""


class SettlementSettings(BaseSettings):
    """Where the acquirer's files are. Variables begin with SETTLEMENT_."""

    model_config = SettingsConfigDict(env_prefix="settlement_", frozen=True, hide_input_in_errors=True)

    bucket: Annotated[str, Field(min_length=3)] | None = None
    """Without it no files are read."""
    prefix: Annotated[str, Field(min_length=1)] = "settlement/"
    """What the keys of the files begin with."""
    format: str = "csv"
    """The name of their form (:data:`payments.settlement.formats.FORMATS`)."""

    @field_validator("format")
    @classmethod
    def _known(cls, name: str) -> str:
        if name not in FORMATS:
            raise ValueError(f"is none of {', '.join(FORMATS)}")
        return name


class SettlementFailed(Exception):
    """Files could not be read; a later run goes on. The message names them."""


class Reader:
    """Reads the files, with the same processor as the consumers of the queue."""

    def __init__(self, processor: Completing, files: Files, form: Format, *, acquirer: str = ACQUIRER) -> None:
        """``files`` are those of ``acquirer``."""
        self._acquirer = acquirer
        self._processor = processor
        self._files = files
        self._form = form

    async def run(self, seconds_left: Callable[[], float]) -> int:
        """Read what is new, and measure; returns the number of files that were read to their end.

        Raises:
            SettlementFailed: some could not be read; the others were.
            psycopg.Error, botocore.exceptions.BotoCoreError, botocore.exceptions.ClientError: nothing could be.
        """
        failed, ended = [], 0
        try:
            found = await asyncio.to_thread(self._files.list)
            unread = await self._processor.database.run(
                stored.list_unread_files, [(one.name, one.version) for one in found], self._acquirer
            )
            for file in unread:
                try:
                    ended += await self._one(file, seconds_left)
                except (psycopg.Error, BotoCoreError, ClientError, stored.ReadByAnother) as error:
                    logs.error("settlement file not read", error, file=file.name)
                    failed.append(file.name)
        finally:
            await self._measure()
        if failed:
            raise SettlementFailed(", ".join(failed))
        return ended

    async def _measure(self) -> None:
        database, metrics = self._processor.database, self._processor.metrics
        metrics.add(SETTLEMENT_DIFFERENCES, await database.run(unsettled.count_open_differences, self._acquirer))
        until = await database.run(unsettled.covered_until, self._acquirer)
        since = lowest_id(until) if until else UUID(int=0)
        metrics.add(SETTLEMENT_OVERDUE, await database.run(unsettled.oldest_unsettled_seconds, since, self._acquirer))

    async def _one(self, file: SettlementFile, seconds_left: Callable[[], float]) -> bool:
        """Go on with a file; returns whether all is done."""
        if file.read_at is None:
            with closing(self._lines(file)) as lines:
                while part := await self._part(lines, seconds_left):
                    file = await self._store(file, part)
            if seconds_left() <= MIN_SECONDS:
                return False
            await self._processor.database.run(stored.end_file, file, _of_the_whole(file))
            logs.info("settlement file read", file=file.name, operations=file.operations, matched=file.matched)
        return not file.is_complete or await self._look_for_missing(file, seconds_left)

    def _lines(self, file: SettlementFile) -> Generator[Line, None, None]:
        yield from self._files.lines(File(file.name, file.version), file.next_byte)

    @staticmethod
    async def _part(lines: Generator[Line, None, None], seconds_left: Callable[[], float]) -> list[Line]:
        if seconds_left() <= MIN_SECONDS:
            return []
        return await asyncio.to_thread(lambda: list(islice(lines, LINES_OF_A_PART)))

    async def _store(self, before: SettlementFile, lines: Sequence[Line]) -> SettlementFile:
        """Hold a part of a file against the database, and store what was found; returns how far the file is read."""
        part = _Part(before, self._form)
        for line in lines:
            part.read(line)
        known = await self._processor.database.run(stored.find_named, [one.key for _, one in part.operations])
        for number, operation in part.operations:
            before_it = known.get(operation.key, Known())
            part.hold(number, operation, await self._completed(operation, before_it))
            known[operation.key] = replace(before_it, file=before.name, version=before.version, line=number)
        batch = Batch(before, part.file, part.named, part.agreed, part.differences)
        await self._processor.database.run(stored.store_batch, batch)
        return part.file

    async def _completed(self, line: SettledOperation, known: Known) -> Known:
        """Complete a pending operation as the line says, if it is the same; returns what is known after that."""
        operation = known.operation
        if (
            operation is None
            or operation.status is not OperationStatus.PENDING
            or not _is_same(line, known, self._acquirer)
        ):
            return known
        about = {"operation_id": str(operation.id), "payment_id": str(operation.payment_id)}
        try:
            if line.approved:
                values = {"acquirer_reference": line.reference, "acquirer": self._acquirer}
                first = await self._processor.complete(operation, OperationStatus.SUCCEEDED, **values)
            else:
                values = {"reason": line.reason or "declined"}
                first = await self._processor.complete(operation, OperationStatus.DECLINED, **values)
            if first:
                self._processor.metrics.add(RECONCILED)
                logs.info("decision found in the settlement file", **about)
            status = await self._processor.database.run(get_claim_status, operation.id)
        except psycopg.Error as error:  # it is this operation's alone, and is a difference then
            logs.error("not completed by the settlement file", error, **about)
            return known
        return replace(known, operation=replace(operation, status=status.status)) if status else known

    async def _look_for_missing(self, file: SettlementFile, seconds_left: Callable[[], float]) -> bool:
        """Look for the operations of a file's period; returns whether all are done."""
        begins, ends = _period_of(file)
        last = file.checked_to or lowest_id(begins - MARGIN - LOOK_BACK)
        while seconds_left() > MIN_SECONDS:
            completed = (begins - MARGIN, ends - MARGIN)
            found = await self._processor.database.run(stored.look_for_missing, file, last, lowest_id(ends), completed)
            if found is None:
                return True
            last = found
        return False


class _Part:
    """A part of a file as it is read: what it says, and what it is found to be."""

    def __init__(self, before: SettlementFile, form: Format) -> None:
        self.file = before
        self._form = form
        self.operations: list[tuple[int, SettledOperation]] = []
        self.named: list[tuple[UUID, int]] = []
        self.agreed: set[UUID] = set()
        self.differences: list[Difference] = []

    def read(self, line: Line) -> None:
        """Read the next line."""
        number = self.file.lines + 1
        self.file = replace(self.file, lines=number, next_byte=line.ends)
        try:
            self._take(number, self._parsed(line))
        except UnreadableLine as problem:
            self.file = replace(self.file, unreadable=self.file.unreadable + 1)
            subject = f"{self.file.name}:{number}"
            self.differences.append(Difference(DifferenceKind.UNREADABLE, subject, number, there=str(problem)))

    def _parsed(self, line: Line) -> Record:
        if not line.whole:
            raise UnreadableLine("is too long, or has no end")
        return self._form.parse(line.text)

    def _take(self, number: int, record: Record) -> None:
        if self.file.said_to_have is not None:
            raise UnreadableLine("comes after the end")
        if isinstance(record, Period):
            if self.file.begins:
                raise UnreadableLine("is a second period")
            self.file = replace(self.file, begins=record.begins, ends=record.ends)
        elif isinstance(record, End):
            self.file = replace(self.file, said_to_have=record.operations)
        else:
            self.file = replace(self.file, operations=self.file.operations + 1)
            self.operations.append((number, record))

    def hold(self, number: int, line: SettledOperation, known: Known) -> None:
        """Hold an operation against what is known of it."""
        kind = _difference(self.file, number, line, known)
        if kind is not DifferenceKind.SETTLED_TWICE:
            self.named = [(key, at) for key, at in self.named if key != line.key] + [(line.key, number)]
        if kind is None:
            self.agreed.add(line.key)
            self.file = replace(self.file, matched=self.file.matched + 1)
            return
        operation = known.operation
        self.differences.append(
            Difference(
                kind,
                str(line.key),
                number,
                operation.id if operation else None,
                _told(operation.kind, operation.amount, known.currency, operation.status) if operation else None,
                _told(line.kind, line.amount, line.currency, "approved" if line.approved else "declined"),
            )
        )


def _difference(file: SettlementFile, number: int, line: SettledOperation, known: Known) -> DifferenceKind | None:
    """What differs between a line and what is known of its operation; None where nothing does."""
    if known.file and (known.file != file.name or (known.version == file.version and known.line != number)):
        return DifferenceKind.SETTLED_TWICE
    if known.operation is None:
        return DifferenceKind.MISSING_HERE if line.approved else None  # what was declined has moved no money
    if not _is_same(line, known, file.acquirer):
        return DifferenceKind.AMOUNT_DIFFERS
    succeeded = known.operation.status is OperationStatus.SUCCEEDED
    pending = known.operation.status is OperationStatus.PENDING
    return DifferenceKind.STATUS_DIFFERS if pending or line.approved != succeeded else None


def _is_same(line: SettledOperation, known: Known, acquirer: str) -> bool:
    operation = known.operation
    return operation is not None and (line.kind, line.amount, line.currency, acquirer) == (
        operation.kind,
        operation.amount,
        known.currency,
        operation.acquirer or acquirer,
    )


def _told(kind: str, amount: int, currency: str, status: str) -> str:
    return f"{kind} {amount} {currency} {status}"


def _of_the_whole(file: SettlementFile) -> list[Difference]:
    """What is wrong with a file that is read to its end."""
    if file.is_complete:
        return []
    if file.begins is None:
        problem = "has no period"
    elif file.said_to_have is None:
        problem = "has no end"
    else:
        problem = f"says that it has {file.said_to_have} operations, and has {file.operations}"
    return [Difference(DifferenceKind.INCOMPLETE, file.name, there=problem)]


def _period_of(file: SettlementFile) -> tuple[datetime, datetime]:
    assert file.begins  # noqa: S101 - of a complete file
    assert file.ends  # noqa: S101 - the database stores both
    return file.begins, file.ends
