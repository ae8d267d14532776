"""``make bench-synth``: synthesis against stock CDKTF, in cold processes, both ways in each round.

"Cold" is the process: what jsii unpacks once per machine (its package cache) and Python's byte code are there for both
ways, made by a first round that is not counted. "Stock" is the same program without `synthesis.prepare()`.

Exit codes: 0 at least five times as quick, 1 slower or a synthesis failed, 2 bad input.
"""

from __future__ import annotations

import os
import statistics
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console
from rich.table import Table

import synthesis
from operations.deployment.synthesized import STACK, absolute
from operations.outcome import Failed, Refused, console, exit_codes
from operations.project_root import PROJECT
from settings import SettingsError, load
from settings.loading import ENVIRONMENT_VARIABLE

LEAST_RATIO = 5.0
EXTRA_RESOURCES = 200
SECONDS_BETWEEN_SAMPLES = 0.05
STOCK, LAZY = "stock", "lazy"


@dataclass(frozen=True)
class Run:
    """One synthesis: seconds of wall and of processor time (user and system, all its processes), and peak memory."""

    wall_seconds: float
    cpu_seconds: float
    peak_bytes: int
    configuration: bytes


def run(environment: str, rounds: int, console: Console) -> None:
    """Measure ``rounds`` rounds and print medians, the cost per added resource and, last, the paired ratio.

    Raises:
        Failed: a synthesis failed, both ways differ in what they wrote, or the ratio is below five.
    """
    console.print("one round to warm jsii's package cache and Python's byte code, which both ways then use ...")
    _round(environment)
    measured = []
    for number in range(rounds):
        one = _round(environment, number)
        measured.append(one)
        console.print(
            f"round {number + 1} of {rounds}: stock {one.stock.wall_seconds:.2f} s, ours {one.lazy.wall_seconds:.2f} s"
        )
    console.print(_table(measured))
    console.print("both wrote the same configuration, byte for byte")
    console.print(
        f"an added resource costs {_median(measured, lambda one: one.wall_ms_per_resource):.1f} ms of wall time and "
        f"{_median(measured, lambda one: one.cpu_ms_per_resource):.1f} ms of processor time "
        f"(0 and {EXTRA_RESOURCES} added)"
    )
    ratio = _median(measured, lambda one: one.stock.wall_seconds / one.lazy.wall_seconds)
    if ratio < LEAST_RATIO:
        console.print(f"at least {LEAST_RATIO:g} is needed")
    console.print(f"paired ratio {ratio:.1f}")
    if ratio < LEAST_RATIO:
        raise Failed("")


@dataclass(frozen=True)
class Round:
    """One run each way, and one of ours with resources added."""

    stock: Run
    lazy: Run
    longer: Run

    @property
    def wall_ms_per_resource(self) -> float:
        """Milliseconds of wall time for one more resource."""
        return (self.longer.wall_seconds - self.lazy.wall_seconds) * 1000 / EXTRA_RESOURCES

    @property
    def cpu_ms_per_resource(self) -> float:
        """Milliseconds of processor time for one more resource."""
        return (self.longer.cpu_seconds - self.lazy.cpu_seconds) * 1000 / EXTRA_RESOURCES


def _round(environment: str, number: int = 0) -> Round:
    # Every other round the other way round, so that a machine that gets busier is unfair to neither.
    order = [(STOCK, 0), (LAZY, 0), (LAZY, EXTRA_RESOURCES)]
    runs = {one: measure(*one, environment) for one in (order if number % 2 else reversed(order))}
    stock, lazy, longer = (runs[one] for one in order)
    if stock.configuration != lazy.configuration:
        raise Failed("stock CDKTF and ours wrote different configurations")
    return Round(stock, lazy, longer)


