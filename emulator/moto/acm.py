"""ACM: a certificate that Amazon issues is signed by the certificate authority of the local AWS; one in use stays.

moto signs it with a key of its own in Amazon's name, so that no client can verify it.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from cryptography import x509
from moto.acm.exceptions import AWSError
from moto.acm.models import AWSCertificateManagerBackend, CertBundle
from moto.cloudfront.models import cloudfront_backends
from moto.elbv2.models import elbv2_backends

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


class ResourceInUseError(AWSError):  # type: ignore[misc]
    """The certificate is in use by another service (DeleteCertificate, API reference)."""

    TYPE = "ResourceInUseException"


@override(AWSCertificateManagerBackend)
def delete_certificate(original: Method, self: Any, arn: str) -> None:
    """Only one that no listener and no distribution has."""
    if arn in set(_in_use(self)):
        raise ResourceInUseError(f"Certificate {arn} in account {self.account_id} is in use.")
    original(self, arn)


def _in_use(self: Any) -> Iterator[str]:
    for load_balancer in elbv2_backends[self.account_id][self.region_name].load_balancers.values():
        for listener in load_balancer.listeners.values():
            yield from listener.certificates
    for distribution in cloudfront_backends[self.account_id]["aws"].distributions.values():
        yield (distribution.config.get("ViewerCertificate") or {}).get("ACMCertificateArn", "")
