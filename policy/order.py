"""Order of creation and destruction: Terraform's dependencies, checked against AWS's rules.

Terraform creates a resource after all resources that it references or names in `depends_on`, and destroys it before
them. Where AWS needs another resource that is not referenced (a role's policy, a route, a security group's rule), no
plan shows it, and the apply or destruction fails, or succeeds by chance. Each rule here yields pairs of addresses: the
first must be created after the second, and destroyed before it.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import cached_property
from typing import Any

Block = dict[str, Any]
Pair = tuple[str, str]
ADDRESS = re.compile(r"\b((?:data\.)?aws_\w+\.[\w-]+)")
POLICIES_OF_ROLES = ("aws_iam_role_policy", "aws_iam_role_policy_attachment")


class Graph:
    """Dependencies of each resource and data source of a synthesized configuration, direct and indirect."""

    def __init__(self, configuration: Block) -> None:
        self.configuration = configuration
        self.blocks: dict[str, Block] = {
            f"{prefix}{type_}.{id_}": block
            for prefix, section in (("", "resource"), ("data.", "data"))
            for type_, blocks in configuration.get(section, {}).items()
            for id_, block in blocks.items()
        }
        self._needs: dict[str, frozenset[str]] = {}

    @cached_property
    def direct(self) -> dict[str, set[str]]:
        """The addresses that each block refers to or depends on, by its own address."""
        return {address: set(self.addresses_in(block)) - {address} for address, block in self.blocks.items()}

    def addresses_in(self, value: object) -> Iterator[str]:
        """Every address of a resource or data source of the configuration within a value, however deep."""
        if isinstance(value, str):
            yield from (one for one in ADDRESS.findall(value) if one in self.blocks)
        elif isinstance(value, dict):
            for key, inner in value.items():
                if key != "//":
                    yield from self.addresses_in(inner)
        elif isinstance(value, list):
            for inner in value:
                yield from self.addresses_in(inner)

    def needs(self, address: str) -> frozenset[str]:
        """All dependencies of a resource.

        Raises:
            ValueError: naming a resource in a cycle.
        """
        return self._closure(address, ())

    def _closure(self, address: str, above: tuple[str, ...]) -> frozenset[str]:
        if address in above:
            raise ValueError(f"{address} needs itself, through {', '.join(above[above.index(address) :])}")
        if address not in self._needs:
            found: set[str] = set()
            for one in self.direct[address]:
                found |= {one, *self._closure(one, (*above, address))}
            self._needs[address] = frozenset(found)
        return self._needs[address]

    def of_type(self, *types: str) -> Iterator[tuple[str, Block]]:
        """Address and block of each resource of the types."""
        for type_ in types:
            for id_, block in self.configuration["resource"].get(type_, {}).items():
                yield f"{type_}.{id_}", block

    def first(self, value: object) -> str:
        """The one address that an attribute refers to."""
        (found,) = set(self.addresses_in(value))
        return found


@dataclass(frozen=True, kw_only=True)
class Rule:
    """A rule of AWS: its text, its source, and the pairs that follow from it."""

    meaning: str
    source: str
    pairs: Callable[[Graph], Iterator[Pair]]


def _roles_have_their_policies(graph: Graph) -> Iterator[Pair]:
    """A resource with a role needs the role's policies; a task definition needs them for the services that run it."""
    policies: dict[str, set[str]] = {}
    for address, block in graph.of_type(*POLICIES_OF_ROLES):
        policies.setdefault(graph.first(block["role"]), set()).add(address)
    handed: dict[str, set[str]] = {
        address: {one for one in graph.direct[address] if one in policies}
        for address, _ in graph.of_type(*graph.configuration["resource"])
        if not address.startswith(("aws_iam_", "aws_kms_key."))
    }
    for address, roles in handed.items():
        if address.startswith("aws_ecs_task_definition."):
            continue
        definitions = [one for one in graph.direct[address] if one.startswith("aws_ecs_task_definition.")]
        for role in roles.union(*(handed[one] for one in definitions)):
            yield from ((address, policy) for policy in policies[role])


