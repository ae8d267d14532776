"""The two regions and their networks (W6.1-W6.3)."""

from __future__ import annotations

import ipaddress
import re
from enum import StrEnum
from typing import Annotated, Literal

from pydantic import Field, model_validator

from settings.base import Rule, SettingsModel, matching

ZONES_PER_REGION = 3  # W6.1: every region is laid out over three zones
WIDEST_VPC_PREFIX = 16  # AWS: a VPC's CIDR block is between /16 and /28
# Ours is at most a /20: its public subnets are /24s then, and a load balancer wants a /27 with 8 free addresses.
# https://docs.aws.amazon.com/elasticloadbalancing/latest/application/application-load-balancers.html
NARROWEST_VPC_PREFIX = 20

PRIVATE_RANGES = tuple(map(ipaddress.IPv4Network, ("10.0.0.0/8", "172.16.0.0/12", "192.168.0.0/16")))


def _private_network(block: str) -> str:
    try:
        network = ipaddress.IPv4Network(block)
    except ValueError as error:
        raise ValueError("an IPv4 CIDR block is allowed, such as 10.20.0.0/16, with no address bit set") from error
    if not WIDEST_VPC_PREFIX <= network.prefixlen <= NARROWEST_VPC_PREFIX:
        raise ValueError(f"a prefix from /{WIDEST_VPC_PREFIX} to /{NARROWEST_VPC_PREFIX} is allowed")
    if not any(network.subnet_of(private) for private in PRIVATE_RANGES):
        raise ValueError("a block within " + ", ".join(map(str, PRIVATE_RANGES)) + " is allowed (RFC 1918)")
    return str(network)


# The form of the regions of the partition "aws": every ARN of the platform is of it. Those of China and of governments
# have partitions of their own. https://docs.aws.amazon.com/IAM/latest/UserGuide/reference-arns.html
RegionName = Annotated[
    str,
    matching(
        r"[a-z]{2}-(north|south|central)?(east|west|north|south|central)-\d",
        "a commercial AWS region is allowed, such as us-east-2",
    ),
]
PrivateNetwork = Annotated[
    str,
    Rule(
        _private_network,
        f"an IPv4 CIDR block from /{WIDEST_VPC_PREFIX} to /{NARROWEST_VPC_PREFIX} within "
        + ", ".join(map(str, PRIVATE_RANGES)),
    ),
]


class NatGateways(StrEnum):
    """How the private tier reaches the internet, if at all. Each gateway costs by the hour and by the byte."""

    NONE = "none"
    ONE = "one"
    ONE_PER_ZONE = "one_per_zone"


class RegionSettings(SettingsModel):
    """One region: where it is, the zones it uses and the addresses it owns."""

    name: RegionName
    """The AWS region."""
    zones: Annotated[list[str], Field(min_length=ZONES_PER_REGION, max_length=ZONES_PER_REGION)]
    """Different availability zones of this region, by name, such as us-east-2a."""
    cidr: PrivateNetwork
    """The addresses of the region's VPC; modules/network/addressing.py lays out the three tiers in it."""

    @model_validator(mode="after")
    def _zones_are_of_the_region(self) -> RegionSettings:
        allowed = re.compile(re.escape(self.name) + "[a-z]")
        if len(set(self.zones)) != len(self.zones) or not all(allowed.fullmatch(zone) for zone in self.zones):
            raise ValueError(
                f"zones: {self.zones} is not allowed; {ZONES_PER_REGION} different zones of {self.name} are, such as "
                f"{self.name}a"
            )
        return self


class RecoveryRegionSettings(RegionSettings):
    """The recovery region, a warm standby."""

    standby_percent: Annotated[int, Field(ge=1, le=100)] = 50
    """Of a hundred tasks that a service keeps in the primary region, how many it keeps in this one, rounded up.

    `make failover` starts the others. With 100 none have to start; so it is while edge.origin_routing is `latency`, as
    both regions serve then.
    """


class NetworkSettings(SettingsModel):
    """Network settings shared by both regions."""

    nat_gateways: Annotated[NatGateways, Field(strict=False)] = NatGateways.NONE
    """NAT gateways for the private tier; each costs by the hour and by the byte."""
    flow_log_aggregation_seconds: Literal[60, 600] = 600
    """How long VPC flows are gathered before they are written, in seconds.

    https://docs.aws.amazon.com/vpc/latest/userguide/flow-logs-basics.html
    """
    interface_endpoint_zones: Literal[1, 2, 3] = 3
    """Number of zones with interface endpoints; each zone costs by the hour, tasks in other zones call across zones."""
