"""The command that makes or verifies the state bucket of an environment."""

from __future__ import annotations

import boto3
from rich.console import Console
from rich.table import Table

from operations.account import aws_errors_in_words, refuse_other_account
from operations.state.bucket import Finding, Outcome, StateBucket
from settings import Settings

STYLES = {Outcome.CREATED: "green", Outcome.CHANGED: "yellow", Outcome.RIGHT: "dim"}


def run(settings: Settings, console: Console) -> None:
    """Create or verify the state bucket with the credentials that boto3 finds, and print the result.

    Raises:
        Refused: the credentials belong to another account, or the bucket cannot be corrected.
        Failed: an AWS call failed.
    """
    with aws_errors_in_words():
        session = boto3.Session(region_name=settings.primary.name)
        refuse_other_account(settings, session)
        findings = StateBucket(settings, session.client("s3"), session.client("kms")).bootstrap()
    console.print(_table(findings))


def _table(findings: list[Finding]) -> Table:
    table = Table("state bucket", "", "now", box=None, pad_edge=False)
    for one in findings:
        table.add_row(one.item, f"[{STYLES[one.outcome]}]{one.outcome}", one.detail)
    return table
