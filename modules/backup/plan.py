"""Daily and monthly snapshots of the database, and their copies in the recovery region (W3.4).

Creates the AWS Backup plan, its resource selection (the cluster, by its ARN), the role that backs up and copies, the
queue and alarm for failed jobs, alarms for days without a backup or copy, and the monthly restore test. The vaults of
both regions are arguments.

The role is the platform's own: AWS's managed policy for backups covers twenty services and every resource of the
account. This one has only its statements for Aurora, for this environment's cluster and vaults; a test compares it with
AWS's.
"""

from __future__ import annotations

import json
from dataclasses import dataclass

from cdktf_cdktf_provider_aws.backup_plan import (
    BackupPlan,
    BackupPlanRule,
    BackupPlanRuleCopyAction,
    BackupPlanRuleCopyActionLifecycle,
    BackupPlanRuleLifecycle,
)
from cdktf_cdktf_provider_aws.backup_selection import BackupSelection
from cdktf_cdktf_provider_aws.cloudwatch_event_rule import CloudwatchEventRule
from cdktf_cdktf_provider_aws.cloudwatch_event_target import CloudwatchEventTarget
from cdktf_cdktf_provider_aws.iam_role import IamRole
from cdktf_cdktf_provider_aws.iam_role_policy import IamRolePolicy
from cdktf_cdktf_provider_aws.kms_key import KmsKey
from cdktf_cdktf_provider_aws.rds_cluster import RdsCluster
from constructs import Construct

from modules.backup.vault import BackupVault
from modules.keys import Keys
from modules.monitoring.alarm_topic import AlarmTopic
from modules.monitoring.alarms import Alarm, Incident, Missing
from modules.monitoring.metrics import DAY, Metric
from modules.policy_documents import PolicyDocument, Statement, trust, when
from modules.queues.event_queue import EventQueue
from modules.region import Region
from settings.backups import BackupSettings
from settings.naming import BACKUP_FAILURES, Names

TAG = "backup"
PURPOSE = "backups"
# Final states of a job other than COMPLETED. https://docs.aws.amazon.com/aws-backup/latest/devguide/eventbridge.html
FAILED = ["ABORTED", "EXPIRED", "FAILED", "PARTIAL"]


# A minute and an hour of the day are the first fields of AWS's cron expressions, in UTC.
SCHEDULES = {"daily": "cron({minute} {hour} ? * * *)", "monthly": "cron({minute} {hour} 1 * ? *)"}


def selection_tags(names: Names) -> dict[str, str]:
    """The tag of the resources that this environment's plan backs up."""
    return {TAG: names.of(PURPOSE)}


def rule(
    name: str,
    names: Names,
    settings: BackupSettings,
    *,
    vault: BackupVault,
    days: int,
    copy_action: list[BackupPlanRuleCopyAction] | None = None,
) -> BackupPlanRule:
    """The rule ``daily`` or ``monthly`` of a plan; what it backs up is kept in ``vault`` for ``days``."""
    hour, minute = (int(part) for part in settings.start_utc.split(":"))
    return BackupPlanRule(
        rule_name=name,
        target_vault_name=vault.vault.name,
        schedule=SCHEDULES[name].format(minute=minute, hour=hour),
        start_window=settings.start_window_minutes,
        completion_window=settings.completion_window_minutes,
        lifecycle=BackupPlanRuleLifecycle(delete_after=days),
        copy_action=copy_action,
        recovery_point_tags=selection_tags(names) | {"rule": name},
    )


def missing(what: str, metric: str, vault: BackupVault) -> Alarm:
    """An alarm on two days without a completed job: one may end early in a day and the next late in the day after."""
    return Alarm(
        name=f"{what}-missing",
        meaning=f"No {what} of the database has been completed for two days",
        metrics={"completed": Metric("AWS/Backup", metric, "Sum", {"BackupVaultName": vault.name}, DAY)},
        # A day without a job has no data. CloudWatch would go back to the last days that have some, and take
        # missing data for bad only where there are too few: it would take four days to see two.
        expression="FILL(completed, 0)",
        bound=1,
        below=True,
        periods=2,
        missing=Missing.IS_BAD,  # a plan that never runs publishes no data
        pages=Incident.DATA_AT_RISK,
    )


