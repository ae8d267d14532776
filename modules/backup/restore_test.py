"""A monthly proof that a backup can be restored (W3.4).

Creates a plan and a selection of AWS Backup's restore testing, the role that restores, and the queue and alarm of tests
that fail. Once a month the newest backup becomes a cluster without instances, in the database's own subnets, which AWS
Backup removes again. https://docs.aws.amazon.com/aws-backup/latest/devguide/restore-testing.html
"""

from __future__ import annotations

import json

from cdktf_cdktf_provider_aws.backup_restore_testing_plan import (
    BackupRestoreTestingPlan,
    BackupRestoreTestingPlanRecoveryPointSelection,
)
from cdktf_cdktf_provider_aws.backup_restore_testing_selection import BackupRestoreTestingSelection
from cdktf_cdktf_provider_aws.cloudwatch_event_rule import CloudwatchEventRule
from cdktf_cdktf_provider_aws.cloudwatch_event_target import CloudwatchEventTarget
from cdktf_cdktf_provider_aws.iam_role import IamRole
from cdktf_cdktf_provider_aws.iam_role_policy import IamRolePolicy
from cdktf_cdktf_provider_aws.rds_cluster import RdsCluster
from constructs import Construct

from modules.backup.vault import BackupVault
from modules.keys import Keys
from modules.monitoring.alarm_topic import AlarmTopic
from modules.policy_documents import PolicyDocument, Statement, trust, when
from modules.queues.event_queue import EventQueue
from modules.region import Region
from settings.naming import DATABASE, RESTORE_FAILURES, Names

PURPOSE = "restore-test"
# AWS Backup's prefix of the names of resources that a restore test restores.
RESTORED = "awsbackup-restore-test-*"
SCHEDULE = "cron(30 4 2 * ? *)"  # the day after a monthly backup
FAILED = ["ABORTED", "FAILED"]


class RestoreTest(Construct):
    """The test of one vault's backups of one cluster."""

    requirements = ("W3.4",)

    def __init__(
        self,
        scope: Construct,
        id_: str,
        *,
        names: Names,
        cluster: RdsCluster,
        vault: BackupVault,
        keys: Keys,
        topic: AlarmTopic,
    ) -> None:
        """``cluster`` has the subnet group in which clusters are restored, too."""
        super().__init__(scope, id_)
        self._names = names
        self._place = f"{Region.of(self).name}:{names.account_id}"
        self._keys = keys
        self.role = self._role()
        self.plan = BackupRestoreTestingPlan(
            self,
            "plan",
            name=self._name,
            schedule_expression=SCHEDULE,
            start_window_hours=4,
            recovery_point_selection=[
                BackupRestoreTestingPlanRecoveryPointSelection(
                    algorithm="LATEST_WITHIN_WINDOW",
                    include_vaults=[vault.vault.arn],
                    recovery_point_types=["SNAPSHOT"],
                    selection_window_days=7,
                )
            ],
        )
        BackupRestoreTestingSelection(
            self,
            "selection",
            name=self._name,
            restore_testing_plan_name=self.plan.name,
            iam_role_arn=self.role.arn,
            protected_resource_type="Aurora",
            protected_resource_arns=[cluster.arn],
            restore_metadata_overrides={"dbSubnetGroupName": cluster.db_subnet_group_name},
            validation_window_hours=1,
            depends_on=[self.policy],
        )
        self._tell_of_failures(topic)

    @property
    def _name(self) -> str:
        """AWS takes no hyphens here."""
        return self._names.of(PURPOSE).replace("-", "_")

    def _role(self) -> IamRole:
        role = IamRole(
            self,
            "role",
            name=self._names.of(PURPOSE),
            description="What AWS Backup may do to restore the database for a test",
            assume_role_policy=trust(self, "trust", service_name="backup.amazonaws.com").json,
        )
        permissions = PolicyDocument(self, "permissions", statement=self._permissions())
        self.policy = IamRolePolicy(self, "policy", name=PURPOSE, role=role.id, policy=permissions.json)
        return role

    def _permissions(self) -> list[Statement]:
        """The Aurora statements of AWS's managed policy for restores; deletion only of what a test restored."""
        restored = f"arn:aws:rds:{self._place}:cluster:{RESTORED}"
        snapshots = f"arn:aws:rds:{self._place}:cluster-snapshot:awsbackup:*"
        keys = [self._keys.database.arn, self._keys.backups.arn]
        through_rds = when("StringEquals", "kms:ViaService", f"rds.{Region.of(self).name}.amazonaws.com")
        return [
            Statement(
                sid="RestoreSnapshots",
                actions=["rds:AddTagsToResource", "rds:RestoreDBClusterFromSnapshot"],
                resources=[
                    restored,
                    snapshots,
                    f"arn:aws:rds:{self._place}:cluster-pg:default.*",
                    f"arn:aws:rds:{self._place}:cluster-pg:{self._names.of(DATABASE)}*",
                    f"arn:aws:rds:{self._place}:og:default:*",
                    f"arn:aws:rds:{self._place}:subgrp:{self._names.of(DATABASE)}",
                ],
            ),
            Statement(sid="RemoveWhatWasRestored", actions=["rds:DeleteDBCluster"], resources=[restored]),
            Statement(
                sid="LookAtClusters",
                actions=["rds:DescribeDBClusterSnapshots", "rds:DescribeDBClusters", "rds:ListTagsForResource"],
                resources=[restored, f"arn:aws:rds:{self._place}:cluster:{self._names.of(DATABASE)}", snapshots],
            ),
            Statement(sid="FindKeys", actions=["kms:DescribeKey"], resources=keys),
            Statement(
                sid="UseKeys",
                actions=["kms:Decrypt", "kms:Encrypt", "kms:GenerateDataKey*", "kms:ReEncrypt*"],
                resources=keys,
                condition=[through_rds],
            ),
            Statement(
                sid="LetRdsUseKeys",
                actions=["kms:CreateGrant"],
                resources=keys,
                condition=[through_rds, when("Bool", "kms:GrantIsForAWSResource", "true")],
            ),
        ]

    def _tell_of_failures(self, topic: AlarmTopic) -> None:
        name = self._names.of(RESTORE_FAILURES)
        failures = EventQueue(
            self,
            "failures",
            names=self._names,
            purpose=RESTORE_FAILURES,
            rule_name=name,
            meaning="A restore test has failed: its event is in the queue of the same name",
            key=self._keys.objects,
            topic=topic,
        )
        role = f"arn:aws:iam::{self._names.account_id}:role/{self._names.of(PURPOSE)}"
        pattern = {
            "source": ["aws.backup"],
            "detail-type": ["Restore Job State Change"],
            "detail": {"status": FAILED, "iamRoleArn": [role]},
        }
        rule = CloudwatchEventRule(
            self,
            "failures-rule",
            name=name,
            description="A restore test that failed",
            event_pattern=json.dumps(pattern),
        )
        CloudwatchEventTarget(
            self, "failures-target", rule=rule.name, arn=failures.queue.arn, depends_on=[failures.policy]
        )