def _rules_keep_both_colours(graph: Graph) -> Iterator[Pair]:
    pairs = [
        {
            graph.first(one["name"])
            for info in _listed(group["load_balancer_info"])
            for pair in _listed(info["target_group_pair_info"])
            for one in pair["target_group"]
        }
        for _, group in graph.of_type("aws_codedeploy_deployment_group")
    ]
    for address, rule in graph.of_type("aws_lb_listener_rule"):
        forwards = set(graph.addresses_in(rule["action"]))
        for colours in pairs:
            if forwards & colours:
                yield from ((address, one) for one in colours)


def _subnets_move_to_complete_tables(graph: Graph) -> Iterator[Pair]:
    routes = list(graph.of_type("aws_route"))
    gateways = [(address, one) for address, one in graph.of_type("aws_vpc_endpoint") if one.get("route_table_ids")]
    for address, association in graph.of_type("aws_route_table_association"):
        table = graph.first(association["route_table_id"])
        for route, block in routes:
            # A route over a peering connection depends on the other region, which has a route to this one.
            if graph.first(block["route_table_id"]) == table:
                yield address, route
        for endpoint, block in gateways:
            if table in set(graph.addresses_in(block["route_table_ids"])):
                yield address, endpoint


def _gateways_follow_the_internet_gateway(graph: Graph) -> Iterator[Pair]:
    """An address that is mapped keeps the internet gateway from being detached, and a NAT gateway needs it."""
    for address, block in graph.of_type("aws_nat_gateway"):
        vpc = _vpc_of_subnet(graph, block["subnet_id"])
        for gateway, one in graph.of_type("aws_internet_gateway"):
            if graph.first(one["vpc_id"]) == vpc:
                yield address, gateway
                yield graph.first(block["allocation_id"]), gateway
    for address, block in graph.of_type("aws_eip"):
        for gateway, one in graph.of_type("aws_internet_gateway"):
            if one["provider"] == block["provider"]:
                yield address, gateway


def _load_balancers_follow_the_internet_gateway(graph: Graph) -> Iterator[Pair]:
    for address, block in graph.of_type("aws_lb"):
        (vpc,) = {_vpc_of_subnet(graph, subnet) for subnet in graph.addresses_in(block["subnets"])}
        for gateway, one in graph.of_type("aws_internet_gateway"):
            if graph.first(one["vpc_id"]) == vpc:
                yield address, gateway


def _what_runs_finds_its_network(graph: Graph) -> Iterator[Pair]:
    """Tasks start, and functions are called in an apply, with their groups' rules, routes and endpoints in place."""
    rules: dict[str, set[str]] = {}
    types = ("aws_vpc_security_group_egress_rule", "aws_vpc_security_group_ingress_rule")
    for address, block in graph.of_type(*types):
        for group in {block["security_group_id"], block.get("referenced_security_group_id", "")} - {""}:
            rules.setdefault(graph.first(group), set()).add(address)
    associations = {
        graph.first(block["subnet_id"]): address for address, block in graph.of_type("aws_route_table_association")
    }
    for address, groups, subnets in _run(graph):
        yield from ((address, rule) for group in groups for rule in rules.get(group, ()))
        yield from ((address, associations[one]) for one in subnets)
        vpc = _vpc_of_subnet(graph, next(iter(subnets)))
        for endpoint, block in graph.of_type("aws_vpc_endpoint"):
            if graph.first(block["vpc_id"]) == vpc:
                yield address, endpoint


def _run(graph: Graph) -> Iterator[tuple[str, set[str], set[str]]]:
    """A resource that starts to run during an apply: its address, security groups and subnets."""
    for address, service in graph.of_type("aws_ecs_service"):
        network = service["network_configuration"]
        yield address, set(graph.addresses_in(network["security_groups"])), set(graph.addresses_in(network["subnets"]))
    functions = dict(graph.of_type("aws_lambda_function"))
    for address, _ in graph.of_type("aws_lambda_invocation", "aws_secretsmanager_secret_rotation"):
        for one in graph.direct[address] & functions.keys():
            if place := functions[one].get("vpc_config"):
                yield (
                    address,
                    set(graph.addresses_in(place["security_group_ids"])),
                    set(graph.addresses_in(place["subnet_ids"])),
                )


