"""The settings of one environment, whole."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any, ClassVar

from pydantic import Field, ModelWrapValidatorHandler, ValidationError, model_validator
from pydantic_core import InitErrorDetails, PydanticCustomError

from settings import rules
from settings.account import AccountSettings
from settings.audit import AuditSettings
from settings.backups import BackupSettings
from settings.base import EmailAddresses, SettingsModel, matching
from settings.budget import BudgetSettings
from settings.database import DatabaseSettings
from settings.delivery import DeliverySettings
from settings.domain import DomainSettings
from settings.edge import EdgeSettings, OriginRouting
from settings.encryption import EncryptionSettings
from settings.firewall import FirewallSettings
from settings.naming import Names
from settings.network import NetworkSettings, RecoveryRegionSettings, RegionSettings
from settings.observability import ObservabilitySettings
from settings.processing import ProcessingSettings
from settings.services import ReleaseSettings, ServiceName, ServiceSettings
from settings.storage import StorageSettings

# CloudFront certificates and CLOUDFRONT web ACLs are accepted in no other region (W0.2).
# https://docs.aws.amazon.com/AmazonCloudFront/latest/DeveloperGuide/cnames-and-https-requirements.html
GLOBAL_REGION = "us-east-1"

# AWS keeps names that begin with these and a hyphen for itself: security groups, buckets, and its own resources.
# https://docs.aws.amazon.com/AWSEC2/latest/APIReference/API_CreateSecurityGroup.html
# https://docs.aws.amazon.com/AmazonS3/latest/userguide/bucketnamingrules.html
RESERVED_PREFIXES = ("aws", "sg", "sthree", "xn")
NamePrefix = Annotated[
    str,
    matching(
        rf"(?!(?:{'|'.join(RESERVED_PREFIXES)})$)[a-z][a-z0-9]{{1,11}}",
        "2 to 12 lower-case letters and digits are allowed, a letter first, but not "
        f"{', '.join(RESERVED_PREFIXES)}, which AWS keeps for itself",
    ),
]
EnvironmentSuffix = Annotated[
    str,
    matching(
        # No suffix is the end of another after a hyphen: permissions are for names that end with -SUFFIX.
        r"[a-z][a-z0-9]*(-[0-9][a-z0-9]*)*",
        "lower-case letters and digits are allowed, a letter first, and after a hyphen a digit first (pr-42)",
    ),
]
AccountId = Annotated[str, matching(r"[0-9]{12}", "an AWS account id of 12 digits, in quotes, is allowed")]
# https://docs.aws.amazon.com/tag-editor/latest/userguide/best-practices-and-strats.html
TAG_TEXT = r"[\w .:/=+@-]"
OWN_TAGS = ("platform", "environment_suffix")  # the stack sets them itself
TagKey = Annotated[
    str,
    matching(
        rf"(?!aws:|(?:{'|'.join(OWN_TAGS)})$){TAG_TEXT}{{1,128}}",
        "1 to 128 letters, digits, spaces and any of _.:/=+@- are allowed, but not what begins with aws:, nor "
        f"{' or '.join(OWN_TAGS)}, which the platform sets itself",
    ),
]
TagValue = Annotated[
    str, matching(rf"{TAG_TEXT}{{0,256}}", "up to 256 letters, digits, spaces and any of _.:/=+@- are allowed")
]
Tags = dict[TagKey, TagValue]
BucketName = Annotated[
    str,
    matching(
        r"[a-z0-9][a-z0-9-]{1,61}[a-z0-9]",
        "a bucket name of 3 to 63 lower-case letters, digits and hyphens is allowed",
    ),
]
REPLICA = "-replica"
StateBucketName = Annotated[
    str,
    matching(
        rf"[a-z0-9][a-z0-9-]{{1,{61 - len(REPLICA)}}}[a-z0-9]",
        f"a bucket name of 3 to {63 - len(REPLICA)} lower-case letters, digits and hyphens is allowed: its replica's "
        f"ends with {REPLICA}",
    ),
]


class StateSettings(SettingsModel):
    """Where Terraform's state is kept (W0.3). One bucket serves all environments of an account."""

    bucket: StateBucketName
    """The bucket that `make bootstrap` makes or verifies, in the primary region; its replica is in the recovery one."""
    in_recovery_region: bool = False
    """Whether the state continues in the recovery region, as the primary one is lost: docs/runbooks/state.md."""
    noncurrent_version_days: Annotated[int, Field(ge=1, le=3650)] = 90
    """Days that noncurrent versions of the state are kept."""

    @property
    def replica(self) -> str:
        """The bucket in the recovery region that S3 replicates the state to."""
        return f"{self.bucket}{REPLICA}"


