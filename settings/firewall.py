"""The web ACLs (W5.1): AWS's managed rule groups with the overrides that a payments API needs, and the settings."""

from __future__ import annotations

import ipaddress
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from types import MappingProxyType
from typing import Annotated, Literal

from pydantic import AfterValidator, Field, model_validator

from settings.base import Rule, SettingsModel, each_once, matching

# A web ACL of more is charged by the request. https://aws.amazon.com/waf/pricing/
MOST_CAPACITY_UNITS = 1500


class Scope(StrEnum):
    """Scope of a web ACL: CloudFront, or a load balancer of a region."""

    EDGE = "CLOUDFRONT"
    REGION = "REGIONAL"


EVERYWHERE = frozenset(Scope)
AT_THE_EDGE = frozenset({Scope.EDGE})


@dataclass(frozen=True, kw_only=True)
class ManagedGroup:
    """A managed rule group: its capacity, its scopes, and the rules that only count, each with the reason.

    ``capacity_units`` are AWS's published ones; they are charged in full, whatever is overridden.
    """

    name: str
    capacity_units: int
    scopes: frozenset[Scope]
    counted: Mapping[str, str] = field(default_factory=lambda: MappingProxyType({}))


# In the order of evaluation. Rules on the client's address are at the edge only: a load balancer receives every request
# from CloudFront, and the client can forge the first address of X-Forwarded-For.
# https://docs.aws.amazon.com/waf/latest/developerguide/aws-managed-rule-groups-list.html
MANAGED_GROUPS = (
    ManagedGroup(name="AWSManagedRulesAmazonIpReputationList", capacity_units=25, scopes=AT_THE_EDGE),
    ManagedGroup(
        name="AWSManagedRulesAnonymousIpList",
        capacity_units=50,
        scopes=AT_THE_EDGE,
        counted={"HostingProviderIPList": "merchants call the API from servers that stand at hosting providers"},
    ),
    ManagedGroup(
        name="AWSManagedRulesCommonRuleSet",
        capacity_units=700,
        scopes=EVERYWHERE,
        counted={
            "NoUserAgent_HEADER": "merchants' servers call the API with clients that name themselves to nobody",
            "SizeRestrictions_BODY": "it blocks from 8 KiB on; max_body_kib has a rule of its own",
            "GenericRFI_BODY": "merchants register addresses for notifications, which look like remote files",
            "GenericRFI_QUERYARGUMENTS": "merchants send the address to return to after a payment",
            "EC2MetaDataSSRF_BODY": "as GenericRFI_BODY; no task may open connections to what a request names",
        },
    ),
    ManagedGroup(name="AWSManagedRulesKnownBadInputsRuleSet", capacity_units=200, scopes=EVERYWHERE),
    ManagedGroup(name="AWSManagedRulesSQLiRuleSet", capacity_units=200, scopes=EVERYWHERE),
)

# https://docs.aws.amazon.com/waf/latest/developerguide/waf-rule-statements-list.html
ADDRESS_SET_UNITS = 1
SIZE_UNITS = 1
RATE_UNITS = 2
PREFIX_UNITS = 2
TRANSFORMATION_UNITS = 10
# So that /%61pi and //api are /api. https://docs.aws.amazon.com/waf/latest/developerguide/waf-rule-statement-transformation.html
PATH_TRANSFORMATIONS = ("URL_DECODE", "NORMALIZE_PATH")
PATH_RATE_UNITS = RATE_UNITS + PREFIX_UNITS + TRANSFORMATION_UNITS * len(PATH_TRANSFORMATIONS)
LABEL_UNITS = 1
METHOD_UNITS = 2 + TRANSFORMATION_UNITS
NOTIFICATIONS_PATH = "/api/v1/acquirer/notifications"
"""Of the payments service, for acquirers: they have no merchant's credential, and sign what they send."""
NOTIFICATION_UNITS = PREFIX_UNITS + TRANSFORMATION_UNITS * len(PATH_TRANSFORMATIONS) + LABEL_UNITS + METHOD_UNITS
"""Of the rules for that path: its label, its method, and its rate apart."""
# A request with a credential, as RFC 6750 spells its scheme; one that is spelled otherwise counts as one without.
CREDENTIAL_HEADER, CREDENTIAL_SCHEME = "authorization", "Bearer "
CREDENTIAL_UNITS = PREFIX_UNITS + TRANSFORMATION_UNITS
# So that a credential has one count, whatever the scheme's case and however many blanks.
CREDENTIAL_TRANSFORMATIONS = ("LOWERCASE", "COMPRESS_WHITE_SPACE")
# https://docs.aws.amazon.com/waf/latest/developerguide/waf-rule-statement-type-rate-based.html
CUSTOM_KEY_UNITS = 30
CREDENTIAL_RATE_UNITS = RATE_UNITS + CUSTOM_KEY_UNITS + TRANSFORMATION_UNITS * len(CREDENTIAL_TRANSFORMATIONS)
# Requests that one address may send to the health check's path of a load balancer in rate_seconds. Each of Route 53's
# checkers sends two every 10 s at most: https://docs.aws.amazon.com/Route53/latest/DeveloperGuide/health-checks-creating-values.html
HEALTH_CHECK_REQUESTS = 300
# The rule group that requires the origin secret; a capacity cannot be raised later, so it has a reserve.
ORIGIN_VERIFY_UNITS = 50


