"""What the payments service's database knows of the operations that dead letters ask for.

The database is found by the service's own variables (DATABASE_HOST ..., AWS_REGION), through whatever leads to it: it
stands in a network that nobody reaches from outside.
"""

from __future__ import annotations

import sys
from collections.abc import Iterable
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from uuid import UUID

import boto3

from operations.outcome import Failed, Refused

# The service is a program of its own, with its own root for imports.
SERVICE = str(Path(__file__).parents[2] / "services" / "payments")


@dataclass(frozen=True)
class Facts:
    """An operation as the database has it. The amount is in minor units of the currency."""

    kind: str
    amount: int
    currency: str
    state: str
    reason: str
    """Why it has no answer, or why the acquirer said no."""
    attempts: int


def facts_of(operations: Iterable[str], session: boto3.Session) -> dict[str, Facts]:
    """What is known of these operations, by id.

    Raises:
        Refused: the variables do not say where the database is.
        Failed: it cannot be asked.
    """
    if SERVICE not in sys.path:
        sys.path.append(SERVICE)
    import psycopg

    from payments.settings import DatabaseSettings, Misconfigured, read

    try:
        database = read(DatabaseSettings).database(session.region_name, application="redrive")
    except Misconfigured as problem:
        raise Refused(f"--database: {problem}") from None
    ids = [one for one in map(_id, operations) if one]
    try:
        with closing(database.connect()) as connection:
            rows = connection.execute(
                """
                SELECT operation.id, kind, operation.amount, currency, operation.state,
                    coalesce(reason, last_error, ''), attempts
                FROM payments.operations AS operation JOIN payments.payments AS payment ON payment.id = payment_id
                WHERE operation.id = ANY(%s)
                """,
                (ids,),
            ).fetchall()
    except psycopg.Error as error:
        raise Failed(f"the database cannot be asked: {type(error).__name__}") from None
    return {str(id_): Facts(*values) for id_, *values in rows}


def _id(text: str) -> UUID | None:
    try:
        return UUID(text)
    except ValueError:
        return None
