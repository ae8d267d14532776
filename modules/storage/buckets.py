"""Buckets for static assets, backups and logs (W4.3, W4.4).

Creates the three buckets of one region, each versioned, owner-enforced, closed to the public and to plain HTTP,
encrypted, and with lifecycle rules. Static assets and backups are encrypted under the region's objects key and accept
no other; access to them is logged to the logs bucket.

The logs bucket is the one stated exception to customer-managed keys: the log delivery of S3 and of load balancers
accepts SSE-S3 only. https://docs.aws.amazon.com/AmazonS3/latest/userguide/enable-server-access-logging.html and
https://docs.aws.amazon.com/elasticloadbalancing/latest/application/enable-access-logging.html
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from cdktf import TerraformResourceLifecycle
from cdktf_cdktf_provider_aws.cloudfront_distribution import CloudfrontDistribution
from cdktf_cdktf_provider_aws.kms_key import KmsKey
from cdktf_cdktf_provider_aws.s3_bucket import S3Bucket
from cdktf_cdktf_provider_aws.s3_bucket_lifecycle_configuration import (
    S3BucketLifecycleConfiguration,
    S3BucketLifecycleConfigurationRule,
    S3BucketLifecycleConfigurationRuleAbortIncompleteMultipartUpload,
    S3BucketLifecycleConfigurationRuleExpiration,
    S3BucketLifecycleConfigurationRuleFilter,
    S3BucketLifecycleConfigurationRuleNoncurrentVersionExpiration,
    S3BucketLifecycleConfigurationRuleTransition,
)
from cdktf_cdktf_provider_aws.s3_bucket_logging import S3BucketLoggingA
from cdktf_cdktf_provider_aws.s3_bucket_ownership_controls import (
    S3BucketOwnershipControls,
    S3BucketOwnershipControlsRule,
)
from cdktf_cdktf_provider_aws.s3_bucket_policy import S3BucketPolicy
from cdktf_cdktf_provider_aws.s3_bucket_public_access_block import S3BucketPublicAccessBlock
from cdktf_cdktf_provider_aws.s3_bucket_server_side_encryption_configuration import (
    S3BucketServerSideEncryptionConfigurationA,
    S3BucketServerSideEncryptionConfigurationRuleA,
    S3BucketServerSideEncryptionConfigurationRuleApplyServerSideEncryptionByDefaultA,
)
from cdktf_cdktf_provider_aws.s3_bucket_versioning import (
    S3BucketVersioningA,
    S3BucketVersioningVersioningConfiguration,
)
from constructs import Construct

from modules.policy_documents import PolicyDocument, Statement, anyone, service, when
from modules.region import Region
from settings.naming import Names
from settings.storage import StorageSettings

OLDEST_TLS_VERSION = "1.2"
ACCESS_LOGS = "s3-access"
LOAD_BALANCER_LOGS = "load-balancer"
# Purposes of the buckets with access logs; the audit bucket is in one region only (audit_bucket.py).
LOGGED = ("static-assets", "backups", "audit")


@dataclass(frozen=True, kw_only=True)
class BucketSpecification:
    """Purpose of a bucket and lifecycle of its objects, in days; ``None`` is never."""

    purpose: str
    settings: StorageSettings
    protected: bool
    infrequent_access_days: int | None = None
    expiration_days: int | None = None
    refuses_other_encryption: bool = True
    """False for a bucket that a service writes to which names SSE-S3 for some of its objects."""


class Bucket(Construct):
    """One bucket with everything that makes it safe to use."""

    requirements = (
        "W4.3",
        "W5.5",
    )

    def __init__(
        self,
        scope: Construct,
        id_: str,
        *,
        names: Names,
        specification: BucketSpecification,
        key: KmsKey | None,
        statements: Sequence[Statement] = (),
    ) -> None:
        """Create the bucket.

        Args:
            scope: a construct below the bucket's region.
            id_: unique within the scope.
            names: of the environment.
            specification: of the bucket.
            key: encrypts the objects; None is SSE-S3.
            statements: added to the bucket policy. Their resources come from ``Bucket.arn_of``: the name is known
                before the bucket exists.
        """
        super().__init__(scope, id_)
        self.purpose = specification.purpose
        self._refuses_other_encryption = specification.refuses_other_encryption
        self.key = key
        self.bucket = S3Bucket(
            self,
            "bucket",
            bucket=names.bucket(specification.purpose, Region.of(self).name),
            force_destroy=not specification.protected,
            lifecycle=TerraformResourceLifecycle(prevent_destroy=specification.protected),
        )
        self.public_access_block = S3BucketPublicAccessBlock(
            self,
            "public-access-block",
            bucket=self.bucket.id,
            block_public_acls=True,
            block_public_policy=True,
            ignore_public_acls=True,
            restrict_public_buckets=True,
        )
        S3BucketOwnershipControls(
            self,
            "ownership",
            bucket=self.bucket.id,
            rule=S3BucketOwnershipControlsRule(object_ownership="BucketOwnerEnforced"),
        )
        self.versioning = S3BucketVersioningA(
            self,
            "versioning",
            bucket=self.bucket.id,
            versioning_configuration=S3BucketVersioningVersioningConfiguration(status="Enabled"),
        )
        self._encrypt()
        self._age(specification)
        self._refuse([*statements, *self._refusals()])

    @staticmethod
    def arn_of(names: Names, purpose: str, region: str) -> str:
        """The ARN of a bucket of this environment, known before the bucket is."""
        return f"arn:aws:s3:::{names.bucket(purpose, region)}"

    def let_cloudfront_read(self, distribution: CloudfrontDistribution) -> None:
        """Grant one distribution read access to objects, and a 404 for missing ones.

        Without ListBucket a missing object is a 403, which looks like a denied one. A distribution cannot list with
        it, as it requests objects by key.
        https://docs.aws.amazon.com/AmazonCloudFront/latest/DeveloperGuide/private-content-restricting-access-to-s3.html
        """
        readers = [service("cloudfront.amazonaws.com")]
        own = [when("StringEquals", "aws:SourceArn", distribution.arn)]
        objects, bucket = f"{self.bucket.arn}/*", self.bucket.arn
        self._statements += [
            Statement(
                sid="ReadByTheDistribution",
                actions=["s3:GetObject"],
                resources=[objects],
                principals=readers,
                condition=own,
            ),
            Statement(
                sid="FindByTheDistribution",
                actions=["s3:ListBucket"],
                resources=[bucket],
                principals=readers,
                condition=own,
            ),
        ]
        self._policy_document.put_statement(self._statements)

    def log_access_to(self, logs: Bucket) -> None:
        """Log access to this bucket's objects into another bucket of the region."""
        S3BucketLoggingA(
            self,
            "logging",
            bucket=self.bucket.id,
            target_bucket=logs.bucket.id,
            # With the region, as the replica of the logs bucket gets both regions' logs.
            target_prefix=f"{ACCESS_LOGS}/{Region.of(self).name}/{self.purpose}/",
            depends_on=[logs.policy],  # not inferable: S3 checks whether its log delivery may write there
        )

    def _encrypt(self) -> None:
        default = S3BucketServerSideEncryptionConfigurationRuleApplyServerSideEncryptionByDefaultA(
            sse_algorithm="aws:kms" if self.key else "AES256", kms_master_key_id=self.key.arn if self.key else None
        )
        rule = S3BucketServerSideEncryptionConfigurationRuleA(
            apply_server_side_encryption_by_default=default,
            bucket_key_enabled=True if self.key else None,
        )
        S3BucketServerSideEncryptionConfigurationA(self, "encryption", bucket=self.bucket.id, rule=[rule])

    def _age(self, specification: BucketSpecification) -> None:
        S3BucketLifecycleConfiguration(
            self,
            "lifecycle",
            bucket=self.bucket.id,
            rule=_lifecycle_rules(specification),
            depends_on=[self.versioning],  # rules for noncurrent versions mean nothing before there are versions
        )

    def _refuse(self, statements: list[Statement]) -> None:
        self._statements = statements
        self._policy_document = PolicyDocument(self, "policy-document", statement=statements)
        self.policy = S3BucketPolicy(
            self,
            "policy",
            bucket=self.bucket.id,
            policy=self._policy_document.json,
            depends_on=[self.public_access_block],  # S3 refuses two changes of a bucket's access at the same time
        )

    def _refusals(self) -> list[Statement]:
        everything = [self.bucket.arn, f"{self.bucket.arn}/*"]
        refusals = [
            _deny("NothingWithoutTls", ["s3:*"], everything, ("Bool", "aws:SecureTransport", "false")),
            _deny("NothingBelowTls12", ["s3:*"], everything, ("NumericLessThan", "s3:TlsVersion", OLDEST_TLS_VERSION)),
        ]
        if self.key and self._refuses_other_encryption:
            refusals += [
                self._refuse_uploads_that_name("NoOtherEncryption", "s3:x-amz-server-side-encryption", "aws:kms"),
                self._refuse_uploads_that_name(
                    "NoOtherKey", "s3:x-amz-server-side-encryption-aws-kms-key-id", self.key.arn
                ),
            ]
        return refusals

    def _refuse_uploads_that_name(self, sid: str, header: str, allowed: str) -> Statement:
        """Deny uploads whose header names another encryption; one without the header gets the bucket's default.

        The presence of the header is a condition, too: a negated comparison is true where the key is missing.
        https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_elements_condition_operators.html
        """
        is_named = ("Null", header, "false")
        return _deny(sid, ["s3:PutObject"], [f"{self.bucket.arn}/*"], is_named, ("StringNotEquals", header, allowed))