@dataclass(frozen=True, kw_only=True)
class RecoveryCluster:
    """The cluster of the recovery region, which has the writer after the primary region's loss."""

    cluster: RdsCluster
    key: KmsKey
    """The key of its storage and snapshots."""


class Backups(Construct):
    """The backup plan and its monitoring. Is in the primary region."""

    requirements = ("W3.4",)

    def __init__(
        self,
        scope: Construct,
        id_: str,
        *,
        names: Names,
        settings: BackupSettings,
        cluster: RdsCluster,
        vault: BackupVault,
        copies: BackupVault,
        keys: Keys,
        copies_key: KmsKey,
        topic: AlarmTopic,
        recovery: RecoveryCluster | None = None,
    ) -> None:
        """``copies`` is the recovery region's vault, ``copies_key`` its key; the cluster has ``selection_tags``.

        The role backs up ``recovery`` as well, for that region's own plan (modules/backup/recovery_plan.py).
        """
        super().__init__(scope, id_)
        self._names = names
        self._settings = settings
        self._region = Region.of(self).name
        self._copies_region = Region.of(copies).name
        self._cluster = str(cluster.cluster_identifier_input)
        self._vault, self._copies = vault, copies
        self._keys, self._copies_key = keys, copies_key
        self._recovery = recovery
        self._topic = topic
        self.role = self._role()
        for one in (vault, copies):
            one.emptied_with(self.policy)
        self.plan = BackupPlan(
            self, "plan", name=names.of(PURPOSE), rule=self._rules(), tags={"Name": names.of(PURPOSE)}
        )
        # By its ARN: a selection by tags alone depends on the account's opt-in for Aurora.
        # https://docs.aws.amazon.com/aws-backup/latest/devguide/API_UpdateRegionSettings.html
        BackupSelection(
            self,
            "selection",
            name=names.of(PURPOSE),
            plan_id=self.plan.id,
            iam_role_arn=self.role.arn,
            resources=[cluster.arn],
            depends_on=[self.policy],
        )
        self._tell_of_failures()
        for what, metric in (("backup", "NumberOfBackupJobsCompleted"), ("copy", "NumberOfCopyJobsCompleted")):
            topic.watch(self, f"{what}-missing-alarm", missing(what, metric, vault))

    def _rules(self) -> list[BackupPlanRule]:
        settings = self._settings
        days = {
            "daily": (settings.daily_retention_days, settings.daily_copy_retention_days),
            "monthly": (settings.monthly_retention_days, settings.monthly_copy_retention_days),
        }
        return [
            rule(name, self._names, settings, vault=self._vault, days=own, copy_action=[self._copy(copied)])
            for name, (own, copied) in days.items()
        ]

    def _copy(self, days: int) -> BackupPlanRuleCopyAction:
        return BackupPlanRuleCopyAction(
            destination_vault_arn=self._copies.vault.arn,
            lifecycle=BackupPlanRuleCopyActionLifecycle(delete_after=days),
        )

    def _role(self) -> IamRole:
        role = IamRole(
            self,
            "role",
            name=self._names.of(PURPOSE),
            description="What AWS Backup may do with the database and its snapshots",
            assume_role_policy=trust(self, "trust", service_name="backup.amazonaws.com").json,
        )
        permissions = PolicyDocument(self, "permissions", statement=self._permissions())
        self.policy = IamRolePolicy(self, "policy", name=PURPOSE, role=role.id, policy=permissions.json)
        return role

    def _permissions(self) -> list[Statement]:
        account = self._names.account_id
        clusters = [f"arn:aws:rds:{self._region}:{account}:cluster:{self._cluster}"]
        if self._recovery:
            other = self._recovery.cluster.cluster_identifier_input
            clusters.append(f"arn:aws:rds:{self._copies_region}:{account}:cluster:{other}")
        # AWS Backup names its snapshots itself: awsbackup:job-... and, of copies, awsbackup:copyjob-...
        snapshots = [
            f"arn:aws:rds:{region}:{account}:cluster-snapshot:awsbackup:*"
            for region in (self._region, self._copies_region)
        ]
        # By name: the vaults wait for this policy.
        vaults = [
            f"arn:aws:backup:{region}:{account}:backup-vault:{vault.name}"
            for region, vault in ((self._region, self._vault), (self._copies_region, self._copies))
        ]
        return [
            Statement(
                sid="BackUpTheCluster",
                actions=["rds:CreateDBClusterSnapshot", "rds:DescribeDBClusters", "rds:ListTagsForResource"],
                resources=[*clusters, *snapshots],
            ),
            Statement(
                sid="KeepCopyAndExpireSnapshots",
                actions=[
                    "rds:AddTagsToResource",
                    "rds:CopyDBClusterSnapshot",
                    "rds:DeleteDBClusterSnapshot",
                    "rds:DescribeDBClusterSnapshots",
                ],
                resources=[*clusters, *snapshots],
            ),
            Statement(
                sid="UseBothVaults",
                actions=["backup:CopyFromBackupVault", "backup:CopyIntoBackupVault", "backup:DescribeBackupVault"],
                resources=vaults,
            ),
            Statement(sid="FindWhatBearsTheTag", actions=["tag:GetResources"], resources=["*"]),  # it knows no resource
            *self._key_permissions(),
        ]

    def _key_permissions(self) -> list[Statement]:
        """RDS reads snapshots under the database's key and writes copies under that of the other region's vault."""
        keys = [self._keys.database.arn, self._keys.backups.arn, self._copies_key.arn]
        if self._recovery:
            keys.append(self._recovery.key.arn)
        services = [
            f"{service}.{region}.amazonaws.com"
            for service in ("rds", "backup")
            for region in (self._region, self._copies_region)
        ]
        through_them = when("StringEquals", "kms:ViaService", *services)
        return [
            Statement(sid="FindKeys", actions=["kms:DescribeKey"], resources=keys),
            Statement(
                sid="UseKeys",
                actions=["kms:Decrypt", "kms:GenerateDataKey*", "kms:ReEncrypt*"],
                resources=keys,
                condition=[through_them],
            ),
            Statement(
                sid="LetRdsUseKeys",
                actions=["kms:CreateGrant"],
                resources=keys,
                condition=[through_them, when("Bool", "kms:GrantIsForAWSResource", "true")],
            ),
        ]

    def _tell_of_failures(self) -> None:
        """By EventBridge, not by the vault's own notifications, which know no job that was aborted or expired."""
        name = self._names.of(BACKUP_FAILURES)
        failures = EventQueue(
            self,
            "failures",
            names=self._names,
            purpose=BACKUP_FAILURES,
            rule_name=name,
            meaning="A backup or copy has failed: its event is in the queue of the same name",
            key=self._keys.objects,
            topic=self._topic,
        )
        role = f"arn:aws:iam::{self._names.account_id}:role/{self._names.of(PURPOSE)}"
        pattern = {
            "source": ["aws.backup"],
            "detail-type": ["Backup Job State Change", "Copy Job State Change"],
            "detail": {"state": FAILED, "iamRoleArn": [role]},  # jobs of this plan alone act as its role
        }
        rule = CloudwatchEventRule(
            self,
            "failures-rule",
            name=name,
            description="A backup or copy that failed",
            event_pattern=json.dumps(pattern),
        )
        CloudwatchEventTarget(
            self, "failures-target", rule=rule.name, arn=failures.queue.arn, depends_on=[failures.policy]
        )
