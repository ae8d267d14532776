"""A plugin, `pytest -p tests.suite.emptied`: what is synthesized is empty, and only tests that look at it run.

Whoever passes then has said nothing. What came of each test is written to the file of EMPTIED_REPORT, a line each.
"""

from __future__ import annotations

import functools
import json
import os
import tempfile
from pathlib import Path
from typing import Any

import pytest

import synthesis

synthesis.prepare()  # as tests/conftest.py, which comes later

from settings import Settings  # noqa: E402
from tests import lanes, synthesized  # noqa: E402
from tests.payment_api.support import Template  # noqa: E402
from tests.synthesized import STACK, Synthesized  # noqa: E402

REPORT = "EMPTIED_REPORT"
SECTIONS = ("resource", "data", "ephemeral", "output", "terraform", "provider")
SYNTHESIZED = "tests.synthesized.synthesize"
# Fixtures of what is synthesized, the platform's and the payment API's.
FIXTURES = {"platform", "synthesize"}


@functools.cache
def _empty() -> Synthesized:
    directory = Path(tempfile.mkdtemp()) / "stacks" / STACK
    directory.mkdir(parents=True)
    configuration: dict[str, Any] = {section: {} for section in SECTIONS}
    (directory / "cdk.tf.json").write_text(json.dumps(configuration))
    return Synthesized(configuration, directory)


def _no_templates(settings: Any) -> dict[str, Template]:
    return {region: Template({"Resources": {}}) for region in (settings.region, settings.replica_region)}


@functools.wraps(synthesized.synthesize)  # by whose name lanes.py finds it
def _synthesize(settings: Settings) -> Synthesized:
    return _empty()


@pytest.hookimpl(tryfirst=True)
def pytest_load_initial_conftests() -> None:
    """Replace it before others import it; not when this module is imported, as the test of it imports it, too."""
    synthesized.synthesize = _synthesize


@pytest.hookimpl(tryfirst=True)
def pytest_fixture_setup(fixturedef: Any, request: Any) -> Any:
    """The payment API's templates come from a fixture of their own."""
    if fixturedef.argname != "synthesize":
        return None
    fixturedef.cached_result = (_no_templates, fixturedef.cache_key(request), None)
    return _no_templates


@pytest.hookimpl(trylast=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    items[:] = [item for item in items if _is_of_what_is_synthesized(item)]


def _is_of_what_is_synthesized(item: pytest.Item) -> bool:
    """Not who runs a program on it, which says itself what it thinks of nothing."""
    why = lanes.why_slow(item)
    if why not in {None, SYNTHESIZED}:
        return False
    return why == SYNTHESIZED or not FIXTURES.isdisjoint(getattr(item, "fixturenames", ()))


def pytest_runtest_logreport(report: pytest.TestReport) -> None:
    """Note what came of each: of its call, or of a fixture that found nothing to begin with."""
    if report.when == "call" or (report.when == "setup" and report.failed):
        with Path(os.environ[REPORT]).open("a", encoding="utf-8") as file:
            file.write(f"{report.outcome} {report.nodeid}\n")
