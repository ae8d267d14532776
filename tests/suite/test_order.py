"""The order of a run: what is named for its length is there, and comes where it should."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from tests import order
from tests.conftest import pytest_collection_modifyitems
from tests.suite.test_recorder import run_in

NAMED = (*order.FIRST, *order.NEXT, *order.LAST)


@pytest.mark.parametrize("name", NAMED)
def test_each_file_that_is_named_is_there(name: str) -> None:
    assert (order.TESTS / name).is_file()


def test_longest_tests_are_first_and_tests_of_the_whole_run_are_last() -> None:
    others = [order.TESTS / "unit" / "test_region.py", Path("/elsewhere/test_some.py")]
    items: Any = [SimpleNamespace(path=path) for path in [*(order.TESTS / name for name in reversed(NAMED)), *others]]
    pytest_collection_modifyitems(items)
    first = [order.TESTS / name for name in (*order.FIRST, *order.NEXT)]
    assert [item.path for item in items] == [*first, *others, order.TESTS / order.LAST[0]]


def test_auto_starts_the_counted_number_of_workers(tmp_path: Path) -> None:
    (tmp_path / "test_some.py").write_text("def test_some(): pass\n")
    number = order.processes()
    assert f"created: {number}/{number} workers" in run_in(tmp_path, "-n", "auto", "-v")[1]
