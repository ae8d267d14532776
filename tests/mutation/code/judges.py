"""Which files of tests judge the code of a file, the nearest first.

The nearest is the one that mirrors it (payments/publisher.py, tests/payments/test_publisher.py), then those that import
it, then those that import what imports it. What a fixture or a process of its own imports is further away.
"""

from __future__ import annotations

import ast
import heapq
from collections import defaultdict
from collections.abc import Iterator, Mapping
from pathlib import Path

TESTS = ("tests/payments", "tests/processing", "tests/functions", "tests/rotation", "tests/operations")
ROOTS = ("", "services/payments/")
FIXTURES_AWAY = 3  # steps
FOREVER = 99  # steps: nothing of it is used


def judges_of(file: str, imports: Mapping[str, set[str]], project: Path) -> list[tuple[int, str]]:
    """Steps and file of tests, from the nearest."""
    steps = _steps_from(file, imports)
    found = []
    for folder in TESTS:
        by_fixtures = steps.get(f"{folder}/conftest.py", FOREVER) + 1
        for path in sorted((project / folder).glob("test_*.py")):
            name = path.relative_to(project).as_posix()
            is_its_own = path.stem.removeprefix("test_") in mirrored(file)
            away = 0 if is_its_own else min(steps.get(name, FOREVER), by_fixtures)
            found.append((away, -_mentions(path, file), name))
    return [(away, name) for away, _, name in sorted(found) if away < FOREVER]


def _mentions(tests: Path, file: str) -> int:
    """How often tests speak of what a file is about: of those that are as far away, these look at it."""
    text = tests.read_text(encoding="utf-8")
    return sum(text.count(name) for name in mirrored(file))


def _steps_from(file: str, imports: Mapping[str, set[str]]) -> dict[str, int]:
    """How far away from a file those are that use it."""
    users: dict[str, set[str]] = defaultdict(set)
    for user, used in imports.items():
        for one in used:
            users[one].add(user)
    steps = {file: 0}
    queue = [(0, file)]
    while queue:
        away, current = heapq.heappop(queue)
        for user in users[current]:
            further = away + (FIXTURES_AWAY if user.endswith("conftest.py") else 1)
            if further < steps.get(user, FOREVER):
                steps[user] = further
                heapq.heappush(queue, (further, user))
    return steps


def mirrored(file: str) -> set[str]:
    """The names that its own file of tests may have: its own, or that of a function's or package's folder."""
    path = Path(file)
    return {path.parent.name} if path.name in {"handler.py", "__init__.py"} else {path.stem}


def imports_of(project: Path) -> dict[str, set[str]]:
    """What each file of code or tests imports, or starts as a process of its own."""
    folders = ("services/payments/payments", "services/payments/rehearsal", "lambda", "shared", *TESTS)
    paths = [path for folder in folders for path in sorted((project / folder).rglob("*.py"))]
    return {path.relative_to(project).as_posix(): set(_imported(path, project)) for path in paths}


def _imported(path: Path, project: Path) -> Iterator[str]:
    tree = ast.parse(path.read_text(encoding="utf-8"))
    for node in ast.walk(tree):
        names = []
        if isinstance(node, ast.Import):
            names = [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom) and node.module:
            names = [node.module, *(f"{node.module}.{alias.name}" for alias in node.names)]
        for name in names:
            yield from _files_of(name, project)
    words = {node.value for node in ast.walk(tree) if isinstance(node, ast.Constant) and isinstance(node.value, str)}
    if "-m" in words and "payments" in words:
        yield "services/payments/payments/__main__.py"
    for function in (project / "lambda").iterdir():
        if any(function.name in word for word in words) and (function / "handler.py").exists():
            yield f"lambda/{function.name}/handler.py"


def _files_of(module: str, project: Path) -> Iterator[str]:
    path = module.replace(".", "/")
    for root in ROOTS:
        for file in (f"{root}{path}.py", f"{root}{path}/__init__.py"):
            if (project / file).exists():
                yield file
