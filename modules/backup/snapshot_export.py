"""Automated snapshots of the database, exported to S3 as Parquet files (W3.2).

Creates a rule that waits for the event of a new automated snapshot, the state machine that the rule starts, the roles
of both and of the export itself, the queue of events that could not be delivered, and the alarms. The
steps of the state machine are in modules/backup/snapshot_export_workflow.py. The bucket, its lifecycle and its
replication are given.

RDS sends events as well as it can, and no better: https://docs.aws.amazon.com/AmazonRDS/latest/AuroraUserGuide/working-with-events.html
So there is an alarm for a day without an export, too.
"""

from __future__ import annotations

import json
from dataclasses import dataclass

from cdktf_cdktf_provider_aws.cloudwatch_event_rule import CloudwatchEventRule
from cdktf_cdktf_provider_aws.cloudwatch_event_target import (
    CloudwatchEventTarget,
    CloudwatchEventTargetDeadLetterConfig,
    CloudwatchEventTargetRetryPolicy,
)
from cdktf_cdktf_provider_aws.cloudwatch_log_group import CloudwatchLogGroup
from cdktf_cdktf_provider_aws.iam_role import IamRole
from cdktf_cdktf_provider_aws.iam_role_policy import IamRolePolicy
from cdktf_cdktf_provider_aws.kms_key import KmsKey
from cdktf_cdktf_provider_aws.rds_cluster import RdsCluster
from cdktf_cdktf_provider_aws.sfn_state_machine import (
    SfnStateMachine,
    SfnStateMachineLoggingConfiguration,
    SfnStateMachineTracingConfiguration,
)
from constructs import Construct

from modules.backup.snapshot_export_workflow import ExportNames, definition
from modules.keys import READ_AND_WRITE, Keys
from modules.logs import RETENTION_DAYS
from modules.monitoring.alarm_topic import AlarmTopic
from modules.monitoring.alarms import Alarm, Incident, Missing
from modules.monitoring.metrics import DAY, FIVE_MINUTES, Metric
from modules.policy_documents import PolicyDocument, Statement, on_behalf_of, trust, when
from modules.queues.event_queue import EventQueue
from modules.region import Region
from modules.storage.buckets import Bucket
from settings.backups import BackupSettings
from settings.naming import SNAPSHOT_EXPORT, Names

# https://docs.aws.amazon.com/AmazonRDS/latest/AuroraUserGuide/USER_Events.Messages.html
AUTOMATED_CLUSTER_SNAPSHOT_CREATED = "RDS-EVENT-0169"
FOLDER = "exports"
HOUR_SECONDS = 3600
# How an execution can end other than well, as its metrics name it.
# https://docs.aws.amazon.com/step-functions/latest/dg/procedure-cw-metrics.html
BAD_ENDS = {"failed": "ExecutionsFailed", "timed-out": "ExecutionsTimedOut", "aborted": "ExecutionsAborted"}


@dataclass(frozen=True, kw_only=True)
class OtherExports:
    """Where snapshots of the other region's cluster are exported by hand after this region's loss."""

    cluster: RdsCluster
    bucket: Bucket
    key: KmsKey
    """The key of the bucket."""


