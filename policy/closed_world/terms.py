"""Words of the tables that stand for something else in each environment and place: ``{database.instance_class}``."""

from __future__ import annotations

import functools
import re
from collections import ChainMap
from collections.abc import Mapping, MutableMapping
from dataclasses import dataclass
from ipaddress import ip_network
from typing import Any

TERM = re.compile(r"\{(!?[a-z][\w.]*)\}")
PROVIDERS = {"primary": "aws", "recovery": "aws.recovery", "global": "aws.global"}
# Words in braces that are no terms: what a table says of a digest, and a part of a path of the API.
LITERALS = {"digest", "payment_id"}
REGIONS = {"primary": "recovery", "recovery": "primary", "global": "primary"}


class UnknownTermError(LookupError):
    """A table uses a term that no environment has."""


@dataclass(frozen=True)
class Terms:
    """The terms of one environment."""

    values: MutableMapping[str, Any]

    def of(self, path: str) -> Terms:
        """Those of a resource too: where it is, and its name's parts."""
        here, _, _ = path.partition("/")
        there = REGIONS.get(here, here)
        parent, _, leaf = path.rpartition("/")
        place: dict[str, Any] = {
            "here": here,
            "there": there,
            "region": self.values.get(f"{here}.name", "us-east-1"),
            "other_region": self.values.get(f"{there}.name"),
            "provider": PROVIDERS.get(here),
            **_addresses("here", self.values.get(f"{here}.cidr")),
            **_addresses("there", self.values.get(f"{there}.cidr")),
            "path": path,
            "parent": parent,
            "grandparent": parent.rpartition("/")[0],
            "leaf": leaf,
            "parent_leaf": parent.rpartition("/")[2],
        }
        return Terms(ChainMap(place, self.values))

    def holds(self, condition: str) -> bool:
        """Whether ``a.b`` (is set and not false or empty), ``not a.b``, or ``a.b = its value``.

        Raises:
            UnknownTermError: there is no such term.
        """
        name, equals, value = condition.removeprefix("not ").partition(" = ")
        if equals:
            return str(self._value(name)) == value
        return bool(self._value(name)) is (name == condition)

    def fill(self, value: Any) -> Any:
        """A value of a table as it will be; a text that is one term, and nothing else, is that term's value.

        Raises:
            UnknownTermError: there is no such term.
        """
        if isinstance(value, list):
            return [self.fill(one) for one in value]
        if not isinstance(value, str):
            return value
        if match := TERM.fullmatch(value):
            return self._value(match[1])
        return TERM.sub(lambda match: str(self._value(match[1])), value)

    def _value(self, name: str) -> Any:
        if name.startswith("!"):
            return not self._value(name[1:])
        if name in LITERALS:
            return f"{{{name}}}"
        if name not in self.values:
            raise UnknownTermError(f"{{{name}}} is no term of an environment")
        return self.values[name]


@functools.cache
def _addresses(which: str, cidr: str | None) -> Mapping[str, str]:
    """The networks of a region: half of its addresses are private, a quarter the database's, the rest public."""
    if cidr is None:
        return {}
    private, rest = ip_network(cidr).subnets(1)
    database, public = rest.subnets(1)
    found = {f"{which}.cidr": cidr}
    for name, network in (("private", private), ("database", database), ("public", public)):
        found[f"{which}.{name}"] = str(network)
        found.update({f"{which}.{name}.{zone}": str(one) for zone, one in zip("abcd", network.subnets(2), strict=True)})
    return found


def terms_of_settings(settings: Mapping[str, Any]) -> Terms:
    """Every setting by its name from the outside in, and the words that names are made with."""
    short = {"prefix": settings["name_prefix"], "suffix": settings["environment_suffix"]}
    return Terms({**dict(_flat(settings, "")), **short, "account": settings["account_id"]})


def _flat(settings: Mapping[str, Any], name: str) -> list[tuple[str, Any]]:
    found: list[tuple[str, Any]] = []
    for key, value in settings.items():
        inner = f"{name}.{key}" if name else key
        found.append((inner, list(value) if isinstance(value, tuple) else value))
        if isinstance(value, Mapping):
            found += _flat(value, inner)
    return found
