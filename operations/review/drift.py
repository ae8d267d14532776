"""The drift command: the plan of the settings against what AWS has, as a page; the exit code says whether it is empty.

Exit codes: 0 no drift, 3 drift. What settings or code have changed since the last deployment is in the page, too: a
nightly run of what has been deployed shows what somebody or something else has changed.
"""

from __future__ import annotations

import sys
from collections.abc import Collection
from dataclasses import replace
from pathlib import Path

from rich.console import Console

from operations.deployment.deploy import Deployment
from operations.review.page import append_to_summary, page
from operations.review.plan import Plan, read

EXIT_DRIFT = 3


def run(deployment: Deployment, environment: str, *, write: Path | None, summary: Path | None, console: Console) -> int:
    """Show the drift, and return the exit code.

    Args:
        deployment: of the environment.
        environment: its name, for the title.
        write: takes the page, too.
        summary: the file of a job's summary, to which the page is appended.
        console: prints it.

    Raises:
        Refused: a prerequisite is missing, or the credentials belong to another account.
        Failed: Terraform failed.
    """
    with deployment.drift() as (planned, hidden):
        plan = without(read(planned.as_json(), environment), hidden)
    text = page(plan, title=f"{environment}, as it is in AWS")
    if write:
        write.write_text(text, encoding="utf-8")
    if summary:
        append_to_summary(text, summary)
    if console.is_terminal:
        console.print(text, markup=False)
    else:
        sys.stdout.write(text)
    return EXIT_DRIFT if plan.changes or plan.outputs else 0


def without(plan: Plan, hidden: Collection[str]) -> Plan:
    """The plan without the changes of resources that were not read, and without what AWS or the provider fills in."""
    return replace(plan, changes=tuple(one for one in plan.changes if one.address not in hidden), drift=())
