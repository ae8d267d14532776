"""A queue and where its messages go that cannot be processed.

Creates an encrypted queue, its dead-letter queue, which takes from this queue only, an alarm for the first message in
it and one for messages that wait too long, and policies: nobody sends but who has an IAM policy for it and, where there
is one, a service of AWS.
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
    """A service of AWS that sends to a queue, on behalf of one resource of this account.

    Use of the queue's key is for the key's policy to allow.
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
        """A message is given up after ``attempts``; one under way is hidden for ``visibility_timeout_seconds``.

        ``incident`` is what it is a sign of that messages wait or are given up; if there is none, nobody is woken.
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
    def to_send(self) -> list[Statement]:
        """What a role needs that sends, and looks whether it could. To send is to encrypt, which SQS does in its name.

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
    def to_work_off(self) -> list[Statement]:
        """What a role needs that takes messages, and hides or deletes them. To receive is to decrypt."""
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

    def _through_sqs(self, sid: str, *actions: str) -> Statement:
        by_sqs = when("StringEquals", "kms:ViaService", f"sqs.{Region.of(self).name}.amazonaws.com")
        return Statement(sid=sid, actions=list(actions), resources=[self.key.arn], condition=[by_sqs])

    def _arn(self, names: Names, name: str) -> str:
        """The ARN of a queue by its name: CDKTF writes a JSON string with references in it wrongly in HCL."""
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
        """An idle queue publishes nothing, which is good."""
        return Metric("AWS/SQS", name, "Maximum", {"QueueName": queue.name})
