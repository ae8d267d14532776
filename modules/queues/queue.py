"""SQS queue with a dead-letter queue (W1.3, W5.2).

Creates an encrypted queue, its dead-letter queue, which accepts messages of this queue only, an alarm on the first
message in it, one on messages that wait too long, and queue policies. Principals of the account send and receive by
their IAM policies: `send_statements` are those of a producer, `consume_statements` those of a consumer. The queue
policy allows one AWS service to send, where one does.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass

from cdktf_cdktf_provider_aws.kms_key import KmsKey
from cdktf_cdktf_provider_aws.sqs_queue import SqsQueue
from cdktf_cdktf_provider_aws.sqs_queue_policy import SqsQueuePolicy
from cdktf_cdktf_provider_aws.sqs_queue_redrive_allow_policy import SqsQueueRedriveAllowPolicy
from constructs import Construct

from modules.monitoring.alarm_topic import AlarmTopic
from modules.monitoring.alarms import Alarm, Incident
from modules.monitoring.metrics import Metric
from modules.policy_documents import PolicyDocument, Statement, anyone, on_behalf_of, service, when
from modules.region import Region
from settings.naming import Names

# https://docs.aws.amazon.com/AWSSimpleQueueService/latest/SQSDeveloperGuide/quotas-messages.html
LONGEST_RETENTION_SECONDS = 14 * 24 * 3600
LONGEST_POLL_SECONDS = 20


@dataclass(frozen=True, kw_only=True)
class Sender:
    """AWS service that sends to a queue on behalf of one resource of this account.

    The policy of the queue's key must allow the service to use it.
    """

    service_name: str
    source_arn: str


class Queue(Construct):
    """A standard queue with its dead-letter queue."""

    requirements = ("W1.3", "W5.2")

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
        sender: Sender | None = None,
        incident: Incident | None = None,
    ) -> None:
        """Make queue, dead-letter queue, policies and alarms.

        Args:
            scope: a construct below a region.
            id_: of this construct.
            names: of the environment.
            purpose: part of the names of queue and alarms.
            key: encrypts both queues.
            topic: receives the alarms.
            visibility_timeout_seconds: how long a received message is hidden from other consumers.
            attempts: how often a message is received before it moves to the dead-letter queue.
            sender: AWS service that may send; None where principals of the account send.
            incident: pages when messages wait too long or reach the dead-letter queue; None only notifies.
        """
        super().__init__(scope, id_)
        self._names = names
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
        senders = [self._may_send(sender)] if sender else []
        self.policy = self._policy("queue-policy", self.queue, senders)
        self._policy("dead-letters-policy", self.dead_letters)
        self._watch(purpose, topic, incident)

    @property
    def send_statements(self) -> list[Statement]:
        """IAM statements of a producer: send, and read the queue's attributes for a readiness check.

        SQS encrypts with the sender's rights on the key.

        https://docs.aws.amazon.com/AWSSimpleQueueService/latest/SQSDeveloperGuide/sqs-key-management.html
        """
        return [
            Statement(
                sid="SendToTheQueue",
                actions=["sqs:GetQueueAttributes", "sqs:SendMessage"],
                resources=[self.queue.arn],
            ),
            self._through_sqs("EncryptMessages", "kms:Decrypt", "kms:GenerateDataKey"),
        ]

    @property
    def consume_statements(self) -> list[Statement]:
        """IAM statements of a consumer: receive, hide and delete messages, and decrypt them."""
        return [
            Statement(
                sid="WorkOffTheQueue",
                actions=[
                    "sqs:ChangeMessageVisibility",
                    "sqs:DeleteMessage",
                    "sqs:GetQueueAttributes",
                    "sqs:ReceiveMessage",
                ],
                resources=[self.queue.arn],
            ),
            self._through_sqs("DecryptMessages", "kms:Decrypt"),
        ]

    @property
    def give_up_statements(self) -> list[Statement]:
        """IAM statements of a consumer that puts messages into the dead-letter queue itself."""
        return [
            Statement(sid="GiveUp", actions=["sqs:SendMessage"], resources=[self.dead_letters.arn]),
            self._through_sqs("EncryptDeadLetters", "kms:GenerateDataKey"),
        ]

    def _through_sqs(self, sid: str, *actions: str) -> Statement:
        by_sqs = when("StringEquals", "kms:ViaService", f"sqs.{Region.of(self).name}.amazonaws.com")
        return Statement(sid=sid, actions=list(actions), resources=[self.key.arn], condition=[by_sqs])

    def _arn(self, names: Names, name: str) -> str:
        """ARN of a queue from its name: CDKTF writes JSON strings that contain references wrongly in HCL."""
        return f"arn:aws:sqs:{Region.of(self).name}:{names.account_id}:{name}"

    def _may_send(self, sender: Sender) -> Statement:
        return Statement(
            sid="SendByService",
            actions=["sqs:SendMessage"],
            resources=[self.queue.arn],
            principals=[service(sender.service_name)],
            condition=on_behalf_of(self._names.account_id, sender.source_arn),
        )

    def _policy(self, id_: str, queue: SqsQueue, statements: Sequence[Statement] = ()) -> SqsQueuePolicy:
        refusal = Statement(
            sid="NothingWithoutTls",
            effect="Deny",
            actions=["sqs:*"],
            resources=[queue.arn],
            principals=[anyone()],
            condition=[when("Bool", "aws:SecureTransport", "false")],
        )
        document = PolicyDocument(self, f"{id_}-document", statement=[refusal, *statements])
        return SqsQueuePolicy(self, id_, queue_url=queue.url, policy=document.json)

    def _watch(self, purpose: str, topic: AlarmTopic, incident: Incident | None) -> None:
        topic.watch(
            self,
            "dead-letters-alarm",
            Alarm(
                name=f"{purpose}-dead-letters",
                kind="queue-dead-letters",
                meaning=f"A message of {purpose} could not be processed",
                metrics={"messages": self._metric("ApproximateNumberOfMessagesVisible", self.dead_letters)},
                bound=0,
                pages=incident,
            ),
        )
        topic.watch(
            self,
            "age-alarm",
            Alarm(
                name=f"{purpose}-queue-age",
                kind="queue-age",
                meaning=f"Messages of {purpose} wait too long",
                metrics={"age": self._metric("ApproximateAgeOfOldestMessage", self.queue)},
                bound=topic.settings.max_message_age_seconds,
                periods=3,
                of=5,
                pages=incident,
            ),
        )

    def _metric(self, name: str, queue: SqsQueue) -> Metric:
        """Metric of a queue; an idle queue publishes none, so missing data is not breaching."""
        return Metric("AWS/SQS", name, "Maximum", {"QueueName": queue.name})
