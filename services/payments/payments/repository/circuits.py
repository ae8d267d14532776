"""The circuits of the acquirers: rows that all processes read and write."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta

from payments.repository.records import Connection
from payments.states import ACQUIRER

COLUMNS = """
    failures, times_opened, extract(epoch FROM open_until - now())::float,
    coalesce(extract(epoch FROM trial_until - now()), 0)::float
"""


@dataclass(frozen=True)
class Circuit:
    """The state of a circuit when it was read."""

    failures: int = 0
    """Calls in a row that the acquirer has not served."""
    times_opened: int = 0
    """In a row."""
    open_seconds: float | None = None
    """For how long it stays open; negative where it is half open, None where it is closed."""
    trial_seconds: float = 0.0
    """For how long another process makes the trial call."""


def get_circuit(connection: Connection, name: str = ACQUIRER) -> Circuit:
    """The state of an acquirer's circuit."""
    query = f"SELECT {COLUMNS} FROM payments.circuits WHERE name = %s"  # noqa: S608 - constants
    row = connection.execute(query, (name,)).fetchone()
    return Circuit(*row) if row else Circuit()


def begin_trial(connection: Connection, duration: timedelta, name: str = ACQUIRER) -> bool:
    """Begin the trial call of a half-open circuit; returns whether it is this process that makes it."""
    return bool(
        connection.execute(
            """
            UPDATE payments.circuits SET trial_until = now() + %s
            WHERE name = %s AND open_until <= now() AND (trial_until IS NULL OR trial_until <= now())
            """,
            (duration, name),
        ).rowcount
    )


def close_circuit(connection: Connection, name: str = ACQUIRER) -> None:
    """A call was served: close the circuit, unless another call has opened it in the meantime."""
    connection.execute(
        """
        UPDATE payments.circuits
        SET failures = 0, times_opened = 0, open_until = NULL, trial_until = NULL, cause = NULL
        WHERE name = %s AND (open_until IS NULL OR open_until <= now())
        """,
        (name,),
    )


def count_failure(
    connection: Connection, cause: str, duration: timedelta, failures: int, name: str = ACQUIRER
) -> Circuit:
    """A call was not served: count it, and open the circuit for ``duration`` where that makes so many ``failures``.

    A half-open circuit opens again with any failure. While it is open, what fails late is not counted.

    Returns:
        The state of the circuit.
    """
    if name != ACQUIRER:  # whose row the schema comes with
        connection.execute("INSERT INTO payments.circuits (name) VALUES (%s) ON CONFLICT DO NOTHING", (name,))
    connection.execute(
        """
        UPDATE payments.circuits AS circuit SET
            failures = circuit.failures + 1,
            times_opened = times_opened + opens::integer,
            open_until = CASE WHEN opens THEN now() + %(duration)s END,
            trial_until = NULL,
            cause = %(cause)s
        FROM (
            SELECT name, open_until IS NOT NULL OR failures + 1 >= %(failures)s AS opens FROM payments.circuits
            WHERE name = %(name)s FOR UPDATE
        ) AS before
        WHERE circuit.name = before.name AND (open_until IS NULL OR open_until <= now())
        """,
        {"duration": duration, "cause": cause, "failures": failures, "name": name},
    )
    return get_circuit(connection, name)
