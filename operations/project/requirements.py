"""`make requirements`: each requirement row with the resources that satisfy it and the tests that prove it.

The rows are those of docs/requirements.md. A construct names the rows that it satisfies (its attribute
``requirements``), and all resources below it count. A test names the rows that it proves
(``@pytest.mark.requirement``). The tests are run, except those that deploy and take minutes: their last outcome counts.
With --recorded it counts for all.

Exit codes: 0 each selected row has a resource and a passing test, 1 one has not, 2 there is no such row.
"""

from __future__ import annotations

import re
import subprocess
import sys
from collections import Counter, defaultdict
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Annotated

import typer

import synthesis
from operations.outcome import Failed, Refused, console, exit_codes
from operations.project import evidence
from operations.project.evidence import Outcome, is_below
from operations.project_root import PROJECT
from settings import load

ROWS = PROJECT / "docs" / "requirements.md"
TABLE = PROJECT / "docs" / "requirement-table.md"
ROW = re.compile(r"^- ([WPQ]\d+(?:\.\d+)?) (.*)$", re.MULTILINE)
ENVIRONMENT = "local"
MOST_SHOWN = 3  # lines of a cell of the page
PYTEST_PASSED, PYTEST_FAILED, PYTEST_FOUND_NONE = 0, 1, 5


@dataclass
class Row:
    """A requirement: its id, its text, its resources and its tests."""

    id: str
    promise: str
    resources: Counter[str] = field(default_factory=Counter)
    tests: list[Outcome] = field(default_factory=list)

    @property
    def state(self) -> str:
        """``tested``, or what is missing for it."""
        if not all(test.passed for test in self.tests):
            return "failed"
        if not self.tests:
            return "no test"
        return "tested" if self.resources else "no resource"

    @property
    def line(self) -> str:
        """The row in a line: ``W6.2  tested  34 resources  5 tests``."""
        return f"{self.id}  {self.state}  {self.resources.total()} resources  {len(self.tests)} tests"


def read_rows(text: str) -> list[Row]:
    """The rows of a requirements document, in its order."""
    return [Row(id_, promise) for id_, promise in ROW.findall(text)]


def resources_by_row() -> Mapping[str, Counter[str]]:
    """How many resources of which type keep each row, in the platform as it is rehearsed."""
    synthesis.prepare()
    from cdktf import TerraformResource, Testing  # only after the preparation

    from stacks.payment_platform import PaymentPlatform

    stack = PaymentPlatform(Testing.app(), "payment-platform", settings=load(ENVIRONMENT))
    found: dict[str, Counter[str]] = defaultdict(Counter)
    for resource in stack.node.find_all():
        if isinstance(resource, TerraformResource):
            for row in {row for scope in resource.node.scopes for row in getattr(scope, "requirements", ())}:
                found[row][resource.terraform_resource_type] += 1
    for row, counted in resources_of_the_api().items():
        found[row] += counted
    return found


def resources_of_the_api() -> Mapping[str, Counter[str]]:
    """The same of the payment API: how many resources of CloudFormation keep each row."""
    from aws_cdk import App, CfnResource

    from payment_api.context import feature_flags
    from payment_api.settings import load as load_api
    from payment_api.stack import build

    found: dict[str, Counter[str]] = defaultdict(Counter)
    for stack in build(App(context=feature_flags()), load_api(ENVIRONMENT)):
        for resource in stack.node.find_all():
            if isinstance(resource, CfnResource):
                for row in {row for scope in resource.node.scopes for row in getattr(scope, "requirements", ())}:
                    found[row][resource.cfn_resource_type] += 1
    return found


