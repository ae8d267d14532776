"""Settlement files as they are read, the operations that they name, and the differences that were found."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from enum import StrEnum
from typing import Any
from uuid import UUID

from payments.repository.operations import COLUMNS as OPERATION_COLUMNS
from payments.repository.operations import operation_of
from payments.repository.records import Connection, Operation
from payments.states import ACQUIRER

COLUMNS = (
    "id, name, version, begins, ends, next_byte, lines, operations, matched, unreadable, said_to_have, read_at, "
    f"checked_to, checked_at, coalesce(acquirer, '{ACQUIRER}')"
)
SETTLED_KINDS = ("sale", "capture", "refund")
"""The kinds of operations that move money."""


class DifferenceKind(StrEnum):
    """What differs between a settlement file and the database."""

    MISSING_HERE = "missing_here"
    """The acquirer has performed what the database does not have."""
    MISSING_THERE = "missing_there"
    """An operation has succeeded here, and the file of its time does not name it."""
    AMOUNT_DIFFERS = "amount_differs"
    """Kind, amount or currency differ, or it was requested from another acquirer."""
    STATUS_DIFFERS = "status_differs"
    """One has performed it, and the other has not."""
    SETTLED_TWICE = "settled_twice"
    """It is named twice, in one file or in two."""
    UNREADABLE = "unreadable"
    """A line does not have the form."""
    INCOMPLETE = "incomplete"
    """The file is cut short."""


class ReadByAnother(Exception):
    """Another process has read on in the file; nothing was stored."""


@dataclass(frozen=True)
class SettlementFile:
    """A version of a file, and how far it was read."""

    id: int
    name: str
    version: str
    begins: datetime | None
    """The period that it is of."""
    ends: datetime | None
    next_byte: int
    lines: int
    operations: int
    matched: int
    """Operations that are the same here."""
    unreadable: int
    """Lines."""
    said_to_have: int | None
    """Operations, by its last line."""
    read_at: datetime | None
    """When it was read to its end."""
    checked_to: UUID | None
    """The last operation that was looked for in it."""
    checked_at: datetime | None
    """When all operations of its period had been looked for in it."""
    acquirer: str
    """Whose file it is."""

    @property
    def is_complete(self) -> bool:
        """Whether it has a period and as many operations as it says, apart from lines that cannot be read."""
        missing = -1 if self.said_to_have is None else self.said_to_have - self.operations
        return self.begins is not None and 0 <= missing <= self.unreadable


@dataclass(frozen=True)
class Difference:
    """A difference that was found."""

    kind: DifferenceKind
    subject: str
    """The operation's key; of a line that cannot be read its file and number, and the file's name of a whole file."""
    line: int | None = None
    operation_id: UUID | None = None
    here: str | None = None
    there: str = ""


@dataclass(frozen=True)
class StoredDifference:
    """A difference, as it is listed."""

    id: UUID
    kind: DifferenceKind
    subject: str
    file: str
    line: int | None
    operation_id: UUID | None
    here: str | None
    there: str
    found_at: datetime
    closed_at: datetime | None
    closed_by: str | None
    explanation: str | None


@dataclass(frozen=True)
class Known:
    """An operation of the database, with its currency, and the line that has named it before."""

    operation: Operation | None = None
    currency: str = ""
    file: str | None = None
    version: str | None = None
    line: int | None = None


@dataclass(frozen=True)
class Batch:
    """What a part of a file is found to be."""

    before: SettlementFile
    after: SettlementFile
    named: Sequence[tuple[UUID, int]]
    """The operations' keys and lines."""
    agreed: Collection[UUID]
    """The keys of those that are the same here."""
    differences: Sequence[Difference]


def list_unread_files(
    connection: Connection, found: Sequence[tuple[str, str]], acquirer: str = ACQUIRER
) -> list[SettlementFile]:
    """Those of an acquirer's files, by name and version, that are new or not read to the end, in the order found."""
    names = list({name for name, _ in found})
    query = f"SELECT {COLUMNS} FROM payments.settlement_files WHERE name = ANY(%s)"  # noqa: S608 - constants
    stored = {(one.name, one.version): one for one in (_file_of(row) for row in connection.execute(query, (names,)))}
    for name, version in found:
        if (name, version) not in stored:
            row = connection.execute(
                f"""
                INSERT INTO payments.settlement_files (name, version, acquirer) VALUES (%s, %s, %s)
                ON CONFLICT (name, version) DO UPDATE SET name = excluded.name RETURNING {COLUMNS}
                """,  # noqa: S608 - constants
                (name, version, acquirer),
            ).fetchone()
            if row:
                stored[name, version] = _file_of(row)
    files = [stored[one] for one in found]
    return [one for one in files if one.read_at is None or (one.is_complete and one.checked_at is None)]


