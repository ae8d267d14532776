"""The address plan of a region: every block is computed from the region's one CIDR block (W6.1).

::

    10.10.0.0/16
    +- private   10.10.0.0/17     three /19, one a zone; a fourth is unused
    +- database  10.10.128.0/18   three /20, one a zone; a fourth is unused
    +- public    10.10.192.0/18   three /20, one a zone; a fourth is unused

Each tier is one block, so that a route, a network ACL rule or a security-group rule names a tier with one CIDR.
"""

from __future__ import annotations

import ipaddress
from dataclasses import dataclass


@dataclass(frozen=True, kw_only=True)
class TierAddresses:
    """A tier's block and its subnets, one for each zone, in CIDR notation."""

    block: str
    subnets: tuple[str, ...]


@dataclass(frozen=True, kw_only=True)
class AddressPlan:
    """The CIDR blocks of a region's tiers. IPv4 only."""

    public: TierAddresses
    private: TierAddresses
    database: TierAddresses

    @staticmethod
    def of(cidr: str, *, zones: int) -> AddressPlan:
        """The plan of ``cidr`` for ``zones`` zones, at most four."""
        first_half, second_half = ipaddress.IPv4Network(cidr).subnets()
        database, public = second_half.subnets()
        return AddressPlan(
            public=_tier(public, zones), private=_tier(first_half, zones), database=_tier(database, zones)
        )


def _tier(block: ipaddress.IPv4Network, zones: int) -> TierAddresses:
    quarters = list(block.subnets(prefixlen_diff=2))
    return TierAddresses(block=str(block), subnets=tuple(str(quarter) for quarter in quarters[:zones]))
