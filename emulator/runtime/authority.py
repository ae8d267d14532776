"""The certificate authority of the local AWS: it signs the certificates of ACM and RDS, and functions trust it.

Its key is made when it is first needed, and ends with the process.
"""

from __future__ import annotations

import functools
import ssl
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

_DAYS = 365
RDS = "Amazon RDS"
"""Part of the subject of each of RDS's authorities."""


@dataclass(frozen=True)
class Authority:
    """A private key and its CA certificate, which clients trust."""

    key: ec.EllipticCurvePrivateKey
    certificate: x509.Certificate

    @property
    def pem(self) -> bytes:
        """The authority's own certificate."""
        return self.certificate.public_bytes(serialization.Encoding.PEM)

    def sign(self, unsigned: x509.Certificate) -> bytes:
        """A certificate signed by this authority, with subject, key, lifetime and alternative names of ``unsigned``."""
        builder = x509.CertificateBuilder(
            issuer_name=self.certificate.subject,
            subject_name=unsigned.subject,
            public_key=unsigned.public_key(),
            serial_number=unsigned.serial_number,
            not_valid_before=unsigned.not_valid_before_utc,
            not_valid_after=unsigned.not_valid_after_utc,
            extensions=list(unsigned.extensions),
        )
        return builder.sign(self.key, hashes.SHA256()).public_bytes(serialization.Encoding.PEM)

    def issue(self, names: Sequence[str]) -> bytes:
        """A new key and a certificate of a server with these names, as PEM."""
        key = ec.generate_private_key(ec.SECP256R1())
        now = datetime.now(UTC)
        builder = (
            x509.CertificateBuilder()
            .subject_name(x509.Name([x509.NameAttribute(NameOID.ORGANIZATION_NAME, "Local AWS")]))
            .issuer_name(self.certificate.subject)
            .public_key(key.public_key())
            .serial_number(x509.random_serial_number())
            .not_valid_before(now - timedelta(days=1))
            .not_valid_after(now + timedelta(days=_DAYS))
            .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
            .add_extension(x509.ExtendedKeyUsage([ExtendedKeyUsageOID.SERVER_AUTH]), critical=False)
            .add_extension(x509.SubjectAlternativeName([x509.DNSName(name) for name in names]), critical=False)
        )
        private = key.private_bytes(
            serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
        )
        return private + builder.sign(self.key, hashes.SHA256()).public_bytes(serialization.Encoding.PEM)


@functools.cache
def authority() -> Authority:
    """The authority of this process."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "Local AWS")])
    now = datetime.now(UTC)
    builder = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - timedelta(days=1))
        .not_valid_after(now + timedelta(days=_DAYS))
        .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
    )
    return Authority(key, builder.sign(key, hashes.SHA256()))


def trust_in_place_of_rds(folder: Path) -> None:
    """Add this authority to each bundle of RDS's authorities in a folder, so that clients of RDS trust it, too.

    https://docs.aws.amazon.com/AmazonRDS/latest/AuroraUserGuide/UsingWithRDS.SSL.html#UsingWithRDS.SSL.RegionCertificateAuthorities
    """
    for path in folder.rglob("*.pem"):
        found = x509.load_pem_x509_certificates(path.read_bytes())
        if any(RDS in one.subject.rfc4514_string() for one in found):
            with path.open("ab") as bundle:
                bundle.write(b"\n" + authority().pem)


def write_trusted(path: Path) -> None:
    """Write a function's CA bundle: this machine's authorities, as Lambda's runtimes have Amazon's, and this one."""
    system = ssl.get_default_verify_paths().cafile
    path.write_bytes((Path(system).read_bytes() if system else b"") + b"\n" + authority().pem)
