"""The settings of one environment of the payment API, whole."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Annotated, Literal

from pydantic import Field, model_validator

from payment_api.settings import sizing
from payment_api.settings.network import NetworkSettings
from payment_api.settings.runtime import DatabaseSettings, ProcessingSettings, ServiceSettings
from settings.base import EmailAddress, SettingsModel, matching
from settings.naming import Names
from settings.network import RegionName
from settings.platform import AccountId, BucketName, EnvironmentSuffix, NamePrefix, Tags

# The longest names that are made of prefix and suffix, and AWS's limits (characters).
# https://docs.aws.amazon.com/elasticloadbalancing/latest/APIReference/API_CreateLoadBalancer.html
# https://docs.aws.amazon.com/AmazonS3/latest/userguide/bucketnamingrules.html
LONGEST_LOAD_BALANCER_NAME = 32
LONGEST_BUCKET_NAME = 63
LONGEST_BUCKET_PURPOSE = "documents-replica"

DomainName = Annotated[
    str,
    matching(
        r"([a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?\.)+[a-z]{2,63}", "a domain name is allowed, such as pay.example.com"
    ),
]
CertificateArn = Annotated[
    str,
    matching(r"arn:aws:acm:[a-z0-9-]+:\d{12}:certificate/[0-9a-f-]{36}", "the ARN of a certificate of ACM is allowed"),
]
KeyArn = Annotated[
    str, matching(r"arn:aws:kms:[a-z0-9-]+:\d{12}:key/[0-9a-f-]{36}", "the ARN of a key of KMS is allowed")
]
# https://docs.aws.amazon.com/secretsmanager/latest/apireference/API_CreateSecret.html
SecretName = Annotated[
    str, matching(r"[A-Za-z0-9/_+=.@-]{1,512}", "the name of a secret is allowed: letters, digits and any of /_+=.@-")
]
ObjectKey = Annotated[str, matching(r"[!-~]{1,1024}", "the key of an object is allowed, such as clients.pem")]
ObjectVersion = Annotated[
    str, matching(r"(?!null$)[!-~]{1,1024}", "the id of an object's version is allowed: the bucket has versions on")
]


class DomainSettings(SettingsModel):
    """The names by which the API is reached, in a zone and with a certificate that exist."""

    zone_name: DomainName
    """The hosted zone, in Route 53, that takes both names."""
    zone_id: Annotated[str, matching(r"Z[A-Z0-9]{4,31}", "the id of a hosted zone is allowed, such as Z0123456789")]
    """Its id."""
    api_name: DomainName
    """The API's name, which API Gateway answers to."""
    load_balancer_name: DomainName
    """The load balancer's name, for clients that call it directly, and for API Gateway."""
    certificate_arn: CertificateArn
    """A certificate for both names, in the API's region."""


class GatewaySettings(SettingsModel):
    """API Gateway (P2.2)."""

    trust_store_bucket: BucketName
    """The bucket, with versions, of the certificates of those who may sign clients' certificates."""
    trust_store_key: ObjectKey = "clients.pem"
    """The object in it: certificates in PEM."""
    trust_store_version: ObjectVersion
    """The version of the object that is trusted; another one is trusted only by another deployment."""
    requests_per_second: Annotated[int, Field(ge=1, le=10_000)] = 1000
    """Requests a second that the stage takes from all clients together."""
    burst_requests: Annotated[int, Field(ge=1, le=5000)] = 2000
    """Requests that it takes at once, from a full bucket of tokens that fills with requests_per_second."""
    requests_per_day_and_client: Annotated[int, Field(ge=1, le=1_000_000_000)] = 10_000_000
    """Requests a day that one API key is good for."""
    sets_account_logging_role: bool = False
    """Whether this environment makes the role by which API Gateway logs: a setting of the account, for one to make."""


class SecretSettings(SettingsModel):
    """Entries of Secrets Manager that exist; the stack rotates them and never makes one (P4.5)."""

    database: SecretName
    """The master user of the database: JSON with `username` and `password`."""
    api_key: SecretName
    """The API key of the first client: JSON with `api_key`, of 20 to 128 characters."""
    acquirer: SecretName
    """What the acquirer knows us by: JSON with `api_key`."""
    key_arn: KeyArn
    """The customer-managed key under which these entries are encrypted, in the API's region."""
    rotation_days: Annotated[int, Field(ge=1, le=30)] = 30
    """Days between two rotations."""


class EncryptionSettings(SettingsModel):
    """Customer-managed keys. Sources: RotationPeriodInDays and PendingWindowInDays of the KMS API reference."""

    rotation_period_days: Annotated[int, Field(ge=90, le=365)] = 365
    """Days after which KMS makes new key material; what was encrypted before stays readable."""
    deletion_window_days: Annotated[int, Field(ge=7, le=30)] = 7
    """Days between the destruction of a key and its deletion, in which it can still be saved."""


class AcquirerSettings(SettingsModel):
    """Who settles payments."""

    url: Annotated[str, matching(r"https://[a-z0-9.-]+(/[A-Za-z0-9._~/-]*)?", "an https:// URL is allowed")]
    """Where it is called, by HTTPS; its addresses are in network.acquirer_networks."""


