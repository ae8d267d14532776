"""Customer-managed keys by class of data (W4.4): database, objects, logs, secrets, backups.

Creates five keys of one region (one in the region of what is global), each with an alias and a policy of its own. A key
policy names the services that use the key and the principals or resources on whose behalf; it allows no use of the key
outside those services. Keys are single-region: replicas are encrypted under the other region's key, and multi-region
keys would not change that.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from cdktf import TerraformResourceLifecycle
from cdktf_cdktf_provider_aws.kms_alias import KmsAlias
from cdktf_cdktf_provider_aws.kms_key import KmsKey
from constructs import Construct

from modules.policy_documents import (
    Condition,
    PolicyDocument,
    Statement,
    account,
    on_behalf_of,
    on_behalf_of_if_sent,
    service,
    when,
)
from modules.region import Region
from settings.encryption import EncryptionSettings
from settings.naming import (
    BACKUP_FAILURES,
    DATABASE,
    RECOVERY_DATABASE,
    RESTORE_FAILURES,
    SNAPSHOT_EXPORT,
    THREAT_FINDINGS,
    Names,
)

# The buckets whose objects lie under the objects key (modules/storage/buckets.py makes them; a bucket names its
# key, so the key can name the bucket only by its purpose).
ENCRYPTED_BUCKETS = ("static-assets", "backups")

# What an administrator of the account may do by IAM policy. Use of the key (Encrypt, Decrypt, GenerateDataKey,
# CreateGrant ...) is not among it. https://docs.aws.amazon.com/kms/latest/developerguide/key-policy-default.html
ADMINISTRATION = [
    "kms:CancelKeyDeletion",
    "kms:CreateAlias",
    "kms:DeleteAlias",
    "kms:DescribeKey",
    "kms:DisableKey",
    "kms:DisableKeyRotation",
    "kms:EnableKey",
    "kms:EnableKeyRotation",
    "kms:GetKeyPolicy",
    "kms:GetKeyRotationStatus",
    "kms:ListGrants",
    "kms:ListKeyPolicies",
    "kms:ListKeyRotations",
    "kms:ListResourceTags",
    "kms:PutKeyPolicy",
    "kms:RevokeGrant",
    "kms:RotateKeyOnDemand",
    "kms:ScheduleKeyDeletion",
    "kms:TagResource",
    "kms:UntagResource",
    "kms:UpdateAlias",
    "kms:UpdateKeyDescription",
]
READ_AND_WRITE = ["kms:Decrypt", "kms:Encrypt", "kms:GenerateDataKey*", "kms:ReEncrypt*"]
# In a key policy "*" is the key that the policy belongs to.
# https://docs.aws.amazon.com/kms/latest/developerguide/key-policy-overview.html
THIS_KEY = ["*"]


class OwnKeys(Construct):
    """Creates keys of one region, with the statements that allow their use."""

    requirements = ("W4.4",)

    def __init__(
        self, scope: Construct, id_: str, *, names: Names, settings: EncryptionSettings, protected: bool
    ) -> None:
        """``protected`` keys cannot be destroyed by Terraform."""
        super().__init__(scope, id_)
        self._names = names
        self._settings = settings
        self._protected = protected
        self._region = Region.of(self).name

    def _key(self, purpose: str, description: str, use: list[Statement]) -> KmsKey:
        policy = PolicyDocument(self, f"{purpose}-policy", statement=[self._administration(), *use])
        key = KmsKey(
            self,
            purpose,
            description=f"{description} ({self._names.of(purpose)})",
            policy=policy.json,
            enable_key_rotation=True,
            rotation_period_in_days=self._settings.rotation_period_days,
            deletion_window_in_days=self._settings.deletion_window_days,
            lifecycle=TerraformResourceLifecycle(prevent_destroy=self._protected),
            tags={"Name": self._names.of(purpose)},
        )
        KmsAlias(self, f"{purpose}-alias", name=self._names.key_alias(purpose), target_key_id=key.key_id)
        return key

    def _administration(self) -> Statement:
        return Statement(
            sid="AdministrationByIamPolicy",
            actions=ADMINISTRATION,
            resources=THIS_KEY,
            principals=[account(self._names.account_id)],
        )

    def _through_rds(self) -> list[Statement]:
        """RDS uses grants, which it creates on behalf of the principal that creates or restores a cluster.

        https://docs.aws.amazon.com/AmazonRDS/latest/AuroraUserGuide/Overview.Encryption.Keys.html
        """
        by_rds = when("StringEquals", "kms:ViaService", f"rds.{self._region}.amazonaws.com")
        return [
            self._use("UseThroughRds", [*READ_AND_WRITE, "kms:DescribeKey"], by_rds),
            self._use("GrantToRds", ["kms:CreateGrant"], by_rds, when("Bool", "kms:GrantIsForAWSResource", "true")),
        ]

    def _through_backup(self) -> list[Statement]:
        """AWS Backup's use of a vault's key, and RDS's of that of copies, on behalf of the role for backups.

        RDS makes Aurora's copies: it encrypts them under this key, with grants that it creates.
        https://docs.aws.amazon.com/aws-backup/latest/devguide/encryption.html
        """
        services = (f"{service}.{self._region}.amazonaws.com" for service in ("backup", "rds"))
        by_them = when("StringEquals", "kms:ViaService", *services)
        return [
            self._use("UseThroughBackup", [*READ_AND_WRITE, "kms:DescribeKey", "kms:RetireGrant"], by_them),
            self._use("GrantToBackup", ["kms:CreateGrant"], by_them, when("Bool", "kms:GrantIsForAWSResource", "true")),
        ]

    def _through_snapshot_exports(self) -> Statement:
        """RDS writes exports of snapshots with a grant, which the caller of StartExportTask must be allowed to create.

        https://docs.aws.amazon.com/AmazonRDS/latest/APIReference/API_StartExportTask.html
        """
        return self._use(
            "GrantToRds",
            ["kms:CreateGrant"],
            when("StringEquals", "kms:ViaService", f"rds.{self._region}.amazonaws.com"),
            when("Bool", "kms:GrantIsForAWSResource", "true"),
        )

    def _by_event_rules(self) -> Statement:
        """Rules of EventBridge that write to an encrypted queue.

        https://docs.aws.amazon.com/AWSSimpleQueueService/latest/SQSDeveloperGuide/sqs-key-management.html
        """
        purposes = (SNAPSHOT_EXPORT, BACKUP_FAILURES, RESTORE_FAILURES, THREAT_FINDINGS)
        rules = [
            f"arn:aws:events:{self._region}:{self._names.account_id}:rule/{self._names.of(one)}" for one in purposes
        ]
        return Statement(
            sid="UseByEventRules",
            actions=["kms:Decrypt", "kms:GenerateDataKey"],
            resources=THIS_KEY,
            principals=[service("events.amazonaws.com")],
            condition=on_behalf_of_if_sent(self._names.account_id, *rules),
        )

    def _through_sns(self) -> Statement:
        """Workflows that publish to an encrypted topic themselves.

        https://docs.aws.amazon.com/sns/latest/dg/sns-key-management.html
        """
        return self._use(
            "UseThroughSns",
            ["kms:Decrypt", "kms:GenerateDataKey"],
            when("StringEquals", "kms:ViaService", f"sns.{self._region}.amazonaws.com"),
        )

    def _through_s3(self) -> Statement:
        """Only for the buckets that are encrypted under it: S3 gives the bucket (or object) as the encryption context.

        https://docs.aws.amazon.com/AmazonS3/latest/userguide/UsingKMSEncryption.html
        """
        buckets = [f"arn:aws:s3:::{self._names.bucket(purpose, self._region)}" for purpose in ENCRYPTED_BUCKETS]
        return self._use(
            "UseThroughS3",
            READ_AND_WRITE,
            when("StringEquals", "kms:ViaService", f"s3.{self._region}.amazonaws.com"),
            when("ArnLike", "kms:EncryptionContext:aws:s3:arn", *buckets, *(f"{bucket}/*" for bucket in buckets)),
        )

    def _by_cloudfront(self) -> Statement:
        """CloudFront reads static assets by origin access control, and S3 gives their bucket as encryption context.

        Any distribution of the account, as a key that named the platform's own would wait for it: which one reads is
        for the bucket's policy, and a distribution that it does not name gets nothing that it could decrypt.
        https://docs.aws.amazon.com/AmazonCloudFront/latest/DeveloperGuide/private-content-restricting-access-to-s3.html
        """
        bucket = f"arn:aws:s3:::{self._names.bucket('static-assets', self._region)}"
        distributions = f"arn:aws:cloudfront::{self._names.account_id}:distribution/*"
        return Statement(
            sid="UseByCloudFront",
            actions=["kms:Decrypt"],
            resources=THIS_KEY,
            principals=[service("cloudfront.amazonaws.com")],
            condition=[
                when("ArnLike", "aws:SourceArn", distributions),  # CloudFront documents no aws:SourceAccount
                when("ArnLike", "kms:EncryptionContext:aws:s3:arn", bucket, f"{bucket}/*"),
            ],
        )

    def _through_ecr(self) -> Statement:
        """ECR uses a grant, which the principal that creates a repository must be allowed to create.

        https://docs.aws.amazon.com/AmazonECR/latest/userguide/encryption-at-rest.html
        """
        return self._use(
            "GrantToEcr",
            ["kms:CreateGrant", "kms:DescribeKey", "kms:RetireGrant"],
            when("StringEquals", "kms:ViaService", f"ecr.{self._region}.amazonaws.com"),
        )

    def _through_sqs(self) -> Statement:
        """https://docs.aws.amazon.com/AWSSimpleQueueService/latest/SQSDeveloperGuide/sqs-key-management.html."""
        return self._use(
            "UseThroughSqs",
            ["kms:Decrypt", "kms:GenerateDataKey"],
            when("StringEquals", "kms:ViaService", f"sqs.{self._region}.amazonaws.com"),
        )

    def _in_sessions(self) -> Statement:
        """Sessions of ECS Exec: both ends call KMS themselves, and name the session as the encryption context.

        https://docs.aws.amazon.com/AmazonECS/latest/developerguide/ecs-exec.html
        """
        return self._use(
            "UseInSessions",
            ["kms:Decrypt", "kms:GenerateDataKey"],
            when("Null", "kms:EncryptionContext:aws:ssm:SessionId", "false"),
        )

    def _through_secrets_manager(self) -> Statement:
        """https://docs.aws.amazon.com/secretsmanager/latest/userguide/security-encryption.html."""
        return self._use(
            "UseThroughSecretsManager",
            [*READ_AND_WRITE, "kms:DescribeKey"],
            when("StringEquals", "kms:ViaService", f"secretsmanager.{self._region}.amazonaws.com"),
        )

    def _use(self, sid: str, actions: list[str], *conditions: Condition) -> Statement:
        """Use of a key by principals of the account that have an IAM policy for it, under conditions."""
        return Statement(
            sid=sid,
            actions=actions,
            resources=THIS_KEY,
            principals=[account(self._names.account_id)],
            condition=list(conditions),
        )

    def _by_log_groups(self) -> Statement:
        """CloudWatch Logs, for this environment's log groups alone.

        https://docs.aws.amazon.com/AmazonCloudWatch/latest/logs/encrypt-log-data-kms.html
        """
        database_logs = [f"{self._names.database_logs(cluster)}/*" for cluster in (DATABASE, RECOVERY_DATABASE)]
        own = (self._names.log_group("*"), self._names.firewall_log_group("*"))
        chosen_by_services = [*database_logs, f"{self._names.container_insights_logs()}/*"]
        names = [*own, *chosen_by_services, self._names.vended_log_group("states", "*")]
        log_groups = [f"arn:aws:logs:{self._region}:{self._names.account_id}:log-group:{name}" for name in names]
        return Statement(
            sid="UseByCloudWatchLogs",
            actions=READ_AND_WRITE,
            resources=THIS_KEY,
            principals=[service(f"logs.{self._region}.amazonaws.com")],
            condition=[when("ArnLike", "kms:EncryptionContext:aws:logs:arn", *log_groups)],
        )

    def _by_alarms(self) -> Statement:
        """CloudWatch alarms that publish to an encrypted topic.

        https://docs.aws.amazon.com/sns/latest/dg/sns-key-management.html#compatibility-with-aws-services
        """
        alarms = f"arn:aws:cloudwatch:{self._region}:{self._names.account_id}:alarm:{self._names.alarm('*')}"
        return Statement(
            sid="UseByCloudWatchAlarms",
            actions=["kms:Decrypt", "kms:GenerateDataKey*"],
            resources=THIS_KEY,
            principals=[service("cloudwatch.amazonaws.com")],
            condition=on_behalf_of(self._names.account_id, alarms),
        )

    def _by_notifications_of_logs(self) -> Statement:
        """S3, which sends notifications of new files in the logs bucket to an encrypted queue.

        https://docs.aws.amazon.com/AmazonS3/latest/userguide/grant-destinations-permissions-to-s3.html
        """
        logs = f"arn:aws:s3:::{self._names.bucket('logs', self._region)}"
        return Statement(
            sid="UseByNotificationsOfLogs",
            actions=["kms:Decrypt", "kms:GenerateDataKey"],
            resources=THIS_KEY,
            principals=[service("s3.amazonaws.com")],
            condition=on_behalf_of_if_sent(self._names.account_id, logs),
        )


