"""Replication of a bucket to the other region (W4.5).

Creates the role that S3 replicates with, the replication rule, and two alarms: one on lag and one on failures. Replicas
are encrypted under the destination's key.

The metrics of a rule are split: lag is published in the destination's region, failures in the source's, and an alarm
must be in the region of its metric. https://docs.aws.amazon.com/AmazonS3/latest/userguide/repl-metrics.html
"""

from __future__ import annotations

from cdktf_cdktf_provider_aws.cloudwatch_metric_alarm import CloudwatchMetricAlarm
from cdktf_cdktf_provider_aws.iam_role import IamRole
from cdktf_cdktf_provider_aws.iam_role_policy import IamRolePolicy
from cdktf_cdktf_provider_aws.s3_bucket_replication_configuration import (
    S3BucketReplicationConfigurationA,
    S3BucketReplicationConfigurationRule,
    S3BucketReplicationConfigurationRuleDeleteMarkerReplication,
    S3BucketReplicationConfigurationRuleDestination,
    S3BucketReplicationConfigurationRuleDestinationEncryptionConfiguration,
    S3BucketReplicationConfigurationRuleDestinationMetrics,
    S3BucketReplicationConfigurationRuleDestinationMetricsEventThreshold,
    S3BucketReplicationConfigurationRuleDestinationReplicationTime,
    S3BucketReplicationConfigurationRuleDestinationReplicationTimeTime,
    S3BucketReplicationConfigurationRuleFilter,
    S3BucketReplicationConfigurationRuleSourceSelectionCriteria,
    S3BucketReplicationConfigurationRuleSourceSelectionCriteriaSseKmsEncryptedObjects,
)
from constructs import Construct

from modules.monitoring.alarm_topic import AlarmTopic
from modules.monitoring.alarms import Alarm, Missing
from modules.monitoring.metrics import Metric
from modules.policy_documents import PolicyDocument, Statement, trust, when
from modules.region import Region
from modules.storage.buckets import Bucket
from settings.naming import Names
from settings.storage import StorageSettings

# The only time that S3 accepts, for replication time control and for the metrics' threshold.
# https://docs.aws.amazon.com/AmazonS3/latest/API/API_ReplicationTimeValue.html
REPLICATION_TIME_MINUTES = 15
RULE_ID = "to-recovery-region"
SUSTAINED_LAG_MINUTES = 5  # a single late object is no incident


