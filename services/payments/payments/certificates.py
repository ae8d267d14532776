"""Client certificates: what a door of the service says of the certificate that a client has shown.

A load balancer or gateway that verified a client's certificate sends it in one header, as PEM in URL encoding: the load
balancer by itself, API Gateway by lambda/show_certificate. Each overwrites what a client sent by that name, or adds to
it: a request with several is refused. A certificate is known by its fingerprint, SHA-256 of its DER, as
`openssl x509 -fingerprint -sha256` prints it.
https://docs.aws.amazon.com/elasticloadbalancing/latest/application/mutual-authentication.html
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import re
from collections.abc import Sequence
from enum import StrEnum
from urllib.parse import unquote

HEADER = "X-Client-Certificate"
PEM = re.compile(r"-----BEGIN CERTIFICATE-----\s+([A-Za-z0-9+/=\s]+)-----END CERTIFICATE-----\s*")
FINGERPRINT = re.compile(r"[0-9a-f]{64}")


class ClientCertificates(StrEnum):
    """Whether a request needs a certificate of the merchant of its key."""

    REQUIRED = "required"
    IGNORED = "ignored"


def shown(values: Sequence[str]) -> str | None:
    """The fingerprint of the certificate in the header's values; None where there is not exactly one certificate."""
    return fingerprint(unquote(values[0])) if len(values) == 1 else None


def fingerprint(pem: str) -> str | None:
    """SHA-256 of a certificate in DER, 64 small hexadecimal digits; None where the text is not one in PEM."""
    found = PEM.fullmatch(pem)
    if not found:
        return None
    try:
        return hashlib.sha256(base64.b64decode("".join(found[1].split()), validate=True)).hexdigest()
    except binascii.Error:
        return None


def parse_fingerprint(text: str) -> str | None:
    """A fingerprint, with or without colons, in capital or small digits; None where it is none."""
    digits = text.replace(":", "").lower()
    return digits if FINGERPRINT.fullmatch(digits) else None