class DocumentSettings(SettingsModel):
    """The bucket of documents (P4.3)."""

    infrequent_access_days: Annotated[int, Field(ge=30, le=3650)] = 90
    """Days after which documents move to STANDARD_IA, which S3 does no earlier than after 30."""
    archive_days: Annotated[int, Field(ge=60, le=3650)] = 365
    """Days after which they move to GLACIER_IR: at least 30 after infrequent_access_days."""
    expiration_days: Annotated[int, Field(ge=365, le=3650)] = 2557
    """Days that documents are kept."""
    noncurrent_version_days: Annotated[int, Field(ge=1, le=3650)] = 90
    """Days that an overwritten or deleted document can still be brought back."""

    @model_validator(mode="after")
    def _in_order(self) -> DocumentSettings:
        if not self.infrequent_access_days + 30 <= self.archive_days <= self.expiration_days - 90:
            raise ValueError(
                f"archive_days: {self.archive_days} is not allowed; at least 30 days after infrequent_access_days "
                f"({self.infrequent_access_days}) and 90 before expiration_days ({self.expiration_days}) is: the "
                "storage classes charge for that long"
            )
        return self


class ObservabilitySettings(SettingsModel):
    """Logs and alarms (P5)."""

    log_retention_days: Literal[30, 60, 90, 180, 365, 400] = 90
    """Days that logs are kept which are no audit logs; those are kept for exactly 7 years."""
    lowest_success_percent: Annotated[float, Field(gt=0, lt=100)] = 99.0
    """The share of transactions that succeed, below which there is an alarm."""
    slowest_p99_seconds: Annotated[float, Field(gt=0, le=300)] = 10.0
    """The processing time that 99 of 100 transactions keep; beyond it there is an alarm."""


class Settings(SettingsModel):
    """Everything that distinguishes one environment of the payment API from another."""

    name_prefix: NamePrefix
    """The first part of every name."""
    environment_suffix: EnvironmentSuffix
    """The last part of every name and a tag; another one makes another environment, as for a pull request."""
    account_id: AccountId
    """The account that the environment is in; credentials of any other are refused."""
    protected: bool
    """Whether keys, buckets, database and audit logs outlive the stack; production's do."""
    region: RegionName = "ap-southeast-1"
    """The region that serves customers."""
    replica_region: RegionName
    """The region of the documents' replica: another one."""
    tags: Tags = Field(default_factory=dict)
    """On every resource that takes tags, beside the API's own (platform, environment_suffix)."""
    alarm_email_addresses: Annotated[tuple[EmailAddress, ...], Field(strict=False)] = ()
    """Who is told of alarms; AWS asks each address to confirm first."""
    network: NetworkSettings
    """The network and its ways out."""
    domain: DomainSettings
    """The API's names."""
    gateway: GatewaySettings
    """API Gateway."""
    secrets: SecretSettings
    """Existing entries of Secrets Manager."""
    acquirer: AcquirerSettings
    """Who settles payments."""
    encryption: EncryptionSettings = EncryptionSettings()
    """Customer-managed keys."""
    documents: DocumentSettings = DocumentSettings()
    """The bucket of documents."""
    database: DatabaseSettings = DatabaseSettings()
    """The database."""
    service: ServiceSettings
    """The containerized API."""
    processing: ProcessingSettings = ProcessingSettings()
    """The functions behind the queue."""
    observability: ObservabilitySettings = ObservabilitySettings()
    """Logs and alarms."""

    @property
    def names(self) -> Names:
        """Makes this environment's resource names."""
        return Names(self.name_prefix, self.environment_suffix, self.account_id)

    @model_validator(mode="after")
    def _fits_together(self) -> Settings:
        if problems := [*self._places(), *self._name_lengths(), *self._domain_names(), *sizing.problems(self)]:
            raise ValueError("; ".join(problems))
        return self

    def _places(self) -> Iterator[str]:
        if self.replica_region == self.region:
            yield f"replica_region: {self.replica_region!r} is not allowed; a region other than region is"
        zone = re.compile(re.escape(self.region) + "[a-z]")
        if not all(zone.fullmatch(name) for name in self.network.zones):
            yield f"network.zones: {list(self.network.zones)} is not allowed; zones of {self.region} are"
        arns = {"domain.certificate_arn": self.domain.certificate_arn, "secrets.key_arn": self.secrets.key_arn}
        for field, arn in arns.items():
            if f":{self.region}:" not in arn:
                yield f"{field}: {arn!r} is not allowed; one in {self.region} is"

    def _name_lengths(self) -> Iterator[str]:
        names = {
            self.names.of("direct"): LONGEST_LOAD_BALANCER_NAME,
            self.names.bucket(LONGEST_BUCKET_PURPOSE, self.replica_region): LONGEST_BUCKET_NAME,
        }
        for name, most in names.items():
            if (excess := len(name) - most) > 0:
                yield (
                    f"environment_suffix: {self.environment_suffix!r} is not allowed; one that is {excess} shorter is: "
                    f"{name!r} would have {len(name)} characters and AWS allows {most}"
                )

    def _domain_names(self) -> Iterator[str]:
        for field in ("api_name", "load_balancer_name"):
            name = getattr(self.domain, field)
            if not name.endswith(f".{self.domain.zone_name}"):
                yield f"domain.{field}: {name!r} is not allowed; a name below zone_name ({self.domain.zone_name}) is"
        if self.domain.api_name == self.domain.load_balancer_name:
            yield f"domain.load_balancer_name: {self.domain.api_name!r} is not allowed; one other than api_name is"
