"""`make test-ways`: leaves out each rule, entry, route and endpoint of the network, and looks who has no way then."""

from __future__ import annotations

import json
import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.table import Table

from operations.deployment.synthesized import CONFIGURATION, absolute, synthesize
from operations.outcome import Failed, Refused
from operations.reasons import read_reasons, sample
from operations.ways.flows import flows
from operations.ways.table import REASONS, Row, idle, rows, unexplained, without_way
from reachability.synthesized import KINDS, SynthesizedNetwork
from settings import Settings


def run(environment: str, settings: Settings, share: float | None, seed: int, console: Console) -> None:
    """Synthesize an environment, and judge its network.

    Raises:
        Refused: the settings are bad, or what is synthesized has no network.
        Failed: synthesis failed; or :func:`judge` did.
    """
    with tempfile.TemporaryDirectory() as directory:
        stack = synthesize(absolute(environment), Path(directory))
        configuration = json.loads((stack / CONFIGURATION).read_text(encoding="utf-8"))
    if "aws_vpc" not in configuration.get("resource", {}):
        raise Refused(f"{environment}: what is synthesized has no network (aws_vpc)")
    judge(configuration, settings, share, seed, console)


def judge(
    configuration: Mapping[str, Any], settings: Settings, share: float | None, seed: int, console: Console
) -> None:
    """Leave out each part of a network, or a ``share`` chosen by ``seed``; a share is shown part by part.

    Raises:
        Failed: a flow has no way as it is, a part is not needed and has no reason, or a reason covers no such part.
    """
    network, reasons = SynthesizedNetwork(configuration), read_reasons(REASONS)
    found, parts = flows(configuration, settings), network.parts()
    failures = without_way(found, network)
    table = rows(configuration, found, parts if share is None else sample(parts, share, seed), reasons)
    for row in table if share is not None else ():
        missed = f"{row.flow} is {row.refusal}" if row.flow else "no flow misses it"
        console.print(f"without {row.part.name}: {missed}", markup=False, soft_wrap=True)
    _report(table, console)
    console.print(f"{len(found)} flows, {len(failures)} without a way")
    failures += unexplained(table)
    if len(table) == len(parts):
        failures += idle(table, reasons)
    if failures:
        raise Failed("\n".join(failures))


def _report(table: list[Row], console: Console) -> None:
    for row in table:
        if row.flow is None and row.reason:
            console.print(f"not needed: {row.part.name}: {row.reason}", markup=False, soft_wrap=True)
    shown = Table("kind", "total", "needed", "not needed", box=None, pad_edge=False)
    for kind in KINDS:
        of = [row for row in table if row.part.kind == kind]
        needed = sum(row.flow is not None for row in of)
        shown.add_row(kind, str(len(of)), str(needed), str(len(of) - needed))
    console.print(shown)
