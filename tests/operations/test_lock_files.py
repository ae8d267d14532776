"""No lock file names a registry: where packages come from is each user's own affair."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

REPOSITORY = Path(__file__).parents[2]


PYTHON_LOCKS = ("Pipfile.lock", "policy/checkov/Pipfile.lock", "operations/project/cdktn/Pipfile.lock")


@pytest.mark.parametrize("name", PYTHON_LOCKS)
def test_python_locks_name_no_registry_and_every_hash(name: str) -> None:
    lock = json.loads((REPOSITORY / name).read_text(encoding="utf-8"))
    packages = [*lock["default"].values(), *lock["develop"].values()]

    assert lock["_meta"]["sources"] == []
    assert packages
    assert not [package for package in packages if "index" in package or not package.get("hashes")]


def test_the_node_lock_names_no_registry_and_every_hash() -> None:
    lock = json.loads((REPOSITORY / "package-lock.json").read_text(encoding="utf-8"))
    packages = [package for path, package in lock["packages"].items() if path]

    assert lock["packages"]["node_modules/cdktf-cli"]["version"] == "0.21.0"
    assert not [package for package in packages if "resolved" in package]
    assert not [package for package in packages if "integrity" not in package and not package.get("inBundle")]


def test_registry_is_removed_from_a_lock_and_nothing_else(tmp_path: Path) -> None:
    package = {"hashes": ["sha256:1"], "version": "==1.0"}
    lock = {
        "_meta": {"hash": {"sha256": "2"}, "sources": [{"name": "own", "url": "https://registry.invalid/simple"}]},
        "default": {"one": {**package, "index": "own"}},
        "develop": {"two": package},
    }
    path = tmp_path / "Pipfile.lock"
    path.write_text(json.dumps(lock))

    subprocess.run([sys.executable, "-m", "operations.project.lock_files", str(path)], cwd=REPOSITORY, check=True)

    assert json.loads(path.read_text()) == {
        "_meta": {"hash": {"sha256": "2"}, "sources": []},
        "default": {"one": package},
        "develop": {"two": package},
    }
