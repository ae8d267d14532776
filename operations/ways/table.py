"""Which rule, entry, route and endpoint which flow needs, and why the others are there."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from operations.reasons import Reason
from operations.ways.flows import Flow, Service
from reachability.synthesized import ENDPOINT, Part, SynthesizedNetwork

REASONS = Path(__file__).with_name("unneeded.toml")


@dataclass(frozen=True, kw_only=True)
class Row:
    """A part of the network, and the first flow that has no way without it, with what refuses it then."""

    part: Part
    flow: Flow | None = None
    refusal: str = ""
    reason: str = ""


def without_way(found: Iterable[Flow], network: SynthesizedNetwork) -> list[str]:
    """A line for each flow that a network refuses."""
    refusals = ((flow, flow.refusal(network)) for flow in found)
    return [f"no way: {flow}: {refusal}" for flow, refusal in refusals if refusal]


def rows(
    configuration: Mapping[str, Any], found: Sequence[Flow], parts: Sequence[Part], reasons: Sequence[Reason]
) -> list[Row]:
    """A row for each of the parts, which is left out of the network."""
    network = SynthesizedNetwork(configuration)
    users: dict[str, list[Flow]] = {}
    for flow in found:
        for id_ in frozenset().union(*(one.parts for one in flow.verdicts(network))):
            users.setdefault(id_, []).append(flow)
    return [_row(configuration, part, users.get(part.id, []), found, reasons) for part in parts]


def _row(
    configuration: Mapping[str, Any],
    part: Part,
    users: Sequence[Flow],
    found: Sequence[Flow],
    reasons: Sequence[Reason],
) -> Row:
    """Only what admits a flow can be missed by it; an endpoint by whoever calls its service."""
    if part.kind == ENDPOINT:
        users = [
            one for one in found if isinstance(one.destination, Service) and part.name.endswith(one.destination.name)
        ]
    left = SynthesizedNetwork(configuration, without=frozenset({part.id}))
    for flow in users:
        if refusal := flow.refusal(left):
            return Row(part=part, flow=flow, refusal=refusal)
    reason = next((one.reason for one in reasons if _covers(one, part)), "")
    return Row(part=part, reason=reason)


def _covers(reason: Reason, part: Part) -> bool:
    return reason.covers(kind=part.kind, part=part.name)


def unexplained(table: Sequence[Row]) -> list[str]:
    """A line for each part that no flow needs and no reason covers."""
    bare = [row.part for row in table if row.flow is None and not row.reason]
    return [f"no flow needs, and no reason covers: {one.name} ({one.kind})" for one in bare]


def idle(table: Sequence[Row], reasons: Sequence[Reason]) -> list[str]:
    """A line for each reason that covers no unneeded part."""
    unneeded = [row.part for row in table if row.flow is None]
    return [f"covers nothing unneeded: {one}" for one in reasons if not any(_covers(one, part) for part in unneeded)]