class Buckets(Construct):
    """The three buckets of one region."""

    def __init__(
        self, scope: Construct, id_: str, *, names: Names, settings: StorageSettings, protected: bool, key: KmsKey
    ) -> None:
        """``key`` encrypts static assets and backups. ``protected`` buckets cannot be destroyed, nor emptied."""
        super().__init__(scope, id_)
        self.logs = Bucket(
            self,
            "logs",
            names=names,
            key=None,
            specification=BucketSpecification(
                purpose="logs", settings=settings, protected=protected, expiration_days=settings.log_expiration_days
            ),
            statements=[
                _delivery_of_access_logs(names, Region.of(self).name),
                _delivery_of_load_balancer_logs(names, Region.of(self).name),
            ],
        )
        self.static_assets = Bucket(
            self,
            "static-assets",
            names=names,
            key=key,
            specification=BucketSpecification(purpose="static-assets", settings=settings, protected=protected),
        )
        self.backups = Bucket(
            self,
            "backups",
            names=names,
            key=key,
            specification=BucketSpecification(
                purpose="backups",
                settings=settings,
                protected=protected,
                infrequent_access_days=settings.backup_infrequent_access_days,
                expiration_days=settings.backup_expiration_days,
            ),
        )
        self.static_assets.log_access_to(self.logs)
        self.backups.log_access_to(self.logs)


