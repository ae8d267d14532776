"""The load balancer's logs in CloudWatch Logs (W5.3): ELB delivers them to S3, and a function forwards them.

Creates the two log groups, the queue of S3's event notifications, and the function that consumes it
(lambda/forward_load_balancer_logs). A file that cannot be forwarded goes to the dead-letter queue, which has an alarm;
docs/runbooks/load-balancer-logs.md says how to redrive it.
"""

from __future__ import annotations

from cdktf_cdktf_provider_aws.cloudwatch_log_group import CloudwatchLogGroup
from cdktf_cdktf_provider_aws.lambda_event_source_mapping import (
    LambdaEventSourceMapping,
    LambdaEventSourceMappingScalingConfig,
)
from cdktf_cdktf_provider_aws.s3_bucket_notification import S3BucketNotification, S3BucketNotificationQueue
from constructs import Construct

from modules.function import Function, FunctionSpecification
from modules.keys import Keys
from modules.logs import RETENTION_DAYS
from modules.monitoring.alarm_topic import AlarmTopic
from modules.policy_documents import Statement
from modules.queues.queue import Queue, Sender
from modules.region import Region
from modules.storage.buckets import LOAD_BALANCER_LOGS, Bucket
from settings.naming import Names

PURPOSE = "forward-load-balancer-logs"
# A load balancer writes a file for each of its addresses every five minutes, which is forwarded in seconds.
TIMEOUT_SECONDS = 900
# Six times the function's timeout, as AWS advises: throttled invocations are retried within it.
# https://docs.aws.amazon.com/lambda/latest/dg/services-sqs-configure.html#events-sqs-queueconfig
VISIBILITY_TIMEOUT_SECONDS = 6 * TIMEOUT_SECONDS
# The minimum that Lambda allows: forwarding leaves CloudWatch Logs' quota to the services' own logs.
MAX_CONCURRENCY = 2


class LoadBalancerLogs(Construct):
    """Forwards the logs of one region's load balancer."""

    requirements = ("W5.3", "Q2")

    def __init__(
        self, scope: Construct, id_: str, *, names: Names, logs: Bucket, keys: Keys, topic: AlarmTopic
    ) -> None:
        """``logs`` is the region's bucket to which ELB delivers."""
        super().__init__(scope, id_)
        self._names = names
        self._keys = keys
        self._logs = logs
        region = Region.of(self).name
        # With the region: the recovery region's bucket also has replicas of the primary's files.
        self._folder = f"{LOAD_BALANCER_LOGS}/AWSLogs/{names.account_id}/elasticloadbalancing/{region}/"
        self.access_log_group = self._log_group("access-log-group", "load-balancer/access")
        self.connection_log_group = self._log_group("connection-log-group", "load-balancer/connections")
        self.queue = Queue(
            self,
            "queue",
            names=names,
            purpose=PURPOSE,
            key=keys.logs,
            topic=topic,
            visibility_timeout_seconds=VISIBILITY_TIMEOUT_SECONDS,
            sender=Sender(service_name="s3.amazonaws.com", source_arn=Bucket.arn_of(names, "logs", region)),
        )
        self.function = self._function(topic)
        self._connect()

    def _log_group(self, id_: str, purpose: str) -> CloudwatchLogGroup:
        return CloudwatchLogGroup(
            self,
            id_,
            name=self._names.log_group(purpose),
            retention_in_days=RETENTION_DAYS,
            kms_key_id=self._keys.logs.arn,
        )

    def _function(self, topic: AlarmTopic) -> Function:
        specification = FunctionSpecification(
            purpose=PURPOSE,
            title="forwarding of load balancer logs",
            description="Forwards the load balancer's logs from S3 to CloudWatch Logs",
            timeout_seconds=TIMEOUT_SECONDS,
            memory_mib=512,
            variables={
                "ACCESS_LOG_GROUP": self.access_log_group.name,
                "CONNECTION_LOG_GROUP": self.connection_log_group.name,
            },
        )
        return Function(
            self,
            "function",
            names=self._names,
            specification=specification,
            key=self._keys.logs,
            topic=topic,
            statements=[
                Statement(
                    sid="ReadFiles",
                    actions=["s3:GetObject", "s3:GetObjectVersion"],
                    resources=[f"{self._logs.bucket.arn}/{self._folder}*"],
                ),
                Statement(
                    sid="WriteLines",
                    actions=["logs:CreateLogStream", "logs:PutLogEvents"],
                    resources=[f"{self.access_log_group.arn}:*", f"{self.connection_log_group.arn}:*"],
                ),
                Statement(
                    sid="TakeMessages",
                    actions=["sqs:DeleteMessage", "sqs:GetQueueAttributes", "sqs:ReceiveMessage"],
                    resources=[self.queue.queue.arn],
                ),
                Statement(sid="ReadMessages", actions=["kms:Decrypt"], resources=[self._keys.logs.arn]),
            ],
        )

    def _connect(self) -> None:
        LambdaEventSourceMapping(
            self,
            "messages",
            event_source_arn=self.queue.queue.arn,
            function_name=self.function.function.function_name,
            batch_size=1,  # one file each: a failure affects no other file
            function_response_types=["ReportBatchItemFailures"],
            scaling_config=LambdaEventSourceMappingScalingConfig(maximum_concurrency=MAX_CONCURRENCY),
            depends_on=[self.function.policy],  # not inferable: Lambda checks that the role may receive
        )
        S3BucketNotification(
            self,
            "new-files",
            bucket=self._logs.bucket.id,
            queue=[
                S3BucketNotificationQueue(
                    queue_arn=self.queue.queue.arn,
                    events=["s3:ObjectCreated:*"],
                    filter_prefix=self._folder,
                    filter_suffix=".log.gz",
                )
            ],
            depends_on=[self.queue.policy],  # not inferable: S3 sends a test message
        )
