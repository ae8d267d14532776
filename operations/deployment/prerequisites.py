"""Prerequisites of an environment's first deployment, as one list: `make preflight ENV=...`.

`NEEDS` is the list. Each need reads AWS and gives one line for each missing prerequisite, with the command that mends
it. `make deploy` checks them before it makes an environment.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from rich.console import Console

from operations import prerequisites
from operations.account import aws_errors_in_words
from operations.outcome import Refused
from operations.prerequisites import (
    ELASTIC_ADDRESSES,
    NETWORKS,
    Need,
    connect,
    if_found,
    without_concurrency,
    without_quota,
)
from settings import Settings
from settings.network import NatGateways
from settings.platform import GLOBAL_REGION

Account = prerequisites.Account[Settings]

ECS_ROLE = "AWSServiceRoleForECS"
TOKENS = "token.actions.githubusercontent.com"
# An environment's own policies of CloudFront, and the account's quota of each kind.
# https://docs.aws.amazon.com/AmazonCloudFront/latest/DeveloperGuide/cloudfront-limits.html
CLOUDFRONT_POLICIES, MOST_CLOUDFRONT_POLICIES = 2, 20


def check(settings: Settings, console: Console) -> None:
    """Check all prerequisites; nothing is changed.

    Raises:
        Refused: a line for each one that is missing.
        Failed: AWS does not answer.
    """
    if missing := prerequisites.problems(NEEDS, account_of(settings)):
        raise Refused("\n".join(missing))
    console.print(f"everything that must exist before is there: {len(NEEDS)} things")


def refuse_missing(settings: Settings) -> None:
    """As ``check``, but in silence, and only before an environment is made."""
    account = account_of(settings)
    if not account.exists and (missing := prerequisites.problems(NEEDS, account)):
        raise Refused("\n".join(missing))


def account_of(settings: Settings) -> Account:
    """The account of the settings, and whether the environment exists in it: whether its cluster does."""
    with aws_errors_in_words():
        ecs = connect("ecs", settings.primary.name)
        found = ecs.describe_clusters(clusters=[settings.names.of("cluster")])["clusters"]
    exists = any(one["status"] == "ACTIVE" for one in found)
    return Account(settings=settings, region=settings.primary.name, connect=connect, exists=exists)


def _regions(account: Account) -> tuple[str, str]:
    return account.settings.primary.name, account.settings.recovery.name


def _state_bucket(account: Account) -> Iterator[str]:
    bucket, replica = account.settings.state.bucket, account.settings.state.replica
    if if_found(account.client("s3").head_bucket, Bucket=bucket) is None:
        yield f"state.bucket: there is no bucket {bucket}; make bootstrap"
        return
    answer = if_found(account.client("s3").get_bucket_replication, Bucket=bucket) or {}
    rules = answer.get("ReplicationConfiguration", {}).get("Rules", [])
    if not [one for one in rules if one["Destination"]["Bucket"].endswith(f":{replica}")]:
        yield f"state.bucket: {bucket} has no replica in {account.settings.recovery.name}; make bootstrap"


def _zone(account: Account) -> Iterator[str]:
    """A zone that exists: one that the deployment makes is delegated while its certificates wait."""
    domain = account.settings.domain
    if domain.create_zone:
        return
    answer = account.client("route53").list_hosted_zones_by_name(DNSName=domain.name)
    zones = [one for one in answer["HostedZones"] if one["Name"].rstrip(".") == domain.name]
    if not [one for one in zones if not one["Config"].get("PrivateZone")]:
        yield (
            f"domain.name: there is no public hosted zone {domain.name}; aws route53 create-hosted-zone --name "
            f"{domain.name} --caller-reference first, and delegate it to the name servers of the answer"
        )


def _linked_role(account: Account) -> Iterator[str]:
    """ECS makes its role at the first cluster of an account, and may refuse that one while the role spreads.

    https://docs.aws.amazon.com/AmazonECS/latest/developerguide/using-service-linked-roles.html
    """
    if if_found(account.client("iam").get_role, RoleName=ECS_ROLE) is None:
        yield (
            f"service-linked role: the account has no {ECS_ROLE} yet; aws iam create-service-linked-role "
            "--aws-service-name ecs.amazonaws.com"
        )


def _identity_provider(account: Account) -> Iterator[str]:
    settings = account.settings
    if settings.delivery.repository is None or account.exists:
        return
    providers = account.client("iam").list_open_id_connect_providers()["OpenIDConnectProviderList"]
    is_there = any(one["Arn"].endswith(f"/{TOKENS}") for one in providers)
    makes = settings.owns_account and settings.account.identity_provider
    if makes and is_there:
        yield "account.identity_provider: the account has GitHub's provider already; say false"
    if not makes and not is_there:
        yield (
            "delivery.repository: the account has no provider of GitHub's tokens; deploy the environment of "
            f"account_owner first, or aws iam create-open-id-connect-provider --url https://{TOKENS} "
            "--client-id-list sts.amazonaws.com"
        )


def _singletons(account: Account) -> Iterator[str]:
    """What an account and region have once, and somebody else has made."""
    settings = account.settings
    if account.exists or not settings.owns_account:
        return
    for region in _regions(account):
        for field, what in _existing_audit(account, region).items():
            if getattr(settings.audit, field):
                yield f"audit.{field}: {region} has {what} already; say false, and keep that one"


def _existing_audit(account: Account, region: str) -> dict[str, str]:
    """The parts of [audit] that a region has, by the setting that leaves them to the account."""
    found = {}
    if account.connect("guardduty", region).list_detectors()["DetectorIds"]:
        found["guardduty"] = "a GuardDuty detector"
    if account.connect("config", region).describe_configuration_recorders()["ConfigurationRecorders"]:
        found["aws_config"] = "a configuration recorder"
    if _is_hub(account.connect("securityhub", region)):
        found["security_hub"] = "Security Hub"
    analyzers = account.connect("accessanalyzer", region).list_analyzers(type="ACCOUNT")["analyzers"]
    if analyzers:
        found["access_analyzer"] = "an analyzer of the account"
    return found


def _is_hub(client: Any) -> bool:
    """Whether Security Hub is on; where it is not, AWS refuses the question as one of an invalid access."""
    try:
        return if_found(client.describe_hub) is not None
    except client.exceptions.InvalidAccessException:
        return False


def _quotas(account: Account) -> Iterator[str]:
    """Quotas that another environment of an account exceeds first, in both regions."""
    if account.exists:
        return
    per_region = {NatGateways.NONE: 0, NatGateways.ONE: 1}
    for region, zones in zip(
        _regions(account), (account.settings.primary.zones, account.settings.recovery.zones), strict=True
    ):
        ec2 = account.connect("ec2", region)
        addresses, networks = len(ec2.describe_addresses()["Addresses"]), len(ec2.describe_vpcs()["Vpcs"])
        needed = per_region.get(account.settings.network.nat_gateways, len(zones))
        yield from without_quota(account, region, ELASTIC_ADDRESSES, needed=needed, used=addresses)
        yield from without_quota(account, region, NETWORKS, needed=1, used=networks)


def _concurrency(account: Account) -> Iterator[str]:
    processing = account.settings.processing
    if processing is None or not processing.reserve_concurrency or account.exists:
        return
    for region in _regions(account):
        for line in without_concurrency(account, region, processing.concurrency + 1):
            yield f"{line}, or processing.reserve_concurrency = false"


def _cloudfront_policies(account: Account) -> Iterator[str]:
    if account.exists:
        return
    client = account.connect("cloudfront", GLOBAL_REGION)
    counted = {
        "cache": client.list_cache_policies(Type="custom")["CachePolicyList"],
        "response headers": client.list_response_headers_policies(Type="custom")["ResponseHeadersPolicyList"],
    }
    for kind, listed in counted.items():
        if (left := MOST_CLOUDFRONT_POLICIES - listed["Quantity"]) < CLOUDFRONT_POLICIES:
            yield (
                f"quota cloudfront: {CLOUDFRONT_POLICIES} {kind} policies are needed, and {max(left, 0)} of "
                f"{MOST_CLOUDFRONT_POLICIES} are left in the account; destroy an environment that is not used"
            )


NEEDS = (
    Need(what="the bucket of the state", missing=_state_bucket),
    Need(what="the hosted zone, unless the deployment makes it", missing=_zone),
    Need(what="the service-linked role of ECS", missing=_linked_role),
    Need(what="one provider of GitHub's tokens in the account", missing=_identity_provider),
    Need(what="no auditing that somebody else has made, where the environment makes it", missing=_singletons),
    Need(what="quotas of addresses and networks in both regions", missing=_quotas),
    Need(what="concurrency of functions that can be reserved in both regions", missing=_concurrency),
    Need(what="quotas of CloudFront's policies", missing=_cloudfront_policies),
)
"""The prerequisites, in the order in which they are made."""
