"""Resources are created after what they need to work, and destroyed before it (W6.1, W2.1)."""

from __future__ import annotations

from collections.abc import Iterator
from functools import cached_property

import pytest

from tests.synthesized import ADDRESS, Block, Synthesized, references, region_of

pytestmark = pytest.mark.requirement("W6.1")

# What AWS wants to be there first, in the same region, though no attribute refers to it.
NEEDS = [
    # "Your VPC must have an internet gateway": https://docs.aws.amazon.com/elasticloadbalancing/latest/application/application-load-balancers.html
    ("aws_lb", "aws_internet_gateway"),
    # https://docs.aws.amazon.com/vpc/latest/userguide/nat-gateway-basics.html
    ("aws_nat_gateway", "aws_internet_gateway"),
    # An internet gateway is not detached while an address of the VPC is in use.
    # https://docs.aws.amazon.com/vpc/latest/userguide/delete-igw.html
    ("aws_eip", "aws_internet_gateway"),
]


class Graph:
    """Which resource refers to which, by attribute or depends_on."""

    def __init__(self, platform: Synthesized) -> None:
        self.blocks = {address: (type_, block) for address, type_, block in platform.blocks}

    @cached_property
    def direct(self) -> dict[str, set[str]]:
        return {address: set(_addresses(block)) & set(self.blocks) for address, (_, block) in self.blocks.items()}

    def needs(self, address: str) -> set[str]:
        """All that a resource depends on, however indirectly."""
        found: set[str] = set()
        waiting = [address]
        while waiting:
            new = self.direct[waiting.pop()] - found
            found |= new
            waiting += new
        return found

    def of(self, *types: str) -> Iterator[tuple[str, Block]]:
        for address, (type_, block) in self.blocks.items():
            if type_ in types:
                yield address, block


def _addresses(block: Block) -> Iterator[str]:
    for reference in references({key: value for key, value in block.items() if key != "//"}):
        yield from (found.rpartition(".")[0] for found in ADDRESS.findall(reference))
    yield from block.get("depends_on", [])


@pytest.fixture(scope="module")
def graph(platform: Synthesized) -> Graph:
    return Graph(platform)


@pytest.mark.requirement("W2.1")
@pytest.mark.parametrize(("type_", "needed"), NEEDS)
def test_resource_waits_for_what_aws_wants_first(graph: Graph, type_: str, needed: str) -> None:
    waiting = list(graph.of(type_))
    assert waiting
    for address, block in waiting:
        assert any(
            graph.blocks[one][0] == needed and region_of(graph.blocks[one][1]) == region_of(block)
            for one in graph.needs(address)
        ), address


def test_subnets_move_to_a_route_table_that_has_its_routes_and_gateways(graph: Graph) -> None:
    """Otherwise a change of NAT gateways or peering takes the routes of running tasks until it is complete."""
    associations = list(graph.of("aws_route_table_association"))
    assert len(associations) == 18
    for address, block in associations:
        (table,) = set(_addresses({"id": block["route_table_id"]}))
        routes = {route for route, one in graph.of("aws_route") if table in _addresses({"id": one["route_table_id"]})}
        gateways = {
            endpoint
            for endpoint, one in graph.of("aws_vpc_endpoint")
            if table in set(_addresses({"ids": one.get("route_table_ids", [])}))
        }
        assert routes, table
        assert routes | gateways <= graph.needs(address), address


def test_nothing_depends_on_itself(graph: Graph) -> None:
    assert [address for address in graph.blocks if address in graph.needs(address)] == []