def _deny(sid: str, actions: list[str], resources: list[str], *conditions: tuple[str, str, str]) -> Statement:
    return Statement(
        sid=sid,
        effect="Deny",
        actions=actions,
        resources=resources,
        principals=[anyone()],
        condition=[when(*condition) for condition in conditions],
    )


def _delivery_of_access_logs(names: Names, region: str) -> Statement:
    """https://docs.aws.amazon.com/AmazonS3/latest/userguide/enable-server-access-logging.html."""
    sources = [Bucket.arn_of(names, purpose, region) for purpose in LOGGED]
    return Statement(
        sid="DeliveryOfS3AccessLogs",
        actions=["s3:PutObject"],
        resources=[f"{Bucket.arn_of(names, 'logs', region)}/{ACCESS_LOGS}/{region}/*"],
        principals=[service("logging.s3.amazonaws.com")],
        condition=[
            when("StringEquals", "aws:SourceAccount", names.account_id),
            when("ArnEquals", "aws:SourceArn", *sources),
        ],
    )


def _delivery_of_load_balancer_logs(names: Names, region: str) -> Statement:
    """ELB, for this account's load balancers: its path has the account, and AWS's policy shows no condition.

    https://docs.aws.amazon.com/elasticloadbalancing/latest/application/enable-access-logging.html
    """
    load_balancers = f"arn:aws:elasticloadbalancing:{region}:{names.account_id}:loadbalancer/*"
    folder = f"{Bucket.arn_of(names, 'logs', region)}/{LOAD_BALANCER_LOGS}/AWSLogs/{names.account_id}"
    return Statement(
        sid="DeliveryOfLoadBalancerLogs",
        actions=["s3:PutObject"],
        resources=[f"{folder}/*"],
        principals=[service("logdelivery.elasticloadbalancing.amazonaws.com")],
        condition=[when("ArnLikeIfExists", "aws:SourceArn", load_balancers)],
    )


def _lifecycle_rules(specification: BucketSpecification) -> list[S3BucketLifecycleConfigurationRule]:
    settings = specification.settings
    rules = [
        _rule(
            "end-unfinished-uploads",
            abort_incomplete_multipart_upload=[
                S3BucketLifecycleConfigurationRuleAbortIncompleteMultipartUpload(
                    days_after_initiation=settings.unfinished_upload_days
                )
            ],
        ),
        _rule(
            "expire-noncurrent-versions",
            noncurrent_version_expiration=[
                S3BucketLifecycleConfigurationRuleNoncurrentVersionExpiration(
                    noncurrent_days=settings.noncurrent_version_days
                )
            ],
        ),
        _rule(
            "remove-lone-delete-markers",
            expiration=[S3BucketLifecycleConfigurationRuleExpiration(expired_object_delete_marker=True)],
        ),
    ]
    if specification.infrequent_access_days:
        transition = S3BucketLifecycleConfigurationRuleTransition(
            days=specification.infrequent_access_days, storage_class="STANDARD_IA"
        )
        rules.append(_rule("move-to-infrequent-access", transition=[transition]))
    if specification.expiration_days:
        expiration = S3BucketLifecycleConfigurationRuleExpiration(days=specification.expiration_days)
        rules.append(_rule("expire", expiration=[expiration]))
    return rules


def _rule(id_: str, **action: Any) -> S3BucketLifecycleConfigurationRule:
    """A rule for all objects of a bucket."""
    everything = [S3BucketLifecycleConfigurationRuleFilter(prefix="")]
    return S3BucketLifecycleConfigurationRule(id=id_, status="Enabled", filter=everything, **action)
