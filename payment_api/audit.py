"""CloudTrail audit trail (P5.2): all management events, data events of the documents, kept for seven years.

Creates a trail with validated log files, encrypted, into a bucket of its own and a log group of exactly 2,557 days.
"""

from __future__ import annotations

from aws_cdk import Duration, Stack
from aws_cdk.aws_cloudtrail import ReadWriteType, S3EventSelector, Trail
from aws_cdk.aws_iam import Effect, PolicyStatement, ServicePrincipal
from aws_cdk.aws_kms import IKey
from aws_cdk.aws_s3 import BlockPublicAccess, Bucket, BucketEncryption, LifecycleRule, ObjectOwnership
from constructs import Construct

from payment_api.logs import AUDIT_DAYS, AuditLog, removal
from settings.naming import Names


class Audit(Construct):
    """The trail as ``trail``, its bucket as ``bucket``."""

    requirements = ("P5.2",)

    def __init__(
        self,
        scope: Construct,
        id_: str,
        *,
        names: Names,
        documents: Bucket,
        access_logs: Bucket,
        key: IKey,
        protected: bool,
    ) -> None:
        super().__init__(scope, id_)
        name = names.of("audit")
        self._let_the_trail_encrypt(key, names, name)
        self.bucket = Bucket(
            self,
            "bucket",
            bucket_name=names.bucket("audit", Stack.of(self).region),
            encryption=BucketEncryption.KMS,
            encryption_key=key,
            bucket_key_enabled=True,
            block_public_access=BlockPublicAccess.BLOCK_ALL,
            object_ownership=ObjectOwnership.BUCKET_OWNER_ENFORCED,
            enforce_ssl=True,
            minimum_tls_version=1.2,
            versioned=True,
            server_access_logs_bucket=access_logs,
            server_access_logs_prefix="s3/audit/",
            lifecycle_rules=[
                LifecycleRule(
                    id="seven-years",
                    expiration=Duration.days(AUDIT_DAYS),
                    noncurrent_version_expiration=Duration.days(1),
                    abort_incomplete_multipart_upload_after=Duration.days(7),
                )
            ],
            removal_policy=removal(protected=protected),
            auto_delete_objects=not protected,
        )
        self.log = AuditLog(self, "log", name=names.log_group("audit"), key=key, protected=protected)
        self.trail = Trail(
            self,
            "trail",
            trail_name=name,
            bucket=self.bucket,
            encryption_key=key,
            enable_file_validation=True,
            include_global_service_events=True,
            is_multi_region_trail=True,
            send_to_cloud_watch_logs=True,
            cloud_watch_log_group=self.log,
        )
        self.trail.add_s3_event_selector(
            [S3EventSelector(bucket=documents)],
            include_management_events=True,
            read_write_type=ReadWriteType.ALL,
        )

    def _let_the_trail_encrypt(self, key: IKey, names: Names, name: str) -> None:
        """https://docs.aws.amazon.com/awscloudtrail/latest/userguide/create-kms-key-policy-for-cloudtrail.html"""  # noqa: D415
        arn = f"arn:aws:cloudtrail:{Stack.of(self).region}:{names.account_id}:trail/{name}"
        key.add_to_resource_policy(
            PolicyStatement(
                sid="TrailOfThisEnvironment",
                effect=Effect.ALLOW,
                principals=[ServicePrincipal("cloudtrail.amazonaws.com")],
                actions=["kms:GenerateDataKey*", "kms:DescribeKey"],
                resources=["*"],
                conditions={"StringEquals": {"aws:SourceArn": arn}},
            )
        )
