"""cdk-nag, CloudFormation's validation and cfn-lint find nothing in the app that is not acknowledged, with a reason."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from payment_api.checks import ACKNOWLEDGED
from payment_api.context import feature_flags

PROJECT = Path(__file__).parents[2]
# A machine image differs by region and is a setting, which no parameter or mapping would make more portable.
KNOWN_WARNINGS = {"W9010"}
# W3005: a dependency that CDK states beside a reference that means the same. W3010: zones, which the settings name.
LINT_KNOWN = {"W3005", "W3010"}
CFN_LINT = Path(sys.executable).with_name("cfn-lint")

pytestmark = pytest.mark.requirement("P6.3")


@pytest.fixture(scope="module")
def assembly(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The app as `cdk synth` runs it, with every check on."""
    folder = tmp_path_factory.mktemp("assembly")
    variables = {name: value for name, value in os.environ.items() if name != "CDK_VALIDATION"}
    variables |= {
        "CDK_OUTDIR": str(folder),
        "CDK_CONTEXT_JSON": json.dumps(feature_flags()),
        "PLATFORM_ENVIRONMENT": "local",
    }
    command = [sys.executable, str(PROJECT / "payment_api" / "app.py")]
    ended = subprocess.run(command, env=variables, capture_output=True, text=True, check=False)
    assert ended.returncode == 0, ended.stderr[-4000:]
    return folder


@pytest.fixture(scope="module")
def reports(assembly: Path) -> dict[str, dict[str, Any]]:
    report = json.loads((assembly / "validation-report.json").read_text())
    return {one["pluginName"]: one for one in report["pluginReports"]}


def test_cdk_nag_packs_and_validation_ran_without_findings(reports: dict[str, dict[str, Any]]) -> None:
    assert {"AwsSolutions", "PCI.DSS.321"} < set(reports)
    assert len(reports) == 3, sorted(reports)
    for name, report in reports.items():
        assert report["conclusion"] == "success", name
        assert {one["ruleName"] for one in report["violations"]} <= KNOWN_WARNINGS, name


def test_every_acknowledgement_is_of_a_finding(reports: dict[str, dict[str, Any]]) -> None:
    used = {one["reason"] for report in reports.values() for one in report["suppressedViolations"]}
    assert {one.reason for one in ACKNOWLEDGED} <= used


def test_every_acknowledgement_has_a_reason() -> None:
    assert all(len(one.reason) > 40 for one in ACKNOWLEDGED)


def test_cfn_lint_finds_nothing(assembly: Path) -> None:
    templates = sorted(map(str, assembly.glob("*.template.json")))
    assert len(templates) == 2
    command = [str(CFN_LINT), "--format", "json", "--template", *templates]
    ended = subprocess.run(command, capture_output=True, text=True, check=False)
    found = json.loads(ended.stdout)
    assert {one["Rule"]["Id"] for one in found} & LINT_KNOWN, "it has looked"
    left = [(one["Rule"]["Id"], one["Message"]) for one in found if one["Rule"]["Id"] not in LINT_KNOWN]
    assert not left
