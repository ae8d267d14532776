"""Prerequisites of the payment API, which the stack imports and never creates (P4.5).

Created through the services' own APIs, so that this code also documents how to create them on AWS (docs/runbooks).
"""

from __future__ import annotations

import datetime as dt
import json
import secrets
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from emulator.ministack.process import client
from payment_api.settings import Settings

DAYS_VALID = 30


def make(url: str, settings: Settings, extends: str) -> str:
    """Create the prerequisites that ``settings`` names, in the local AWS at ``url``.

    Returns:
        The text of a settings file that extends the environment ``extends`` with their ids.
    """
    region = settings.region
    key_arn = client("kms", url, region).create_key(Description="Secrets of the payment API")["KeyMetadata"]["Arn"]
    _make_secrets(url, settings, key_arn)
    version = _make_trust_store(url, settings)
    zone_id = _make_zone(url, settings)
    certificate = client("acm", url, region).request_certificate(
        DomainName=settings.domain.api_name,
        SubjectAlternativeNames=[settings.domain.api_name, settings.domain.load_balancer_name],
        ValidationMethod="DNS",
    )
    return "\n".join(
        [
            "# Written by the rehearsal: the local environment, with what its AWS answered.",
            f"extends = {json.dumps(extends)}",
            "[domain]",
            f"zone_id = {json.dumps(zone_id)}",
            f"certificate_arn = {json.dumps(certificate['CertificateArn'])}",
            "[gateway]",
            f"trust_store_version = {json.dumps(version)}",
            "[secrets]",
            f"key_arn = {json.dumps(key_arn)}",
            "",
        ]
    )


def save(url: str, settings: Settings, extends: str, path: Path) -> Path:
    """As ``make``, into a file; an existing file is of the same local AWS, and is kept."""
    if not path.exists():
        path.write_text(make(url, settings, extends), encoding="utf-8")
    return path


def _make_secrets(url: str, settings: Settings, key_arn: str) -> None:
    values = {
        settings.secrets.database: {"username": "payments_admin", "password": secrets.token_urlsafe(24)},
        settings.secrets.api_key: {"api_key": secrets.token_urlsafe(30)},
        settings.secrets.acquirer: {"api_key": secrets.token_urlsafe(30)},
        settings.secrets.peppers: {"current": "first", "peppers": {"first": secrets.token_urlsafe(40)}},
    }
    manager = client("secretsmanager", url, settings.region)
    for name, value in values.items():
        manager.create_secret(Name=name, SecretString=json.dumps(value), KmsKeyId=key_arn)


def _make_trust_store(url: str, settings: Settings) -> str:
    """A versioned bucket with the certificate of the authority that signs client certificates."""
    s3, bucket = client("s3", url, settings.region), settings.gateway.trust_store_bucket
    s3.create_bucket(Bucket=bucket, CreateBucketConfiguration={"LocationConstraint": settings.region})
    s3.put_bucket_versioning(Bucket=bucket, VersioningConfiguration={"Status": "Enabled"})
    put = s3.put_object(Bucket=bucket, Key=settings.gateway.trust_store_key, Body=_authority())
    return str(put["VersionId"])


def _make_zone(url: str, settings: Settings) -> str:
    zone = client("route53", url, settings.region).create_hosted_zone(
        Name=settings.domain.zone_name, CallerReference=secrets.token_hex(8)
    )
    return str(zone["HostedZone"]["Id"]).rpartition("/")[2]


def _authority() -> bytes:
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "Clients of the rehearsal")])
    now = dt.datetime.now(dt.UTC)
    certificate = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now)
        .not_valid_after(now + dt.timedelta(days=DAYS_VALID))
        .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
        .sign(key, hashes.SHA256())
    )
    return certificate.public_bytes(serialization.Encoding.PEM)
