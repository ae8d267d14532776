"""What Terraform empties before it destroys it may be emptied by the role that destroys (W8.1).

After a day of life a bucket has objects and a vault has backups; in a rehearsal of minutes a vault has none.
"""

from __future__ import annotations

import pytest

from policy.delivery import Role
from tests.policy.delivery_support import ACCOUNT, BACKUPS, asked
from tests.synthesized import Synthesized

pytestmark = pytest.mark.requirement("W8.1", "W3.4")

EMPTYING = ("force_destroy", "force_delete")
VAULT = f"arn:aws:backup:us-east-2:{ACCOUNT}:backup-vault:payments-backups-local"
SNAPSHOT = f"arn:aws:rds:us-east-2:{ACCOUNT}:cluster-snapshot:awsbackup:job-0"
COPY = f"arn:aws:rds:us-west-2:{ACCOUNT}:cluster-snapshot:awsbackup:copyjob-0"
CALLS = {
    # https://github.com/hashicorp/terraform-provider-aws/blob/v5.100.0/internal/service/backup/vault.go: the recovery
    # points are listed and deleted, and each is looked for until it is gone.
    "aws_backup_vault": [
        ("backup:ListRecoveryPointsByBackupVault", VAULT),
        ("backup:DeleteRecoveryPoint", SNAPSHOT),
        ("backup:DescribeRecoveryPoint", SNAPSHOT),
        ("backup:DeleteRecoveryPoint", COPY),
        ("backup:DescribeRecoveryPoint", COPY),
    ],
    "aws_s3_bucket": [
        ("s3:ListBucketVersions", BACKUPS),
        ("s3:DeleteObject", f"{BACKUPS}/one"),
        ("s3:DeleteObjectVersion", f"{BACKUPS}/one"),
    ],
    # https://docs.aws.amazon.com/AmazonECR/latest/APIReference/API_DeleteRepository.html: ECR deletes the images.
    "aws_ecr_repository": [("ecr:DeleteRepository", f"arn:aws:ecr:us-east-2:{ACCOUNT}:repository/payments/local/web")],
    # https://docs.aws.amazon.com/AmazonECS/latest/APIReference/API_DeleteService.html: ECS ends the tasks.
    "aws_ecs_service": [
        ("ecs:DeleteService", f"arn:aws:ecs:us-east-2:{ACCOUNT}:service/payments-services-local/payments-web-local"),
    ],
    "aws_rds_global_cluster": [
        ("rds:RemoveFromGlobalCluster", f"arn:aws:rds::{ACCOUNT}:global-cluster:payments-database-local"),
    ],
}


def emptied(platform: Synthesized) -> set[str]:
    """The types of resources that are emptied by their destruction."""
    return {
        type_
        for type_, blocks in platform.configuration["resource"].items()
        for block in blocks.values()
        if any(block.get(attribute) for attribute in EMPTYING)
    }


def test_each_type_that_is_emptied_is_known(platform: Synthesized) -> None:
    assert emptied(platform) == CALLS.keys()


@pytest.mark.parametrize(("action", "resource"), [one for calls in CALLS.values() for one in calls])
def test_the_deploy_role_may_empty_what_it_destroys(of_delivery: dict[str, Role], action: str, resource: str) -> None:
    region = resource.split(":")[3] or "us-east-2"
    assert of_delivery["deploy"].allows(asked(action, resource, aws_RequestedRegion=region))


@pytest.mark.parametrize("action", ["backup:DeleteRecoveryPoint", "backup:DescribeRecoveryPoint"])
def test_backups_of_another_environment_stay(of_delivery: dict[str, Role], action: str) -> None:
    assert of_delivery["deploy"].allows(asked(action, SNAPSHOT))
    others = asked(action, SNAPSHOT, aws_ResourceTag__environment_suffix="production")
    assert not of_delivery["deploy"].allows(others)
