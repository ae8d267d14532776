"""What these tests share."""

from __future__ import annotations

from typing import Any

from settings import Settings, load
from tests.synthesized import Block, Synthesized, synthesize

REGIONS = ("primary", "recovery")


CRITICAL = ("web", "payments")


def with_service(name: str, **changes: Any) -> Synthesized:
    values = load("local").model_dump()
    values["services"][name] |= changes
    return synthesize(Settings.model_validate(values))


def service(platform: Synthesized, region: str, name: str) -> Block:
    return platform.resource("aws_ecs_service", f"{region}/services/{name}/service")
