"""Databases, buckets, queues, secrets, keys and backups."""

from __future__ import annotations

from collections.abc import Iterator

from emulator.finders.listing import Clients, Finder, by, named, pages


def _keys(clients: Clients) -> Iterator[str]:
    for key in pages(clients, "kms", "list_keys", "Keys"):
        metadata = clients("kms").describe_key(KeyId=key["KeyId"])["KeyMetadata"]
        if metadata["KeyManager"] == "CUSTOMER" and metadata["KeyState"] != "PendingDeletion":
            yield metadata["KeyId"]


def _aliases(clients: Clients) -> Iterator[str]:
    names = (alias["AliasName"] for alias in pages(clients, "kms", "list_aliases", "Aliases"))
    return (name for name in names if not name.startswith("alias/aws/"))


def _own_parameter_groups(operation: str, key: str, id_key: str) -> Finder:
    """Those of AWS begin with "default."."""
    find = by("rds", operation, key, id_key)
    return lambda clients: (name for name in find(clients) if not name.startswith("default."))


def _secrets(clients: Clients) -> Iterator[str]:
    secrets = pages(clients, "secretsmanager", "list_secrets", "SecretList")
    return (secret["Name"] for secret in secrets if "DeletedDate" not in secret)


def _recovery_points(clients: Clients) -> Iterator[str]:
    for vault in pages(clients, "backup", "list_backup_vaults", "BackupVaultList"):
        of_vault = {"BackupVaultName": vault["BackupVaultName"]}
        for point in pages(clients, "backup", "list_recovery_points_by_backup_vault", "RecoveryPoints", **of_vault):
            yield point["RecoveryPointArn"]


REGIONAL: dict[str, Finder] = {
    "kms key": _keys,
    "kms alias": _aliases,
    "database cluster": by("rds", "describe_db_clusters", "DBClusters", "DBClusterIdentifier"),
    "database instance": by("rds", "describe_db_instances", "DBInstances", "DBInstanceIdentifier"),
    "database snapshot": by(
        "rds", "describe_db_cluster_snapshots", "DBClusterSnapshots", "DBClusterSnapshotIdentifier"
    ),
    "database subnets": by("rds", "describe_db_subnet_groups", "DBSubnetGroups", "DBSubnetGroupName"),
    "cluster parameters": _own_parameter_groups(
        "describe_db_cluster_parameter_groups", "DBClusterParameterGroups", "DBClusterParameterGroupName"
    ),
    "instance parameters": _own_parameter_groups(
        "describe_db_parameter_groups", "DBParameterGroups", "DBParameterGroupName"
    ),
    "queue": named("sqs", "list_queues", "QueueUrls"),
    "secret": _secrets,
    "backup vault": by("backup", "list_backup_vaults", "BackupVaultList", "BackupVaultName"),
    "recovery point": _recovery_points,
    "backup plan": by("backup", "list_backup_plans", "BackupPlansList", "BackupPlanName"),
    "restore test": by("backup", "list_restore_testing_plans", "RestoreTestingPlans", "RestoreTestingPlanName"),
}

GLOBAL: dict[str, Finder] = {
    "bucket": by("s3", "list_buckets", "Buckets", "Name"),
    "global database": by("rds", "describe_global_clusters", "GlobalClusters", "GlobalClusterIdentifier"),
}
