"""A vault of AWS Backup, in one region, under its own key (W3.4).

Creates the vault, and in a protected environment its lock and a policy that denies the deletion of recovery points.
Elsewhere its recovery points are deleted with it: AWS deletes only an empty vault.
"""

from __future__ import annotations

from cdktf import TerraformResourceLifecycle
from cdktf_cdktf_provider_aws.backup_vault import BackupVault as AwsBackupVault
from cdktf_cdktf_provider_aws.backup_vault_lock_configuration import BackupVaultLockConfiguration
from cdktf_cdktf_provider_aws.backup_vault_policy import BackupVaultPolicy
from cdktf_cdktf_provider_aws.iam_role_policy import IamRolePolicy
from cdktf_cdktf_provider_aws.kms_key import KmsKey
from constructs import Construct

from modules.policy_documents import PolicyDocument, Statement, anyone
from settings.backups import VaultLock, VaultLockSettings
from settings.naming import Names

PURPOSE = "backups"


class BackupVault(Construct):
    """Where the backups of one region lie."""

    requirements = ("W3.4", "W4.4")

    def __init__(
        self, scope: Construct, id_: str, *, names: Names, settings: VaultLockSettings, key: KmsKey, protected: bool
    ) -> None:
        """``key`` encrypts copies that arrive here; a backup that Aurora makes here stays under the cluster's key.

        https://docs.aws.amazon.com/aws-backup/latest/devguide/encryption.html
        """
        super().__init__(scope, id_)
        self.name = names.of(PURPOSE)
        self.vault = AwsBackupVault(
            self,
            "vault",
            name=self.name,
            kms_key_arn=key.arn,
            force_destroy=not protected,
            lifecycle=TerraformResourceLifecycle(prevent_destroy=protected),
            tags={"Name": self.name},
        )
        if protected:
            self._refuse_deletion()
            self._lock(settings)

    def emptied_with(self, policy: IamRolePolicy) -> None:
        """Create the vault after the policy of the role that makes its backups, and destroy it before.

        AWS Backup deletes a backup as that role; without it the backup expires, and the vault is not empty.
        https://docs.aws.amazon.com/aws-backup/latest/devguide/API_DeleteRecoveryPoint.html
        """
        # An address, and no reference (`policy.fqn`), which Terraform refuses here.
        self.vault.depends_on = [f"{policy.terraform_resource_type}.{policy.friendly_unique_id}"]

    def _refuse_deletion(self) -> None:
        """Denies deletion to administrators, too. They can remove the policy itself, which CloudTrail records."""
        refusal = Statement(
            sid="NothingIsDeleted",
            effect="Deny",
            actions=[
                "backup:DeleteBackupVault",
                "backup:DeleteRecoveryPoint",
                "backup:UpdateRecoveryPointLifecycle",
            ],
            # In a vault's policy: everything in the vault, which for Aurora has ARNs of snapshots.
            # https://docs.aws.amazon.com/aws-backup/latest/devguide/create-a-vault-access-policy.html
            resources=["*"],
            principals=[anyone()],
        )
        document = PolicyDocument(self, "policy-document", statement=[refusal])
        BackupVaultPolicy(self, "policy", backup_vault_name=self.vault.name, policy=document.json)

    def _lock(self, settings: VaultLockSettings) -> None:
        """Without days of grace AWS takes it for a lock in governance mode."""
        BackupVaultLockConfiguration(
            self,
            "lock",
            backup_vault_name=self.vault.name,
            min_retention_days=settings.min_retention_days,
            max_retention_days=settings.max_retention_days,
            changeable_for_days=settings.grace_days if settings.mode is VaultLock.COMPLIANCE else None,
        )
