"""A module may be imported by its name alone: no import of the project changes where Python looks for modules."""

from __future__ import annotations

import ast
from pathlib import Path

import pytest

from operations.project_root import PROJECT
from synthesis.packaging import FUNCTIONS, package

pytestmark = [pytest.mark.requirement("Q2")]

FOLDERS = (
    "alarms", "benchmarks", "emulator", "iam", "lambda", "modules", "operations", "payment_api", "policy",
    "reachability", "services", "settings", "shared", "stacks", "synthesis",
)  # fmt: skip
PROGRAMS = {
    "payment_api/app.py": "run by the CDK as a script, whose own folder has another package `settings`",
    "benchmarks/without_identity.py": "run as a program that stands for `python -m` of the service in another folder",
    "emulator/runtime/function_runner.py": "run as a process that stands for Lambda, with the path of the zip",
}
OURS = {"payments", "shared"}


def changes_the_import_path(path: Path) -> bool:
    return any(
        isinstance(node, ast.Attribute) and node.attr == "path" and ast.unparse(node.value) == "sys"
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8")))
    )


def test_no_module_changes_the_import_path() -> None:
    files = [path for folder in FOLDERS for path in (PROJECT / folder).rglob("*.py")]
    found = {str(path.relative_to(PROJECT)) for path in files if changes_the_import_path(path)}
    assert found == PROGRAMS.keys()


def imported(path: Path) -> set[str]:
    """The modules that a file imports, by their full names; of `from a import b` both a and a.b."""
    found: set[str] = set()
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            found.update(one.name for one in node.names)
        elif isinstance(node, ast.ImportFrom):
            found.add(node.module or "")
            found.update(f"{node.module}.{one.name}" for one in node.names)
    return found


@pytest.mark.parametrize("name", sorted(path.parent.name for path in FUNCTIONS.glob("*/handler.py")))
def test_zip_of_a_function_has_every_module_of_the_repository_that_it_imports(name: str, tmp_path: Path) -> None:
    """Also where the emulator, which runs the zip on this machine, would find a module in the repository."""
    import zipfile

    with zipfile.ZipFile(package(FUNCTIONS / name, tmp_path / "function.zip")) as zipped:
        members = set(zipped.namelist())
        zipped.extractall(tmp_path)
    modules = {member.removesuffix(".py").removesuffix("/__init__").replace("/", ".") for member in members}
    own = [tmp_path / one for one in members if one.endswith(".py") and one.partition("/")[0] in {*OURS, "handler.py"}]
    wanted = {
        module for path in own for module in imported(path)
        if module.partition(".")[0] in OURS and (_file(module).exists() or _file(module).with_suffix("").is_dir())
    }  # fmt: skip
    assert wanted <= modules
    if name in {"process_payment", "reconcile_payments", "prepare_database"}:
        assert {"payments.settings", "shared.payment_metrics"} <= modules


def _file(module: str) -> Path:
    root = PROJECT / "services" / "payments" if module.startswith("payments") else PROJECT
    return root / f"{module.replace('.', '/')}.py"
