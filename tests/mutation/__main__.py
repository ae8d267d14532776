"""`make mutate`: makes single changes of what is synthesized, or of code, and counts those that nobody notices.

Exit codes: 0 the score is at least what is asked for, 1 it is less.
"""

from __future__ import annotations

import synthesis

synthesis.prepare()  # as tests/conftest.py

from enum import StrEnum  # noqa: E402
from typing import Annotated  # noqa: E402

import typer  # noqa: E402

from tests.mutation.changes import sample  # noqa: E402
from tests.mutation.code import run as code  # noqa: E402
from tests.mutation.judging import judge  # noqa: E402
from tests.mutation.laws import judge_by_laws  # noqa: E402
from tests.mutation.verdict import Verdict, by_kind, score  # noqa: E402
from tests.mutation.worlds import PLATFORM, world  # noqa: E402

application = typer.Typer(add_completion=False, pretty_exceptions_enable=False)


class Judges(StrEnum):
    """Who judges: the closed world, milliseconds a change; or the tests that look at what is synthesized, seconds."""

    LAWS = "laws"
    TESTS = "tests"


@application.command()
def mutate(
    *,
    of: Annotated[str, typer.Option(help="platform or payment-api.")] = PLATFORM,
    python: Annotated[bool, typer.Option("--python", help="Change the code of the service and the functions.")] = False,
    under: Annotated[str, typer.Option(help="With --python: only files whose path has this in it.")] = "",
    seconds: Annotated[float, typer.Option(help="With --python: of the processor, for each round of tests.")] = 20.0,
    rounds: Annotated[int, typer.Option(min=1, max=3, help="With --python: 1 asks the nearest quick tests only.")] = 3,
    environment: Annotated[str, typer.Option(help="Whose settings.")] = "production",
    share: Annotated[float, typer.Option(min=0, max=1, help="Of the changes of each kind.")] = 0.1,
    seed: Annotated[int, typer.Option(help="Another one draws others.")] = 7,
    kind: Annotated[str | None, typer.Option(help="Only changes of this kind.")] = None,
    by: Annotated[Judges, typer.Option(help="Who judges.")] = Judges.LAWS,
    least: Annotated[float | None, typer.Option(help="The share of all to be noticed; 0.9 for code.")] = None,
    survivors: Annotated[int, typer.Option(help="How many of those that nobody notices to show.")] = 40,
) -> None:
    """Make single changes, let the laws or the tests judge, and show the score by kind."""
    if python:
        changes = code.drawn(share=share, seed=seed, kind=kind, under=under)
        changed = code.judged(changes, seconds=seconds, rounds=rounds)
        code.show(changed)
        if score(changed).share < (0.9 if least is None else least):
            raise typer.Exit(1)
        return
    whole = world(of, environment)
    drawn = sample(whole.changes(), share=share, seed=seed, kind=kind)
    verdicts: list[Verdict] = []
    if by is Judges.LAWS:
        verdicts.extend(judge_by_laws(whole, drawn))
    else:
        judge(whole, drawn, verdicts.append)
    security = [one for one in verdicts if one.change.security]
    _show("that bear on security", security)
    _show("others", [one for one in verdicts if not one.change.security])
    for verdict in [one for one in verdicts if not one.noticed_by][:survivors]:
        print(f"not noticed: {verdict.change}")
    if score(security).share < 1 or score(verdicts).share < (0.95 if least is None else least):
        raise typer.Exit(1)


def _show(title: str, verdicts: list[Verdict]) -> None:
    if not verdicts:
        return
    print(f"{f'changes {title}':32s}{score(verdicts)}")
    for kind, one in by_kind(verdicts):
        print(f"  {kind:30s}{one}")


if __name__ == "__main__":
    application()
