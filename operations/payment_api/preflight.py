"""Prerequisites of the payment API's first deployment, as one list, and their check (P6.6).

`NEEDS` is the list. Each need reads AWS and prints one line for each missing or wrong prerequisite, with the remedy; a
deployment starts only if there is none. Nothing is changed, and no secret value is shown.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from typing import Any

from operations import prerequisites
from operations.prerequisites import (
    ELASTIC_ADDRESSES,
    NETWORKS,
    Need,
    Quota,
    if_found,
    without_concurrency,
    without_quota,
)
from payment_api.settings import Settings

Account = prerequisites.Account[Settings]
BOOTSTRAP_PARAMETER = "/cdk-bootstrap/hnb659fds/version"
BOOTSTRAP_VERSION = 6
# Placeholders of the shipped settings files that a user must replace.
PLACEHOLDERS = {
    "account_id": ("123456789012",),
    "network.nat_image_id": ("ami-0123456789abcdef0",),
    "domain.zone_id": ("Z0123456789STAGING", "Z0123456789PRODUCTION"),
    "domain.certificate_arn": ("00000000-0000-4000-8000-",),
    "gateway.trust_store_version": ("replace-with-",),
    "secrets.key_arn": ("00000000-0000-4000-8000-",),
    "service.image": ("sha256:00000000000000000000000000000000",),
}
SECRET_FIELDS = {
    "database": ("username", "password"),
    "api_key": ("api_key",),
    "acquirer": ("api_key",),
    "notifications": ("notification_keys",),
    "peppers": ("current", "peppers"),
}
FARGATE_CPUS = Quota(
    "fargate", "L-3032A538", "processors of Fargate"
)  # https://docs.aws.amazon.com/general/latest/gr/ecs-service.html
CPU_UNITS_PER_CPU = 1024
LISTS = {"s3_prefix_list_id": "s3", "dynamodb_prefix_list_id": "dynamodb"}


def problems(account: Account) -> list[str]:
    """A line for each missing prerequisite, in the order of ``NEEDS``."""
    return prerequisites.problems(NEEDS, account)


def placeholders(settings: Settings) -> list[str]:
    """A line for each setting that still is a placeholder of the shipped file: what it names cannot be checked."""
    return list(_placeholders(settings.model_dump()))


def _placeholders(values: Mapping[str, Any]) -> Iterator[str]:
    for field, examples in PLACEHOLDERS.items():
        found: Any = values
        for part in field.split("."):
            found = found[part]
        if any(example in found for example in examples):
            yield f"{field}: {found!r} is the example of the file that ships; say your own"


def _secrets(account: Account) -> Iterator[str]:
    manager, secrets = account.client("secretsmanager"), account.settings.secrets
    for field, members in SECRET_FIELDS.items():
        name = getattr(secrets, field)
        described = if_found(manager.describe_secret, SecretId=name)
        if described is None:
            yield f"secrets.{field}: there is no secret {name}; make it, as JSON with {', '.join(members)}"
            continue
        if described.get("KmsKeyId") != secrets.key_arn:
            yield f"secrets.{field}: {name} is not encrypted under secrets.key_arn ({secrets.key_arn})"
        lacking = [one for one in members if not _member(manager, name, one)]
        if lacking:
            yield f"secrets.{field}: {name} has no {', '.join(lacking)}"


def _member(manager: Any, name: str, member: str) -> bool:
    """Whether a secret is JSON with this member; its value is not returned."""
    text = manager.get_secret_value(SecretId=name).get("SecretString", "")
    try:
        values = json.loads(text)
    except ValueError:
        return False
    return isinstance(values, Mapping) and bool(values.get(member))


def _key(account: Account) -> Iterator[str]:
    arn = account.settings.secrets.key_arn
    found = if_found(account.client("kms").describe_key, KeyId=arn)
    if found is None:
        yield f"secrets.key_arn: there is no key {arn}"
    elif found["KeyMetadata"]["KeyState"] != "Enabled" or found["KeyMetadata"]["KeyManager"] != "CUSTOMER":
        yield f"secrets.key_arn: {arn} is not a customer-managed key that is enabled"


def _certificate(account: Account) -> Iterator[str]:
    domain = account.settings.domain
    found = if_found(account.client("acm").describe_certificate, CertificateArn=domain.certificate_arn)
    if found is None:
        yield f"domain.certificate_arn: there is no certificate {domain.certificate_arn}"
        return
    certificate = found["Certificate"]
    if certificate["Status"] != "ISSUED":
        yield f"domain.certificate_arn: the certificate is {certificate['Status']}, not ISSUED"
    names = {certificate["DomainName"], *certificate.get("SubjectAlternativeNames", [])}
    for name in (domain.api_name, domain.load_balancer_name):
        if not {name, f"*.{name.partition('.')[2]}"} & names:
            yield f"domain.certificate_arn: the certificate is not of {name}"


def _trust_store(account: Account) -> Iterator[str]:
    gateway, s3 = account.settings.gateway, account.client("s3")
    where = {"Bucket": gateway.trust_store_bucket, "Key": gateway.trust_store_key}
    if if_found(s3.head_bucket, Bucket=gateway.trust_store_bucket) is None:
        yield f"gateway.trust_store_bucket: there is no bucket {gateway.trust_store_bucket}"
    elif if_found(s3.head_object, **where, VersionId=gateway.trust_store_version) is None:
        yield f"gateway.trust_store_version: {gateway.trust_store_key} has no version {gateway.trust_store_version}"


def _zone(account: Account) -> Iterator[str]:
    domain = account.settings.domain
    found = if_found(account.client("route53").get_hosted_zone, Id=domain.zone_id)
    if found is None or found["HostedZone"]["Name"].rstrip(".") != domain.zone_name:
        yield f"domain.zone_id: {domain.zone_id} is not the hosted zone of {domain.zone_name}"


def _image(account: Account) -> Iterator[str]:
    image = account.settings.service.image
    address, _, digest = image.partition("@")
    registry, _, repository = address.partition("/")
    ecr = account.connect("ecr", registry.split(".")[3])
    asked = {"registryId": registry.partition(".")[0], "repositoryName": repository}
    if if_found(ecr.describe_images, **asked, imageIds=[{"imageDigest": digest}]) is None:
        yield f"service.image: there is no image {image}"


def _machine_image(account: Account) -> Iterator[str]:
    id_ = account.settings.network.nat_image_id
    found = if_found(account.client("ec2").describe_images, ImageIds=[id_])
    images = found["Images"] if found else []
    if not any(one["State"] == "available" and one["Architecture"] == "arm64" for one in images):
        yield f"network.nat_image_id: {id_} is no machine image for arm64 in {account.settings.region}"


def _prefix_lists(account: Account) -> Iterator[str]:
    network, region = account.settings.network, account.settings.region
    for field, service in LISTS.items():
        id_, name = getattr(network, field), f"com.amazonaws.{region}.{service}"
        found = if_found(account.client("ec2").describe_managed_prefix_lists, PrefixListIds=[id_])
        if name not in {one["PrefixListName"] for one in (found or {"PrefixLists": []})["PrefixLists"]}:
            yield f"network.{field}: {id_} is not the list {name}"


def _logging_role(account: Account) -> Iterator[str]:
    makes = account.settings.owns_account and account.settings.gateway.makes_account_logging_role
    if not makes and not account.client("apigateway").get_account().get("cloudwatchRoleArn"):
        yield (
            "account_owner: API Gateway has no role to write logs with, and without it refuses a stage that logs; "
            f"let {account.settings.environment_suffix} be the owner, or deploy the owner first"
        )


def _bootstrap(account: Account) -> Iterator[str]:
    for region in (account.settings.region, account.settings.replica_region):
        found = if_found(account.connect("ssm", region).get_parameter, Name=BOOTSTRAP_PARAMETER)
        if found is None or int(found["Parameter"]["Value"]) < BOOTSTRAP_VERSION:
            yield f"cdk bootstrap: {region} is not bootstrapped; run make bootstrap-api"


def _quotas(account: Account) -> Iterator[str]:
    """Quotas that a second environment of an account exceeds first."""
    if account.exists:
        return
    settings, region = account.settings, account.region
    ec2 = account.client("ec2")
    addresses, networks = len(ec2.describe_addresses()["Addresses"]), len(ec2.describe_vpcs()["Vpcs"])
    zones = len(settings.network.zones)
    cpus = settings.service.max_tasks * settings.service.cpu_units / CPU_UNITS_PER_CPU
    yield from without_quota(account, region, ELASTIC_ADDRESSES, needed=zones, used=addresses)
    yield from without_quota(account, region, NETWORKS, needed=1, used=networks)
    yield from without_quota(account, region, FARGATE_CPUS, needed=cpus, used=0)


def _concurrency(account: Account) -> Iterator[str]:
    if not account.exists:
        reserved = account.settings.processing.concurrency + RESERVED_BY_OTHERS
        yield from without_concurrency(account, account.region, reserved)


RESERVED_BY_OTHERS = 5
"""Of the functions that reconcile, prepare the database, administer merchants and rotate: one each."""

NEEDS = (
    Need(what="a customer-managed key for secrets", missing=_key),
    Need(
        what="the secrets of the database, the first client, the acquirer (two) and the peppers, under that key",
        missing=_secrets,
    ),
    Need(what="a certificate for both names, in the API's region", missing=_certificate),
    Need(what="a bucket with versions that holds the trust store", missing=_trust_store),
    Need(what="the hosted zone", missing=_zone),
    Need(what="the service's image in ECR", missing=_image),
    Need(what="a machine image for the NAT instances", missing=_machine_image),
    Need(what="the prefix lists of S3 and DynamoDB", missing=_prefix_lists),
    Need(what="the account's role by which API Gateway writes logs", missing=_logging_role),
    Need(what="both regions bootstrapped for the CDK", missing=_bootstrap),
    Need(what="quotas of addresses, networks and Fargate", missing=_quotas),
    Need(what="concurrency of functions that can be reserved", missing=_concurrency),
)
"""The prerequisites, in the order of their creation."""
