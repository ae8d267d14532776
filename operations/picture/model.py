"""What a picture shows, and how things are said in it.

Each thing has the resources that it stands for; without them it is not shown.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum

from operations.picture.plan import Platform, Resource


class Slot(StrEnum):
    """Where in the column of a region something is drawn, from the top."""

    PUBLIC = "public"
    PRIVATE = "private"
    DATABASE = "database"
    STORED = "stored"
    KEPT = "kept"
    WORK = "work"
    WATCH = "watch"


TIERS = (Slot.PUBLIC, Slot.PRIVATE, Slot.DATABASE)


class Kind(StrEnum):
    """What a box is about, for its colour."""

    TRAFFIC = "traffic"
    COMPUTE = "compute"
    DATA = "data"
    SECURITY = "security"
    WATCH = "watching"


@dataclass(frozen=True, kw_only=True)
class Box:
    """A thing, and what is worth saying of it."""

    kind: Kind
    title: str
    lines: tuple[str, ...] = ()
    of: tuple[Resource, ...]
    """The resources that it stands for."""


@dataclass(frozen=True, kw_only=True)
class Frame:
    """What stands around boxes."""

    lines: tuple[str, ...]
    of: tuple[Resource, ...] = ()


@dataclass(frozen=True, kw_only=True)
class Column:
    """A region: its network, tiers and boxes."""

    place: str
    title: str
    network: Frame
    tiers: Mapping[Slot, Frame]
    boxes: Mapping[Slot, tuple[Box, ...]]


@dataclass(frozen=True, kw_only=True)
class Link:
    """An arrow from a box that stands for one resource to one that stands for another."""

    label: str
    source: Resource
    target: Resource
    of: tuple[Resource, ...]
    both_ways: bool = False


@dataclass(frozen=True, kw_only=True)
class Picture:
    """Everything that is drawn."""

    title: str
    edge_title: str
    edge: tuple[Box, ...]
    """What stands before the regions."""
    entries: Mapping[str, str]
    """How requests go on from the edge: what is said of it, by the place of the load balancer."""
    columns: tuple[Column, ...]
    links: tuple[Link, ...]
    account: tuple[Box, ...]
    """What the account has once."""
    rest: Mapping[str, int]
    """How many of each type are not drawn."""


@dataclass(frozen=True, kw_only=True)
class View:
    """The resources of one place, and how names are said."""

    platform: Platform
    place: str | None

    def of(self, *types: str) -> list[Resource]:
        """The resources of these types that stand here."""
        return self.platform.of(*types, place=self.place)

    def name(self, resource: Resource, attribute: str = "name") -> str:
        """What a resource is called, without what every name of the environment begins and ends with."""
        name = resource.text(attribute) or resource.address.partition(".")[2]
        prefix, suffix = (re.escape(self.platform.tags.get(tag, "")) for tag in ("platform", "environment_suffix"))
        name = re.sub(rf"^/?(alias/)?{prefix}[-_/]({suffix}/)?", "", name) if prefix else name
        return re.sub(rf"[-_]{suffix}(-\d{{12}}-[a-z\d-]+)?$", "", name) if suffix else name

    def names(self, resources: Iterable[Resource], attribute: str = "name") -> tuple[str, ...]:
        """What they are called, each once, in alphabetical order."""
        return tuple(sorted({self.name(one, attribute) for one in resources}))

    def naming(self, type_: str, attribute: str, other: Resource) -> list[Resource]:
        """The resources of a type whose ``attribute`` refers to another resource."""
        return [one for one in self.of(type_) if one.names(attribute, other)]

    @property
    def region(self) -> str:
        """The name of the region."""
        return self.platform.regions.get(self.place or "", self.place or "")

    @property
    def zones(self) -> set[str]:
        """The zones in which there are subnets."""
        return {one.text("availability_zone") for one in self.of("aws_subnet")}


def box(kind: Kind, title: str, lines: Iterable[str], of: Iterable[Resource]) -> Iterator[Box]:
    """The box, if there is something that it stands for."""
    if resources := tuple(dict.fromkeys(of)):
        yield Box(kind=kind, title=title, lines=tuple(line for line in lines if line), of=resources)


def counted(number: int, noun: str, many: str = "") -> str:
    """A number with its noun, such as 1 alarm, 2 alarms."""
    return with_unit(number, noun if number == 1 else many or f"{noun}s")


def with_unit(number: float, unit: str) -> str:
    """A number and its unit, which no line parts."""
    return f"{number:g}\N{NO-BREAK SPACE}{unit}"


def some(things: Sequence[object], noun: str, many: str = "") -> str:
    """How many of them there are, or nothing."""
    return counted(len(things), noun, many) if things else ""


def listed(count: str, names: Iterable[str]) -> str:
    """A count and the names of what was counted, or nothing."""
    return f"{count}: {', '.join(names)}" if count else ""
