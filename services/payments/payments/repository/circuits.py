"""The circuit of the acquirer: a row that all processes read and write."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta

from payments.repository.records import Connection

ACQUIRER = "acquirer"
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


def get_circuit(connection: Connection) -> Circuit:
    """The state of the circuit."""
    query = f"SELECT {COLUMNS} FROM payments.circuits WHERE name = %s"  # noqa: S608 - constants
    row = connection.execute(query, (ACQUIRER,)).fetchone()
    return Circuit(*row) if row else Circuit()


def begin_trial(connection: Connection, duration: timedelta) -> bool:
    """Begin the trial call of a half-open circuit; returns whether it is this process that makes it."""
    return bool(
        connection.execute(
            """
            UPDATE payments.circuits SET trial_until = now() + %s
            WHERE name = %s AND open_until <= now() AND (trial_until IS NULL OR trial_until <= now())
            """,
            (duration, ACQUIRER),
        ).rowcount
    )


def close_circuit(connection: Connection) -> None:
    """A call was served: close the circuit, unless another call has opened it in the meantime."""
    connection.execute(
        """
        UPDATE payments.circuits
        SET failures = 0, times_opened = 0, open_until = NULL, trial_until = NULL, cause = NULL
        WHERE name = %s AND (open_until IS NULL OR open_until <= now())
        """,
        (ACQUIRER,),
    )


def count_failure(connection: Connection, cause: str, duration: timedelta, failures: int) -> Circuit:
    """A call was not served: count it, and open the circuit for ``duration`` where that makes so many ``failures``.

    A half-open circuit opens again with any failure. While it is open, what fails late is not counted.

    Returns:
        The state of the circuit.
    """
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
        {"duration": duration, "cause": cause, "failures": failures, "name": ACQUIRER},
    )
    return get_circuit(connection)
