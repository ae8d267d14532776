"""The certificate authority of the local AWS: it signs the certificates of ACM, and functions trust it.

Its key is made when it is first needed, and ends with the process.
"""

from __future__ import annotations

import functools
import ssl
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

_DAYS = 365


@dataclass(frozen=True)
class Authority:
    """A key, and the certificate that those trust who trust it."""

    key: ec.EllipticCurvePrivateKey
    certificate: x509.Certificate

    @property
    def pem(self) -> bytes:
        """The authority's own certificate."""
        return self.certificate.public_bytes(serialization.Encoding.PEM)

    def sign(self, unsigned: x509.Certificate) -> bytes:
        """A certificate for the name, key, time and alternative names of another one, signed by this authority."""
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


@functools.cache
def authority() -> Authority:
    """The one of this process."""
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


def write_trusted(path: Path) -> None:
    """Write whom a function trusts: this machine's authorities, as Lambda's runtimes do Amazon's, and this one."""
    system = ssl.get_default_verify_paths().cafile
    path.write_bytes((Path(system).read_bytes() if system else b"") + b"\n" + authority().pem)
