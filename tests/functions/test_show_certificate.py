"""The authorizer that hands a client's certificate on, read by the service that it is for."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from payments import certificates
from tests.https import self_signed
from tests.rotation.support import load_handler

pytestmark = pytest.mark.requirement("P2.2", "Q3")
METHOD = "arn:aws:execute-api:ap-southeast-1:123456789012:abc/live/GET/api/v1/payments"


def answer(certificate: dict[str, str] | None) -> dict[str, Any]:
    event = {"methodArn": METHOD, "requestContext": {"identity": {"clientCert": certificate}}}
    found: dict[str, Any] = load_handler("show_certificate").handler(event, None)
    assert len(json.dumps(found)) < 8192
    return found


def effect(found: dict[str, Any]) -> str:
    (statement,) = found["policyDocument"]["Statement"]
    assert statement["Resource"] == METHOD
    return str(statement["Effect"])


def test_service_finds_the_certificate_that_the_client_has_shown(tmp_path: Path) -> None:
    text = self_signed("client", tmp_path / "client.pem").read_text()
    ends = "-----END CERTIFICATE-----\n"
    pem = text[text.index("-----BEGIN CERTIFICATE-----") : text.index(ends) + len(ends)]
    found = answer({"clientCertPem": pem, "serialNumber": "4711"})
    assert effect(found) == "Allow"
    assert found["principalId"] == "4711"
    header = found["context"]["certificate"]
    assert "\n" not in header
    assert certificates.shown([header]) == certificates.fingerprint(pem) is not None


@pytest.mark.parametrize("certificate", [None, {}, {"clientCertPem": ""}, {"clientCertPem": "x" * 10_000}])
def test_request_without_a_certificate_that_fits_is_denied(certificate: dict[str, str] | None) -> None:
    found = answer(certificate)
    assert effect(found) == "Deny"
    assert not found["context"]
