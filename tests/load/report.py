"""The report of a run."""

from __future__ import annotations

import statistics
from collections.abc import Sequence
from pathlib import Path

from rich.console import Console
from rich.table import Table

from tests.load.load import Result
from tests.load.picture import draw, write_svg

MIB = 2**20


def show(result: Result, console: Console, image: Path | None) -> None:
    """Print tables and charts, and write the image if one is wanted."""
    draw(console, charts(result), result.seconds)
    if image:
        write_svg(image, charts(result), result.seconds)
    console.print(_books(result))
    console.print(_times(result))
    console.print(_costs(result))
    for problem in result.problems:
        console.print(f"NOT RIGHT: {problem}", style="red", markup=False)


def charts(result: Result) -> list[tuple[str, list[float], str]]:
    """In flight, completed a second and memory, over time."""
    samples = result.samples
    rates = [
        (after.completed - before.completed) / max(after.at - before.at, 1e-9)
        for before, after in zip(samples, samples[4:], strict=False)
    ]
    accepted = [
        (after.accepted - before.accepted) / max(after.at - before.at, 1e-9)
        for before, after in zip(samples, samples[4:], strict=False)
    ]
    return [
        ("payments in flight", [float(one.in_flight) for one in samples], ""),
        ("completed a second", rates, ""),
        ("memory of the service's processes", [one.service_bytes / MIB for one in samples], " MiB"),
        ("payments accepted a second", accepted, ""),
        ("memory of the workers", [one.worker_bytes / MIB for one in samples], " MiB"),
    ]


def _books(result: Result) -> Table:
    table = Table("books", "", box=None, pad_edge=False)
    table.columns[1].justify = "right"
    captured, declined = result.statuses_of_payments["captured"], result.statuses_of_payments["declined"]
    rows = [
        ("accepted", f"{result.accepted:,}"),
        ("= captured", f"{captured:,}"),
        ("+ declined", f"{declined:,}"),
        ("+ waiting for a person, with an alarm", f"{len(result.waiting):,}"),
        ("  of these dead letters", f"{len(result.dead):,}"),
        ("  of these poisoned: the acquirer never answers", f"{len(result.poisoned):,}"),
        ("charged twice", f"{len(result.book['charged_twice']):,}"),
        *((f"sum {currency}, minor units", f"{sum_:,}") for currency, sum_ in sorted(result.captured.items())),
        ("the acquirer's book says", "the same" if not any("book" in one for one in result.problems) else "OTHERWISE"),
        ("most in flight at once", f"{result.peak:,}"),
        ("most requests open at once", f"{result.customers.max_open:,}"),
        ("requests to the acquirer", f"{result.book['requests']:,}"),
        ("killed", f"{sum(result.kills.values())}: {', '.join(f'{k} {v}' for k, v in sorted(result.kills.items()))}"),
        ("customers' requests that broke", f"{result.customers.broken:,}"),
        ("customers' requests that were shed", f"{result.customers.shed:,}"),
        *((one.name, f"{one.begins:.0f} to {one.ends:.0f} s; {one.seen}") for one in result.faults.windows),
        ("completed by the reconciler at the end", f"{result.reconciled.get('completed', 0):,}"),
    ]
    for row in rows:
        table.add_row(*row)
    return table


def _times(result: Result) -> Table:
    table = Table("seconds", "p50", "p95", "p99", "most", box=None, pad_edge=False)
    for column in table.columns[1:]:
        column.justify = "right"
    purchases = result.customers.accepted
    rows = {
        "answer to the request that was accepted": [one.seconds_of_last for one in purchases],
        "from the first request until accepted, kills and all": [one.seconds for one in purchases],
        "from accepted until completed": result.processing_seconds,
        **{
            f"from the first request until accepted, {name}": values
            for name, values in result.faults.latencies()
            if result.faults.windows
        },
    }
    for name, values in rows.items():
        table.add_row(name, *(f"{value:.3f}" for value in percentiles(values)))
    return table


def percentiles(values: Sequence[float]) -> list[float]:
    """p50, p95, p99 and the largest."""
    if len(values) < 2:
        return list(values) * 4
    cuts = statistics.quantiles(values, n=100, method="inclusive")
    return [cuts[49], cuts[94], cuts[98], max(values)]


def _costs(result: Result) -> Table:
    table = Table("cost", "", box=None, pad_edge=False)
    table.columns[1].justify = "right"
    bare = result.bare
    table.add_row("accepted and completed a second, over the whole run", f"{result.accepted / result.seconds:.0f}")
    table.add_row("bare insert, median", f"{bare.insert:.2f} ms")
    table.add_row("bare send to SQS, median", f"{bare.send:.2f} ms")
    table.add_row("a payment accepted over HTTP, median", f"{bare.accept:.2f} ms")
    table.add_row("accepted / (insert + send)", f"{bare.ratio:.2f}")
    for name, seconds in result.cpu.items():
        table.add_row(f"processor time a payment, {name}", f"{seconds * 1000 / max(result.accepted, 1):.2f} ms")
    return table
