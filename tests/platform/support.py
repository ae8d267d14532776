"""What these tests share."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from settings import Settings, load
from tests.synthesized import Block, Synthesized, region_of

REGIONS = {"primary": "us-east-2", "recovery": "us-west-2", "global": "us-east-1"}


def alarms(platform: Synthesized) -> list[Block]:
    return list(platform.resources("aws_cloudwatch_metric_alarm").values())


def composites(platform: Synthesized) -> list[Block]:
    return list(platform.resources("aws_cloudwatch_composite_alarm").values())


def named(platform: Synthesized, name: str, region: str = "primary") -> Block:
    (found,) = [one for one in alarms(platform) if one["alarm_name"].endswith(f"/{name}") and region_of(one) == region]
    return found


def looked_at(alarm: Block) -> Iterator[tuple[str, str, dict[str, str]]]:
    """The metrics of an alarm: namespace, name, dimensions."""
    for one in [query["metric"] for query in alarm.get("metric_query", []) if "metric" in query] or [alarm]:
        yield one["namespace"], one["metric_name"], one.get("dimensions", {})


def with_observability(**values: Any) -> Settings:
    return Settings.model_validate(load("local").model_dump() | {"observability": values})
