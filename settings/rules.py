"""Rules over several fields (W0.4).

Each is asked as far as the fields that it compares are there, even where others are wrong, so that all problems show at
once.
"""

from __future__ import annotations

import ipaddress
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from settings.naming import Names


@dataclass(frozen=True, kw_only=True)
class Problem:
    """A field whose value does not go with another's, and what would."""

    field: tuple[str, ...]
    value: object
    allowed: str


def problems(values: Mapping[str, Any]) -> Iterator[Problem]:
    """The problems between the fields of a settings file."""
    yield from _region_names(values)
    yield from _region_networks(values)
    yield from _name_lengths(values)


def _region_names(values: Mapping[str, Any]) -> Iterator[Problem]:
    primary, recovery = _text(values, "primary", "name"), _text(values, "recovery", "name")
    if primary and primary == recovery:
        yield Problem(field=("recovery", "name"), value=recovery, allowed="a region other than primary.name is")


def _region_networks(values: Mapping[str, Any]) -> Iterator[Problem]:
    primary, recovery = _text(values, "primary", "cidr"), _text(values, "recovery", "cidr")
    try:
        overlap = ipaddress.IPv4Network(primary).overlaps(ipaddress.IPv4Network(recovery))
    except ValueError:
        return  # the field's own rule says so
    if overlap:
        allowed = f"the networks are peered, so a block that does not overlap primary.cidr ({primary}) is"
        yield Problem(field=("recovery", "cidr"), value=recovery, allowed=allowed)


def _name_lengths(values: Mapping[str, Any]) -> Iterator[Problem]:
    parts = [_text(values, field) for field in ("name_prefix", "environment_suffix", "account_id")]
    regions = [name for field in ("primary", "recovery") if (name := _text(values, field, "name"))]
    if all(parts) and regions:
        for allowed in Names(*parts).too_long(regions):
            yield Problem(field=("environment_suffix",), value=parts[1], allowed=allowed)


def _text(values: Mapping[str, Any], *path: str) -> str:
    """The text at a path within the values, or none where there is something else or nothing."""
    found: Any = values
    for key in path:
        found = found.get(key) if isinstance(found, Mapping) else None
    return found if isinstance(found, str) else ""