class Keys(OwnKeys):
    """The keys of one region that serves."""

    def __init__(
        self,
        scope: Construct,
        id_: str,
        *,
        names: Names,
        settings: EncryptionSettings,
        protected: bool,
        uses_of_logs: Sequence[Statement] = (),
    ) -> None:
        """``protected`` keys cannot be destroyed by Terraform.

        ``uses_of_logs`` are added to the policy of the logs key, for resources that not every region has: an audit
        trail.
        """
        super().__init__(scope, id_, names=names, settings=settings, protected=protected)
        self.database = self._key("database", "Aurora and its snapshots", self._through_rds())
        self.objects = self._key(
            "objects",
            "Objects in buckets, images and messages",
            [
                self._through_s3(),
                self._by_cloudfront(),
                self._through_ecr(),
                self._through_sqs(),
                self._by_event_rules(),
                self._through_snapshot_exports(),
            ],
        )
        self.logs = self._key(
            "logs",
            "Log groups, alarm topics, sessions, messages of new logs, and the audit trail",
            [
                self._by_log_groups(),
                self._by_alarms(),
                self._through_sns(),
                self._in_sessions(),
                self._through_sqs(),
                self._by_notifications_of_logs(),
                *uses_of_logs,
            ],
        )
        self.secrets = self._key("secrets", "Secrets", [self._through_secrets_manager()])
        self.backups = self._key("backups", "The backup vault and what is copied to it", self._through_backup())


