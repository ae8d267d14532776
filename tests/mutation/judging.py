"""A plugin for pytest that lets the tests of what is synthesized judge changes, each in a fork of its own.

All are collected once. First they run on what is there: who fails then, or never looks at it, judges nothing.
"""

from __future__ import annotations

import json
import tempfile
import time
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from _pytest.runner import runtestprotocol

from tests import lanes, synthesized
from tests.mutation.changes import Block, Change
from tests.mutation.forks import ForkFailedError, in_fork
from tests.mutation.verdict import Verdict
from tests.mutation.worlds import PLATFORM, World
from tests.payment_api.support import Template

FOLDERS = ("unit", "platform", "policy", "payment_api", "iam", "reachability")
FIXTURES = {"platform", "templates"}
SYNTHESIZED = "tests.synthesized.synthesize"


class Judging:
    """Judges changes of a world by the tests that look at it."""

    def __init__(self, world: World, changes: list[Change], heard: Callable[[Verdict], None]) -> None:
        self._world = world
        self._changes = changes
        self._heard = heard
        self._tree = world.tree
        self._looked = False
        self._noticed: Counter[str] = Counter()

    @pytest.hookimpl(trylast=True)
    def pytest_collection_modifyitems(self, items: list[pytest.Item]) -> None:
        items[:] = [item for item in items if self._may_look(item)]

    @pytest.hookimpl(tryfirst=True)
    def pytest_runtestloop(self, session: pytest.Session) -> bool:
        self._replace()
        begun = time.perf_counter()
        judges = self._judges(session.items)
        print(f"{len(judges)} of {len(session.items)} tests judge, in {time.perf_counter() - begun:.0f} s", flush=True)
        for change in self._changes:
            self._heard(Verdict(change, self._first_failing(judges, change)))
        return True

    @pytest.hookimpl(tryfirst=True)
    def pytest_fixture_setup(self, fixturedef: Any, request: Any) -> Any:
        if fixturedef.argname != "synthesize" or self._world.name == PLATFORM:
            return None
        fixturedef.cached_result = (self._templates, fixturedef.cache_key(request), None)
        return self._templates

    def _may_look(self, item: pytest.Item) -> bool:
        why = lanes.why_slow(item)
        names = set(getattr(item, "fixturenames", ()))
        if self._world.name == PLATFORM:
            return "synthesize" not in names and why is None and "platform" in names
        return "synthesize" in names and why in {None, SYNTHESIZED}

    def _templates(self, settings: Any) -> dict[str, Template]:
        from payment_api.settings import load

        if settings != load(self._world.environment):
            pytest.skip("other settings")
        self._looked = True
        return {region: Template(template) for region, template in self._tree.items()}

    def _replace(self) -> None:
        read = synthesized.read

        def replaced(output: Path) -> synthesized.Synthesized:
            found = read(output)
            if self._world.name != PLATFORM or found.configuration != self._world.tree:
                return found
            self._looked = True
            return _written(self._tree, found.directory)

        synthesized.read = replaced

    def _judges(self, items: list[pytest.Item]) -> list[pytest.Item]:
        """Those that pass and look at what is changed, the quickest first."""

        def run() -> Iterator[str]:
            for item, following in zip(items, [*items[1:], None], strict=True):
                self._looked = not FIXTURES.isdisjoint(getattr(item, "fixturenames", ()))
                begun = time.perf_counter()
                if all(report.passed for report in runtestprotocol(item, log=False, nextitem=following)):
                    yield f"{self._looked:d} {time.perf_counter() - begun:.6f} {item.nodeid}"

        passed = [line.split(" ", 2) for line in in_fork(run)]
        seconds = {name: float(took) for looked, took, name in passed if looked == "1"}
        return sorted((item for item in items if item.nodeid in seconds), key=lambda item: seconds[item.nodeid])

    def _first_failing(self, judges: list[pytest.Item], change: Change) -> str | None:
        ordered = sorted(judges, key=lambda item: -self._noticed[item.nodeid])

        def run() -> Iterator[str]:
            self._tree = change.of(self._world.tree)
            for item, following in zip(ordered, [*ordered[1:], None], strict=True):
                if any(report.failed for report in runtestprotocol(item, log=False, nextitem=following)):
                    yield item.nodeid
                    return

        try:
            found = next(iter(in_fork(run)), None)
        except ForkFailedError:
            found = "the tests' process, which it ends"
        if found:
            self._noticed[found] += 1
        return found


def _written(tree: Block, original: Path) -> synthesized.Synthesized:
    """A directory as Terraform reads it, with the changed configuration in it."""
    directory = Path(tempfile.mkdtemp())
    for path in original.iterdir():
        (directory / path.name).symlink_to(path)
    (directory / "cdk.tf.json").unlink()
    (directory / "cdk.tf.json").write_text(json.dumps(tree), encoding="utf-8")
    return synthesized.Synthesized(tree, directory)


def judge(world: World, changes: list[Change], heard: Callable[[Verdict], None]) -> None:
    """Let the tests judge; ``heard`` is called with each verdict as it comes."""
    options = ["-q", "-n", "0", "--tb=no", "-r", "N", "-p", "no:cacheprovider", "--no-summary"]
    pytest.main([*options, *(f"tests/{folder}" for folder in FOLDERS)], plugins=[Judging(world, changes, heard)])
