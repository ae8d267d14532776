"""What is changed: the platform's configuration of an environment, and the payment API's templates."""

from __future__ import annotations

import json
import os
import tempfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from synthesis.node import NO_BANNER
from tests import synthesized
from tests.mutation.changes import TEMPLATES, TERRAFORM_JSON, Block, Dialect, changes_of
from tests.mutation.forks import in_fork

PLATFORM, PAYMENT_API = "platform", "payment-api"
ENVIRONMENTS = ("local", "staging", "production")


@dataclass(frozen=True)
class World:
    """One environment's, of the platform or of the payment API."""

    name: str
    environment: str
    tree: Block
    dialect: Dialect

    def changes(self) -> list[Any]:
        """All single changes of it."""
        return list(changes_of(self.tree, self.dialect))


def world(name: str, environment: str) -> World:
    """As it is synthesized now. No process of Node is left: a fork makes it."""
    with tempfile.TemporaryDirectory() as directory:
        if name == PLATFORM:
            return World(name, environment, _platform(environment), TERRAFORM_JSON)
        return World(name, environment, _payment_api(environment, Path(directory)), TEMPLATES)


def _platform(environment: str) -> Block:
    from settings import load

    def synthesize() -> Iterator[str]:
        yield str(synthesized.synthesize(load(environment)).directory)

    (directory,) = in_fork(synthesize)
    configuration: Block = json.loads((Path(directory) / "cdk.tf.json").read_text(encoding="utf-8"))
    return configuration


def _payment_api(environment: str, directory: Path) -> Block:
    templates: Block = {}
    for line in in_fork(_building(environment, directory)):
        region, file = line.split(" ", 1)
        templates[region] = json.loads(Path(file).read_text(encoding="utf-8"))
    return templates


def _building(environment: str, directory: Path) -> Callable[[], Iterator[str]]:
    def build_all() -> Iterator[str]:
        os.environ |= NO_BANNER
        os.environ["CDK_VALIDATION"] = "false"
        from aws_cdk import App

        from payment_api.context import feature_flags
        from payment_api.settings import load
        from payment_api.stack import build

        app = App(context=feature_flags(), outdir=str(directory))
        stacks = build(app, load(environment))
        assembly = app.synth()
        for stack in stacks:
            yield f"{stack.region} {assembly.get_stack_artifact(stack.artifact_id).template_full_path}"

    return build_all
