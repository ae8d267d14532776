"""The details of the operations of dead letters, from the payments service's database.

The service's own command `python -m payments operations` reads them, in a process of its own: the service is a program
with its own root for imports. It finds the database by its own variables (DATABASE_HOST ...), through a tunnel or the
like, as the database's network cannot be reached from outside.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Iterable
from dataclasses import dataclass
from uuid import UUID

import boto3

from operations.outcome import Failed, Refused
from operations.project_root import PROJECT

PENDING = "pending"
"""The status of an operation without a decision of the acquirer."""
EXIT_MISCONFIGURED = 2


@dataclass(frozen=True)
class Facts:
    """An operation in the database. The amount is in minor units of the currency."""

    kind: str
    amount: int
    currency: str
    status: str
    reason: str
    """Why it was declined or failed; of a pending one the last error."""
    attempts: int


def facts_of(operations: Iterable[str], session: boto3.Session) -> dict[str, Facts]:
    """The facts of those of the operations that exist, by id.

    Raises:
        Refused: the variables do not name a database.
        Failed: the database could not be read.
    """
    ended = subprocess.run(
        [sys.executable, "-m", "payments", "operations"],
        input="\n".join(filter(_is_id, operations)),
        env={
            **os.environ,
            "PYTHONPATH": os.pathsep.join((str(PROJECT / "services" / "payments"), str(PROJECT))),
            "AWS_REGION": session.region_name or "",
        },
        capture_output=True,
        text=True,
        check=False,
    )
    if ended.returncode == EXIT_MISCONFIGURED:
        raise Refused(f"--database: {ended.stderr.strip()}")
    lines = [json.loads(line) for line in ended.stdout.splitlines()]
    if ended.returncode:
        cause = lines[-1].get("error", "") if lines else ""
        raise Failed(f"the database could not be read: {cause}")
    return {one.pop("id"): Facts(**one) for one in lines}


def _is_id(text: str) -> bool:
    try:
        UUID(text)
    except ValueError:
        return False
    return True
