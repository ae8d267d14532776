"""The bucket of documents (P4.3): versions, lifecycle, SSE-KMS, no public access, replicated to a second region.

Creates the bucket, the bucket of its access logs, and the replication role. The replica and its key are in the small
stack of the replica region (payment_api/replica.py), which is deployed first; they are referenced by name and alias, as
a stack of one region cannot reference resources of another.
"""

from __future__ import annotations

from aws_cdk import Duration, Stack
from aws_cdk.aws_iam import PolicyStatement, Role, ServicePrincipal
from aws_cdk.aws_kms import IKey
from aws_cdk.aws_s3 import (
    BlockPublicAccess,
    Bucket,
    BucketEncryption,
    CfnBucket,
    LifecycleRule,
    ObjectOwnership,
    StorageClass,
    Transition,
)
from constructs import Construct

from payment_api.encryption import alias_name
from payment_api.logs import AUDIT_DAYS, removal
from payment_api.settings.data import DocumentSettings
from settings.naming import Names

PURPOSE, REPLICA_PURPOSE = "documents", "documents-replica"
UNFINISHED_UPLOAD_DAYS = 7
REPLICATION_MINUTES = 15  # the only value that Replication Time Control knows


def lifecycle(settings: DocumentSettings) -> list[LifecycleRule]:
    """The lifecycle of documents, the same on both sides."""
    return [
        LifecycleRule(
            id="age",
            transitions=[
                Transition(
                    storage_class=StorageClass.INFREQUENT_ACCESS,
                    transition_after=Duration.days(settings.infrequent_access_days),
                ),
                Transition(
                    storage_class=StorageClass.GLACIER_INSTANT_RETRIEVAL,
                    transition_after=Duration.days(settings.archive_days),
                ),
            ],
            expiration=Duration.days(settings.expiration_days),
            noncurrent_version_expiration=Duration.days(settings.noncurrent_version_days),
            abort_incomplete_multipart_upload_after=Duration.days(UNFINISHED_UPLOAD_DAYS),
        )
    ]


class DocumentBucket(Bucket):
    """A bucket of documents, on either side of the replication."""

    def __init__(
        self,
        scope: Construct,
        id_: str,
        *,
        name: str,
        key: IKey,
        settings: DocumentSettings,
        access_logs: Bucket,
        protected: bool,
    ) -> None:
        super().__init__(
            scope,
            id_,
            bucket_name=name,
            encryption=BucketEncryption.KMS,
            encryption_key=key,
            bucket_key_enabled=True,
            block_public_access=BlockPublicAccess.BLOCK_ALL,
            object_ownership=ObjectOwnership.BUCKET_OWNER_ENFORCED,
            enforce_ssl=True,
            minimum_tls_version=1.2,
            versioned=True,
            lifecycle_rules=lifecycle(settings),
            server_access_logs_bucket=access_logs,
            server_access_logs_prefix=f"s3/{name}/",
            removal_policy=removal(protected=protected),
            auto_delete_objects=not protected,
        )


class AccessLogs(Bucket):
    """The bucket of a region's access logs, which S3 and load balancers deliver only under S3's own key."""

    requirements = ("P5.2",)

    def __init__(self, scope: Construct, id_: str, *, names: Names, protected: bool) -> None:
        super().__init__(
            scope,
            id_,
            bucket_name=names.bucket("access-logs", Stack.of(scope).region),
            encryption=BucketEncryption.S3_MANAGED,
            block_public_access=BlockPublicAccess.BLOCK_ALL,
            object_ownership=ObjectOwnership.BUCKET_OWNER_ENFORCED,
            enforce_ssl=True,
            minimum_tls_version=1.2,
            versioned=True,
            lifecycle_rules=[
                LifecycleRule(
                    id="seven-years",
                    expiration=Duration.days(AUDIT_DAYS),
                    noncurrent_version_expiration=Duration.days(1),
                    abort_incomplete_multipart_upload_after=Duration.days(UNFINISHED_UPLOAD_DAYS),
                )
            ],
            removal_policy=removal(protected=protected),
            auto_delete_objects=not protected,
        )


