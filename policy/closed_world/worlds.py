"""The tables of the platform and of the payment API, by environment."""

from __future__ import annotations

import functools
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from policy.closed_world import law, permissions, table
from policy.closed_world.resources import Block, Terraform
from policy.closed_world.templates import Templates
from policy.closed_world.terms import terms_of_settings

PLATFORM, PAYMENT_API = "platform", "payment_api"
TABLES = Path(__file__).parent
PERMISSIONS = "permissions"


@functools.cache
def types_of(world: str) -> dict[str, table.Type]:
    """The tables of resources."""
    return table.read(TABLES / world)


@functools.cache
def permissions_of(world: str) -> dict[str, list[Block]]:
    """The tables of who may do what."""
    return permissions.read(TABLES / world / PERMISSIONS)


@functools.cache
def nouns_of_permissions(world: str) -> dict[str, str]:
    """The nouns that documents are sorted by, by the document."""
    return permissions.nouns(TABLES / world / PERMISSIONS)


def closed_world(world: str, settings: Mapping[str, Any]) -> law.ClosedWorld:
    """The tables of an environment.

    Args:
        world: PLATFORM or PAYMENT_API.
        settings: the environment's, as a dictionary.
    """
    terms = terms_of_settings(settings)
    return law.ClosedWorld(types_of(world), permissions.expected(permissions_of(world), terms), terms)


def platform_problems(configuration: Block, settings: Mapping[str, Any]) -> list[str]:
    """What differs from the tables in a synthesized configuration of the platform, a line each."""
    return list(closed_world(PLATFORM, settings).problems(Terraform().resources(configuration)))


def payment_api_problems(templates: Mapping[str, Block], settings: Mapping[str, Any]) -> list[str]:
    """What differs from the tables in the payment API's templates, which are by region; a line each."""
    return list(closed_world(PAYMENT_API, settings).problems(templates_reader(settings).resources(templates)))


def templates_reader(settings: Mapping[str, Any]) -> Templates:
    """A reader of the templates of an environment."""
    return Templates({settings["region"]: "api", settings["replica_region"]: "replica"})