class Settings(SettingsModel):
    """Everything that distinguishes one environment from another. Nothing else in the project does."""

    derived: ClassVar[tuple[str, ...]] = ("edge.host_names", "domain.create_zone", "delivery", "budget")
    """Fields that belong to one environment only: one that extends its file with another suffix has the defaults."""

    name_prefix: NamePrefix
    """The first part of every name; with it two platforms can share an account."""
    environment_suffix: EnvironmentSuffix
    """The last part of every name and a tag; another one makes another environment, as for a pull request.

    Together with the prefix, the account and the regions it must keep names within AWS's limits (settings/naming.py).
    """
    account_id: AccountId
    """The account that the environment is in; credentials of any other are refused."""
    protected: bool
    """Whether keys and buckets refuse to be destroyed; production is."""
    primary: RegionSettings
    """The region that serves customers."""
    recovery: RecoveryRegionSettings
    """The region that takes over: another than the primary, peered with it, so its addresses may not overlap."""
    state: StateSettings
    """Where Terraform's state is kept."""
    tags: Tags = Field(default_factory=dict)
    """Tags of every taggable resource, in addition to the platform's own (platform, environment_suffix)."""
    alarm_email_addresses: EmailAddresses = ()
    """E-mail addresses subscribed to the alarm topics of all regions; each must confirm its subscription."""
    observability: ObservabilitySettings = ObservabilitySettings()
    """Alarm thresholds, notification and paging."""
    network: NetworkSettings = NetworkSettings()
    """Network settings shared by both regions."""
    encryption: EncryptionSettings = EncryptionSettings()
    """Customer-managed keys."""
    storage: StorageSettings = StorageSettings()
    """Lifecycle and replication of S3 objects."""
    database: DatabaseSettings = DatabaseSettings()
    """Aurora PostgreSQL: instances, passwords, and recovery in the other region."""
    backups: BackupSettings = BackupSettings()
    """Backups of the database in both regions."""
    domain: DomainSettings
    """The platform's name in DNS."""
    edge: EdgeSettings = EdgeSettings()
    """CloudFront, host names, and routing to the regions."""
    firewall: FirewallSettings = FirewallSettings()
    """Rules of the AWS WAF web ACLs."""
    services: dict[ServiceName, ServiceSettings] = Field(default_factory=dict)
    """ECS services, by name."""
    processing: ProcessingSettings | None = None
    """Asynchronous processing of payments; without it neither the queue nor its consumers are created."""
    release: ReleaseSettings = ReleaseSettings()
    """Canary deployments of critical services."""
    delivery: DeliverySettings = DeliverySettings()
    """Deployment from CI."""
    account_owner: EnvironmentSuffix | None = None
    """Suffix of the environment that creates the singletons of its account ([account], [audit]); by default no one.

    A suffix, so that an environment that extends the owner's file, as for a pull request, is not an owner, too.
    """
    account: AccountSettings = AccountSettings()
    """Singletons of the account, created where this environment owns it."""
    audit: AuditSettings = AuditSettings()
    """Auditing of the account, created where this environment owns it."""
    budget: BudgetSettings = BudgetSettings()
    """AWS Budgets: the monthly amount and its notifications."""

    @property
    def owns_account(self) -> bool:
        """Whether this environment creates the singletons of its account."""
        return self.account_owner == self.environment_suffix

    @property
    def both_regions_serve(self) -> bool:
        """Whether customers are answered by both regions, or by the recovery region only after a failover."""
        return self.edge.origin_routing is OriginRouting.LATENCY

    @property
    def names(self) -> Names:
        """Makes this environment's resource names."""
        return Names(self.name_prefix, self.environment_suffix, self.account_id)

    @property
    def state_key(self) -> str:
        """The object of Terraform's state in its bucket, and in the replica."""
        return f"{self.name_prefix}/{self.environment_suffix}/terraform.tfstate"

    @property
    def continued_state_key(self) -> str:
        """The object in the replica in which the state continues while the primary region is lost.

        Another one than the replica's own: what S3 replicates late must not end up above it.
        """
        return f"{self.name_prefix}/{self.environment_suffix}/continued/terraform.tfstate"

    @property
    def recovery_services(self) -> dict[str, ServiceSettings]:
        """The services with the tasks of a standby region; those of the primary one where both regions serve."""
        if self.both_regions_serve:
            return self.services
        return {name: one.standing_by(self.recovery.standby_percent) for name, one in self.services.items()}

    @model_validator(mode="wrap")
    @classmethod
    def _report_all_problems_at_once(cls, values: Any, validate: ModelWrapValidatorHandler[Settings]) -> Settings:
        found: list[InitErrorDetails] = []
        try:
            settings = validate(values)
        except ValidationError as error:
            found = [
                InitErrorDetails(type=one["type"], loc=one["loc"], input=one["input"], ctx=one.get("ctx", {}))
                for one in error.errors(include_url=False)
            ]
        if isinstance(values, Mapping):
            found += [_details(problem) for problem in rules.problems(values)]
        if found:
            raise ValidationError.from_exception_data(cls.__name__, found)
        return settings


def _details(problem: rules.Problem) -> InitErrorDetails:
    kind = PydanticCustomError("not_allowed_together", "{allowed}", {"allowed": problem.allowed})
    return InitErrorDetails(type=kind, loc=problem.field, input=problem.value)
