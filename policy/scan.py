"""`make scan`: checks the platform as HCL with checkov's rules and the skips of policy/checkov.toml.

Exit codes: 0 no finding, 1 findings, 2 bad settings.
"""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
import tempfile
import tomllib
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.console import Console
from rich.table import Table

from policy import hcl
from settings import chosen_environment

CHECKOV = hcl.REPOSITORY / ".venv-checkov" / "bin" / "checkov"
GATE = Path(__file__).with_name("checkov.toml")
# Checkov gives a file ten seconds to be read and else reads nothing of it; a busy machine takes longer for this one.
VARIABLES = {"HCL_PARSE_TIMEOUT_SEC": "300"}


@dataclass(frozen=True, kw_only=True)
class Skip:
    """A check that some resources need not pass, and why."""

    check: str
    resources: re.Pattern[str]
    reason: str

    def covers(self, finding: dict[str, Any]) -> bool:
        """Whether a failed check of checkov's report is the one that is skipped."""
        return bool(self.check == finding["check_id"] and self.resources.fullmatch(finding["resource"]))


@dataclass(frozen=True, kw_only=True)
class Gate:
    """Checks that must pass, and skips."""

    must_pass: frozenset[str]
    skips: tuple[Skip, ...]

    @staticmethod
    def read(path: Path = GATE) -> Gate:
        """The gate of a configuration file."""
        values = tomllib.loads(path.read_text(encoding="utf-8"))
        skips = (skip | {"resources": re.compile(skip["resources"])} for skip in values["skip"])
        return Gate(must_pass=frozenset(values["must_pass"]), skips=tuple(Skip(**skip) for skip in skips))

    def problems(self, report: dict[str, Any]) -> list[tuple[str, str, str]]:
        """Check, resource and error of each finding in checkov's report that no skip covers."""
        failed, passed = report["results"]["failed_checks"], report["results"]["passed_checks"]
        found = [
            (finding["check_id"], finding["resource"], finding["check_name"])
            for finding in failed
            if not any(skip.covers(finding) for skip in self.skips)
        ]
        evaluated = {finding["check_id"] for finding in passed}
        found += [(check, "-", "passed for no resource") for check in sorted(self.must_pass - evaluated)]
        found += [
            (skip.check, skip.resources.pattern, "the skip covers nothing that fails: remove it")
            for skip in self.skips
            if not any(skip.covers(finding) for finding in failed)
        ]
        found += [("parsing", name, "could not be read") for name in report["results"].get("parsing_errors", [])]
        return found


class ScannerFailedError(Exception):
    """Checkov did not report on the configuration; the message is one line."""


def report_on(text: str) -> dict[str, Any]:
    """Checkov's report on one file of HCL, which is read without its nulls. Reaches for no network.

    Raises:
        ScannerFailedError: if there is no report.
    """
    with tempfile.TemporaryDirectory() as directory:
        readable = hcl.with_bare_calls(hcl.without_nulls(text))
        (Path(directory) / "main.tf").write_text(readable, encoding="utf-8")
        command = [str(CHECKOV), "--directory", directory, "--framework", "terraform", "--output", "json"]
        options = ["--skip-download", "--soft-fail"]
        variables = os.environ | VARIABLES
        ended = subprocess.run([*command, *options], env=variables, capture_output=True, text=True, check=False)
    if ended.returncode:
        raise ScannerFailedError(f"checkov ended with {ended.returncode}: {ended.stderr.strip()}")
    report: dict[str, Any] = json.loads(ended.stdout)
    if "results" not in report:
        raise ScannerFailedError("checkov found nothing to look at")
    return report


def scan(
    environment: Annotated[
        str, typer.Option(default_factory=lambda: chosen_environment([]), help="whose settings to scan")
    ],
) -> None:
    """Check one environment's platform with checkov's rules; policy/checkov.toml has the skips and their reasons."""
    console, gate = Console(), Gate.read()
    try:
        with tempfile.TemporaryDirectory() as directory, console.status("synthesizing and scanning"):
            report = report_on(hcl.synthesize(environment, Path(directory)).read_text(encoding="utf-8"))
    except hcl.SynthesisFailedError as error:
        print(error, file=sys.stderr)
        raise typer.Exit(2) from error
    except ScannerFailedError as error:
        print(error, file=sys.stderr)
        raise typer.Exit(1) from error
    problems = gate.problems(report)
    show(console, report, gate, problems)
    raise typer.Exit(1 if problems else 0)


def show(
    console: Console,
    report: dict[str, Any],
    gate: Gate,
    problems: list[tuple[str, str, str]],
    title: str = "Skipped by policy/checkov.toml",
) -> None:
    """Print the skips with their reasons, and the findings."""
    skipped = Table("skipped", "resources", "because", title=title, title_justify="left")
    failed = report["results"]["failed_checks"]
    for skip in gate.skips:
        skipped.add_row(skip.check, str(sum(skip.covers(finding) for finding in failed)), skip.reason)
    console.print(skipped)
    for check, resource, what in problems:
        console.print(f"[red]{check}[/red]  {resource}  {what}", soft_wrap=True, highlight=False)
    passed = len(report["results"]["passed_checks"])
    skips = sum(any(skip.covers(finding) for skip in gate.skips) for finding in failed)
    console.print(f"{passed} checks passed, {skips} skipped, {len(problems)} problems")


if __name__ == "__main__":
    typer.run(scan)
