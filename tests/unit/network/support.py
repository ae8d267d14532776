"""What these tests share."""

from __future__ import annotations

from settings import load
from settings.network import NatGateways
from tests.synthesized import Block, Synthesized, path_of, region_of, synthesize

REGIONS = ("primary", "recovery")


ANYWHERE = {"0.0.0.0/0", "::/0"}


def with_nat(nat_gateways: NatGateways) -> Synthesized:
    settings = load("local")
    return synthesize(
        settings.model_copy(update={"network": settings.network.model_copy(update={"nat_gateways": nat_gateways})})
    )


def in_region(blocks: dict[str, Block], region: str, part: str = "") -> list[Block]:
    return [block for block in blocks.values() if region_of(block) == region and part in path_of(block)]
