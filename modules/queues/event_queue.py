"""SQS queue for EventBridge events that an operator must look at, with an alarm on the first (W5.2).

Creates an encrypted queue that one EventBridge rule writes to, and the alarm. EventBridge publishes to topics too,
but sends SNS nothing that a condition could compare: a topic that it may publish to takes what any account's rules
publish. Of a queue the policy names the rule.
https://docs.aws.amazon.com/eventbridge/latest/userguide/eb-use-resource-based.html#eb-sns-permissions
"""

from __future__ import annotations

from cdktf_cdktf_provider_aws.kms_key import KmsKey
from cdktf_cdktf_provider_aws.sqs_queue import SqsQueue
from cdktf_cdktf_provider_aws.sqs_queue_policy import SqsQueuePolicy
from constructs import Construct

from modules.monitoring.alarm_topic import AlarmTopic
from modules.monitoring.alarms import Alarm
from modules.monitoring.metrics import Metric
from modules.policy_documents import PolicyDocument, Statement, anyone, on_behalf_of, service, when
from modules.queues.queue import LONGEST_RETENTION_SECONDS
from modules.region import Region
from settings.naming import Names


class EventQueue(Construct):
    """Queue that keeps events for 14 days; the alarm lasts until an operator deletes them."""

    requirements = ("W5.2",)

    def __init__(
        self,
        scope: Construct,
        id_: str,
        *,
        names: Names,
        purpose: str,
        rule_name: str,
        meaning: str,
        key: KmsKey,
        topic: AlarmTopic,
    ) -> None:
        """``rule_name`` is the one EventBridge rule that may send; ``meaning`` is the alarm's description."""
        super().__init__(scope, id_)
        self.queue = SqsQueue(
            self,
            "queue",
            name=names.of(purpose),
            kms_master_key_id=key.arn,
            message_retention_seconds=LONGEST_RETENTION_SECONDS,
        )
        rule = f"arn:aws:events:{Region.of(self).name}:{names.account_id}:rule/{rule_name}"
        document = PolicyDocument(
            self,
            "policy-document",
            statement=[
                Statement(
                    sid="WriteByTheRule",
                    actions=["sqs:SendMessage"],
                    resources=[self.queue.arn],
                    principals=[service("events.amazonaws.com")],
                    condition=on_behalf_of(names.account_id, rule),
                ),
                Statement(
                    sid="NothingWithoutTls",
                    effect="Deny",
                    actions=["sqs:*"],
                    resources=[self.queue.arn],
                    principals=[anyone()],
                    condition=[when("Bool", "aws:SecureTransport", "false")],
                ),
            ],
        )
        self.policy = SqsQueuePolicy(self, "policy", queue_url=self.queue.url, policy=document.json)
        topic.watch(
            self,
            "alarm",
            Alarm(
                name=purpose,
                meaning=meaning,
                # An idle queue publishes nothing, which is good.
                metrics={
                    "events": Metric(
                        "AWS/SQS", "ApproximateNumberOfMessagesVisible", "Maximum", {"QueueName": self.queue.name}
                    )
                },
                bound=0,
            ),
        )
