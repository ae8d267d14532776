"""IAM policy of the deploy role: Aurora, Secrets Manager, AWS Backup and S3 buckets."""

from __future__ import annotations

from modules.delivery.permissions.grants import (
    EMPTIED,
    IMPLIED_BY_ANOTHER_CALL,
    NOT_ANOTHERS,
    OTHER_SETTINGS,
    TAGS,
    UPDATE_IN_PLACE,
    WITH_TAGS,
    Grant,
)

DATA: tuple[Grant, ...] = (
    Grant(
        sid="Databases",
        service="rds",
        on=(
            *(f"arn:aws:rds:*:{{account}}:{kind}:{{own}}" for kind in ("cluster", "cluster-pg", "db", "pg", "subgrp")),
            "arn:aws:rds::{account}:global-cluster:{own}",
            "arn:aws:rds:*:{account}:og:default*",  # AWS's own option group, which every database names
        ),
        rehearsed="CreateDBCluster CreateDBClusterParameterGroup CreateDBInstance CreateDBParameterGroup "
        "CreateDBSubnetGroup CreateGlobalCluster DeleteDBCluster DeleteDBClusterParameterGroup DeleteDBInstance "
        "DeleteDBParameterGroup DeleteDBSubnetGroup DeleteGlobalCluster ListTagsForResource "
        "ModifyDBClusterParameterGroup ModifyDBParameterGroup RemoveFromGlobalCluster",
        unrehearsed={
            UPDATE_IN_PLACE: "ModifyDBCluster ModifyDBInstance ModifyDBSubnetGroup ModifyGlobalCluster "
            "RebootDBInstance ResetDBClusterParameterGroup ResetDBParameterGroup",
            WITH_TAGS: "AddTagsToResource",
            TAGS: "RemoveTagsFromResource",
        },
    ),
    Grant(
        sid="SeeDatabases",  # a list without a name needs the permission on all resources of the type
        service="rds",
        on=(
            *(f"arn:aws:rds:*:{{account}}:{kind}:*" for kind in ("cluster", "cluster-pg", "db", "pg", "subgrp")),
            "arn:aws:rds::{account}:global-cluster:*",
        ),
        rehearsed="DescribeDBClusterParameterGroups DescribeDBClusterParameters DescribeDBClusters DescribeDBInstances "
        "DescribeDBParameterGroups DescribeDBParameters DescribeDBSubnetGroups DescribeGlobalClusters",
    ),
    Grant(
        sid="FinalSnapshot",
        service="rds",
        on=("arn:aws:rds:*:{account}:cluster-snapshot:{own}",),
        unrehearsed={OTHER_SETTINGS: "AddTagsToResource CreateDBClusterSnapshot DeleteDBCluster"},
    ),
    Grant(
        sid="Passwords",
        service="secretsmanager",
        on=("arn:aws:secretsmanager:*:{account}:secret:{path}*",),
        rehearsed="CreateSecret DeleteResourcePolicy DeleteSecret DescribeSecret GetResourcePolicy GetSecretValue "
        "PutResourcePolicy PutSecretValue RotateSecret",
        unrehearsed={
            UPDATE_IN_PLACE: "CancelRotateSecret UpdateSecret UpdateSecretVersionStage ValidateResourcePolicy",
            WITH_TAGS: "ReplicateSecretToRegions TagResource",
            TAGS: "UntagResource",
            IMPLIED_BY_ANOTHER_CALL: "RemoveRegionsFromReplication",
        },
    ),
    Grant(sid="NewPasswords", service="secretsmanager", rehearsed="GetRandomPassword"),
    Grant(
        sid="Vaults",
        service="backup",
        on=("arn:aws:backup:*:{account}:backup-vault:{own}",),
        rehearsed="CreateBackupVault DeleteBackupVault DescribeBackupVault ListRecoveryPointsByBackupVault ListTags",
        unrehearsed={
            OTHER_SETTINGS: "DeleteBackupVaultAccessPolicy DeleteBackupVaultLockConfiguration "
            "GetBackupVaultAccessPolicy PutBackupVaultAccessPolicy PutBackupVaultLockConfiguration",
            WITH_TAGS: "TagResource",
            TAGS: "UntagResource",
        },
    ),
    # Backups of Aurora have ARNs of RDS, which AWS Backup chooses, and the tags of the cluster that they are of:
    # https://docs.aws.amazon.com/aws-backup/latest/devguide/recovery-points.html
    Grant(
        sid="Backups",
        service="backup",
        on=("arn:aws:rds:*:{account}:cluster-snapshot:awsbackup:*",),
        conditions=NOT_ANOTHERS,
        unrehearsed={EMPTIED: "DeleteRecoveryPoint DescribeRecoveryPoint"},
    ),
    Grant(
        sid="VaultStorage",
        service="backup-storage",
        unrehearsed={IMPLIED_BY_ANOTHER_CALL: "MountCapsule"},
    ),
    Grant(
        sid="BackupPlans",
        service="backup",
        on=(
            "arn:aws:backup:*:{account}:backup-plan:*",  # known by ids
            "arn:aws:backup:*:{account}:restore-testing-plan:{prefix}_*",
        ),
        conditions=NOT_ANOTHERS,
        rehearsed="CreateBackupPlan CreateBackupSelection CreateRestoreTestingPlan CreateRestoreTestingSelection "
        "DeleteBackupPlan DeleteBackupSelection DeleteRestoreTestingPlan DeleteRestoreTestingSelection GetBackupPlan "
        "GetBackupSelection GetRestoreTestingPlan GetRestoreTestingSelection ListTags",
        unrehearsed={
            UPDATE_IN_PLACE: "UpdateBackupPlan UpdateRestoreTestingPlan UpdateRestoreTestingSelection",
            WITH_TAGS: "TagResource",
            TAGS: "UntagResource",
        },
    ),
    Grant(
        sid="Buckets",
        service="s3",
        on=("arn:aws:s3:::{own}-{account}-*",),
        rehearsed="CreateBucket DeleteBucket DeleteBucketPolicy GetAccelerateConfiguration GetBucketAcl GetBucketCORS "
        "GetBucketLogging GetBucketNotification GetBucketObjectLockConfiguration GetBucketOwnershipControls "
        "GetBucketPolicy GetBucketPublicAccessBlock GetBucketRequestPayment GetBucketTagging GetBucketVersioning "
        "GetBucketWebsite GetEncryptionConfiguration GetLifecycleConfiguration GetReplicationConfiguration ListBucket "
        "ListBucketVersions PutBucketLogging PutBucketNotification PutBucketOwnershipControls PutBucketPolicy "
        "PutBucketPublicAccessBlock PutBucketTagging PutBucketVersioning PutEncryptionConfiguration "
        "PutLifecycleConfiguration PutReplicationConfiguration",
    ),
    Grant(
        sid="EmptyBuckets",  # of an environment that is destroyed
        service="s3",
        on=("arn:aws:s3:::{own}-{account}-*/*",),
        rehearsed="DeleteObject DeleteObjectVersion",
    ),
)
