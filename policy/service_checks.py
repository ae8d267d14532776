"""Permissions that an AWS service checks itself in a role that it receives.

Some services check a role when a resource is created with it, or poll with it themselves; no call of Terraform or of
the platform's code shows that. Each check lists the requests that the role of one resource type must be allowed, by
identity policies and permissions boundary together.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from iam.evaluation import Decision, Request, evaluate
from iam.synthesized import IDENTITY, Policy, arn_of, policies
from policy.order import Graph

Block = dict[str, Any]


@dataclass(frozen=True, kw_only=True)
class Place:
    """Where a resource is: its region and account, for ARNs."""

    region: str
    account_id: str


@dataclass(frozen=True, kw_only=True)
class Check:
    """Permissions that a service requires of the role of a resource type, and AWS's page."""

    type_: str
    source: str
    role: Callable[[Graph, Block], str]
    """Address of the role of a resource."""
    applies: Callable[[Block], bool] = bool
    actions: tuple[str, ...]
    resource: Callable[[Graph, Block, Place], str]
    """The resource of the requests."""


def _every_network_resource(_graph: Graph, _block: Block, place: Place) -> str:
    return f"arn:aws:ec2:{place.region}:{place.account_id}:*/*"


def _anything(_graph: Graph, _block: Block, _place: Place) -> str:
    return "*"


def _at(attribute: str) -> Callable[[Graph, Block, Place], str]:
    def resource(graph: Graph, block: Block, place: Place) -> str:
        return arn_of(graph.configuration, block[attribute], account_id=place.account_id)

    return resource


def _handed(attribute: str) -> Callable[[Graph, Block], str]:
    return lambda graph, block: graph.first(block[attribute])


def _of_function(graph: Graph, block: Block) -> str:
    """The execution role of the function that a resource belongs to."""
    function = graph.first(block["function_name"])
    return graph.first(graph.blocks[function]["role"])


VPC_ACCESS = "https://docs.aws.amazon.com/lambda/latest/dg/configuration-vpc.html#configuration-vpc-permissions"
CHECKS = (
    Check(
        type_="aws_lambda_function",
        source=VPC_ACCESS,  # at CreateFunction, before a network interface exists: so on all resources
        applies=lambda block: "vpc_config" in block,
        role=_handed("role"),
        actions=(
            "ec2:AssignPrivateIpAddresses",
            "ec2:CreateNetworkInterface",
            "ec2:DeleteNetworkInterface",
            "ec2:UnassignPrivateIpAddresses",
        ),
        resource=_every_network_resource,
    ),
    Check(
        type_="aws_lambda_function",
        source=VPC_ACCESS,
        applies=lambda block: "vpc_config" in block,
        role=_handed("role"),
        actions=("ec2:DescribeNetworkInterfaces", "ec2:DescribeSubnets"),
        resource=_anything,
    ),
    Check(
        type_="aws_lambda_event_source_mapping",
        source="https://docs.aws.amazon.com/lambda/latest/dg/services-sqs-configure.html",  # at creation
        role=_of_function,
        actions=("sqs:DeleteMessage", "sqs:GetQueueAttributes", "sqs:ReceiveMessage"),
        resource=_at("event_source_arn"),
    ),
    Check(
        type_="aws_codedeploy_deployment_group",
        # A deployment stops if its alarms cannot be polled. CloudWatch requires it on all alarms.
        source="https://docs.aws.amazon.com/codedeploy/latest/userguide/monitoring-create-alarms.html",
        role=_handed("service_role_arn"),
        actions=("cloudwatch:DescribeAlarms",),
        resource=lambda _graph, _block, place: f"arn:aws:cloudwatch:{place.region}:{place.account_id}:alarm:*",
    ),
    Check(
        type_="aws_codedeploy_deployment_group",
        source="https://docs.aws.amazon.com/aws-managed-policy/latest/reference/AWSCodeDeployRoleForECS.html",
        role=_handed("service_role_arn"),
        actions=(
            "elasticloadbalancing:DescribeListeners",
            "elasticloadbalancing:DescribeRules",
            "elasticloadbalancing:DescribeTargetGroups",
        ),
        resource=_anything,
    ),
)


def refused(configuration: Block, *, account_id: str, checks: Sequence[Check] = CHECKS) -> list[str]:
    """The requests that a service makes with a role handed to it and that the role does not pass, a line each.

    Raises:
        LookupError: no resource is under a check, so that it would hold for nothing.
    """
    graph = Graph(configuration)
    found = {one.owner: one for one in policies(configuration, account_id=account_id)}
    lines = []
    for check in checks:
        resources = [(address, block) for address, block in graph.of_type(check.type_) if check.applies(block)]
        if not resources:
            raise LookupError(f"no {check.type_} is under the check of {', '.join(check.actions)}")
        for address, block in resources:
            place = Place(region=_region(configuration, block), account_id=account_id)
            role, resource = check.role(graph, block), check.resource(graph, block, place)
            lines += [
                f"{address}: {role} may not {action} on {resource}"
                for action in check.actions
                if not _passes(graph, found, role, _request(action, resource, role, place))
            ]
    return lines


def _request(action: str, resource: str, role: str, place: Place) -> Request:
    """Made with the role in a region, which every request of a service carries.

    https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_condition-keys.html#condition-keys-requestedregion
    """
    return Request(action=action, resource=resource, principal=role, context={"aws:RequestedRegion": place.region})


def _passes(graph: Graph, found: dict[str, Policy], role: str, request: Request) -> bool:
    own = [
        evaluate(one.document, request)
        for address, one in found.items()
        if one.use == IDENTITY and address.startswith("aws_iam_role_policy.")
        if graph.first(graph.blocks[address]["role"]) == role
    ]
    bounds = list(_boundary(graph, role))
    decisions = [*own, *(evaluate(found[one].document, request) for one in bounds)]
    bounded = all(evaluate(found[one].document, request) is Decision.ALLOW for one in bounds)
    return Decision.ALLOW in own and bounded and Decision.DENY not in decisions


def _boundary(graph: Graph, role: str) -> Iterator[str]:
    yield from graph.addresses_in(graph.blocks[role].get("permissions_boundary", ""))


def _region(configuration: Block, block: Block) -> str:
    """The region of the provider that a resource names."""
    alias = block["provider"].partition(".")[2]
    (region,) = [one["region"] for one in configuration["provider"]["aws"] if one.get("alias", "") == alias]
    return str(region)
