"""The elements of a picture, and the wording of their texts.

Each element has the resources that it represents; without any it is not shown.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum

from operations.picture.plan import Platform, Resource


class Slot(StrEnum):
    """A position in a region, from top to bottom."""

    ENTRY = "entry"
    PUBLIC = "public"
    PRIVATE = "private"
    DATABASE = "database"
    BUCKETS = "buckets"
    BACKUP = "backup"
    QUEUES = "queues"
    SERVICES = "services"


TIERS = (Slot.PUBLIC, Slot.PRIVATE, Slot.DATABASE)


class Icon(StrEnum):
    """AWS's icon of a service, by its name in the npm package aws-icons."""

    BACKUP = "AWSBackup"
    BUDGET = "AWSBudgets"
    CERTIFICATE = "AWSCertificateManager"
    CONTAINERS = "AWSFargate"
    DATABASE = "AmazonAurora"
    DISTRIBUTION = "AmazonCloudFront"
    DNS = "AmazonRoute53"
    ENDPOINTS = "AWSPrivateLink"
    FIREWALL = "AWSWAF"
    FUNCTIONS = "AWSLambda"
    IDENTITY = "AWSIdentityandAccessManagement"
    IMAGES = "AmazonElasticContainerRegistry"
    KEYS = "AWSKeyManagementService"
    LOAD_BALANCER = "ElasticLoadBalancing"
    MONITORING = "AmazonCloudWatch"
    NETWORK = "AmazonVirtualPrivateCloud"
    QUEUES = "AmazonSimpleQueueService"
    SECRETS = "AWSSecretsManager"
    STORAGE = "AmazonSimpleStorageService"
    TRAIL = "AWSCloudTrail"
    WORKFLOWS = "AWSStepFunctions"


@dataclass(frozen=True, kw_only=True)
class Box:
    """A box: icon, title and lines of text."""

    icon: Icon
    title: str
    lines: tuple[str, ...] = ()
    of: tuple[Resource, ...]
    """The resources that it represents."""


@dataclass(frozen=True, kw_only=True)
class Frame:
    """A frame around boxes."""

    lines: tuple[str, ...]
    of: tuple[Resource, ...] = ()


@dataclass(frozen=True, kw_only=True)
class Region:
    """A region with a network, its tiers and boxes."""

    place: str
    title: str
    network: Frame
    tiers: Mapping[Slot, Frame]
    boxes: Mapping[Slot, tuple[Box, ...]]


@dataclass(frozen=True, kw_only=True)
class Strip:
    """Boxes outside of networks, across the whole width of the picture."""

    title: str
    boxes: tuple[Box, ...]


@dataclass(frozen=True, kw_only=True)
class Link:
    """An arrow between the boxes or frames of two resources."""

    label: str = ""
    """Only on an arrow between regions."""
    source: Resource | None
    """None for the customers."""
    target: Resource
    of: tuple[Resource, ...] = ()
    both_ways: bool = False


@dataclass(frozen=True, kw_only=True)
class Picture:
    """A whole picture."""

    title: str
    edge: Strip
    """The boxes in front of the regions."""
    regions: tuple[Region, ...]
    links: tuple[Link, ...]
    others: tuple[Strip, ...]
    """Regions without a network, and resources that an account has once."""
    rest: Mapping[str, int]
    """The number of resources of each type that are not drawn."""


@dataclass(frozen=True, kw_only=True)
class View:
    """The resources of one provider's region, and short names for them."""

    platform: Platform
    place: str | None

    def of(self, *types: str) -> list[Resource]:
        """The resources of these types in this region."""
        return self.platform.of(*types, place=self.place)

    def name(self, resource: Resource, attribute: str = "name") -> str:
        """A resource's name, without the prefix and suffix that all names of the environment have."""
        name = resource.text(attribute) or resource.address.partition(".")[2]
        prefix, suffix = (re.escape(self.platform.tags.get(tag, "")) for tag in ("platform", "environment_suffix"))
        name = re.sub(rf"^/?(alias/)?{prefix}[-_/]({suffix}/)?", "", name) if prefix else name
        return re.sub(rf"[-_]{suffix}(-\d{{12}}-[a-z\d-]+)?$", "", name) if suffix else name

    def names(self, resources: Iterable[Resource], attribute: str = "name") -> tuple[str, ...]:
        """The names of resources, each once, in alphabetical order."""
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
        """The availability zones with subnets."""
        return {one.text("availability_zone") for one in self.of("aws_subnet")}


def box(icon: Icon, title: str, lines: Iterable[str], of: Iterable[Resource]) -> Iterator[Box]:
    """The box, if it represents any resource."""
    if resources := tuple(dict.fromkeys(of)):
        yield Box(icon=icon, title=title, lines=tuple(line for line in lines if line), of=resources)


def counted(number: int, noun: str, many: str = "") -> str:
    """A number with its noun, such as 1 alarm, 2 alarms."""
    return with_unit(number, noun if number == 1 else many or f"{noun}s")


def with_unit(number: float, unit: str) -> str:
    """A number and its unit, without a line break between them."""
    return f"{number:g}\N{NO-BREAK SPACE}{unit}"


def some(things: Sequence[object], noun: str, many: str = "") -> str:
    """Their number with the noun, or an empty text for none."""
    return counted(len(things), noun, many) if things else ""


def listed(count: str, names: Iterable[str]) -> str:
    """A count with the names of what was counted, or an empty text."""
    return f"{count}: {', '.join(names)}" if count else ""
