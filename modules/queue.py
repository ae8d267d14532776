"""A queue and where its messages go that cannot be processed.

Creates an encrypted queue, its dead-letter queue, which takes from this queue only, and an alarm for the first message
in it.
"""

from __future__ import annotations

import json

from cdktf_cdktf_provider_aws.cloudwatch_metric_alarm import CloudwatchMetricAlarm
from cdktf_cdktf_provider_aws.kms_key import KmsKey
from cdktf_cdktf_provider_aws.sqs_queue import SqsQueue
from cdktf_cdktf_provider_aws.sqs_queue_policy import SqsQueuePolicy
from cdktf_cdktf_provider_aws.sqs_queue_redrive_allow_policy import SqsQueueRedriveAllowPolicy
from constructs import Construct

from modules.alarm_topic import AlarmTopic
from modules.policy_documents import PolicyDocument, Statement, anyone, when
from modules.region import Region
from settings.naming import Names

# https://docs.aws.amazon.com/AWSSimpleQueueService/latest/SQSDeveloperGuide/quotas-messages.html
LONGEST_RETENTION_SECONDS = 14 * 24 * 3600
LONGEST_POLL_SECONDS = 20


class Queue(Construct):
    """A standard queue with its dead-letter queue."""

    requirements = ("W1.3",)

    def __init__(
        self,
        scope: Construct,
        id_: str,
        *,
        names: Names,
        purpose: str,
        key: KmsKey,
        topic: AlarmTopic,
        visibility_timeout_seconds: int = 300,
        attempts: int = 5,
    ) -> None:
        """A message is given up after ``attempts``; one under way is hidden for ``visibility_timeout_seconds``."""
        super().__init__(scope, id_)
        self.key = key
        dead_letters = names.of(f"{purpose}-dead-letters")
        self.dead_letters = SqsQueue(
            self,
            "dead-letters",
            name=dead_letters,
            kms_master_key_id=key.arn,
            message_retention_seconds=LONGEST_RETENTION_SECONDS,
        )
        self.queue = SqsQueue(
            self,
            "queue",
            name=names.of(purpose),
            kms_master_key_id=key.arn,
            message_retention_seconds=LONGEST_RETENTION_SECONDS,
            receive_wait_time_seconds=LONGEST_POLL_SECONDS,
            visibility_timeout_seconds=visibility_timeout_seconds,
            redrive_policy=json.dumps(
                {"deadLetterTargetArn": self._arn(names, dead_letters), "maxReceiveCount": attempts}
            ),
            depends_on=[self.dead_letters],
        )
        SqsQueueRedriveAllowPolicy(
            self,
            "redrive-allow-policy",
            queue_url=self.dead_letters.url,
            redrive_allow_policy=json.dumps(
                {"redrivePermission": "byQueue", "sourceQueueArns": [self._arn(names, names.of(purpose))]}
            ),
            depends_on=[self.queue],
        )
        self._refuse_plain_http("queue-policy", self.queue)
        self._refuse_plain_http("dead-letters-policy", self.dead_letters)
        self._alarm(names, purpose, topic)

    def _arn(self, names: Names, name: str) -> str:
        """The ARN of a queue by its name: CDKTF writes a JSON string with references in it wrongly in HCL."""
        return f"arn:aws:sqs:{Region.of(self).name}:{names.account_id}:{name}"

    def _refuse_plain_http(self, id_: str, queue: SqsQueue) -> None:
        document = PolicyDocument(
            self,
            f"{id_}-document",
            statement=[
                Statement(
                    sid="NothingWithoutTls",
                    effect="Deny",
                    actions=["sqs:*"],
                    resources=[queue.arn],
                    principals=[anyone()],
                    condition=[when("Bool", "aws:SecureTransport", "false")],
                )
            ],
        )
        SqsQueuePolicy(self, id_, queue_url=queue.url, policy=document.json)

    def _alarm(self, names: Names, purpose: str, topic: AlarmTopic) -> None:
        CloudwatchMetricAlarm(
            self,
            "dead-letters-alarm",
            alarm_name=names.alarm(f"{purpose}-dead-letters"),
            alarm_description=f"A message of {purpose} could not be processed",
            namespace="AWS/SQS",
            metric_name="ApproximateNumberOfMessagesVisible",
            dimensions={"QueueName": self.dead_letters.name},
            statistic="Maximum",
            period=60,
            evaluation_periods=1,
            comparison_operator="GreaterThanThreshold",
            threshold=0,
            treat_missing_data="notBreaching",  # an idle queue publishes nothing
            alarm_actions=[topic.topic.arn],
        )
