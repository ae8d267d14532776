"""Certificates of clients of the payment API in a rehearsal, and the authority that signs them."""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass
from pathlib import Path
from typing import Self

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

DAYS_VALID = 30


def _pem(key: ec.EllipticCurvePrivateKey) -> bytes:
    form = serialization.PrivateFormat.PKCS8
    return key.private_bytes(serialization.Encoding.PEM, form, serialization.NoEncryption())


def _begun(subject: x509.Name, issuer: x509.Name, key: ec.EllipticCurvePrivateKey) -> x509.CertificateBuilder:
    now = dt.datetime.now(dt.UTC)
    return (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(issuer)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - dt.timedelta(minutes=5))
        .not_valid_after(now + dt.timedelta(days=DAYS_VALID))
    )


def _named(name: str) -> x509.Name:
    return x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])


@dataclass(frozen=True, kw_only=True)
class Authority:
    """A certificate authority."""

    certificate: x509.Certificate
    key: ec.EllipticCurvePrivateKey

    @classmethod
    def new(cls, name: str) -> Self:
        """A new one."""
        key = ec.generate_private_key(ec.SECP256R1())
        begun = _begun(_named(name), _named(name), key)
        begun = begun.add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
        return cls(certificate=begun.sign(key, hashes.SHA256()), key=key)

    @classmethod
    def load(cls, path: Path) -> Self:
        """The one of a file."""
        text = path.read_bytes()
        key = serialization.load_pem_private_key(text, password=None)
        assert isinstance(key, ec.EllipticCurvePrivateKey)  # noqa: S101  # as saved
        return cls(certificate=x509.load_pem_x509_certificate(text), key=key)

    def save(self, path: Path) -> None:
        """Write certificate and key to a file of the user alone."""
        path.touch(mode=0o600)
        path.write_bytes(self.certificate_pem + _pem(self.key))

    @property
    def certificate_pem(self) -> bytes:
        """Its certificate."""
        return self.certificate.public_bytes(serialization.Encoding.PEM)

    def issue(self, name: str, path: Path) -> str:
        """Write a client's certificate and key to a file of the user alone.

        Returns:
            The certificate's fingerprint: SHA-256, in hexadecimal digits.
        """
        key = ec.generate_private_key(ec.SECP256R1())
        usage = x509.ExtendedKeyUsage([ExtendedKeyUsageOID.CLIENT_AUTH])
        begun = _begun(_named(name), self.certificate.subject, key).add_extension(usage, critical=False)
        certificate = begun.sign(self.key, hashes.SHA256())
        path.touch(mode=0o600)
        path.write_bytes(certificate.public_bytes(serialization.Encoding.PEM) + _pem(key))
        return certificate.fingerprint(hashes.SHA256()).hex()
