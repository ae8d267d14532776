"""The settings of one environment of the payment API, whole."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Annotated, Any

from pydantic import Field, model_validator

from payment_api.settings import sizing
from payment_api.settings.data import DocumentSettings, EncryptionSettings, SecretSettings
from payment_api.settings.entry import DomainSettings, GatewaySettings
from payment_api.settings.network import NetworkSettings
from payment_api.settings.observability import ObservabilitySettings
from payment_api.settings.runtime import AcquirerSettings, DatabaseSettings, ProcessingSettings, ServiceSettings
from settings.base import EmailAddress, SettingsModel
from settings.naming import Names
from settings.network import RegionName
from settings.platform import AccountId, EnvironmentSuffix, NamePrefix, Tags

# The longest names that are derived from prefix and suffix, and AWS's limits (characters).
# https://docs.aws.amazon.com/elasticloadbalancing/latest/APIReference/API_CreateLoadBalancer.html
# https://docs.aws.amazon.com/AmazonS3/latest/userguide/bucketnamingrules.html
LONGEST_LOAD_BALANCER_NAME = 32
LONGEST_BUCKET_NAME = 63
LONGEST_BUCKET_PURPOSE = "documents-replica"


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
    account_owner: EnvironmentSuffix | None = None
    """Suffix of the environment that creates the singletons of its account; by default no one. A suffix, so that an
    environment that extends the owner's file is not an owner, too."""
    region: RegionName = "ap-southeast-1"
    """The region that serves customers."""
    replica_region: RegionName
    """The region of the documents' replica: another one."""
    tags: Tags = Field(default_factory=dict)
    """Tags of every taggable resource, in addition to the API's own (platform, environment_suffix)."""
    alarm_email_addresses: Annotated[tuple[EmailAddress, ...], Field(strict=False)] = ()
    """Addresses that are notified of alarms; AWS asks each to confirm first."""
    network: NetworkSettings
    """The network and its egress."""
    domain: DomainSettings
    """The API's names."""
    gateway: GatewaySettings
    """API Gateway."""
    secrets: SecretSettings
    """Existing entries of Secrets Manager."""
    acquirer: AcquirerSettings
    """The acquirer, which settles payments."""
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

    @property
    def bounds(self) -> list[sizing.Bound]:
        """The limits of 10,000 concurrent transactions."""
        return sizing.bounds(self.gateway, self.service, self.processing, self.database)

    @property
    def owns_account(self) -> bool:
        """Whether this environment creates the singletons of its account."""
        return self.account_owner == self.environment_suffix

    @model_validator(mode="before")
    @classmethod
    def _named_after_the_environment(cls, values: Any) -> Any:
        """Fill in the names that are left out."""
        if not isinstance(values, Mapping) or not {"name_prefix", "environment_suffix"} <= values.keys():
            return values
        prefix, suffix = values["name_prefix"], values["environment_suffix"]
        if not re.fullmatch(r"[a-z][a-z0-9-]*", str(suffix)):
            suffix = "wrong"  # reported once, and not for each name that is derived from it
        domain = dict(values.get("domain") or {})
        hosts = {"api_name": "api", "load_balancer_name": "direct"}
        names = {"database": "database", "api_key": "api-key", "acquirer": "acquirer", "peppers": "peppers"}
        names["notifications"] = "acquirer-notifications"
        zone = domain.get("zone_name")
        named = {field: f"{host}-{suffix}.{zone}" for field, host in hosts.items() if zone}
        secrets = {field: f"{prefix}/{suffix}/{purpose}" for field, purpose in names.items()}
        return {
            **values,
            "domain": {**named, **domain},
            "secrets": {**secrets, **(values.get("secrets") or {})},
        }

    @model_validator(mode="after")
    def _fits_together(self) -> Settings:
        of_sizes = (bound.problem for bound in self.bounds if not bound.holds)
        if problems := [*self._places(), *self._name_lengths(), *self._domain_names(), *self._alarms(), *of_sizes]:
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

    def _alarms(self) -> Iterator[str]:
        if self.protected and not self.alarm_email_addresses:
            yield "alarm_email_addresses: () is not allowed; where protected is true, somebody must be told of alarms"
