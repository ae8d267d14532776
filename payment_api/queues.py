"""The queue of payments to process, and its dead-letter queue (P3.2)."""

from __future__ import annotations

from aws_cdk import Duration, RemovalPolicy
from aws_cdk.aws_kms import IKey
from aws_cdk.aws_sqs import DeadLetterQueue, Queue, QueueEncryption, RedriveAllowPolicy, RedrivePermission
from constructs import Construct

from payment_api.settings.runtime import ProcessingSettings
from settings.common import MAX_RECEIVES, VISIBILITY_PER_TIMEOUT
from settings.naming import Names

LONGEST_RETENTION_DAYS = 14  # the most that SQS keeps


class Queues(Construct):
    """``payments``, and ``dead_letters``, from which ``make redrive`` brings messages back."""

    requirements = ("P3.2", "P4.4")

    def __init__(self, scope: Construct, id_: str, *, names: Names, settings: ProcessingSettings, key: IKey) -> None:
        super().__init__(scope, id_)
        self.dead_letters = self._queue(names.of("payments-dead-letters"), "dead-letters", key)
        self.payments = self._queue(
            names.of("payments"),
            "payments",
            key,
            visibility_timeout=Duration.seconds(settings.timeout_seconds * VISIBILITY_PER_TIMEOUT),
            dead_letter_queue=DeadLetterQueue(queue=self.dead_letters, max_receive_count=MAX_RECEIVES),
            receive_message_wait_time=Duration.seconds(20),
            # It accepts no dead letters of another queue.
            redrive_allow_policy=RedriveAllowPolicy(redrive_permission=RedrivePermission.DENY_ALL),
        )

    def _queue(self, name: str, id_: str, key: IKey, **more: object) -> Queue:
        return Queue(
            self,
            id_,
            queue_name=name,
            encryption=QueueEncryption.KMS,
            encryption_master_key=key,
            data_key_reuse=Duration.minutes(5),
            enforce_ssl=True,
            retention_period=Duration.days(LONGEST_RETENTION_DAYS),
            removal_policy=RemovalPolicy.DESTROY,
            **more,  # type: ignore[arg-type]
        )
