"""What to look for when something may be left over: a finder for each kind of resource, by area.

A kind that the stack makes and no file here knows is a hole in the proof that a destroy left nothing; it has its finder
beside those of its area, in ``REGIONAL``, or in ``GLOBAL`` where the service has no region.
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
"""By kind, what to look for in every region; it grows with the stack."""

GLOBAL = _joined(data.GLOBAL, edge.GLOBAL, monitoring.GLOBAL, account.GLOBAL)
"""By kind, what to look for once: S3 lists the buckets of all regions, and IAM has no region."""
