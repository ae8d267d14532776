"""Cleanup of the task definition revisions that releases registered, which are not in Terraform's state."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

from settings import Settings
from settings.naming import MADE_BY, RELEASE


def deregister(settings: Settings, ecs_in: Callable[[str], Any]) -> int:
    """Deregister the revisions that releases of this environment registered in both regions, and return their number.

    Includes services that settings no longer have. A revision belongs to the environment of its tags.

    Args:
        settings: of the environment.
        ecs_in: a client of ECS in a region.
    """
    own = {
        MADE_BY: RELEASE,
        "platform": settings.name_prefix,
        "environment_suffix": settings.environment_suffix,
    }
    count = 0
    for region in (settings.primary.name, settings.recovery.name):
        ecs = ecs_in(region)
        for arn in _active(ecs, f"{settings.name_prefix}-"):
            tags = ecs.describe_task_definition(taskDefinition=arn, include=["TAGS"]).get("tags", [])
            if own.items() <= {tag["key"]: tag["value"] for tag in tags}.items():
                ecs.deregister_task_definition(taskDefinition=arn)
                count += 1
    return count


def _active(ecs: Any, prefix: str) -> Iterator[str]:
    for page in ecs.get_paginator("list_task_definition_families").paginate(familyPrefix=prefix, status="ACTIVE"):
        for family in page["families"]:
            for revisions in ecs.get_paginator("list_task_definitions").paginate(familyPrefix=family, status="ACTIVE"):
                yield from revisions["taskDefinitionArns"]
