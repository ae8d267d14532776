"""Daily backups of the recovery region's cluster, made and kept there (W3.4).

Creates a plan and its selection, and the alarm on days without a backup. After the loss of the primary region they are
the only backups beyond Aurora's own: the primary's plan, and its copies, end with it. They are made while all is well,
too, as nothing has to be switched on then; docs/decisions/0037-the-recovery-region-is-backed-up.md has what that costs.
"""

from __future__ import annotations

from cdktf_cdktf_provider_aws.backup_plan import BackupPlan
from cdktf_cdktf_provider_aws.backup_selection import BackupSelection
from cdktf_cdktf_provider_aws.rds_cluster import RdsCluster
from constructs import Construct

from modules.backup.plan import PURPOSE, Backups, missing, rule
from modules.backup.vault import BackupVault
from modules.monitoring.alarm_topic import AlarmTopic
from settings.backups import BackupSettings
from settings.naming import Names


class RecoveryBackups(Construct):
    """The recovery region's own plan. It acts as the role of the primary region's, as IAM is of no region."""

    requirements = ("W3.4",)

    def __init__(
        self,
        scope: Construct,
        id_: str,
        *,
        names: Names,
        settings: BackupSettings,
        cluster: RdsCluster,
        writes: bool,
        vault: BackupVault,
        backups: Backups,
        topic: AlarmTopic,
    ) -> None:
        """``cluster`` is a secondary of a global database, or ``writes``: it then has monthly backups as well.

        A secondary's would be the same data as the monthly copies that the primary's plan keeps in the same vault.
        """
        super().__init__(scope, id_)
        days = {"daily": settings.daily_copy_retention_days}
        if writes:
            days["monthly"] = settings.monthly_copy_retention_days
        self.plan = BackupPlan(
            self,
            "plan",
            name=names.of(PURPOSE),
            rule=[rule(name, names, settings, vault=vault, days=kept) for name, kept in days.items()],
            tags={"Name": names.of(PURPOSE)},
        )
        BackupSelection(
            self,
            "selection",
            name=names.of(PURPOSE),
            plan_id=self.plan.id,
            iam_role_arn=backups.role.arn,
            resources=[cluster.arn],
            depends_on=[backups.policy],
        )
        topic.watch(self, "backup-missing-alarm", missing("backup", "NumberOfBackupJobsCompleted", vault))
