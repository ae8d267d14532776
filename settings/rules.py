"""Rules over several fields (W0.4).

Each is asked even where other fields are wrong, so that all problems show at once.
"""

from __future__ import annotations

import ipaddress
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from pydantic import ValidationError

from settings.naming import Names
from settings.network import RegionSettings


@dataclass(frozen=True, kw_only=True)
class Problem:
    """A field whose value does not go with another's, and what would."""

    field: tuple[str, ...]
    value: object
    allowed: str


def problems(values: Mapping[str, Any]) -> Iterator[Problem]:
    """The problems between the fields of a settings file, as far as those fields are right by themselves."""
    primary, recovery = _region(values.get("primary")), _region(values.get("recovery"))
    if primary and recovery:
        yield from _between_regions(primary, recovery)
    regions = [region.name for region in (primary, recovery) if region]
    prefix, suffix, account_id = (values.get(field) for field in ("name_prefix", "environment_suffix", "account_id"))
    if regions and isinstance(prefix, str) and isinstance(suffix, str) and isinstance(account_id, str):
        names = Names(prefix, suffix, account_id)
        for allowed in names.too_long(regions):
            yield Problem(field=("environment_suffix",), value=names.suffix, allowed=allowed)


def _between_regions(primary: RegionSettings, recovery: RegionSettings) -> Iterator[Problem]:
    if primary.name == recovery.name:
        yield Problem(field=("recovery", "name"), value=recovery.name, allowed="a region other than primary.name is")
    if ipaddress.ip_network(primary.cidr).overlaps(ipaddress.ip_network(recovery.cidr)):
        yield Problem(
            field=("recovery", "cidr"),
            value=recovery.cidr,
            allowed=f"the networks are peered, so a block that does not overlap primary.cidr ({primary.cidr}) is",
        )


def _region(values: object) -> RegionSettings | None:
    try:
        return RegionSettings.model_validate(values)
    except ValidationError:
        return None
