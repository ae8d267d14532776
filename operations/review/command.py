"""`make review`: shows a plan to the reviewer who approves it.

Exit codes: 0 success, 2 not a readable plan, 3 a resource with data would be destroyed (only with --refuse-loss).
"""

from __future__ import annotations

import re
import sys
from dataclasses import dataclass
from pathlib import Path

from rich.console import Console
from rich.markdown import Markdown

from operations.deployment.deploy import Deployment
from operations.deployment.synthesized import absolute
from operations.outcome import Refused
from operations.outcome import console as console_
from operations.review.page import append_to_summary, approved_page, page
from operations.review.plan import Concern, Plan, read
from settings import SettingsError, load

EXIT_LOSS = 3
STANDARD_INPUT = "-"


@dataclass(frozen=True, kw_only=True)
class Request:
    """The plan to review, and the options of its page."""

    plan: str | None
    """A file, ``-`` for standard input, or None: ``environment`` is planned now."""
    environment: str
    most_characters: int | None
    """The longest page that is shown; None: the whole one."""
    refuse_loss: bool
    from_state: bool = False
    """Whether to plan from the state only: for a role that may read the state, and nothing else."""
    write: Path | None = None
    """Takes the whole page, for ``deploy --reviewed``."""
    summary: Path | None = None
    """The file of a job's summary, to which the whole page is appended."""


def run(request: Request, console: Console) -> int:
    """Show the review, and return the exit code.

    Raises:
        Refused: there is no plan that can be read.
        Failed: the environment could not be planned.
    """
    if request.plan is not None and (request.from_state or request.write or request.summary):
        raise Refused("--from-state, --write, --summary: are for a plan that is made now, and a file was given")
    plan = read(*_text(request))
    title = request.environment if request.plan is None else Path(request.plan).name.replace(STANDARD_INPUT, "review")
    if request.write:
        request.write.write_text(approved_page(plan, request.environment), encoding="utf-8")
    if request.summary:
        append_to_summary(approved_page(plan, request.environment), request.summary)
    _show(page(plan, title=title, most_characters=request.most_characters), console)
    return EXIT_LOSS if request.refuse_loss and _loses_data(plan) else 0


def _text(request: Request) -> tuple[str, str]:
    if request.plan is None:
        return _planned(request), request.environment
    if request.plan == STANDARD_INPUT:
        return sys.stdin.read(), "standard input"
    try:
        return Path(request.plan).read_text(encoding="utf-8"), request.plan
    except (OSError, UnicodeDecodeError) as error:
        raise Refused(f"{request.plan}: cannot be read ({error}); a file of terraform show -json is allowed") from error


def _planned(request: Request) -> str:
    environment = request.environment
    try:
        settings = load(environment)
    except SettingsError as error:
        raise Refused(str(error)) from error
    # Progress goes to standard error, so that the page can be redirected.
    deployment = Deployment(absolute(environment), settings, console_(stderr=True))
    with deployment.planned(from_state=request.from_state, lock=False) as plan:
        return plan.as_json()


def _show(text: str, console: Console) -> None:
    """The page as it is, or drawn where a terminal shows it; a terminal folds nothing."""
    if not console.is_terminal:
        sys.stdout.write(text)
        return
    unfolded = re.sub(r"</?details>\n?", "", re.sub(r"<summary>(.*)</summary>", r"### \1", text))
    console.print(Markdown(unfolded))


def _loses_data(plan: Plan) -> bool:
    return bool(plan.of(Concern.DATA))
