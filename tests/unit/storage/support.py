"""What these tests share."""

from __future__ import annotations

from typing import Any

from settings import load
from tests.synthesized import Synthesized, synthesize

PURPOSES = ("backups", "logs", "static-assets")


REGIONS = ("primary", "recovery")


def with_storage(environment: str = "local", **changes: Any) -> Synthesized:
    settings = load(environment)
    return synthesize(settings.model_copy(update={"storage": settings.storage.model_copy(update=changes)}))
