"""The way out of CDKTF: the steps of docs/leaving-cdktf.md, taken in a copy of the checkout (W8.9)."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import tomllib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

import synthesis
from operations.deployment.terraform import COLLECT_AT_PERCENT
from operations.outcome import Refused
from operations.project import leave_cdktf
from settings import load
from settings.loading import known_environments
from tests.operations import bindings
from tests.operations.support import REPOSITORY
from tests.synthesized import Synthesized, read, synthesize

pytestmark = pytest.mark.requirement("W8.9")

PAGE = REPOSITORY / "docs" / "leaving-cdktf.md"
SUCCESSOR = REPOSITORY / ".venv-cdktn"
ENVIRONMENTS = known_environments()
# What Terraform takes in every resource beside the provider's attributes.
META_ARGUMENTS = {"//", "provider", "depends_on", "lifecycle", "count", "for_each"}
# What main.py does, for each environment in one process: loading the bindings takes longer than a synthesis.
PROGRAM = """
import sys
import synthesis
synthesis.prepare()
from cdktn import App
from settings import load
from stacks.payment_platform import PaymentPlatform
output, *environments = sys.argv[1:]
for environment in environments:
    app = App(outdir=f"{output}/{environment}")
    PaymentPlatform(app, "payment-platform", settings=load(environment))
    app.synth()
"""


def copy_of_the_checkout(folder: Path) -> Path:
    listed = subprocess.run(
        ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"],
        cwd=REPOSITORY,
        check=True,
        capture_output=True,
        text=True,
    )
    for name in filter(None, listed.stdout.split("\0")):
        if (REPOSITORY / name).is_file():
            (folder / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(REPOSITORY / name, folder / name)
    (folder / ".venv").symlink_to(REPOSITORY / ".venv")
    (folder / ".cache").symlink_to(REPOSITORY / ".cache")  # packages of functions, and byte code of bindings
    return folder


def command_of_the_page() -> str:
    (command,) = re.findall(r"^ *(\S+ -m operations\.project\.leave_cdktf)$", PAGE.read_text("utf-8"), re.MULTILINE)
    return str(command)


@pytest.fixture(scope="module")
def translated(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A copy of the checkout after the page's command."""
    folder = copy_of_the_checkout(tmp_path_factory.mktemp("leaving") / "checkout")
    ended = subprocess.run(
        ["bash", "-c", command_of_the_page()], cwd=folder, check=False, capture_output=True, text=True
    )
    assert ended.returncode == 0, ended.stderr
    return folder


@pytest.fixture(scope="module")
def left(translated: Path, tmp_path_factory: pytest.TempPathFactory) -> dict[str, Synthesized]:
    """Each environment as cdktn synthesizes it."""
    if not SUCCESSOR.is_dir():
        pytest.skip(f"{SUCCESSOR.name} is missing, which `make test` installs")
    output = tmp_path_factory.mktemp("left")
    command = [str(SUCCESSOR / "bin" / "python"), *synthesis.INTERPRETER_OPTIONS, "-c", PROGRAM]
    # What prepares this process is CDKTF's.
    variables = {name: value for name, value in os.environ.items() if name != "NODE_OPTIONS"}
    ended = subprocess.run(
        [*command, str(output), *ENVIRONMENTS],
        cwd=translated,
        env=variables | {"PYTHONPATH": "."},
        check=False,
        capture_output=True,
        text=True,
    )
    assert ended.returncode == 0, ended.stderr
    return {environment: read(output / environment) for environment in ENVIRONMENTS}


def differences(one: Any, other: Any, path: str = "") -> Iterator[tuple[str, Any, Any]]:
    """Path and both values of whatever differs, however deep."""
    if isinstance(one, dict) and isinstance(other, dict):
        for name in one.keys() | other.keys():
            yield from differences(one.get(name), other.get(name), f"{path}.{name}" if path else name)
    elif isinstance(one, list) and isinstance(other, list) and len(one) == len(other):
        for index, (first, second) in enumerate(zip(one, other, strict=True)):
            yield from differences(first, second, f"{path}[{index}]")
    elif one != other:
        yield path, one, other


@pytest.mark.parametrize("environment", ENVIRONMENTS)
def test_the_successor_writes_the_same_but_for_metadata_and_the_full_name_of_the_provider(
    left: dict[str, Synthesized], environment: str
) -> None:
    ours, successors = synthesize(load(environment)), left[environment]
    assert ours.blocks
    assert sorted(differences(ours.configuration, successors.configuration)) == [
        ("//.metadata.overrides.stack", None, ["terraform"]),  # the version of the provider is an override there
        ("//.metadata.version", "0.21.0", leave_cdktf.CLI_VERSION),
        ("terraform.required_providers.aws.source", "aws", "hashicorp/aws"),
    ]
    assert successors.configuration["terraform"]["required_providers"]["aws"]["version"] == leave_cdktf.PROVIDER_VERSION


