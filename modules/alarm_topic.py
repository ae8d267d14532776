"""The topic that a region's alarms are published to (W5.2), encrypted under the logs key.

Creates the topic, a policy that lets only this account's alarms publish (and its budgets where the stack says so), and
the subscriptions that settings list.
"""

from __future__ import annotations

from collections.abc import Sequence

from cdktf_cdktf_provider_aws.kms_key import KmsKey
from cdktf_cdktf_provider_aws.sns_topic import SnsTopic
from cdktf_cdktf_provider_aws.sns_topic_policy import SnsTopicPolicy
from cdktf_cdktf_provider_aws.sns_topic_subscription import SnsTopicSubscription
from constructs import Construct

from modules.policy_documents import Condition, PolicyDocument, Statement, anyone, on_behalf_of, service, when
from modules.region import Region
from settings.naming import Names


class AlarmTopic(Construct):
    """Where alarms of one region go."""

    requirements = ("W5.2",)

    def __init__(
        self, scope: Construct, id_: str, *, names: Names, key: KmsKey, email_addresses: Sequence[str]
    ) -> None:
        """Each of ``email_addresses`` is asked by AWS to confirm before anything is sent to it."""
        super().__init__(scope, id_)
        self.topic = SnsTopic(
            self,
            "topic",
            name=names.of("alarms"),
            display_name=names.of("alarms"),
            kms_master_key_id=key.arn,
            tags={"Name": names.of("alarms")},
        )
        alarms = f"arn:aws:cloudwatch:{Region.of(self).name}:{names.account_id}:alarm:{names.alarm('*')}"
        self._statements = [
            self._publication("PublishByOwnAlarms", "cloudwatch.amazonaws.com", on_behalf_of(names.account_id, alarms)),
            Statement(
                sid="NothingWithoutTls",
                effect="Deny",
                actions=["sns:Publish"],
                resources=[self.topic.arn],
                principals=[anyone()],
                condition=[when("Bool", "aws:SecureTransport", "false")],
            ),
        ]
        self._publishers = PolicyDocument(self, "publishers", statement=self._statements)
        self.policy = SnsTopicPolicy(self, "policy", arn=self.topic.arn, policy=self._publishers.json)
        for address in email_addresses:
            SnsTopicSubscription(self, address, topic_arn=self.topic.arn, protocol="email", endpoint=address)

    def let_publish(self, sid: str, service_name: str, conditions: list[Condition]) -> None:
        """Let another service publish here; use of the topic's key is for the key's policy to allow."""
        self._statements.append(self._publication(sid, service_name, conditions))
        self._publishers.put_statement(self._statements)

    def _publication(self, sid: str, service_name: str, conditions: list[Condition]) -> Statement:
        return Statement(
            sid=sid,
            actions=["sns:Publish"],
            resources=[self.topic.arn],
            principals=[service(service_name)],
            condition=conditions,
        )
