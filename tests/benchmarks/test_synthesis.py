"""The measurement of synthesis: what it compares, what it says last, when it fails. Never how long anything took."""

from __future__ import annotations

import io
import json
from collections.abc import Callable

import pytest
from rich.console import Console

from benchmarks import synthesis
from benchmarks.synthesis import EXTRA_RESOURCES, LAZY, Run, measure
from operations.outcome import Failed

Measured = Callable[[str, int, str], Run]


def measured(stock: float = 7.0, lazy: float = 1.0, stock_wrote: bytes = b"{}") -> Measured:
    """A measurement as it might have come out, in seconds; an added resource costs 2 ms."""

    def one(way: str, extra: int, _environment: str) -> Run:
        seconds = lazy + extra * 0.002 if way == LAZY else stock
        return Run(seconds, seconds * 2, 2**20, b"{}" if way == LAZY else stock_wrote)

    return one


def run(monkeypatch: pytest.MonkeyPatch, measurement: Measured) -> str:
    monkeypatch.setattr(synthesis, "measure", measurement)
    console = Console(file=io.StringIO(), width=200)
    try:
        synthesis.run("local", 5, console)
    finally:
        assert isinstance(console.file, io.StringIO)
        text = console.file.getvalue()
    return text


def test_the_ratio_is_the_last_line(monkeypatch: pytest.MonkeyPatch) -> None:
    text = run(monkeypatch, measured(stock=6.84))

    assert text.splitlines()[-1] == "paired ratio 6.8"
    assert "2.0 ms of wall time and 4.0 ms of processor time" in text
    assert "both wrote the same configuration" in text


def test_a_ratio_below_five_fails(monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(Failed):
        run(monkeypatch, measured(stock=4.9))


def test_different_configurations_fail(monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(Failed, match="wrote different configurations"):
        run(monkeypatch, measured(stock_wrote=b"{ }"))


def test_rounds_alternate_the_order_of_the_variants(monkeypatch: pytest.MonkeyPatch) -> None:
    order: list[str] = []
    measurement = measured()

    def remembered(way: str, extra: int, environment: str) -> Run:
        order.append(f"{way} {extra}")
        return measurement(way, extra, environment)

    run(monkeypatch, remembered)

    rounds = [order[first : first + 3] for first in range(0, len(order), 3)]
    forth = ["stock 0", "lazy 0", f"lazy {EXTRA_RESOURCES}"]
    assert len(rounds) == 6  # one to warm up, which is not counted
    assert {tuple(one) for one in rounds} == {tuple(forth), tuple(reversed(forth))}


def test_a_measurement_runs_the_project_and_adds_resources() -> None:
    configuration = json.loads(measure(LAZY, 3, "local").configuration)

    assert len(configuration["resource"]["aws_ssm_parameter"]) == 3
    assert {one["provider"] for one in configuration["resource"]["aws_ssm_parameter"].values()} == {"aws"}
    assert configuration["resource"]["aws_vpc"]


def test_failed_synthesis_prints_its_error() -> None:
    with pytest.raises(Failed, match=r"synthesis \(lazy\) failed:\nenvironment: 'none' is not allowed"):
        measure(LAZY, 0, "none")
