"""What these tests share."""

from __future__ import annotations

from typing import Any

from settings import Settings, load
from tests.synthesized import Block, Synthesized, region_of, synthesize

REGIONS = ("primary", "recovery")


SERVICES = ("web", "payments", "reports")


def with_database(**changes: Any) -> Synthesized:
    values = load("local").model_dump()
    values["database"] |= changes
    return synthesize(Settings.model_validate(values))


def cluster(platform: Synthesized, region: str = "primary") -> Block:
    return platform.resource("aws_rds_cluster", f"{region}/database/cluster")


def instances(platform: Synthesized, region: str = "primary") -> list[Block]:
    return [one for one in platform.resources("aws_rds_cluster_instance").values() if region_of(one) == region]
