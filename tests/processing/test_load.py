"""The load in small: what `make load-payments` shows of ten thousand holds of a few hundred, with processes killed."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest

from tests.load.load import run
from tests.load.picture import chart
from tests.load.size import QUICK
from tests.load.world import world

pytestmark = [pytest.mark.requirement("P3.2", "P3.4", "Q2")]


def test_load_with_killed_processes_loses_and_duplicates_nothing(tmp_path: Path) -> None:
    said: list[str] = []
    with world(QUICK, tmp_path) as made:
        result = asyncio.run(run(made, said.append))

    assert result.problems == [], said
    assert result.accepted == QUICK.payments
    assert result.statuses_of_payments["captured"] > 0
    assert result.peak >= QUICK.in_flight * 0.9
    assert result.kills.total() >= 1


def test_chart_shows_the_largest_value_of_each_column() -> None:
    lines = chart("payments", [0.0] * 500 + [80.0] + [0.0] * 500, 10.0)

    assert lines[0] == "payments (most: 80)"
    assert [line.count("█") for line in lines[1:-2]] == [1] * 6