def run_tests(rows: Collection[str]) -> None:
    """Run the tests of some rows, except those that deploy. Outcomes are recorded, also of failures.

    Raises:
        Failed: if the tests could not be run at all.
    """
    selection = ["-m", "requirement and not lifecycle", "--rows", ",".join(rows)]
    processes = ["-n", "auto", "--dist", "loadfile"]
    command = [sys.executable, "-m", "pytest", "-q", "--no-header", "-p", "no:cacheprovider", *processes, *selection]
    ended = subprocess.run(command, cwd=PROJECT, capture_output=True, text=True, check=False)
    if ended.returncode == PYTEST_FAILED:
        print(ended.stdout, file=sys.stderr)
    elif ended.returncode not in (PYTEST_PASSED, PYTEST_FOUND_NONE):
        raise Failed(f"the tests could not be run:\n{ended.stdout}{ended.stderr}")


def as_markdown(rows: Sequence[Row]) -> str:
    """The whole table as a page."""
    of_whole_stack = max((row.resources for row in rows), key=Counter.total)
    lines = [
        "# Requirements, what keeps them, and what would notice their loss",
        "",
        "Written by `make requirements` from docs/requirements.md, the constructs and the tests. `tested`: there are",
        "resources and passing tests. It does not say that the row was used in a rehearsal that enforces permissions",
        "and network: that is what W8.3 to W8.6 and P6.5 are about.",
        "",
        "| row | promise | state | resources | tests |",
        "|---|---|---|---|---|",
    ]
    for row in rows:
        counted = [f"{count} {type_}" for type_, count in sorted(row.resources.items())]
        resources = _folded("types of resources", counted)
        if row.resources == of_whole_stack:
            resources = f"the whole stack: {of_whole_stack.total()}"
        tests = _folded("tests", sorted({test.test.partition("[")[0].removeprefix("tests/") for test in row.tests}))
        lines.append(f"| {row.id} | {row.promise} | {row.state} | {resources} | {tests} |")
    return "\n".join(lines) + "\n"


def _folded(what: str, lines: Sequence[str]) -> str:
    """A few lines as they are; many behind their number, which a click unfolds."""
    text = "<br>".join(lines)
    if len(lines) <= MOST_SHOWN:
        return text
    return f"<details><summary>{len(lines)} {what}</summary>{text}</details>"


def look_at(rows: Sequence[Row], resources: Mapping[str, Counter[str]], outcomes: Iterable[Outcome]) -> None:
    """Give each row its resources and the outcomes of its tests.

    Raises:
        Failed: a test names a row that does not exist.
    """
    by_id = {row.id: row for row in rows}
    for id_, counted in resources.items():
        by_id[id_].resources = counted
    for outcome in outcomes:
        for id_ in outcome.rows:
            if id_ not in by_id:
                raise Failed(f"{outcome.test} proves {id_!r}, which is no row of docs/requirements.md")
            by_id[id_].tests.append(outcome)


def requirements(
    rows: Annotated[str, typer.Option(help="rows to look at, such as W0,W4.3: a prefix names all below it")] = "",
    *,
    recorded: Annotated[bool, typer.Option("--recorded", help="believe the last runs; run no test")] = False,
) -> None:
    """Print each requirement row with its resources and tests; without --rows also write docs/requirement-table.md."""
    with exit_codes():
        table = read_rows(ROWS.read_text(encoding="utf-8"))
        chosen = [name.strip() for name in rows.split(",") if name.strip()]
        for name in chosen:
            if not any(is_below(row.id, [name]) for row in table):
                raise Refused(
                    f"--rows: {name!r} is not allowed; a row of docs/requirements.md, such as W4.3, or W4, is"
                )
        shown = [row for row in table if not chosen or is_below(row.id, chosen)]
        if not recorded:
            with console(stderr=True).status("running the tests of these rows"):
                run_tests([row.id for row in shown])
        look_at(table, resources_by_row(), evidence.read())
        for row in shown:
            print(row.line)
        if not chosen:
            TABLE.write_text(as_markdown(table), encoding="utf-8")
        missing = [row.id for row in shown if row.state != "tested"]
        if missing:
            raise Failed(f"without a resource or a passing test: {', '.join(missing)}")


if __name__ == "__main__":
    typer.run(requirements)
