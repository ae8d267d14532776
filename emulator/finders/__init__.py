"""Finders of remaining resources after a destruction: one for each resource type, by area.

A type that the stack creates and that has no finder is a gap in the proof that a destruction left nothing. Its finder
is with those of its area, in ``REGIONAL``, or in ``GLOBAL`` where the service has no region.
"""

from __future__ import annotations

from collections.abc import Mapping

from emulator.finders import account, containers, data, edge, monitoring, network
from emulator.finders.listing import Clients, Finder

__all__ = ["GLOBAL", "REGIONAL", "Clients", "Finder"]


def _joined(*areas: Mapping[str, Finder]) -> dict[str, Finder]:
    """The finders of all areas. Each kind has one: a second would hide the first."""
    joined: dict[str, Finder] = {}
    for finders in areas:
        if twice := joined.keys() & finders.keys():
            raise LookupError(f"two finders of {', '.join(sorted(twice))}")
        joined |= finders
    return joined


REGIONAL = _joined(
    network.REGIONAL,
    containers.REGIONAL,
    data.REGIONAL,
    edge.REGIONAL,
    monitoring.REGIONAL,
    account.REGIONAL,
)
"""Finders by type, called in every region; they grow with the stack."""

GLOBAL = _joined(data.GLOBAL, edge.GLOBAL, monitoring.GLOBAL, account.GLOBAL)
"""Finders by type, called once: S3 lists the buckets of all regions, and IAM is global."""