def list_files(connection: Connection, limit: int) -> list[SettlementFile]:
    """The files that were found last, newest first."""
    query = f"SELECT {COLUMNS} FROM payments.settlement_files ORDER BY id DESC LIMIT %s"  # noqa: S608 - constants
    return [_file_of(row) for row in connection.execute(query, (limit,))]


def find_named(connection: Connection, keys: Sequence[UUID]) -> dict[UUID, Known]:
    """What is known of the operations of these keys; those of which nothing is known are left out."""
    names = ", ".join(f"operation.{name.strip()}" for name in OPERATION_COLUMNS.split(","))
    rows = connection.execute(
        f"""
        SELECT {names}, payment.currency
        FROM payments.operations AS operation JOIN payments.payments AS payment ON payment.id = operation.payment_id
        WHERE operation.acquirer_key = ANY(%(keys)s)
            OR (operation.id = ANY(%(keys)s) AND operation.acquirer_key IS NULL)
        """,  # noqa: S608 - constants
        {"keys": list(keys)},
    )
    known = {}
    for *values, currency in rows:
        operation = operation_of(values)
        known[operation.acquirer_key] = Known(operation, currency)
    named = connection.execute(
        """
        SELECT acquirer_key, name, version, line
        FROM payments.settlement_lines JOIN payments.settlement_files ON settlement_files.id = file_id
        WHERE acquirer_key = ANY(%s)
        """,
        (list(keys),),
    )
    for key, name, version, line in named:
        known[key] = replace(known.get(key, Known()), file=name, version=version, line=line)
    return known


def store_batch(connection: Connection, batch: Batch) -> None:
    """Store what a part of a file is found to be, and how far it is read.

    Raises:
        ReadByAnother: another process has stored it.
    """
    after = batch.after
    with connection.transaction():
        stored = connection.execute(
            """
            UPDATE payments.settlement_files SET begins = %s, ends = %s, next_byte = %s, lines = %s, operations = %s,
                matched = %s, unreadable = %s, said_to_have = %s
            WHERE id = %s AND next_byte = %s AND read_at IS NULL
            """,
            (
                *(after.begins, after.ends, after.next_byte, after.lines, after.operations, after.matched),
                *(after.unreadable, after.said_to_have, after.id, batch.before.next_byte),
            ),
        ).rowcount
        if not stored:
            raise ReadByAnother(after.name)
        connection.execute(
            """
            INSERT INTO payments.settlement_lines (acquirer_key, file_id, line)
            SELECT key, %s, line FROM unnest(%s::uuid[], %s::bigint[]) AS named (key, line)
            ON CONFLICT (acquirer_key) DO UPDATE SET file_id = excluded.file_id, line = excluded.line
            """,
            (after.id, [key for key, _ in batch.named], [line for _, line in batch.named]),
        )
        _add(connection, after.id, batch.differences)
        # One that is settled twice is no less so for another line that agrees.
        connection.execute(
            """
            UPDATE payments.settlement_differences
            SET closed_at = now(), closed_by = '', explanation = 'a later line agrees'
            WHERE subject = ANY(%s) AND closed_at IS NULL AND kind <> 'settled_twice'
            """,
            ([str(key) for key in batch.agreed],),
        )
        # It was looked for in vain, and is named now, whatever else differs.
        connection.execute(
            """
            UPDATE payments.settlement_differences
            SET closed_at = now(), closed_by = '', explanation = 'a later line names it'
            WHERE subject = ANY(%s) AND closed_at IS NULL AND kind = 'missing_there'
            """,
            ([str(key) for key, _ in batch.named],),
        )


def end_file(connection: Connection, file: SettlementFile, differences: Iterable[Difference]) -> None:
    """Store that a file is read to its end. One that is complete closes what was wrong with its earlier versions."""
    with connection.transaction():
        connection.execute(
            "UPDATE payments.settlement_files SET read_at = now() WHERE id = %s AND read_at IS NULL", (file.id,)
        )
        _add(connection, file.id, differences)
        if file.is_complete and not file.unreadable:
            connection.execute(
                """
                UPDATE payments.settlement_differences AS difference
                SET closed_at = now(), closed_by = '', explanation = 'read again, in a newer version'
                FROM payments.settlement_files AS file
                WHERE file.id = difference.file_id AND file.name = %s AND file.id < %s
                    AND difference.closed_at IS NULL AND kind IN ('unreadable', 'incomplete')
                """,
                (file.name, file.id),
            )