class SnapshotExport(Construct):
    """From the event of a snapshot to its files in the bucket."""

    requirements = ("W3.2", "W5.3")

    def __init__(
        self,
        scope: Construct,
        id_: str,
        *,
        names: Names,
        settings: BackupSettings,
        cluster: RdsCluster,
        bucket: Bucket,
        keys: Keys,
        topic: AlarmTopic,
        others: OtherExports | None = None,
    ) -> None:
        """``keys`` are the region's: its objects key encrypts the bucket, its logs key topic and logs.

        ``cluster`` must be named by a string: the definition contains its name, and no reference. RDS may export
        ``others`` by the same role: docs/runbooks/region-failover.md, "Backups", has the command.
        """
        super().__init__(scope, id_)
        self._names = names
        self._place = f"{Region.of(self).name}:{names.account_id}"
        self._cluster = str(cluster.cluster_identifier_input)
        self._bucket = bucket
        self._keys = keys
        self._topic = topic
        self._others = others
        self._prefix = f"{FOLDER}/{self._cluster}"
        self.export_role = self._export_role()
        self.log_group = CloudwatchLogGroup(
            self,
            "log-group",
            name=names.vended_log_group("states", SNAPSHOT_EXPORT),
            retention_in_days=RETENTION_DAYS,
            kms_key_id=keys.logs.arn,
        )
        self.state_machine = self._state_machine(settings.export_timeout_hours * HOUR_SECONDS)
        self.undelivered = EventQueue(
            self,
            "undelivered",
            names=names,
            purpose=f"{SNAPSHOT_EXPORT}-undelivered",
            rule_name=names.of(SNAPSHOT_EXPORT),
            meaning="The event of a new snapshot did not reach the export's state machine",
            key=keys.objects,
            topic=topic,
        )
        self._start_on_new_snapshots()
        self._alarm_on_bad_ends()
        self._alarm_without_exports()

    def _export_role(self) -> IamRole:
        """The role with which RDS writes to the bucket: the permissions that RDS requires, in the cluster's own folder.

        RDS documents no condition for the trust policy; only principals that may pass the role can have it used.
        https://docs.aws.amazon.com/AmazonRDS/latest/AuroraUserGuide/aurora-export-snapshot.Setup.html
        """
        folders = [f"{self._bucket.bucket.arn}/{self._prefix}/*"]
        buckets, keys, regions = [self._bucket.bucket.arn], [self._keys.objects.arn], [Region.of(self).name]
        if others := self._others:
            folders.append(f"{others.bucket.bucket.arn}/{FOLDER}/{others.cluster.cluster_identifier_input}/*")
            buckets.append(others.bucket.bucket.arn)
            keys.append(others.key.arn)
            regions.append(Region.of(others.bucket).name)
        role = IamRole(
            self,
            "export-role",
            name=self._names.of(SNAPSHOT_EXPORT),
            description="What RDS may do when it exports snapshots",
            assume_role_policy=trust(self, "export-trust", service_name="export.rds.amazonaws.com").json,
        )
        statements = [
            Statement(
                sid="WriteExports",
                actions=["s3:PutObject*", "s3:GetObject*", "s3:DeleteObject*"],
                resources=folders,
            ),
            Statement(sid="FindTheBucket", actions=["s3:GetBucketLocation", "s3:ListBucket"], resources=buckets),
            Statement(
                sid="EncryptExports",
                actions=[*READ_AND_WRITE, "kms:DescribeKey"],
                resources=keys,
                condition=[when("StringEquals", "kms:ViaService", *(f"s3.{one}.amazonaws.com" for one in regions))],
            ),
        ]
        permissions = PolicyDocument(self, "export-permissions", statement=statements)
        IamRolePolicy(self, "export-policy", name=SNAPSHOT_EXPORT, role=role.id, policy=permissions.json)
        return role

    def _state_machine(self, timeout_seconds: int) -> SfnStateMachine:
        role = self._machine_role()
        names = ExportNames(
            cluster=self._cluster,
            bucket=self._names.bucket(self._bucket.purpose, Region.of(self).name),
            prefix=self._prefix,
            role_arn=f"arn:aws:iam::{self._names.account_id}:role/{self._names.of(SNAPSHOT_EXPORT)}",
            key_alias=self._names.key_alias("objects"),
            topic_arn=f"arn:aws:sns:{self._place}:{self._names.of('alarms')}",
        )
        permissions = PolicyDocument(self, "machine-permissions", statement=self._permissions())
        policy = IamRolePolicy(self, "machine-policy", name=SNAPSHOT_EXPORT, role=role.id, policy=permissions.json)
        return SfnStateMachine(
            self,
            "state-machine",
            name=self._names.of(SNAPSHOT_EXPORT),
            type="STANDARD",
            definition=definition(names, timeout_seconds=timeout_seconds),
            role_arn=role.arn,
            logging_configuration=SfnStateMachineLoggingConfiguration(
                level="ALL", include_execution_data=True, log_destination=f"{self.log_group.arn}:*"
            ),
            tracing_configuration=SfnStateMachineTracingConfiguration(enabled=True),
            depends_on=[policy],  # Step Functions checks whether the role may deliver logs
        )

    def _machine_role(self) -> IamRole:
        machines = f"arn:aws:states:{self._place}:stateMachine:{self._names.of(SNAPSHOT_EXPORT)}"
        conditions = on_behalf_of(self._names.account_id, machines)
        return IamRole(
            self,
            "machine-role",
            name=self._names.of(f"{SNAPSHOT_EXPORT}-machine"),
            description="What the workflow that exports snapshots may do",
            assume_role_policy=trust(
                self, "machine-trust", service_name="states.amazonaws.com", conditions=conditions
            ).json,
        )

    def _permissions(self) -> list[Statement]:
        return [*self._export_permissions(), *self._record_permissions(), *self._own_permissions()]

    def _export_permissions(self) -> list[Statement]:
        cluster = f"arn:aws:rds:{self._place}:cluster:{self._cluster}"
        snapshots = f"arn:aws:rds:{self._place}:cluster-snapshot:rds:{self._cluster}-*"
        through_rds = when("StringEquals", "kms:ViaService", f"rds.{Region.of(self).name}.amazonaws.com")
        return [
            Statement(
                sid="ExportSnapshots",
                actions=["rds:DescribeDBClusterSnapshots", "rds:StartExportTask"],
                resources=[cluster, snapshots],
            ),
            Statement(
                sid="FollowExports",
                actions=["rds:DescribeExportTasks"],
                # Authorized by an export's name, and not documented which snapshot AWS compares it with.
                resources=[f"arn:aws:rds:{self._place}:{kind}:*" for kind in ("cluster", "cluster-snapshot")],
            ),
            Statement(
                sid="ExportAsTheExportRole",
                actions=["iam:PassRole"],
                resources=[self.export_role.arn],
                # The second assumes the role; the caller of StartExportTask needs permission for the first.
                condition=[
                    when("StringEquals", "iam:PassedToService", "rds.amazonaws.com", "export.rds.amazonaws.com")
                ],
            ),
            Statement(sid="FindTheKey", actions=["kms:DescribeKey"], resources=[self._keys.objects.arn]),
            # https://docs.aws.amazon.com/AmazonRDS/latest/APIReference/API_StartExportTask.html
            Statement(
                sid="LetRdsUseTheKey",
                actions=["kms:CreateGrant"],
                resources=[self._keys.objects.arn],
                condition=[through_rds, when("Bool", "kms:GrantIsForAWSResource", "true")],
            ),
        ]

    def _record_permissions(self) -> list[Statement]:
        region = Region.of(self).name
        return [
            Statement(
                sid="KeepRecords",
                actions=["s3:PutObject"],
                resources=[f"{self._bucket.bucket.arn}/{self._prefix}/*.json"],
            ),
            Statement(
                sid="EncryptRecords",
                actions=["kms:GenerateDataKey"],
                resources=[self._keys.objects.arn],
                condition=[when("StringEquals", "kms:ViaService", f"s3.{region}.amazonaws.com")],
            ),
            Statement(sid="TellOfFailures", actions=["sns:Publish"], resources=[self._topic.topic.arn]),
            Statement(
                sid="EncryptMessages",
                actions=["kms:Decrypt", "kms:GenerateDataKey"],
                resources=[self._keys.logs.arn],
                condition=[when("StringEquals", "kms:ViaService", f"sns.{region}.amazonaws.com")],
            ),
        ]

    def _own_permissions(self) -> list[Statement]:
        return [
            # https://docs.aws.amazon.com/step-functions/latest/dg/cw-logs.html#cloudwatch-iam-policy
            Statement(
                sid="HaveLogsDelivered",
                actions=[
                    "logs:CreateLogDelivery",
                    "logs:DeleteLogDelivery",
                    "logs:DescribeLogGroups",
                    "logs:DescribeResourcePolicies",
                    "logs:GetLogDelivery",
                    "logs:ListLogDeliveries",
                    "logs:PutResourcePolicy",
                    "logs:UpdateLogDelivery",
                ],
                resources=["*"],  # they know no resource
            ),
            # https://docs.aws.amazon.com/step-functions/latest/dg/xray-iam.html
            Statement(
                sid="WriteTraces",
                actions=[
                    "xray:GetSamplingRules",
                    "xray:GetSamplingTargets",
                    "xray:PutTelemetryRecords",
                    "xray:PutTraceSegments",
                ],
                resources=["*"],  # they know no resource
            ),
        ]

    def _start_on_new_snapshots(self) -> None:
        pattern = {
            "source": ["aws.rds"],
            "detail-type": ["RDS DB Cluster Snapshot Event"],
            "detail": {
                "EventID": [AUTOMATED_CLUSTER_SNAPSHOT_CREATED],
                # A longer cluster name may begin like this as well: the state machine checks which cluster the snapshot
                # is of.
                "SourceIdentifier": [{"prefix": f"rds:{self._cluster}-"}],
            },
        }
        self.rule = CloudwatchEventRule(
            self,
            "rule",
            name=self._names.of(SNAPSHOT_EXPORT),
            description=f"A new automated snapshot of {self._cluster}",
            event_pattern=json.dumps(pattern),
        )
        role = self._rule_role()
        CloudwatchEventTarget(
            self,
            "target",
            rule=self.rule.name,
            arn=self.state_machine.arn,
            role_arn=role.arn,
            dead_letter_config=CloudwatchEventTargetDeadLetterConfig(arn=self.undelivered.queue.arn),
            retry_policy=CloudwatchEventTargetRetryPolicy(maximum_event_age_in_seconds=DAY, maximum_retry_attempts=185),
            depends_on=[self.undelivered.policy, self._rule_policy],
        )

    def _rule_role(self) -> IamRole:
        rule = f"arn:aws:events:{self._place}:rule/{self._names.of(SNAPSHOT_EXPORT)}"
        conditions = on_behalf_of(self._names.account_id, rule)
        role = IamRole(
            self,
            "rule-role",
            name=self._names.of(f"{SNAPSHOT_EXPORT}-rule"),
            description="Starts the workflow that exports snapshots, and nothing else",
            assume_role_policy=trust(
                self, "rule-trust", service_name="events.amazonaws.com", conditions=conditions
            ).json,
        )
        start = Statement(sid="StartTheWorkflow", actions=["states:StartExecution"], resources=[self.state_machine.arn])
        permissions = PolicyDocument(self, "rule-permissions", statement=[start])
        self._rule_policy = IamRolePolicy(
            self, "rule-policy", name=SNAPSHOT_EXPORT, role=role.id, policy=permissions.json
        )
        return role

    def _alarm_on_bad_ends(self) -> None:
        for end, metric in BAD_ENDS.items():
            self._topic.watch(
                self,
                f"{end}-alarm",
                Alarm(
                    name=f"{SNAPSHOT_EXPORT}-{end}",
                    kind="snapshot-export-ended-badly",
                    meaning=f"The workflow that exports a snapshot of {self._cluster} has ended as {end}",
                    metrics={"executions": self._executions(metric, FIVE_MINUTES)},
                    bound=0,
                ),
            )

    def _alarm_without_exports(self) -> None:
        """Two days, as one export may end early in a day and the next late in the day after."""
        self._topic.watch(
            self,
            "missing-alarm",
            Alarm(
                name=f"{SNAPSHOT_EXPORT}-missing",
                meaning=f"No snapshot of {self._cluster} has been exported for two days",
                metrics={"executions": self._executions("ExecutionsSucceeded", DAY)},
                expression="FILL(executions, 0)",  # for a day without one, as with backups (plan.py)
                bound=1,
                below=True,
                periods=2,
                missing=Missing.IS_BAD,  # a workflow that never runs publishes no data
                pages=Incident.DATA_AT_RISK,
            ),
        )

    def _executions(self, metric: str, period_seconds: int) -> Metric:
        return Metric("AWS/States", metric, "Sum", {"StateMachineArn": self.state_machine.arn}, period_seconds)
