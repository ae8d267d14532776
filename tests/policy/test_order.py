"""Order of creation and destruction: every resource is made after what AWS needs it to have, and destroyed before."""

from __future__ import annotations

from copy import deepcopy

import pytest

from policy.order import RULES, Graph, Rule, out_of_order
from settings import load
from settings.loading import known_environments
from tests.synthesized import Synthesized, synthesize

pytestmark = pytest.mark.requirement("W0.1", "W2.1", "W6.1", "W7.1")


@pytest.fixture(scope="module")
def graph(platform: Synthesized) -> Graph:
    return Graph(platform.configuration)


@pytest.mark.parametrize("rule", RULES, ids=lambda rule: rule.pairs.__name__.lstrip("_"))
def test_resources_depend_on_all_that_aws_requires_at_their_creation(graph: Graph, rule: Rule) -> None:
    assert out_of_order(graph, rule) == []


@pytest.mark.parametrize("environment", known_environments())
def test_what_a_block_depends_on_is_the_address_of_another(environment: str) -> None:
    """A reference, `${...}`, is refused by Terraform there, though the graph of it is the same."""
    graph = Graph(synthesize(load(environment)).configuration)
    stated = {one for block in graph.blocks.values() for one in block.get("depends_on", [])}
    assert len(stated) > 50
    assert stated <= graph.blocks.keys()


def test_no_resource_needs_itself(graph: Graph) -> None:
    assert graph.blocks
    assert all(address not in graph.needs(address) for address in graph.blocks)


def test_every_load_balancer_address_and_association_is_under_a_rule(graph: Graph) -> None:
    held = {later for rule in RULES for later, _ in rule.pairs(graph)}
    for type_ in ("aws_lb", "aws_nat_gateway", "aws_eip", "aws_route_table_association"):
        found = {address for address, _ in graph.of_type(type_)}
        assert found, type_
        assert found <= held, type_


def test_every_route_table_of_a_subnet_has_a_route(graph: Graph) -> None:
    tables = {graph.first(one["route_table_id"]) for _, one in graph.of_type("aws_route_table_association")}
    assert len(list(graph.of_type("aws_route_table_association"))) == 18
    assert tables == {graph.first(one["route_table_id"]) for _, one in graph.of_type("aws_route")}


def spread_of_creation_first(graph: Graph) -> dict[str, list[str]]:
    """What create_before_destroy of each resource spreads to: Terraform forces it on all managed resources below."""
    first = {
        address for address, block in graph.blocks.items() if block.get("lifecycle", {}).get("create_before_destroy")
    }
    assert first
    spread = {one: sorted(two for two in graph.needs(one) if not two.startswith("data.")) for one in first}
    return {one: two for one, two in spread.items() if two}


def test_creation_before_destruction_spreads_to_nothing_with_a_fixed_name(graph: Graph) -> None:
    """https://developer.hashicorp.com/terraform/language/meta-arguments/lifecycle#create_before_destroy"""
    assert spread_of_creation_first(graph) == {}


def test_alarm_that_is_created_first_spreads_to_what_it_watches(platform: Synthesized) -> None:
    spreading = deepcopy({part: platform.configuration[part] for part in ("resource", "data")})
    for block in spreading["resource"]["aws_cloudwatch_metric_alarm"].values():
        block["lifecycle"] = {"create_before_destroy": True}
    found = {one.partition(".")[0] for spread in spread_of_creation_first(Graph(spreading)).values() for one in spread}
    assert {"aws_lb", "aws_rds_cluster", "aws_sns_topic"} <= found


def test_dependency_that_is_missing_is_named(platform: Synthesized) -> None:
    broken = deepcopy({part: platform.configuration[part] for part in ("resource", "data")})
    for block in broken["resource"]["aws_lambda_function"].values():
        block.pop("depends_on", None)
    lines = out_of_order(Graph(broken), RULES[0])
    assert any("smoke-test_function" in line and "smoke-test_policy" in line for line in lines)


def test_rule_that_no_resource_is_under_is_refused(graph: Graph) -> None:
    with pytest.raises(LookupError, match="no resource is under the rule that x"):
        out_of_order(graph, Rule(meaning="x", source="", pairs=lambda _: iter(())))