class FirewallMode(StrEnum):
    """Whether matching requests are blocked or only counted: for a first rollout."""

    BLOCK = "block"
    COUNT = "count"


def _address_block(text: str) -> str:
    try:
        network = ipaddress.ip_network(text)
    except ValueError as error:
        raise ValueError(ADDRESS_BLOCK) from error
    if network.prefixlen == 0:
        raise ValueError(f"{ADDRESS_BLOCK}, but not everybody")
    return str(network)


ADDRESS_BLOCK = "a CIDR block is allowed, such as 192.0.2.0/24 or 2001:db8::/32, with no address bit set"
AddressBlock = Annotated[str, Rule(_address_block, ADDRESS_BLOCK)]
# https://docs.aws.amazon.com/waf/latest/developerguide/limits.html
AddressBlocks = Annotated[tuple[AddressBlock, ...], Field(strict=False, max_length=1000), AfterValidator(each_once)]
PathPrefix = Annotated[
    str, matching(r"/[A-Za-z0-9_.~/-]{0,127}", "the beginning of a path without wildcards is allowed, such as /api/")
]
# https://docs.aws.amazon.com/waf/latest/developerguide/waf-rule-statement-type-rate-based-high-level-settings.html
Requests = Annotated[int, Field(ge=10, le=2_000_000_000)]


class FirewallSettings(SettingsModel):
    """The web ACLs. settings/firewall.py lists AWS's managed rules, and why some only count."""

    mode: Annotated[FirewallMode, Field(strict=False)] = FirewallMode.BLOCK
    """Whether rules block or only count; the block list and the origin check always block."""
    rate_seconds: Literal[60, 120, 300, 600] = 300
    """Evaluation window of rate-based rules, in seconds."""
    requests_per_address: Requests = 3000
    """Limit of requests without a credential of one address within rate_seconds."""
    requests_per_path: Annotated[dict[PathPrefix, Requests], Field(max_length=20)] = Field(
        default_factory=lambda: {"/api/": 1500}
    )
    """Limit of requests without a credential of one address to paths that begin so; costs capacity units each."""
    requests_per_credential: Requests = 30_000
    """Limit of requests with one credential within rate_seconds, from however many addresses."""
    requests_per_address_with_credentials: Requests = 60_000
    """Limit of requests with credentials of one address, valid or not, within rate_seconds."""
    notifications_per_address: Requests = 30_000
    """Notifications that one address of an acquirer may send in rate_seconds; no other rate applies to them."""
    max_body_kib: Literal[16, 32, 48, 64] = 16
    """KiB of a request's body; more is refused. CloudFront shows the firewall as much, at a price from 32 on."""
    allowed_addresses: AddressBlocks = ()
    """CIDR blocks whose requests the edge allows unchecked, such as a partner's; load balancers still check them."""
    blocked_addresses: AddressBlocks = ()
    """CIDR blocks whose requests the edge blocks, before any other rule."""

    def capacity_units(self, scope: Scope) -> int:
        """The capacity of a web ACL with these settings, in web ACL capacity units (WCU)."""
        return sum(self._units(scope))

    def _units(self, scope: Scope) -> Iterator[int]:
        yield from (group.capacity_units for group in MANAGED_GROUPS if scope in group.scopes)
        if scope is Scope.REGION:
            yield ORIGIN_VERIFY_UNITS
            yield PATH_RATE_UNITS
            return
        yield 4 * ADDRESS_SET_UNITS  # two lists, for each version of IP
        yield SIZE_UNITS
        yield NOTIFICATION_UNITS
        yield CREDENTIAL_UNITS
        yield CREDENTIAL_RATE_UNITS
        yield 3 * (RATE_UNITS + LABEL_UNITS) + LABEL_UNITS  # of notifications, with and without a credential
        yield (PATH_RATE_UNITS + 2 * LABEL_UNITS) * len(self.requests_per_path)

    @model_validator(mode="after")
    def _no_more_than_is_free(self) -> FirewallSettings:
        if (units := self.capacity_units(Scope.EDGE)) > MOST_CAPACITY_UNITS:
            fewer = -(-(units - MOST_CAPACITY_UNITS) // (PATH_RATE_UNITS + 2 * LABEL_UNITS))
            raise ValueError(
                f"requests_per_path: {len(self.requests_per_path)} paths are not allowed; {fewer} fewer are: the web "
                f"ACL would have {units} capacity units, and AWS charges for each request from {MOST_CAPACITY_UNITS} on"
            )
        return self