@pytest.fixture(scope="module")
def of_provider_6(left: dict[str, Synthesized]) -> dict[tuple[str, str], bindings.Binding]:
    kinds = {kind_of(address, type_) for one in left.values() for address, type_, _ in one.blocks}
    (archive,) = SUCCESSOR.glob("lib/python*/site-packages/cdktn_provider_aws/_jsii/*.jsii.tgz")
    return bindings.read(archive, kinds)


def kind_of(address: str, type_: str) -> tuple[str, str]:
    return address.partition(type_)[0], type_


@pytest.mark.parametrize("environment", ENVIRONMENTS)
def test_provider_6_knows_every_argument(
    left: dict[str, Synthesized], of_provider_6: dict[tuple[str, str], bindings.Binding], environment: str
) -> None:
    assert all(binding.type == type_ for (_, type_), binding in of_provider_6.items())
    unknown = {
        address: names
        for address, type_, block in left[environment].blocks
        if (names := set(of_provider_6[kind_of(address, type_)].unknown(block)) - META_ARGUMENTS)
    }
    assert unknown == {}


def test_an_argument_that_provider_6_does_not_know_would_be_noticed(
    of_provider_6: dict[tuple[str, str], bindings.Binding],
) -> None:
    cluster, document = of_provider_6["", "aws_rds_cluster"], of_provider_6["data.", "aws_iam_policy_document"]
    assert cluster.unknown({"storage_encrypted": True, "storage_encripted": True}) == ["storage_encripted"]
    nested = {"statement": [{"condition": [{"test": "Bool", "variable": "a", "values": [], "value": ""}]}]}
    assert document.unknown(nested) == ["statement.condition.value"]


def test_terraform_accepts_it_with_the_provider_that_is_deployed(
    left: dict[str, Synthesized], terraform_environment: dict[str, str]
) -> None:
    for command in (["init", "-backend=false", "-input=false"], ["validate"]):
        ended = subprocess.run(
            ["terraform", *command, "-no-color"],
            cwd=left["local"].directory,
            env={**terraform_environment, "GOGC": COLLECT_AT_PERCENT},
            check=False,
            capture_output=True,
            text=True,
        )
        assert ended.returncode == 0, ended.stdout + ended.stderr
    assert "The configuration is valid" in ended.stdout
    chosen = (left["local"].directory / ".terraform.lock.hcl").read_text(encoding="utf-8")
    assert f'version     = "{leave_cdktf.PROVIDER_VERSION}"' in chosen


def test_the_project_then_asks_for_the_packages_that_are_tested_here(translated: Path) -> None:
    asked = tomllib.loads((translated / "Pipfile").read_text(encoding="utf-8"))["packages"]
    tested = tomllib.loads(leave_cdktf.PIPFILE.read_text(encoding="utf-8"))["packages"]
    locked = json.loads((leave_cdktf.PIPFILE.parent / "Pipfile.lock").read_text(encoding="utf-8"))["default"]
    assert {name: asked.get(name) for name in tested} == tested
    assert tested["cdktn"] == locked["cdktn"]["version"]
    assert tested["cdktn-provider-aws"] == locked["cdktn-provider-aws"]["version"]
    assert not [name for name in asked if name.startswith("cdktf")]
    tools = json.loads((translated / "package.json").read_text(encoding="utf-8"))["devDependencies"]
    assert {name: version for name, version in tools.items() if name.startswith("cdkt")} == {
        "cdktn-cli": leave_cdktf.CLI_VERSION
    }


def test_no_code_imports_cdktf_any_more(translated: Path) -> None:
    folders = [path for path in translated.iterdir() if path.is_dir() and not path.name.startswith(".")]
    files = [translated / "main.py", *(file for folder in folders for file in folder.rglob("*.py"))]
    imports = re.compile(r"\b(?:from|import) (cdkt\w+)")  # also in the programs that tests run
    found = {name for file in files for name in imports.findall(file.read_text(encoding="utf-8"))}
    assert found == {"cdktn", "cdktn_provider_aws"}


def test_a_checkout_that_the_rules_do_not_fit_is_refused_and_not_changed(translated: Path) -> None:
    files = {path: path.read_bytes() for path in translated.glob("*") if path.is_file()}
    with pytest.raises(Refused, match="nothing was changed: no file"):
        leave_cdktf.translate(translated)
    assert {path: path.read_bytes() for path in files} == files


def test_the_page_names_the_versions_and_the_line_that_keeps_the_provider() -> None:
    text = PAGE.read_text(encoding="utf-8")
    for said in (
        f"cdktn {leave_cdktf.CLI_VERSION}",
        leave_cdktf.PINS["cdktn-provider-aws"].removeprefix("=="),
        f'self.add_override("terraform.required_providers.aws.version", "{leave_cdktf.PROVIDER_VERSION}")',
    ):
        assert said in text
