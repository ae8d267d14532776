"""ACM: a certificate that Amazon issues is signed by the certificate authority of the local AWS.

moto signs it with a key of its own in Amazon's name, so that no client can verify it.
"""

from __future__ import annotations

from typing import Any

from cryptography import x509
from moto.acm.models import CertBundle

from emulator.moto.extend import Method, override
from emulator.runtime.authority import authority


@override(CertBundle)
def __init__(original: Method, self: Any, *args: Any, **kwargs: Any) -> None:  # noqa: N807 (a method of moto's class)
    """Sign it, and return the authority's certificate as its chain."""
    if kwargs.get("cert_type") == "AMAZON_ISSUED":
        kwargs["certificate"] = authority().sign(x509.load_pem_x509_certificate(kwargs["certificate"]))
    original(self, *args, **kwargs)
    if kwargs.get("cert_type") == "AMAZON_ISSUED":
        self.chain = authority().pem
