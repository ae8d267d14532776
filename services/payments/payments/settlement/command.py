"""`python -m payments settlement`: the acquirer's settlement files and what differs, for those who run the service.

    settlement files [--limit 31]
    settlement differences [--all] [--limit 1000]
    settlement resolve ID EXPLANATION

Each prints a line of JSON for each thing that it found or changed. A difference that a later file takes back is closed
by itself; `resolve` closes another one, once, with what a person has found out or done about it, such as the number of
the refund. Who it was, the database keeps; the operation itself is not changed: its status is final.
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Sequence
from contextlib import closing
from dataclasses import asdict
from uuid import UUID

from payments.administration import Lines, text_of
from payments.merchants import Refused
from payments.repository import Connection
from payments.repository import settlement as stored
from payments.roles import ADMINISTRATION
from payments.settings import DatabaseSettings, RegionSettings, read

MAX_EXPLANATION = 1000


def run(arguments: Sequence[str]) -> int:
    """Run a command, and print what it found or changed; see the module."""
    for line in perform(arguments):
        print(json.dumps(line, default=str))
    return 0


def perform(arguments: Sequence[str]) -> Lines:
    """Run a command; returns what it found or changed.

    Raises:
        SystemExit: the arguments are wrong, as the standard error says.
        Refused: there is no such difference, or it is closed.
        payments.settings.Misconfigured, psycopg.Error: it could not be run.
    """
    given = _parser().parse_args(arguments)
    region = read(RegionSettings).aws_region
    database = read(DatabaseSettings).database(region, application="settlement", role=ADMINISTRATION)
    with closing(database.connect()) as connection:
        lines: Lines = given.do(connection, given)
    return lines


def _files(connection: Connection, given: argparse.Namespace) -> Lines:
    return [{**asdict(one), "complete": one.is_complete} for one in stored.list_files(connection, given.limit)]


def _differences(connection: Connection, given: argparse.Namespace) -> Lines:
    return [asdict(one) for one in stored.list_differences(connection, given.limit, closed=given.all)]


def _resolve(connection: Connection, given: argparse.Namespace) -> Lines:
    if not stored.close_difference(connection, given.id, given.explanation):
        raise Refused("there is no open difference with this id")
    return [{"id": given.id, "explanation": given.explanation}]


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="payments settlement", description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    commands = parser.add_subparsers(required=True)
    files = commands.add_parser("files")
    files.add_argument("--limit", type=int, default=31)
    files.set_defaults(do=_files)
    differences = commands.add_parser("differences")
    differences.add_argument("--all", action="store_true", help="those that are closed, too")
    differences.add_argument("--limit", type=int, default=1000)
    differences.set_defaults(do=_differences)
    resolve = commands.add_parser("resolve")
    resolve.add_argument("id", type=UUID)
    resolve.add_argument("explanation", type=text_of(MAX_EXPLANATION))
    resolve.set_defaults(do=_resolve)
    return parser