def measure(way: str, extra: int, environment: str) -> Run:
    """Synthesize once in a process of its own.

    Args:
        way: ``stock`` or ``lazy``.
        extra: how many resources to add.
        environment: what to synthesize.

    Raises:
        Failed: with what the process said.
    """
    with tempfile.TemporaryDirectory(prefix="bench-synth-") as folder:
        output = Path(folder) / "cdktf.out"
        # What prepare() sets must come from it alone, not from the shell that measures.
        variables = {name: value for name, value in os.environ.items() if name != "NODE_OPTIONS"}
        options = synthesis.INTERPRETER_OPTIONS if way == "lazy" else ()
        command = [sys.executable, *options, "-m", "benchmarks.application", way, str(extra)]
        with tempfile.TemporaryFile("w+") as said:
            began = time.monotonic()
            process = subprocess.Popen(
                command,
                cwd=PROJECT,
                env={**variables, ENVIRONMENT_VARIABLE: environment, "CDKTF_OUTDIR": str(output)},
                stdout=said,
                stderr=said,
            )
            peak = _PeakMemory(process.pid)
            _, status, usage = os.wait4(process.pid, 0)
            wall_seconds = time.monotonic() - began
            process.returncode = os.waitstatus_to_exitcode(status)
            peak_bytes = peak.stop()
            if process.returncode:
                said.seek(0)
                raise Failed(f"synthesis ({way}) failed:\n{said.read()}")
        configuration = (output / "stacks" / STACK / "cdk.tf.json").read_bytes()
    return Run(wall_seconds, usage.ru_utime + usage.ru_stime, peak_bytes, configuration)


class _PeakMemory:
    """The largest resident memory of a process and all below it together, sampled; 0 where there is no /proc."""

    def __init__(self, pid: int) -> None:
        self._pid = pid
        self._largest = 0
        self._ended = threading.Event()
        self._thread = threading.Thread(target=self._sample, daemon=True)
        self._thread.start()

    def stop(self) -> int:
        self._ended.set()
        self._thread.join()
        return self._largest

    def _sample(self) -> None:
        while not self._ended.wait(SECONDS_BETWEEN_SAMPLES):
            self._largest = max(self._largest, _resident_bytes(self._pid))


def _resident_bytes(pid: int) -> int:
    try:
        pages = int(Path(f"/proc/{pid}/statm").read_text(encoding="ascii").split()[1])
        children = Path(f"/proc/{pid}/task/{pid}/children").read_text(encoding="ascii").split()
    except (OSError, IndexError):
        return 0  # it has ended meanwhile
    return pages * os.sysconf("SC_PAGE_SIZE") + sum(_resident_bytes(int(child)) for child in children)


def _table(rounds: Sequence[Round]) -> Table:
    table = Table("median", box=None, pad_edge=False)
    for heading in ("wall", "processor", "peak memory"):
        table.add_column(heading, justify="right")
    ways: dict[str, Callable[[Round], Run]] = {
        "stock CDKTF": lambda one: one.stock,
        "ours": lambda one: one.lazy,
        f"ours, {EXTRA_RESOURCES} more resources": lambda one: one.longer,
    }
    for name, of in ways.items():
        runs = [of(one) for one in rounds]
        table.add_row(
            name,
            f"{statistics.median(run.wall_seconds for run in runs):.2f} s",
            f"{statistics.median(run.cpu_seconds for run in runs):.2f} s",
            f"{statistics.median(run.peak_bytes for run in runs) / 2**20:.0f} MiB",
        )
    return table


def _median(rounds: Sequence[Round], value: Callable[[Round], float]) -> float:
    return statistics.median(value(one) for one in rounds)


def main(
    rounds: Annotated[int, typer.Option(min=5, max=100, help="Rounds of both ways, one after the other.")] = 5,
    environment: Annotated[str, typer.Option(help="The environment that is synthesized.")] = "local",
) -> None:
    """Measure synthesis against stock CDKTF. Exit code 1 if it is not at least five times as quick."""
    try:
        load(environment)
    except SettingsError as error:
        raise Refused(str(error)) from error
    run(absolute(environment), rounds, console())


if __name__ == "__main__":
    with exit_codes():
        typer.run(main)