def _tasks_find_their_secrets(graph: Graph) -> Iterator[Pair]:
    """In the recovery region, too: the replica of a secret has the value that the secret is given."""
    versions: dict[str, set[str]] = {}
    for address, block in graph.of_type("aws_secretsmanager_secret_version"):
        secret = graph.blocks[graph.first(block["secret_id"])]
        versions.setdefault(secret["name"], set()).add(address)
    for address, service in graph.of_type("aws_ecs_service"):
        definition = graph.blocks[graph.first(service["task_definition"])]["container_definitions"]
        for name in {one for one in versions if f":secret:{one}" in definition}:
            yield from ((address, version) for version in versions[name])


def _vaults_are_emptied_by_the_role_of_their_backups(graph: Graph) -> Iterator[Pair]:
    """AWS Backup deletes a backup as the role that made it: without it the backup expires and stays in its vault."""
    for _, selection in graph.of_type("aws_backup_selection"):
        role = graph.first(selection["iam_role_arn"])
        used = graph.addresses_in(graph.blocks[graph.first(selection["plan_id"])]["rule"])
        for vault in {one for one in used if one.startswith("aws_backup_vault.")}:
            yield vault, role
            for policy, block in graph.of_type(*POLICIES_OF_ROLES):
                if graph.first(block["role"]) == role:
                    yield vault, policy


def _vpc_of_subnet(graph: Graph, subnet: object) -> str:
    return graph.first(graph.blocks[graph.first(subnet)]["vpc_id"])


def _listed(value: Any) -> list[Any]:
    return value if isinstance(value, list) else [value]


RULES = (
    Rule(
        meaning="what is handed a role is made once the role has its policies, and ends while it has them",
        source="https://docs.aws.amazon.com/lambda/latest/dg/configuration-vpc.html#configuration-vpc-permissions",
        pairs=_roles_have_their_policies,
    ),
    Rule(
        meaning="a rule that CodeDeploy turns from one target group to the other is deleted before either of them",
        source="https://docs.aws.amazon.com/elasticloadbalancing/latest/APIReference/API_DeleteTargetGroup.html",
        pairs=_rules_keep_both_colours,
    ),
    Rule(
        meaning="a subnet is associated with a route table once the table has its routes and gateway endpoints",
        source="https://docs.aws.amazon.com/vpc/latest/userguide/subnet-route-tables.html",
        pairs=_subnets_move_to_complete_tables,
    ),
    Rule(
        meaning="NAT gateways and their addresses come after the internet gateway, and go before it is detached",
        source="https://docs.aws.amazon.com/vpc/latest/userguide/nat-gateway-working-with.html",
        pairs=_gateways_follow_the_internet_gateway,
    ),
    Rule(
        meaning="the VPC of a load balancer has an internet gateway before it is made",
        source="https://docs.aws.amazon.com/elasticloadbalancing/latest/application/application-load-balancers.html",
        pairs=_load_balancers_follow_the_internet_gateway,
    ),
    Rule(
        meaning="what runs during an apply starts with its security groups' rules, routes and endpoints in place",
        source="https://docs.aws.amazon.com/AmazonECR/latest/userguide/vpc-endpoints.html",
        pairs=_what_runs_finds_its_network,
    ),
    Rule(
        meaning="a task starts when the secrets that its environment names, and their replicas, have their first value",
        source="https://docs.aws.amazon.com/secretsmanager/latest/userguide/replicate-secrets.html",
        pairs=_tasks_find_their_secrets,
    ),
    Rule(
        meaning="a vault is destroyed, and with it its backups, while the role of its backups has its policies",
        source="https://docs.aws.amazon.com/aws-backup/latest/devguide/API_DeleteRecoveryPoint.html",
        pairs=_vaults_are_emptied_by_the_role_of_their_backups,
    ),
)


def out_of_order(graph: Graph, rule: Rule) -> list[str]:
    """The pairs of a rule that Terraform may make in the wrong order, a line each.

    Raises:
        LookupError: the rule finds no pair at all, so that it would hold for nothing.
    """
    pairs = list(rule.pairs(graph))
    if not pairs:
        raise LookupError(f"no resource is under the rule that {rule.meaning}")
    return sorted(
        {f"{later} does not wait for {earlier}" for later, earlier in pairs if earlier not in graph.needs(later)}
    )
