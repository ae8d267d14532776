"""The way out of CDKTF stays open: the platform as HCL is valid Terraform, and says the same as the JSON."""

from __future__ import annotations

import subprocess
from collections import Counter
from pathlib import Path
from typing import Any

import hcl2
import pytest

from policy import hcl
from tests.synthesized import Synthesized

pytestmark = pytest.mark.requirement("W0.1")


@pytest.fixture(scope="module")
def file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return hcl.synthesize("local", tmp_path_factory.mktemp("hcl"))


@pytest.fixture(scope="module")
def parsed(file: Path) -> dict[str, Any]:
    with file.open() as text:
        found: dict[str, Any] = hcl2.load(text)
    return found


def test_hcl_has_every_block_of_the_json(parsed: dict[str, Any], platform: Synthesized) -> None:
    blocks = Counter(
        (section, type_.strip('"'), id_.strip('"'))
        for section in ("resource", "data")
        for block in parsed[section]
        for type_, inner in block.items()
        for id_ in inner
    )
    in_json = Counter(
        (section, type_, id_)
        for section in ("resource", "data")
        for type_, inner in platform.configuration[section].items()
        for id_ in inner
    )
    assert blocks == in_json


def test_terraform_accepts_it(file: Path, terraform_environment: dict[str, str]) -> None:
    def terraform(*arguments: str) -> subprocess.CompletedProcess[str]:
        command = ["terraform", *arguments, "-no-color"]
        return subprocess.run(
            command, cwd=file.parent, env=terraform_environment, capture_output=True, text=True, check=False
        )

    initialized = terraform("init", "-backend=false", "-input=false")
    assert initialized.returncode == 0, initialized.stderr
    validated = terraform("validate")
    assert validated.returncode == 0, validated.stdout + validated.stderr


def test_wrong_settings_are_reported_unchanged() -> None:
    with pytest.raises(hcl.SynthesisFailedError, match="'nowhere' is not allowed"):
        hcl.synthesize("nowhere", Path("unused"))
