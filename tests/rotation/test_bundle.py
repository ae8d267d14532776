"""The certificates by which the function knows AWS's databases (W3.3, W5.5)."""

from __future__ import annotations

import re
import warnings
from datetime import UTC, datetime, timedelta

import pytest
from cryptography import x509

from settings import Settings
from synthesis.packaging import REPOSITORY

pytestmark = [pytest.mark.requirement("W3.3", "W5.5")]
BUNDLE = REPOSITORY / "shared" / "rds-ca-bundle.pem"
NAME = re.compile(r"Amazon RDS ([a-z]+-[a-z]+-\d) Root CA (RSA2048|RSA4096|ECC384) G1")


@pytest.fixture(scope="module")
def certificates() -> dict[str, x509.Certificate]:
    """The certificates by name, each strictly what it should be."""
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        found = x509.load_pem_x509_certificates(BUNDLE.read_bytes())
    named = {str(one.subject.get_attributes_for_oid(x509.NameOID.COMMON_NAME)[0].value): one for one in found}
    assert len(named) == len(found)
    return named


def test_holds_the_three_roots_of_each_region_and_nothing_else(certificates: dict[str, x509.Certificate]) -> None:
    matches = [NAME.fullmatch(name) for name in certificates]
    found = {(match[1], match[2]) for match in matches if match}
    regions = {region for region, _ in found}

    assert len(found) == len(certificates)
    assert found == {(region, kind) for region in regions for kind in ("RSA2048", "RSA4096", "ECC384")}


def test_none_has_expired_or_will_within_a_year(certificates: dict[str, x509.Certificate]) -> None:
    soon = datetime.now(UTC) + timedelta(days=365)
    assert not [name for name, one in certificates.items() if one.not_valid_after_utc < soon]


def test_each_is_a_root_that_has_signed_itself(certificates: dict[str, x509.Certificate]) -> None:
    for name, one in certificates.items():
        one.verify_directly_issued_by(one)
        assert one.extensions.get_extension_for_class(x509.BasicConstraints).value.ca, name
        assert one.extensions.get_extension_for_class(x509.KeyUsage).value.key_cert_sign, name


def test_knows_the_regions_of_both_systems(certificates: dict[str, x509.Certificate], local_settings: Settings) -> None:
    for region in (local_settings.primary.name, local_settings.recovery.name, "ap-southeast-1"):
        assert f"Amazon RDS {region} Root CA RSA2048 G1" in certificates
