"""The topic of the alarms, and who is told (P5.1)."""

from __future__ import annotations

from collections.abc import Sequence

from aws_cdk import Stack
from aws_cdk.aws_iam import PolicyStatement, ServicePrincipal
from aws_cdk.aws_kms import IKey
from aws_cdk.aws_sns import Topic
from aws_cdk.aws_sns_subscriptions import EmailSubscription
from constructs import Construct

from settings.naming import Names


def make(scope: Construct, *, names: Names, key: IKey, email_addresses: Sequence[str]) -> Topic:
    """The topic ``alarms`` below ``scope``, to which alarms of this account may publish.

    CDK's policy, which refuses plain HTTP, takes the place of SNS's default one, by which alarms may publish.
    https://docs.aws.amazon.com/AmazonCloudWatch/latest/monitoring/Notify_Users_Alarm_Changes.html
    """
    topic = Topic(scope, "alarms", topic_name=names.of("alarms"), master_key=key, enforce_ssl=True)
    topic.add_to_resource_policy(
        PolicyStatement(
            sid="PublishByOwnAlarms",
            actions=["sns:Publish"],
            principals=[ServicePrincipal("cloudwatch.amazonaws.com")],
            resources=[topic.topic_arn],
            conditions={"StringEquals": {"aws:SourceAccount": Stack.of(scope).account}},
        )
    )
    for address in email_addresses:
        topic.add_subscription(EmailSubscription(address))
    return topic
