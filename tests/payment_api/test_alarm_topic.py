"""Whoever an alarm tells is told: the topic and its key let CloudWatch publish."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from iam.authorization import Document, Policies, authorize
from iam.evaluation import Request
from tests.payment_api.policies import ACCOUNT, PLACE, Roles
from tests.payment_api.support import Template

CLOUDWATCH = "cloudwatch.amazonaws.com"
ACTIONS = ("AlarmActions", "OKActions", "InsufficientDataActions")


def topics(api: Template) -> set[str]:
    """The logical ids of the topics that alarms tell."""
    alarms = api.of("AWS::CloudWatch::Alarm").values()
    told = [one for alarm in alarms for name in ACTIONS for one in alarm.get(name, [])]
    own = api.of("AWS::SNS::Topic")
    return {one["Ref"] for one in told if isinstance(one, dict) and one.get("Ref") in own}


def documents(api: Template, topic: str) -> Iterator[dict[str, Any]]:
    """The policies of a topic; without one SNS's default lets the account's alarms publish."""
    for policy in api.of("AWS::SNS::TopicPolicy", none_is_right=True).values():
        if {"Ref": topic} in policy["Topics"]:
            yield policy["PolicyDocument"]


def allows(document: dict[str, Any], action: str, resource: str) -> bool:
    context = {
        "aws:SourceAccount": ACCOUNT,
        "aws:SourceArn": f"arn:aws:cloudwatch:{PLACE}:alarm:one",
        "aws:SecureTransport": "true",
    }
    request = Request(action=action, resource=resource, principal=CLOUDWATCH, context=context)
    return authorize(request, Policies(resource=Document(name="policy", document=document), must_name=True)).is_allowed


@pytest.mark.requirement("P5.1")
def test_alarms_may_publish_to_their_topic_and_use_its_key(api: Template) -> None:
    roles, told = Roles(api), topics(api)
    assert told
    for topic in told:
        found = list(documents(api, topic))
        arn = roles.resolve({"Fn::GetAtt": [topic, "Arn"]})
        for document in found:
            resolved = [_resolved(roles, one, arn, topic) for one in document["Statement"]]
            assert allows({"Statement": resolved}, "sns:Publish", arn), topic
        key = api.of("AWS::SNS::Topic")[topic]["KmsMasterKeyId"]["Fn::GetAtt"][0]
        policy = api.of("AWS::KMS::Key")[key]["KeyPolicy"]
        resolved = [_resolved(roles, one, "*", key) for one in policy["Statement"]]
        for action in ("kms:Decrypt", "kms:GenerateDataKey"):
            assert allows({"Statement": resolved}, action, "*"), (key, action)


def _resolved(roles: Roles, value: Any, arn: str, own: str) -> Any:
    """A statement with its references resolved; one to the thing itself is its ARN."""
    if value == {"Ref": own}:
        return arn
    if isinstance(value, dict) and len(value) == 1 and next(iter(value)).startswith(("Fn::", "Ref")):
        return roles.resolve(value)
    if isinstance(value, dict):
        return {key: _resolved(roles, one, arn, own) for key, one in value.items()}
    return [_resolved(roles, one, arn, own) for one in value] if isinstance(value, list) else value
