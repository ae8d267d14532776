"""What these tests share."""

from __future__ import annotations

from typing import Any

from settings import Settings, load
from tests.synthesized import Block, Synthesized

VAULT_NAME = "payments-backups-local"


CLUSTER = "payments-database-local"


def changed(*, protected: bool = False, **backups: Any) -> Settings:
    settings = load("local")
    other = settings.backups.model_copy(update=backups)
    return settings.model_copy(update={"backups": other, "protected": protected})


def only(platform: Synthesized, type_: str) -> Block:
    (block,) = platform.resources(type_).values()
    return block


def statements_of(platform: Synthesized, path: str) -> dict[str, Block]:
    return platform.statements(platform.resource("aws_iam_role_policy", path)["policy"])
