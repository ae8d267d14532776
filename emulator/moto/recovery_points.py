"""AWS Backup: jobs on demand make recovery points, and a vault with one is not deleted.

moto has neither jobs nor recovery points. A job is completed at once; what it backs up is not looked at. The recovery
point of an Aurora cluster is a snapshot of RDS by its ARN:
https://docs.aws.amazon.com/aws-backup/latest/devguide/API_StartBackupJob.html
"""

from __future__ import annotations

import json
import uuid
from datetime import UTC, datetime
from typing import Any
from urllib.parse import unquote

from moto.backup import urls
from moto.backup.exceptions import InvalidRequestException, ResourceNotFoundException
from moto.backup.models import BackupBackend, Vault
from moto.backup.responses import BackupResponse

from emulator.moto.backup import begin_with
from emulator.moto.extend import Method, add, override

AURORA = ":cluster:"
ROUTES = (
    "{0}/backup-jobs$",
    "{0}/backup-vaults/(?P<name>[^/]+)/recovery-points/$",
    "{0}/backup-vaults/(?P<name>[^/]+)/recovery-points/(?P<point>[^/]+)$",
)
"""Paths of the API that moto does not have."""

urls.url_paths.update(dict.fromkeys(ROUTES, urls.response.dispatch))
override(Vault)(begin_with(recovery_points=dict))


@add(BackupResponse)
def start_backup_job(self: Any) -> str:
    """Store a recovery point of the resource in the vault, with the role and the tags that were sent."""
    sent = json.loads(self.body)
    vault = self.backup_backend.describe_backup_vault(sent["BackupVaultName"])
    job, resource = str(uuid.uuid4()), sent["ResourceArn"]
    arn = f"arn:aws:backup:{self.region}:{self.current_account}:recovery-point:{job}"
    if AURORA in resource:
        arn = f"{resource.partition(AURORA)[0]}:cluster-snapshot:awsbackup:job-{job}"
    made = datetime.now(UTC).timestamp()
    vault.recovery_points[arn] = {
        "RecoveryPointArn": arn,
        "BackupVaultName": vault.backup_vault_name,
        "BackupVaultArn": vault.backup_vault_arn,
        "ResourceArn": resource,
        "IamRoleArn": sent["IamRoleArn"],
        "Status": "COMPLETED",
        "CreationDate": made,
    }
    vault.num_of_recovery_points = len(vault.recovery_points)
    if sent.get("RecoveryPointTags"):
        self.backup_backend.tag_resource(arn, sent["RecoveryPointTags"])
    return json.dumps({"BackupJobId": job, "RecoveryPointArn": arn, "CreationDate": made})


@add(BackupResponse)
def list_recovery_points_by_backup_vault(self: Any) -> str:
    """Those of the vault."""
    return json.dumps({"RecoveryPoints": list(_vault(self).recovery_points.values())})


@add(BackupResponse)
def describe_recovery_point(self: Any) -> str:
    """One of a vault."""
    return json.dumps(_point(self))


@add(BackupResponse)
def delete_recovery_point(self: Any) -> str:
    """Take it from its vault."""
    vault = _vault(self)
    del vault.recovery_points[_point(self)["RecoveryPointArn"]]
    vault.num_of_recovery_points = len(vault.recovery_points)
    return ""


@override(BackupBackend)
def delete_backup_vault(original: Method, self: Any, backup_vault_name: str) -> None:
    """Only an empty one.

    https://docs.aws.amazon.com/aws-backup/latest/devguide/API_DeleteBackupVault.html
    """
    vault = self.vaults.get(backup_vault_name)
    if vault and vault.recovery_points:
        raise InvalidRequestException(msg="Backup vault cannot be deleted because it contains recovery points.")
    original(self, backup_vault_name)


def _vault(self: Any) -> Any:
    return self.backup_backend.describe_backup_vault(unquote(self.path.split("/backup-vaults/")[1].split("/")[0]))


def _point(self: Any) -> dict[str, Any]:
    arn = unquote(self.path.split("/recovery-points/")[1])
    points: dict[str, dict[str, Any]] = _vault(self).recovery_points
    if arn not in points:
        raise ResourceNotFoundException(msg=f"Recovery point {arn} does not exist")
    return points[arn]
