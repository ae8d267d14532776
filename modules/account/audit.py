"""The audit of the account (W5.6): the parts that settings enable, in the environment that owns the account.

The trail and its bucket are in the primary region; GuardDuty, AWS Config, Security Hub and IAM Access Analyzer in both.
Creates the analyzers and the account's public access block itself, the other parts by their modules.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from cdktf_cdktf_provider_aws.accessanalyzer_analyzer import AccessanalyzerAnalyzer
from cdktf_cdktf_provider_aws.s3_account_public_access_block import S3AccountPublicAccessBlock
from constructs import Construct

from modules.account.audit_alarms import AuditAlarms
from modules.account.audit_bucket import PURPOSE, AuditBucket
from modules.account.audit_trail import AuditTrail
from modules.account.aws_config import ConfigurationHistory
from modules.account.guardduty import ThreatDetection
from modules.account.security_hub import SecurityHub
from modules.database.enhanced_monitoring_log import DatabaseMetricsLog
from modules.keys import Keys
from modules.monitoring.alarm_topic import AlarmTopic
from modules.policy_documents import Statement
from modules.region import Region
from modules.storage.buckets import Bucket, Buckets
from settings import Settings
from settings.delivery import role_name


@dataclass(frozen=True, kw_only=True)
class AuditedRegion:
    """A region, with the keys, topic and buckets that its audit uses."""

    region: Region
    keys: Keys
    topic: AlarmTopic
    buckets: Buckets


def uses_of_logs_key(settings: Settings, region: str) -> list[Statement]:
    """The statements that the audit needs in the policy of a region's logs key."""
    audit, names, uses = settings.audit, settings.names, []
    if not settings.owns_account:
        return []
    if audit.database_metrics_log:
        uses.append(DatabaseMetricsLog.use_of_key(names, region))
    if region == settings.primary.name and (audit.cloudtrail or audit.aws_config):
        uses += AuditBucket.uses_of_key(names, region)
    return uses


class Audit:
    """The audit of the account. Not a construct: each part is a child of its region."""

    def __init__(self, *, settings: Settings, primary: AuditedRegion, recovery: AuditedRegion) -> None:
        self._settings = settings
        self._names = settings.names
        self._primary = primary
        self._both = (primary, recovery)
        audit = settings.audit
        if audit.cloudtrail or audit.aws_config:
            self.bucket = self._bucket()
        if audit.cloudtrail:
            self._trail()
        if audit.guardduty:
            self._create_detectors()
        if audit.aws_config:
            self._create_recorders()
        if audit.security_hub:
            self._create_hubs()
        if audit.access_analyzer:
            self._create_analyzers()
        if audit.block_public_access:
            self._block_public_access()

    def _bucket(self) -> AuditBucket:
        return AuditBucket(
            self._primary.region,
            "audit-bucket",
            names=self._names,
            settings=self._settings.storage,
            retention_days=self._settings.audit.retention_days,
            protected=self._settings.protected,
            key=self._primary.keys.logs,
            access_logs=self._primary.buckets.logs,
        )

    def _trail(self) -> None:
        trail = AuditTrail(
            self._primary.region,
            "audit-trail",
            names=self._names,
            bucket=self.bucket,
            key=self._primary.keys.logs,
            watched=[
                *(f"arn:aws:s3:::{one}" for one in (self._settings.state.bucket, self._settings.state.replica)),
                *self._buckets("backups"),
            ],
            watched_changes=self._buckets("static-assets"),
            watched_deletions=[*self._buckets("logs"), self._bucket_arn(PURPOSE, self._primary)],
            protected=self._settings.protected,
        )
        AuditAlarms(
            self._primary.region,
            "audit-alarms",
            names=self._names,
            settings=self._settings.audit,
            trail=trail,
            topic=self._primary.topic,
            # The role that deploys from CI, if any: its changes of policies are expected.
            changing_roles=[role_name(self._names, "deploy")] if self._settings.delivery.repository else [],
        )

    def _buckets(self, purpose: str) -> Sequence[str]:
        return [self._bucket_arn(purpose, part) for part in self._both]

    def _bucket_arn(self, purpose: str, part: AuditedRegion) -> str:
        return Bucket.arn_of(self._names, purpose, part.region.name)

    def _create_detectors(self) -> None:
        for part in self._both:
            ThreatDetection(
                part.region,
                "threat-detection",
                names=self._names,
                queue_key=part.keys.objects,
                topic=part.topic,
                protected=self._settings.protected,
            )

    def _create_recorders(self) -> None:
        for part in self._both:
            ConfigurationHistory(
                part.region,
                "configuration-history",
                names=self._names,
                bucket=self.bucket,
                key=self._primary.keys.logs,
                of_account=part is self._primary,
            )

    def _create_hubs(self) -> None:
        primary, recovery = (
            SecurityHub(part.region, "security-hub", protected=self._settings.protected) for part in self._both
        )
        primary.aggregate(recovery)

    def _create_analyzers(self) -> None:
        for part in self._both:
            _Analyzer(part.region, "access-analyzer", name=self._names.of("access"))

    def _block_public_access(self) -> None:
        _PublicAccessBlock(self._primary.region, "public-access-block")


class _Analyzer(Construct):
    """IAM Access Analyzer in a region: resources that principals outside the account can access."""

    requirements = ("W5.6",)

    def __init__(self, scope: Construct, id_: str, *, name: str) -> None:
        super().__init__(scope, id_)
        AccessanalyzerAnalyzer(self, "analyzer", analyzer_name=name, type="ACCOUNT", tags={"Name": name})


class _PublicAccessBlock(Construct):
    """S3 Block Public Access for the whole account."""

    requirements = ("W5.6", "W4.3")

    def __init__(self, scope: Construct, id_: str) -> None:
        super().__init__(scope, id_)
        S3AccountPublicAccessBlock(
            self,
            "block",
            block_public_acls=True,
            block_public_policy=True,
            ignore_public_acls=True,
            restrict_public_buckets=True,
        )
