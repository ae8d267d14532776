"""`make scan-api`: checks the payment API's templates with checkov's rules and the skips of checkov_payment_api.toml.

Exit codes: 0 no finding, 1 findings, 2 bad settings or findings of cdk-nag.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Annotated, Any

import typer

from operations.outcome import Failed, Refused, console
from operations.payment_api.cdk import Cdk
from policy.scan import CHECKOV, Gate, ScannerFailedError, show

GATE = Path(__file__).with_name("checkov_payment_api.toml")


def report_on(templates: list[Path]) -> dict[str, Any]:
    """Checkov's report on CloudFormation templates. Reaches for no network.

    Raises:
        ScannerFailedError: if there is no report.
    """
    files = [argument for template in templates for argument in ("--file", str(template))]
    options = ["--framework", "cloudformation", "--output", "json", "--skip-download", "--soft-fail"]
    ended = subprocess.run([str(CHECKOV), *files, *options], capture_output=True, text=True, check=False)
    if ended.returncode:
        raise ScannerFailedError(f"checkov ended with {ended.returncode}: {ended.stderr.strip()}")
    report: dict[str, Any] = json.loads(ended.stdout)
    if "results" not in report:
        raise ScannerFailedError("checkov found nothing to look at")
    return report


def scan(
    environment: Annotated[str, typer.Option(help="whose settings to scan")] = "staging",
) -> None:
    """Hold one environment's templates against checkov's rules and the skips of checkov_payment_api.toml."""
    gate = Gate.read(GATE)
    with tempfile.TemporaryDirectory() as directory:
        cdk = Cdk(
            environment=environment, assembly=Path(directory), variables=os.environ, console=console(), quiet=True
        )
        try:
            cdk.synth(validate=True)
            report = report_on(sorted(Path(directory).glob("*.template.json")))
        except (Refused, Failed) as error:
            print(error, file=sys.stderr)
            raise typer.Exit(2) from error
        except ScannerFailedError as error:
            print(error, file=sys.stderr)
            raise typer.Exit(1) from error
    problems = gate.problems(report)
    show(console(), report, gate, problems, title=f"Skipped by policy/{GATE.name}")
    raise typer.Exit(1 if problems else 0)


if __name__ == "__main__":
    typer.run(scan)
