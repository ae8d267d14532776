"""What must be there before something works, and still there while it goes: a walk over the template's graph.

CloudFormation makes a resource after what it refers to or depends on, and deletes it before. Whatever answers to
CloudFormation, or runs, has its way and its rights in between only if they are among those.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import pytest

from tests.payment_api.programs import OF_API
from tests.payment_api.support import Template, as_list

pytestmark = pytest.mark.requirement("P6.4")

RUNNERS = ("AWS::ECS::Service", "AWS::Lambda::EventSourceMapping", "AWS::Events::Rule")
"""What starts something in the network by itself, with those that rotate and custom resources."""
LONGEST_ANSWER_SECONDS = 600
ACTING_ON_DELETE = {"Custom::ApiKeys"}
"""Custom resources of ours with something to do on Delete: keys are in no stack."""


@dataclass(frozen=True)
class Graph:
    """The resources of a template, and what each needs."""

    template: Template

    @cached_property
    def edges(self) -> dict[str, set[str]]:
        """What each resource refers to or depends on."""
        known = self.template.resources
        return {
            id_: {one for one in _references(resource) if one in known and one != id_}
            for id_, resource in known.items()
        }

    def needs(self, *ids: str) -> set[str]:
        """Everything that is made before these, by however many steps."""
        found: set[str] = set()
        left = list(ids)
        while left:
            new = self.edges[left.pop()] - found
            found |= new
            left += new
        return found


def _references(value: Any) -> Iterator[str]:
    """The logical ids that a part of a template names."""
    if isinstance(value, list):
        for one in value:
            yield from _references(one)
    elif isinstance(value, dict):
        for key, inner in value.items():
            yield from NAMED_BY[key](inner) if key in NAMED_BY else _references(inner)


NAMED_BY: dict[str, Callable[[Any], list[str]]] = {
    "Ref": lambda id_: [id_],
    "Fn::GetAtt": lambda path: [path[0] if isinstance(path, list) else path.partition(".")[0]],
    "Fn::Sub": lambda text: re.findall(r"\$\{([A-Za-z0-9]+)", str(text)),
    "DependsOn": as_list,
}


def customs(api: Template) -> dict[str, dict[str, Any]]:
    """The custom resources by logical id."""
    return {id_: one for id_, one in api.resources.items() if one["Type"].startswith("Custom::")}


def function_of(custom: dict[str, Any]) -> str:
    """The logical id of the function that answers for a custom resource."""
    found: str = custom["Properties"]["ServiceToken"]["Fn::GetAtt"][0]
    return found


def runners(api: Template) -> dict[str, list[dict[str, Any]]]:
    """What runs by itself, with the network configurations of what it runs."""
    functions = api.of("AWS::Lambda::Function")
    found = {}
    for id_, one in api.resources.items():
        if one["Type"] == "AWS::ECS::Service":
            network = one["Properties"]["NetworkConfiguration"]["AwsvpcConfiguration"]
            found[id_] = [{"SecurityGroupIds": network["SecurityGroups"], "SubnetIds": network["Subnets"]}]
        elif one["Type"].startswith("Custom::") or one["Type"] in {*RUNNERS, "AWS::SecretsManager::RotationSchedule"}:
            asked = [functions[name] for name in _references(one["Properties"]) if name in functions]
            found[id_] = [function["VpcConfig"] for function in asked if "VpcConfig" in function]
    return {id_: networks for id_, networks in found.items() if networks}


def way_of(api: Template, network: dict[str, Any]) -> set[str]:
    """What something in the network needs to reach AWS's services: routes, endpoints and rules of its groups."""
    groups = {one["Fn::GetAtt"][0] for one in network["SecurityGroupIds"]}
    subnets = {one["Ref"] for one in network["SubnetIds"]}
    rules = {
        id_
        for type_ in ("AWS::EC2::SecurityGroupEgress", "AWS::EC2::SecurityGroupIngress")
        for id_, one in api.of(type_).items()
        if (one["GroupId"]["Fn::GetAtt"][0] in groups and type_.endswith("Egress"))
        or one.get("SourceSecurityGroupId", {}).get("Fn::GetAtt", [""])[0] in groups
    }
    routes = {
        id_ for id_, one in api.of("AWS::EC2::SubnetRouteTableAssociation").items() if one["SubnetId"]["Ref"] in subnets
    }
    return rules | routes | set(api.of("AWS::EC2::VPCEndpoint"))


def test_workloads_are_created_after_their_routes_and_deleted_before_them(api: Template) -> None:
    graph, found = Graph(api), runners(api)
    assert {api.resources[id_]["Type"] for id_ in found} >= {*RUNNERS, "Custom::PreparedDatabase"}
    missing = {
        id_: sorted(way_of(api, network) - graph.needs(id_)) for id_, networks in found.items() for network in networks
    }
    assert not {id_: ids for id_, ids in missing.items() if ids}


def test_callers_of_a_function_are_created_after_its_permissions(api: Template) -> None:
    graph, functions = Graph(api), api.of("AWS::Lambda::Function")
    policies = api.of("AWS::IAM::Policy")
    checked = 0
    for id_, one in api.resources.items():
        for name in set(_references(one.get("Properties", {}))) & set(functions):
            role = functions[name]["Role"]["Fn::GetAtt"][0]
            rights = {policy for policy, body in policies.items() if {"Ref": role} in body.get("Roles", [])}
            if one["Type"] in {*RUNNERS, "AWS::SecretsManager::RotationSchedule"} or one["Type"].startswith("Custom::"):
                checked += 1
                assert rights <= graph.needs(id_), id_
    assert checked > len(OF_API)


def test_custom_resource_without_a_delete_action_is_not_invoked_on_delete(api: Template) -> None:
    """An answer that never comes holds a deletion or a rollback for as long as CloudFormation waits."""
    found = customs(api)
    assert found
    for id_, one in found.items():
        if not function_of(one).startswith("Custom"):  # CDK's own empty buckets, which is for Delete
            acts = one["Type"] in ACTING_ON_DELETE
            assert one.get("DeletionPolicy", "Delete") == ("Delete" if acts else "Retain"), id_


def test_cloudformation_waits_minutes_for_an_answer_and_no_hour(api: Template) -> None:
    """https://docs.aws.amazon.com/AWSCloudFormation/latest/TemplateReference/aws-resource-cloudformation-customresource.html"""
    for id_, one in customs(api).items():
        function = api.of("AWS::Lambda::Function")[function_of(one)]
        seconds = int(one["Properties"].get("ServiceTimeout", 3600))
        assert function["Timeout"] < seconds <= LONGEST_ANSWER_SECONDS or function_of(one).startswith("Custom"), id_


def test_database_rotation_is_scheduled_after_the_secret_is_attached(api: Template) -> None:
    graph = Graph(api)
    schedules = [id_ for id_ in api.of("AWS::SecretsManager::RotationSchedule") if "database" in id_]
    attached = set(api.of("AWS::SecretsManager::SecretTargetAttachment"))
    assert schedules
    assert attached
    assert all(attached <= graph.needs(id_) for id_ in schedules)
