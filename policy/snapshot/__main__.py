"""`make snapshot`: writes docs/snapshot, and says which of its files have changed.

Exit codes: 0 written, 1 a synthesis failed, 2 bad settings.
"""

from __future__ import annotations

import json
import os
import tempfile
from collections.abc import Callable
from pathlib import Path

import payment_api.settings
import settings
from operations.deployment.synthesized import CONFIGURATION, synthesize
from operations.outcome import console, exit_codes
from operations.payment_api.cdk import Cdk
from operations.project_root import PROJECT
from policy.closed_world.resources import Terraform
from policy.closed_world.worlds import PAYMENT_API, PLATFORM, templates_reader
from policy.snapshot import files
from policy.snapshot.blocks import Blocks, blocks


def snapshot() -> None:
    """Synthesize all environments of both systems, and write what they are."""
    for world, synthesized in ((PLATFORM, _platform), (PAYMENT_API, _payment_api)):
        wanted = files.expected(world, {name: _of(name, synthesized) for name in files.ENVIRONMENTS})
        there = files.committed(world)
        files.write(world, wanted)
        changed = sorted(name for name in there.keys() | wanted.keys() if there.get(name) != wanted.get(name))
        folder = (files.FOLDER / files.PLACES[world].folder).relative_to(PROJECT)
        print("\n".join(f"{folder}/{name}" for name in changed) or f"{folder}: nothing has changed")


def _of(environment: str, synthesized: Callable[[str, Path], Blocks]) -> Blocks:
    with tempfile.TemporaryDirectory() as directory:
        return synthesized(environment, Path(directory))


def _platform(environment: str, directory: Path) -> Blocks:
    configuration = json.loads((synthesize(environment, directory) / CONFIGURATION).read_text(encoding="utf-8"))
    return blocks(PLATFORM, Terraform().resources(configuration), settings.load(environment).model_dump())


def _payment_api(environment: str, directory: Path) -> Blocks:
    cdk = Cdk(environment=environment, assembly=directory, variables=os.environ, console=console(), quiet=True)
    # Without what the CLI adds of its own: the versions of libraries, of which no resource is made.
    cdk.run("synth", "--quiet", "--output", str(directory), "--no-validation", "--no-version-reporting")
    templates = {stack.region: dict(stack.template) for stack in cdk.stacks()}
    of_environment = payment_api.settings.load(environment).model_dump()
    return blocks(PAYMENT_API, templates_reader(of_environment).resources(templates), of_environment)


if __name__ == "__main__":
    with exit_codes():
        snapshot()
