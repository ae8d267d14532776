"""What these tests share."""

from __future__ import annotations

from typing import Any

from settings import Settings, load
from tests.synthesized import Block, Synthesized, synthesize

REGION_NAMES = {"primary": "us-east-2", "recovery": "us-west-2"}


CSP = "default-src 'self' https://cdn.example.com"


def with_edge(**changes: Any) -> Synthesized:
    values = load("local").model_dump()
    values["edge"] |= changes
    return synthesize(Settings.model_validate(values))


def distribution(platform: Synthesized) -> Block:
    return platform.resource("aws_cloudfront_distribution", "global/distribution/distribution")


def behaviour(platform: Synthesized, pattern: str | None) -> Block:
    """The behaviour of a pattern; of none, the default one."""
    own = distribution(platform)
    if pattern is None:
        return dict(own["default_cache_behavior"])
    (found,) = [one for one in own["ordered_cache_behavior"] if one["path_pattern"] == pattern]
    return dict(found)


def origins(platform: Synthesized) -> dict[str, Block]:
    return {origin["origin_id"]: origin for origin in distribution(platform)["origin"]}
