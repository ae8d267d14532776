"""The payment API's templates: one synthesis a run, without CloudFormation's validation, which has its own test."""

from __future__ import annotations

import json
import os
from collections.abc import Callable
from pathlib import Path

import pytest

from payment_api.settings import Settings, load
from synthesis.node import NO_BANNER
from tests.payment_api.support import Template

# jsii's Node process starts when anything of aws_cdk is imported, and has the environment of that moment.
os.environ |= NO_BANNER
os.environ["CDK_VALIDATION"] = "false"

Synthesize = Callable[[Settings], dict[str, Template]]


@pytest.fixture(scope="session")
def settings() -> Settings:
    return load("staging")


@pytest.fixture(scope="session")
def synthesize(tmp_path_factory: pytest.TempPathFactory) -> Synthesize:
    """A function that gives the templates of settings by region: of the API, and of its replica."""
    from aws_cdk import App

    from payment_api.context import feature_flags
    from payment_api.stack import build

    def run(settings: Settings) -> dict[str, Template]:
        app = App(context=feature_flags(), outdir=str(tmp_path_factory.mktemp("cdk.out")))
        stacks = build(app, settings)
        assembly = app.synth()
        return {
            stack.region: Template(
                json.loads(Path(assembly.get_stack_artifact(stack.artifact_id).template_full_path).read_text())
            )
            for stack in stacks
        }

    return run


@pytest.fixture(scope="session")
def templates(synthesize: Synthesize, settings: Settings) -> dict[str, Template]:
    return synthesize(settings)


@pytest.fixture(scope="session")
def api(templates: dict[str, Template], settings: Settings) -> Template:
    return templates[settings.region]


@pytest.fixture(scope="session")
def replica(templates: dict[str, Template], settings: Settings) -> Template:
    return templates[settings.replica_region]
