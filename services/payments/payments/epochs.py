"""Epochs of the database (:mod:`payments.repository.epochs`), for those who run the service.

    epochs list [--limit 10]
    epochs begin CAUSE

Each returns a line for each epoch, the newest first: when it began, its cause, and whether that was since the server
that is the writer has started. What is older than the last epoch is looked up at the acquirer before it is requested.
`begin` begins one, unless one of this cause has begun since the writer has started, so that it may be repeated; it
returns the one that there is then.
"""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from contextlib import closing
from dataclasses import asdict

from payments.administration import Lines, text_of
from payments.repository import Connection
from payments.repository.epochs import MAX_CAUSE, begin_epoch_once, list_epochs
from payments.roles import ADMINISTRATION
from payments.settings import DatabaseSettings, RegionSettings, read


def perform(arguments: Sequence[str]) -> Lines:
    """Run a command; returns what it began or found.

    Raises:
        SystemExit: the arguments are wrong, as the standard error says.
        payments.settings.Misconfigured, psycopg.Error: it could not be run.
    """
    given = _parser().parse_args(arguments)
    region = read(RegionSettings).aws_region
    database = read(DatabaseSettings).database(region, application="epochs", role=ADMINISTRATION)
    with closing(database.connect()) as connection:
        lines: Lines = given.do(connection, given)
    return lines


def _list(connection: Connection, given: argparse.Namespace) -> Lines:
    return [asdict(one) for one in list_epochs(connection, given.limit)]


def _begin(connection: Connection, given: argparse.Namespace) -> Lines:
    begin_epoch_once(connection, given.cause)
    return [asdict(one) for one in list_epochs(connection) if one.cause == given.cause][:1]


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="payments epochs", description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    commands = parser.add_subparsers(required=True)
    found = commands.add_parser("list")
    found.add_argument("--limit", type=int, default=10)
    found.set_defaults(do=_list)
    begin = commands.add_parser("begin")
    begin.add_argument("cause", type=text_of(MAX_CAUSE))
    begin.set_defaults(do=_begin)
    return parser
