"""Roles handed to AWS services allow what each service checks at creation or polls on its own behalf."""

from __future__ import annotations

from copy import deepcopy

import pytest

from policy.service_checks import CHECKS, refused
from tests.synthesized import Block, Synthesized

pytestmark = [pytest.mark.requirement("W4.5"), pytest.mark.requirement("Q2")]
ACCOUNT = "123456789012"


@pytest.fixture
def configuration(platform: Synthesized) -> Block:
    """A copy to break."""
    return deepcopy({part: platform.configuration[part] for part in ("resource", "data", "provider")})


def test_roles_have_the_permissions_that_services_check_at_creation(platform: Synthesized) -> None:
    assert refused(platform.configuration, account_id=ACCOUNT) == []


def test_function_whose_role_is_scoped_to_network_interfaces_is_named(configuration: Block) -> None:
    """CreateFunction fails with it: https://github.com/hashicorp/terraform-provider-aws/issues/20698."""
    statements = configuration["data"]["aws_iam_policy_document"]
    (document,) = [one for id_, one in statements.items() if "primary_services_smoke-test_permissions" in id_]
    for statement in document["statement"]:
        if "ec2:DeleteNetworkInterface" in statement["actions"] and statement.get("effect") != "Deny":
            statement["resources"] = [f"arn:aws:ec2:us-east-2:{ACCOUNT}:network-interface/*"]

    lines = refused(configuration, account_id=ACCOUNT)

    assert {line.split()[4] for line in lines} == set(CHECKS[0].actions)
    assert all("primary_services_smoke-test" in line for line in lines)


def test_boundary_without_the_permission_is_found(configuration: Block) -> None:
    (boundary,) = [
        one for id_, one in configuration["data"]["aws_iam_policy_document"].items() if "role-boundary" in id_
    ]
    for statement in boundary["statement"]:
        if statement.get("effect") != "Deny" and "actions" in statement:
            statement["actions"] = [one for one in statement["actions"] if not one.startswith("ec2:")]
    assert any("ec2:CreateNetworkInterface" in line for line in refused(configuration, account_id=ACCOUNT))


def test_check_that_no_resource_is_under_is_refused(configuration: Block) -> None:
    del configuration["resource"]["aws_lambda_event_source_mapping"]
    with pytest.raises(LookupError, match="no aws_lambda_event_source_mapping is under the check of sqs:DeleteMessage"):
        refused(configuration, account_id=ACCOUNT)
