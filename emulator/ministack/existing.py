"""Prerequisites of the payment API, which the stack imports and never creates (P4.5).

Created through the services' own APIs, so that this code also documents how to create them on AWS (docs/runbooks).
"""

from __future__ import annotations

import contextlib
import json
import secrets
from collections.abc import Callable, Mapping
from pathlib import Path

from emulator.ministack.clients import Authority
from emulator.ministack.process import client
from payment_api.settings import Settings

CLIENTS = "clients.pem"
ACQUIRER_NETWORK = "198.51.100.0/28"
"""Where the local AWS has the servers that stand on the internet (emulator/runtime/internet.py)."""
PREFIX_LISTS = {"s3_prefix_list_id": "s3", "dynamodb_prefix_list_id": "dynamodb"}
"""The settings of a region's prefix lists, and their services."""
SECRETS: Mapping[str, Callable[[], Mapping[str, object]]] = {
    "database": lambda: {"username": "payments_admin", "password": secrets.token_urlsafe(24)},
    "api_key": lambda: {"api_key": secrets.token_urlsafe(30)},
    "acquirer": lambda: {"api_key": secrets.token_urlsafe(30)},
    "notifications": lambda: {"notification_keys": [secrets.token_urlsafe(40)]},
    "peppers": lambda: {"current": "first", "peppers": {"first": secrets.token_urlsafe(40)}},
}
"""What is in each secret, by its field in the settings."""


def make(url: str, settings: Settings, extends: str, clients: Authority) -> str:
    """Create the prerequisites that ``settings`` names, in the local AWS at ``url``; ``clients`` signs certificates.

    Returns:
        The text of a settings file that extends the environment ``extends`` with their ids.
    """
    region = settings.region
    key_arn = client("kms", url, region).create_key(Description="Secrets of the payment API")["KeyMetadata"]["Arn"]
    _make_secrets(url, settings, key_arn)
    version = _make_trust_store(url, settings, clients)
    zone_id = _make_zone(url, settings)
    certificate = _make_certificate(url, settings)
    return "\n".join(
        [
            "# Written by the rehearsal: the local environment, with what its AWS answered.",
            f"extends = {json.dumps(extends)}",
            "[domain]",
            f"zone_id = {json.dumps(zone_id)}",
            f"certificate_arn = {json.dumps(certificate)}",
            "[gateway]",
            f"trust_store_version = {json.dumps(version)}",
            "[network]",
            f"acquirer_networks = {json.dumps([ACQUIRER_NETWORK])}",
            *(f"{name} = {json.dumps(_prefix_list(url, region, service))}" for name, service in PREFIX_LISTS.items()),
            "[secrets]",
            f"key_arn = {json.dumps(key_arn)}",
            "",
        ]
    )


def make_beside(url: str, settings: Settings, *, lacks: str = "") -> str:
    """Create what a further environment of an account needs of its own: secrets under the same key, a certificate.

    The secret of the purpose ``lacks`` is left out. Returns lines of TOML with the ids.
    """
    _make_secrets(url, settings, settings.secrets.key_arn, lacks=lacks)
    return f"[domain]\ncertificate_arn = {json.dumps(_make_certificate(url, settings))}\n"


def unmake_beside(url: str, settings: Settings) -> None:
    """Delete what ``make_beside`` has created, with what the settings name by now."""
    manager = client("secretsmanager", url, settings.region)
    for name in secret_names(settings):
        with contextlib.suppress(manager.exceptions.ResourceNotFoundException):  # it may have been left out
            manager.delete_secret(SecretId=name, ForceDeleteWithoutRecovery=True)
    client("acm", url, settings.region).delete_certificate(CertificateArn=settings.domain.certificate_arn)


def _make_certificate(url: str, settings: Settings) -> str:
    made = client("acm", url, settings.region).request_certificate(
        DomainName=settings.domain.api_name,
        SubjectAlternativeNames=[settings.domain.api_name, settings.domain.load_balancer_name],
        ValidationMethod="DNS",
    )
    return str(made["CertificateArn"])


def save(url: str, settings: Settings, extends: str, path: Path) -> Path:
    """As ``make``, into a file; an existing file is of the same local AWS, and is kept.

    Beside it is ``clients.pem``: the authority that signs the certificates of clients, with its key.
    """
    if not path.exists():
        clients = Authority.new("Clients of the rehearsal")
        clients.save(path.parent / CLIENTS)
        path.write_text(make(url, settings, extends, clients), encoding="utf-8")
    return path


def _prefix_list(url: str, region: str, service: str) -> str:
    """The id of the list of a service's addresses, which AWS has in each region."""
    named = [{"Name": "prefix-list-name", "Values": [f"com.amazonaws.{region}.{service}"]}]
    (found,) = client("ec2", url, region).describe_managed_prefix_lists(Filters=named)["PrefixLists"]
    return str(found["PrefixListId"])


def _make_secrets(url: str, settings: Settings, key_arn: str, *, lacks: str = "") -> None:
    manager = client("secretsmanager", url, settings.region)
    for purpose, content in SECRETS.items():
        if purpose != lacks:
            name = getattr(settings.secrets, purpose)
            manager.create_secret(Name=name, SecretString=json.dumps(content()), KmsKeyId=key_arn)


def secret_names(settings: Settings) -> list[str]:
    """The names of the secrets that must exist."""
    return [str(getattr(settings.secrets, purpose)) for purpose in SECRETS]


def _make_trust_store(url: str, settings: Settings, clients: Authority) -> str:
    """A versioned bucket with the certificate of the authority that signs client certificates."""
    s3, bucket = client("s3", url, settings.region), settings.gateway.trust_store_bucket
    s3.create_bucket(Bucket=bucket, CreateBucketConfiguration={"LocationConstraint": settings.region})
    s3.put_bucket_versioning(Bucket=bucket, VersioningConfiguration={"Status": "Enabled"})
    put = s3.put_object(Bucket=bucket, Key=settings.gateway.trust_store_key, Body=clients.certificate_pem)
    return str(put["VersionId"])


def _make_zone(url: str, settings: Settings) -> str:
    zone = client("route53", url, settings.region).create_hosted_zone(
        Name=settings.domain.zone_name, CallerReference=secrets.token_hex(8)
    )
    return str(zone["HostedZone"]["Id"]).rpartition("/")[2]