class Documents(Construct):
    """The documents of the API's region, replicated."""

    requirements = ("P4.3",)

    def __init__(
        self,
        scope: Construct,
        id_: str,
        *,
        names: Names,
        settings: DocumentSettings,
        replica_region: str,
        key: IKey,
        access_logs: Bucket,
        protected: bool,
    ) -> None:
        super().__init__(scope, id_)
        self._names, self._replica_region = names, replica_region
        self.bucket = DocumentBucket(
            self,
            "bucket",
            name=names.bucket(PURPOSE, Stack.of(self).region),
            key=key,
            settings=settings,
            access_logs=access_logs,
            protected=protected,
        )
        self._replicate(key)

    def _replicate(self, key: IKey) -> None:
        """Every version and every deletion, within 15 minutes, encrypted under the replica's own key.

        https://docs.aws.amazon.com/AmazonS3/latest/userguide/replication-config-for-kms-objects.html
        """
        replica = f"arn:aws:s3:::{self._names.bucket(REPLICA_PURPOSE, self._replica_region)}"
        alias = alias_name(self._names, REPLICA_PURPOSE)
        role = self._replication_role(key, replica, alias)
        minutes = CfnBucket.ReplicationTimeValueProperty(minutes=REPLICATION_MINUTES)
        bucket = self.bucket.node.default_child
        assert isinstance(bucket, CfnBucket)  # noqa: S101  # what CDK says of every bucket
        bucket.replication_configuration = CfnBucket.ReplicationConfigurationProperty(
            role=role.role_arn,
            rules=[
                CfnBucket.ReplicationRuleProperty(
                    id="to-the-replica-region",
                    priority=1,
                    status="Enabled",
                    filter=CfnBucket.ReplicationRuleFilterProperty(prefix=""),
                    delete_marker_replication=CfnBucket.DeleteMarkerReplicationProperty(status="Enabled"),
                    source_selection_criteria=CfnBucket.SourceSelectionCriteriaProperty(
                        sse_kms_encrypted_objects=CfnBucket.SseKmsEncryptedObjectsProperty(status="Enabled")
                    ),
                    destination=CfnBucket.ReplicationDestinationProperty(
                        bucket=replica,
                        storage_class="STANDARD",
                        encryption_configuration=CfnBucket.EncryptionConfigurationProperty(
                            replica_kms_key_id=self._replica_key_arn(alias)
                        ),
                        replication_time=CfnBucket.ReplicationTimeProperty(status="Enabled", time=minutes),
                        metrics=CfnBucket.MetricsProperty(status="Enabled", event_threshold=minutes),
                    ),
                )
            ],
        )

    def _replica_key_arn(self, alias: str) -> str:
        return f"arn:aws:kms:{self._replica_region}:{self._names.account_id}:{alias}"

    def _replication_role(self, key: IKey, replica: str, alias: str) -> Role:
        role = Role(
            self,
            "replication",
            role_name=self._names.of("documents-replication"),
            assumed_by=ServicePrincipal(
                "s3.amazonaws.com", conditions={"StringEquals": {"aws:SourceAccount": self._names.account_id}}
            ),
        )
        every_object = self.bucket.arn_for_objects("*")
        statements = {
            "s3:GetReplicationConfiguration s3:ListBucket": [self.bucket.bucket_arn],
            "s3:GetObjectVersionForReplication s3:GetObjectVersionAcl s3:GetObjectVersionTagging": [every_object],
            "s3:ReplicateObject s3:ReplicateDelete s3:ReplicateTags": [f"{replica}/*"],
        }
        for actions, resources in statements.items():
            role.add_to_policy(PolicyStatement(actions=actions.split(), resources=resources))
        key.grant_decrypt(role)
        role.add_to_policy(
            PolicyStatement(
                actions=["kms:Encrypt", "kms:GenerateDataKey"],
                resources=[f"arn:aws:kms:{self._replica_region}:{self._names.account_id}:key/*"],
                conditions={"ForAnyValue:StringEquals": {"kms:ResourceAliases": alias}},
            )
        )
        return role
