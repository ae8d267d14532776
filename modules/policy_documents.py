"""Short forms for statements of `aws_iam_policy_document`, in which all of the platform's policies are written.

Documents are data sources, not JSON strings: structured in the synthesized configuration, so that scanners and tests
read them, and valid in HCL. https://registry.terraform.io/providers/hashicorp/aws/5.100.0/docs/data-sources/iam_policy_document
"""

from __future__ import annotations

from collections.abc import Sequence

from cdktf_cdktf_provider_aws.data_aws_iam_policy_document import DataAwsIamPolicyDocument as PolicyDocument
from cdktf_cdktf_provider_aws.data_aws_iam_policy_document import DataAwsIamPolicyDocumentStatement as Statement
from cdktf_cdktf_provider_aws.data_aws_iam_policy_document import (
    DataAwsIamPolicyDocumentStatementCondition as Condition,
)
from cdktf_cdktf_provider_aws.data_aws_iam_policy_document import (
    DataAwsIamPolicyDocumentStatementPrincipals as Principals,
)
from constructs import Construct

__all__ = [
    "Condition",
    "PolicyDocument",
    "Statement",
    "account",
    "anyone",
    "on_behalf_of",
    "on_behalf_of_if_sent",
    "open_session_channels",
    "service",
    "trust",
    "when",
]


def account(account_id: str) -> Principals:
    """The account as principal: its identities whose own IAM policies allow the action. Grants nothing alone."""
    return Principals(type="AWS", identifiers=[f"arn:aws:iam::{account_id}:root"])


def service(name: str) -> Principals:
    """An AWS service, such as logs.us-east-2.amazonaws.com."""
    return Principals(type="Service", identifiers=[name])


def federated(provider_arn: str) -> Principals:
    """The identities of a federated identity provider."""
    return Principals(type="Federated", identifiers=[provider_arn])


def anyone() -> Principals:
    """Every principal: for Deny statements, and for Allow statements that conditions narrow."""
    return Principals(type="*", identifiers=["*"])


def when(test: str, variable: str, *values: str) -> Condition:
    """The condition that ``variable`` passes ``test`` (StringEquals, ArnLike ...) against one of ``values``."""
    return Condition(test=test, variable=variable, values=list(values))


def trust(scope: Construct, id_: str, *, service_name: str, conditions: Sequence[Condition] = ()) -> PolicyDocument:
    """A trust policy for one service; ``conditions`` only on keys that the service sends."""
    return PolicyDocument(
        scope,
        id_,
        statement=[
            Statement(
                sid="AssumedByTheService",
                actions=["sts:AssumeRole"],
                principals=[service(service_name)],
                condition=list(conditions) or None,
            )
        ],
    )


def on_behalf_of(account_id: str, *source_arns: str) -> list[Condition]:
    """The service acts for this account and a resource like one of ``source_arns`` (against the confused deputy).

    Only for services that document both keys: a service that sends neither would be denied.
    https://docs.aws.amazon.com/IAM/latest/UserGuide/confused-deputy.html
    """
    return [
        when("StringEquals", "aws:SourceAccount", account_id),
        when("ArnLike", "aws:SourceArn", *source_arns),
    ]


def on_behalf_of_if_sent(account_id: str, *source_arns: str) -> list[Condition]:
    """As ``on_behalf_of``, for services whose documentation shows no condition: a key that is not sent is not compared.

    https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_elements_condition_operators.html#Conditions_IfExists
    """
    return [
        when("StringEqualsIfExists", "aws:SourceAccount", account_id),
        when("ArnLikeIfExists", "aws:SourceArn", *source_arns),
    ]


def open_session_channels() -> Statement:
    """A task holds the channels of Session Manager, by which ECS Exec and forwarded ports reach it.

    https://docs.aws.amazon.com/AmazonECS/latest/developerguide/ecs-exec.html#ecs-exec-required-iam-permissions
    """
    return Statement(
        sid="OpenSessionChannels",
        actions=[
            "ssmmessages:CreateControlChannel",
            "ssmmessages:CreateDataChannel",
            "ssmmessages:OpenControlChannel",
            "ssmmessages:OpenDataChannel",
        ],
        resources=["*"],  # they know no resource
    )
