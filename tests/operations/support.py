"""What the tests of the commands share."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
import tomllib
from collections.abc import Collection
from dataclasses import dataclass
from pathlib import Path

from emulator import process
from operations.deployment.terraform import Terraform
from settings.loading import ENVIRONMENTS

REPOSITORY = Path(__file__).parents[2]


@dataclass(frozen=True)
class Commands:
    """Runs `python -m operations ...` against a local AWS, as a person would."""

    server: process.Server
    checkout: Path = REPOSITORY

    def __call__(self, *arguments: str, without: Collection[str] = ()) -> subprocess.CompletedProcess[str]:
        variables = process.complete_environment(self.server.url, os.environ)
        return subprocess.run(
            [sys.executable, "-m", "operations", *arguments],
            cwd=self.checkout,
            env={name: value for name, value in variables.items() if name not in without},
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            check=False,
        )


def checkout_of_one_queue(folder: Path) -> Path:
    """A checkout like this one, with a smaller main.py, and with output and caches of its own."""
    (folder / ".cache").mkdir(parents=True)
    for path in REPOSITORY.iterdir():
        if path.name == ".venv" or not path.name.startswith((".", "cdktf.out", "main.py")):
            (folder / path.name).symlink_to(path)
    shutil.copyfile(Path(__file__).with_name("main_of_one_queue.py"), folder / "main.py")
    return folder


def environment_file(folder: Path, name: str, **changes: str) -> Path:
    """A settings file like the local one, with the values of some of its first-level names changed."""
    text = (ENVIRONMENTS / "local.toml").read_text(encoding="utf-8")
    for field, value in changes.items():
        text, count = re.subn(rf"^{field} = .*$", f"{field} = {value}", text, flags=re.MULTILINE)
        assert count == 1, field
    own = dict(re.findall(r'^(\w+) = "(.*)"$', text.partition("[")[0], flags=re.MULTILINE))
    if re.fullmatch(r"[a-z0-9-]+", own["environment_suffix"]):  # else the field's own rule refuses it
        text = text.replace("/payments/local/", f"/{own['name_prefix']}/{own['environment_suffix']}/")
        text = text.replace("123456789012.dkr", f"{own['account_id']}.dkr")
    tomllib.loads(text)
    path = folder / f"{name}.toml"
    path.write_text(text, encoding="utf-8")
    return path


def planned_json(terraform: Terraform, *, from_state: bool = False) -> str:
    """A plan as `terraform show -json` writes it."""
    with terraform.planned(from_state=from_state) as plan:
        return plan.as_json()