class Replication(Construct):
    """Replication from ``source`` to ``destination``, and its alarms. Is in the source's region."""

    requirements = ("W4.5", "W5.2")

    def __init__(
        self,
        scope: Construct,
        id_: str,
        *,
        names: Names,
        settings: StorageSettings,
        source: Bucket,
        destination: Bucket,
    ) -> None:
        super().__init__(scope, id_)
        self.names = names
        self._settings = settings
        self.source = source
        self.destination = destination
        self.role, policy = self._role()
        self.configuration = S3BucketReplicationConfigurationA(
            self,
            "configuration",
            bucket=source.bucket.id,
            role=self.role.arn,
            rule=[self._rule()],
            # not inferable: S3 takes a rule only when both buckets are versioned, and replicates by the role's policy
            depends_on=[source.versioning, destination.versioning, policy],
        )

    def alarm_on_lag(self, topic: AlarmTopic) -> CloudwatchMetricAlarm:
        """Alarm in the destination's region, where ``topic`` must be too."""
        return topic.watch(
            self.destination,
            "replication-lag",
            Alarm(
                name=f"{self.source.purpose}-replication-lag",
                kind="replication-lag",
                meaning=f"Replication of {self.source.purpose} is behind",
                metrics={"lag": self._metric("ReplicationLatency", "Maximum")},
                bound=self._settings.replication_lag_alarm_seconds,
                periods=SUSTAINED_LAG_MINUTES,
                missing=Missing.SAYS_NOTHING,
            ),
        )

    def alarm_on_failure(self, topic: AlarmTopic) -> CloudwatchMetricAlarm:
        """Alarm in the source's region, where ``topic`` must be too."""
        return topic.watch(
            self.source,
            "replication-failures",
            Alarm(
                name=f"{self.source.purpose}-replication-failures",
                kind="replication-failures",
                meaning=f"Objects of {self.source.purpose} were not replicated",
                metrics={"failed": self._metric("OperationsFailedReplication", "Sum")},
                bound=0,
                missing=Missing.SAYS_NOTHING,
            ),
        )

    def _metric(self, name: str, statistic: str) -> Metric:
        """A metric of the rule. They are delivered on a best-effort basis: a gap is neither good nor bad news."""
        dimensions = {
            "SourceBucket": self.source.bucket.id,
            "DestinationBucket": self.destination.bucket.id,
            "RuleId": RULE_ID,
        }
        return Metric("AWS/S3", name, statistic, dimensions)

    def _role(self) -> tuple[IamRole, IamRolePolicy]:
        role = IamRole(
            self,
            "role",
            name=self.names.of(f"{self.source.purpose}-replication"),
            description=f"Lets S3 replicate {self.source.purpose} to {Region.of(self.destination).name}",
            # No condition: AWS documents none for replication, and one that S3 does not meet would stop it silently.
            # https://docs.aws.amazon.com/AmazonS3/latest/userguide/setting-repl-config-perm-overview.html
            assume_role_policy=trust(self, "trust", service_name="s3.amazonaws.com").json,
        )
        permissions = PolicyDocument(self, "permissions", statement=[*self._on_objects(), *self._on_keys()])
        policy = IamRolePolicy(self, "policy", name="replicate", role=role.id, policy=permissions.json)
        return role, policy

    def _on_objects(self) -> list[Statement]:
        """https://docs.aws.amazon.com/AmazonS3/latest/userguide/setting-repl-config-perm-overview.html."""
        source, destination = self.source.bucket.arn, self.destination.bucket.arn
        return [
            Statement(
                sid="ReadTheRule",
                actions=["s3:GetReplicationConfiguration", "s3:ListBucket"],
                resources=[source],
            ),
            Statement(
                sid="ReadObjects",
                actions=[
                    "s3:GetObjectVersionForReplication",
                    "s3:GetObjectVersionAcl",
                    "s3:GetObjectVersionTagging",
                ],
                resources=[f"{source}/*"],
            ),
            Statement(
                sid="WriteReplicas",
                actions=["s3:ReplicateObject", "s3:ReplicateDelete", "s3:ReplicateTags"],
                resources=[f"{destination}/*"],
            ),
        ]

    def _on_keys(self) -> list[Statement]:
        """Decrypt here, encrypt there, both through S3 and for these buckets only.

        With bucket keys the encryption context is the bucket, without it is the object.
        https://docs.aws.amazon.com/AmazonS3/latest/userguide/replication-config-for-kms-objects.html
        """
        return [
            Statement(
                sid=sid,
                actions=actions,
                resources=[bucket.key.arn],
                condition=[
                    when("StringEquals", "kms:ViaService", f"s3.{Region.of(bucket).name}.amazonaws.com"),
                    when(
                        "StringLike",
                        "kms:EncryptionContext:aws:s3:arn",
                        bucket.bucket.arn,
                        f"{bucket.bucket.arn}/*",
                    ),
                ],
            )
            for sid, bucket, actions in (
                ("DecryptObjects", self.source, ["kms:Decrypt"]),
                ("EncryptReplicas", self.destination, ["kms:Encrypt", "kms:GenerateDataKey"]),
            )
            if bucket.key
        ]

    def _rule(self) -> S3BucketReplicationConfigurationRule:
        enabled = "Enabled"
        return S3BucketReplicationConfigurationRule(
            id=RULE_ID,
            status=enabled,
            # With a filter S3 uses the second form of rules, which makes the choice on delete markers explicit.
            filter=S3BucketReplicationConfigurationRuleFilter(prefix=""),
            delete_marker_replication=S3BucketReplicationConfigurationRuleDeleteMarkerReplication(
                status=enabled if self._settings.replicate_delete_markers else "Disabled"
            ),
            source_selection_criteria=S3BucketReplicationConfigurationRuleSourceSelectionCriteria(
                sse_kms_encrypted_objects=S3BucketReplicationConfigurationRuleSourceSelectionCriteriaSseKmsEncryptedObjects(
                    status=enabled
                )
            )
            if self.source.key
            else None,
            destination=self._rule_destination(),
        )

    def _rule_destination(self) -> S3BucketReplicationConfigurationRuleDestination:
        key = self.destination.key
        enabled, minutes = "Enabled", REPLICATION_TIME_MINUTES
        with_time_control = self._settings.replication_time_control
        return S3BucketReplicationConfigurationRuleDestination(
            bucket=self.destination.bucket.arn,
            encryption_configuration=S3BucketReplicationConfigurationRuleDestinationEncryptionConfiguration(
                replica_kms_key_id=key.arn
            )
            if key
            else None,
            # Metrics are always on: the alarms read them. Time control adds its guarantee and needs the threshold.
            metrics=S3BucketReplicationConfigurationRuleDestinationMetrics(
                status=enabled,
                event_threshold=S3BucketReplicationConfigurationRuleDestinationMetricsEventThreshold(minutes=minutes)
                if with_time_control
                else None,
            ),
            replication_time=S3BucketReplicationConfigurationRuleDestinationReplicationTime(
                status=enabled,
                time=S3BucketReplicationConfigurationRuleDestinationReplicationTimeTime(minutes=minutes),
            )
            if with_time_control
            else None,
        )
