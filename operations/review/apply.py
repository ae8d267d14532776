"""`make deploy ARGS="--reviewed PAGE"`: applies the approved plan, or nothing.

The page is the output of `make review ARGS="--write PAGE"` that was approved. The plan is made again, with a refresh:
if its changes differ from the page, nothing is changed.
"""

from __future__ import annotations

import difflib
from pathlib import Path

from operations.deployment.deploy import Deployment
from operations.deployment.running_services import refuse_interruptions
from operations.deployment.writer import refuse_loss_of_writer
from operations.outcome import Refused
from operations.review.page import approved_page
from operations.review.plan import read

MOST_LINES = 60  # of the difference


def apply(deployment: Deployment, environment: str, page: Path) -> None:
    """Apply the plan whose page is ``page``. Raises as Deployment.diff does.

    Raises:
        Refused: there is no such page, or the plan differs from it; the message has the differences.
    """
    try:
        approved = page.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise Refused(f"--reviewed: {page} cannot be read ({error}); a page of review --write is allowed") from error

    with deployment.planned() as plan:
        planned = plan.as_json()
        refuse_another(approved, approved_page(read(planned, environment), environment))
        refuse_interruptions(planned)
        refuse_loss_of_writer(planned)
        plan.apply()


def refuse_another(approved: str, planned: str) -> None:
    """Make sure that the two pages are the same.

    Raises:
        Refused: they differ.
    """
    if approved == planned:
        return
    lines = list(difflib.unified_diff(approved.splitlines(), planned.splitlines(), "approved", "now", lineterm="", n=1))
    more = [f"... and {len(lines) - MOST_LINES} more lines"] if len(lines) > MOST_LINES else []
    said = "\n".join([*lines[:MOST_LINES], *more])
    raise Refused(f"what would change now is not what was approved, so nothing was changed; review it anew:\n{said}")
