"""What these tests share."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from tests.synthesized import Synthesized, decoded

Widget = dict[str, Any]


def body_of(platform: Synthesized, board: str) -> dict[str, Any]:
    (found,) = [
        block["dashboard_body"]
        for block in platform.resources("aws_cloudwatch_dashboard").values()
        if block["dashboard_name"] == f"payments-{board}-local"
    ]
    body: dict[str, Any] = decoded(found)
    return body


def widgets(platform: Synthesized, board: str) -> list[Widget]:
    found: list[Widget] = body_of(platform, board)["widgets"]
    return found


def graphs(platform: Synthesized, board: str, region: str = "") -> dict[str, Widget]:
    """The properties of graphs by their titles."""
    return {
        one["properties"]["title"]: one["properties"]
        for one in widgets(platform, board)
        if one["type"] == "metric" and one["properties"]["region"].startswith(region)
    }


def looked_at(graph: Widget) -> Iterator[tuple[str, str, dict[str, str]]]:
    """The metrics of a graph: namespace, name, dimensions."""
    for namespace, name, *dimensions, _look in (one for one in graph["metrics"] if len(one) > 1):
        yield namespace, name, dict(zip(dimensions[::2], dimensions[1::2], strict=True))
