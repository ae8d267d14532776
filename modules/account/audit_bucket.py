"""The bucket that the audit trail and AWS Config's records are kept in (W5.6).

Creates one bucket in the primary region, for both regions, encrypted under its logs key, with a lifecycle by settings
and server access logs in the logs bucket. CloudTrail and AWS Config write each below a prefix of its own, for this
account's trail and recorders only. In a protected environment no principal may delete an object: objects expire.

Unlike other buckets it accepts other encryption: CloudTrail writes its digest files with SSE-S3.
https://docs.aws.amazon.com/awscloudtrail/latest/userguide/encrypting-cloudtrail-log-files-with-aws-kms.html
"""

from __future__ import annotations

from cdktf_cdktf_provider_aws.kms_key import KmsKey
from constructs import Construct

from modules.policy_documents import Condition, Statement, account, anyone, service, when
from modules.region import Region
from modules.storage.buckets import Bucket, BucketSpecification
from settings.naming import Names
from settings.storage import StorageSettings

PURPOSE = "audit"
TRAIL_FOLDER, CONFIGURATION_FOLDER = "trail", "configuration"
CLOUDTRAIL, CONFIG = "cloudtrail.amazonaws.com", "config.amazonaws.com"
THIS_KEY = ["*"]  # in a key policy the key itself


class AuditBucket(Construct):
    """The bucket; ``uses_of_key`` are the statements for the policy of its key."""

    requirements = ("W5.6", "W4.3", "W4.4")

    def __init__(
        self,
        scope: Construct,
        id_: str,
        *,
        names: Names,
        settings: StorageSettings,
        retention_days: int,
        protected: bool,
        key: KmsKey,
        access_logs: Bucket,
    ) -> None:
        """``key`` is the logs key; its policy has ``uses_of_key``. Objects expire after ``retention_days``."""
        super().__init__(scope, id_)
        region = Region.of(self).name
        self.bucket = Bucket(
            self,
            "bucket",
            names=names,
            key=key,
            specification=BucketSpecification(
                purpose=PURPOSE,
                settings=settings,
                protected=protected,
                expiration_days=retention_days,
                refuses_other_encryption=False,
            ),
            statements=[
                *_by_the_trail(names, region),
                *_by_config(names, region),
                *([_nothing_is_deleted(names, region)] if protected else []),
            ],
        )
        self.bucket.log_access_to(access_logs)

    @staticmethod
    def uses_of_key(names: Names, region: str) -> list[Statement]:
        """Statements for the policy of the bucket's key: CloudTrail, AWS Config, and readers of the bucket.

        https://docs.aws.amazon.com/awscloudtrail/latest/userguide/create-kms-key-policy-for-cloudtrail.html
        https://docs.aws.amazon.com/config/latest/developerguide/s3-kms-key-policy.html
        """
        bucket = Bucket.arn_of(names, PURPOSE, region)
        return [
            Statement(
                sid="UseByTheTrail",
                # Decrypt: the bucket has an S3 Bucket Key, and CloudTrail checks it when the trail is created.
                actions=["kms:Decrypt", "kms:DescribeKey", "kms:GenerateDataKey*"],
                resources=THIS_KEY,
                principals=[service(CLOUDTRAIL)],
                condition=[_of_the_trail(names, region)],
            ),
            Statement(
                sid="UseByConfig",
                actions=["kms:Decrypt", "kms:GenerateDataKey"],
                resources=THIS_KEY,
                principals=[service(CONFIG)],
                condition=[when("StringEquals", "aws:SourceAccount", names.account_id)],
            ),
            Statement(
                sid="UseThroughTheAuditBucket",
                actions=["kms:Decrypt", "kms:GenerateDataKey"],
                resources=THIS_KEY,
                principals=[account(names.account_id)],
                condition=[
                    when("StringEquals", "kms:ViaService", f"s3.{region}.amazonaws.com"),
                    when("ArnLike", "kms:EncryptionContext:aws:s3:arn", bucket, f"{bucket}/*"),
                ],
            ),
        ]


def trail_arn(names: Names, region: str) -> str:
    """The ARN of the trail, known before the trail is."""
    return f"arn:aws:cloudtrail:{region}:{names.account_id}:trail/{names.of(PURPOSE)}"


def _of_the_trail(names: Names, region: str) -> Condition:
    """CloudTrail acts for this trail; it documents no aws:SourceAccount here."""
    return when("StringEquals", "aws:SourceArn", trail_arn(names, region))


def _by_the_trail(names: Names, region: str) -> list[Statement]:
    """https://docs.aws.amazon.com/awscloudtrail/latest/userguide/create-s3-bucket-policy-for-cloudtrail.html."""
    bucket, trail = Bucket.arn_of(names, PURPOSE, region), [service(CLOUDTRAIL)]
    return [
        Statement(
            sid="LookedAtByTheTrail",
            actions=["s3:GetBucketAcl"],
            resources=[bucket],
            principals=trail,
            condition=[_of_the_trail(names, region)],
        ),
        Statement(
            sid="WrittenByTheTrail",
            actions=["s3:PutObject"],
            resources=[f"{bucket}/{TRAIL_FOLDER}/AWSLogs/{names.account_id}/*"],
            principals=trail,
            condition=[_of_the_trail(names, region), _owned_by_the_bucket()],
        ),
    ]


def _by_config(names: Names, region: str) -> list[Statement]:
    """https://docs.aws.amazon.com/config/latest/developerguide/s3-bucket-policy.html."""
    bucket, config = Bucket.arn_of(names, PURPOSE, region), [service(CONFIG)]
    own = when("StringEquals", "aws:SourceAccount", names.account_id)
    return [
        Statement(
            sid="LookedAtByConfig",
            actions=["s3:GetBucketAcl", "s3:ListBucket"],
            resources=[bucket],
            principals=config,
            condition=[own],
        ),
        Statement(
            sid="WrittenByConfig",
            actions=["s3:PutObject"],
            resources=[f"{bucket}/{CONFIGURATION_FOLDER}/AWSLogs/{names.account_id}/Config/*"],
            principals=config,
            condition=[own, _owned_by_the_bucket()],
        ),
    ]


def _owned_by_the_bucket() -> Condition:
    return when("StringEquals", "s3:x-amz-acl", "bucket-owner-full-control")


def _nothing_is_deleted(names: Names, region: str) -> Statement:
    """Lifecycle rules are not subject to the policy. Removing this statement is an event of the trail."""
    return Statement(
        sid="NothingIsDeleted",
        effect="Deny",
        actions=["s3:DeleteObject", "s3:DeleteObjectVersion"],
        resources=[f"{Bucket.arn_of(names, PURPOSE, region)}/*"],
        principals=[anyone()],
    )
