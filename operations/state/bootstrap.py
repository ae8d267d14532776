"""The command that makes or verifies the state bucket of an environment, and its replica in the recovery region."""

from __future__ import annotations

from typing import Any

import boto3
from rich.console import Console
from rich.table import Table

from operations.account import aws_errors_in_words, refuse_other_account
from operations.outcome import Refused
from operations.state.bucket import Finding, Outcome, Place, StateBucket
from operations.state.replication import StateReplication
from settings import Settings

STYLES = {Outcome.CREATED: "green", Outcome.CHANGED: "yellow", Outcome.RIGHT: "dim"}


def run(settings: Settings, console: Console) -> None:
    """Create or verify both with the credentials that boto3 finds, and print the result.

    Raises:
        Refused: the credentials belong to another account, or a bucket cannot be corrected.
        Failed: an AWS call failed.
    """
    with aws_errors_in_words():
        session = boto3.Session(region_name=settings.primary.name)
        refuse_other_account(settings, session)
        found = bootstrap(settings, session.client)
    for title, findings in found.items():
        console.print(_table(title, findings))


def bootstrap(settings: Settings, client: Any) -> dict[str, list[Finding]]:
    """Create or verify the bucket, its replica and the replication, by a table's title.

    Args:
        settings: of an environment.
        client: makes a client for a service and a region, as boto3's session does.

    Raises:
        Refused: with a line for each property of either that cannot be corrected; then nothing has been changed.
        botocore.exceptions.ClientError: AWS did not allow a call, or it failed.
    """
    places = Place.of_bucket(settings), Place.of_replica(settings)
    s3 = [client("s3", region_name=one.region) for one in places]
    own, replica = (
        StateBucket(settings, its, client("kms", region_name=one.region), place=one)
        for its, one in zip(s3, places, strict=True)
    )
    lines = [*own.problems(), *replica.problems()]
    replication = StateReplication(settings, client("iam", region_name=settings.primary.name), own, replica)
    if lines := [*lines, *replication.problems(s3[0])]:
        raise Refused("\n".join(lines))
    return {
        "state bucket": own.ready(),
        "its replica": replica.ready(),
        "replication": replication.ready(*s3),
    }


def _table(title: str, findings: list[Finding]) -> Table:
    table = Table(title, "", "now", box=None, pad_edge=False)
    for one in findings:
        table.add_row(one.item, f"[{STYLES[one.outcome]}]{one.outcome}", one.detail)
    return table