def look_for_missing(
    connection: Connection,
    file: SettlementFile,
    after: UUID,
    until: UUID,
    completed: tuple[datetime, datetime],
) -> UUID | None:
    """Look for the next operations in the lines, and store those that no file names.

    Args:
        connection: to the database.
        file: of whose period they are.
        after: the operation before them.
        until: later ones are of no interest.
        completed: from when to when an operation was completed that the file should name; without the end.

    Returns:
        The last one of them; None where all are done, which is stored.
    """
    with connection.transaction():
        row = connection.execute(
            """
            SELECT id FROM (
                SELECT id FROM payments.operations WHERE id > %s AND id < %s ORDER BY id LIMIT 5000
            ) AS page ORDER BY id DESC LIMIT 1
            """,
            (after, until),
        ).fetchone()
        if row is None:
            connection.execute("UPDATE payments.settlement_files SET checked_at = now() WHERE id = %s", (file.id,))
            return None
        (last,) = row
        connection.execute(
            """
            INSERT INTO payments.settlement_differences (subject, kind, file_id, operation_id, here)
            SELECT coalesce(acquirer_key, operation.id), 'missing_there', %(file)s, operation.id,
                concat_ws(' ', kind, operation.amount, payment.currency, operation.status)
            FROM payments.operations AS operation JOIN payments.payments AS payment ON payment.id = payment_id
            WHERE operation.id > %(after)s AND operation.id <= %(last)s AND operation.status = 'succeeded'
                AND kind = ANY(%(kinds)s) AND completed_at >= %(begins)s AND completed_at < %(ends)s
                AND coalesce(operation.acquirer, %(default)s) = %(acquirer)s
                AND NOT EXISTS (
                    SELECT FROM payments.settlement_lines AS line
                    WHERE line.acquirer_key = coalesce(operation.acquirer_key, operation.id)
                )
            ON CONFLICT (subject, kind, there) DO NOTHING
            """,
            {
                "file": file.id,
                "after": after,
                "last": last,
                "kinds": list(SETTLED_KINDS),
                "acquirer": file.acquirer,
                "default": ACQUIRER,
                "begins": completed[0],
                "ends": completed[1],
            },
        )
        connection.execute("UPDATE payments.settlement_files SET checked_to = %s WHERE id = %s", (last, file.id))
    return UUID(str(last))


def list_differences(connection: Connection, limit: int, *, closed: bool) -> list[StoredDifference]:
    """Differences, oldest first: the open ones, or with ``closed`` all of them."""
    rows = connection.execute(
        """
        SELECT difference.id, kind, subject, name, line, operation_id, here, there, difference.found_at, closed_at,
            closed_by, explanation
        FROM payments.settlement_differences AS difference JOIN payments.settlement_files AS file ON file.id = file_id
        WHERE closed_at IS NULL OR %s ORDER BY difference.found_at, difference.id LIMIT %s
        """,
        (closed, limit),
    )
    return [StoredDifference(id_, DifferenceKind(kind), *values) for id_, kind, *values in rows]


def close_difference(connection: Connection, difference_id: UUID, explanation: str) -> bool:
    """Close a difference with a person's explanation; returns whether it was open. The database stores who it was."""
    return bool(
        connection.execute(
            """
            UPDATE payments.settlement_differences SET closed_at = now(), closed_by = '', explanation = %s
            WHERE id = %s AND closed_at IS NULL
            """,
            (explanation, difference_id),
        ).rowcount
    )


def _add(connection: Connection, file_id: int, differences: Iterable[Difference]) -> None:
    with connection.cursor() as cursor:
        cursor.executemany(
            """
            INSERT INTO payments.settlement_differences (file_id, subject, kind, line, operation_id, here, there)
            VALUES (%s, %s, %s, %s, %s, %s, %s) ON CONFLICT (subject, kind, there) DO NOTHING
            """,
            [
                (file_id, one.subject, one.kind.value, one.line, one.operation_id, one.here, one.there)
                for one in differences
            ],
        )


def _file_of(row: Sequence[Any]) -> SettlementFile:
    return SettlementFile(*row)