class LogsKey(OwnKeys):
    """The only key of us-east-1, where global resources are: it encrypts logs and alarm topics."""

    def __init__(
        self, scope: Construct, id_: str, *, names: Names, settings: EncryptionSettings, protected: bool
    ) -> None:
        """``protected`` keys cannot be destroyed by Terraform."""
        super().__init__(scope, id_, names=names, settings=settings, protected=protected)
        self.logs = self._key("logs", "Log groups and alarm topics", [self._by_log_groups(), self._by_alarms()])


@dataclass(frozen=True, kw_only=True)
class SecretReplica:
    """A region that has a secret or its replica, and the key that encrypts it there."""

    region: str
    key: KmsKey


def to_put_values(own: SecretReplica, replica: SecretReplica | None) -> Statement:
    """Use of the keys of a secret and of its replica, for a role that puts values into it.

    Secrets Manager encrypts a replica under its key with the permissions of the principal that changes the secret:
    without them the replica keeps the previous value.
    https://docs.aws.amazon.com/secretsmanager/latest/apireference/API_ReplicateSecretToRegions.html
    """
    places = [own, *([replica] if replica else [])]
    services = [f"secretsmanager.{place.region}.amazonaws.com" for place in places]
    return Statement(
        sid="ReadAndWriteUnderTheirKey",
        actions=["kms:Decrypt", *(["kms:Encrypt"] if replica else []), "kms:GenerateDataKey"],
        resources=[place.key.arn for place in places],
        condition=[when("StringEquals", "kms:ViaService", *services)],
    )
