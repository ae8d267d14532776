"""Hands the certificate of an API Gateway client on to the service: a Lambda authorizer (P2.2).

API Gateway has verified the client's certificate against the trust store. It gives it in PEM to an authorizer only, and
a header cannot have its line breaks: the result has it in URL encoding, as a load balancer sends it, for the header
that the integration overwrites. Whose certificate it is, and whether it has been revoked, the service decides, together
with the API key of the merchant (services/payments, payments.certificates).

A request without a certificate is denied: its path has no mutual TLS.
https://docs.aws.amazon.com/apigateway/latest/developerguide/apigateway-use-lambda-authorizer.html
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any
from urllib.parse import quote

SAFE = "+=/"  # as load balancers encode it
MAX_ENCODED_LENGTH = 7168
"""API Gateway passes on 10,240 bytes of headers together, of which a client's own are some."""


def handler(event: Mapping[str, Any], _context: object) -> dict[str, Any]:
    """The policy for this request and, where it is allowed, the client's certificate."""
    identity = event.get("requestContext", {}).get("identity", {})
    certificate = identity.get("clientCert") or {}
    encoded = quote(certificate.get("clientCertPem") or "", safe=SAFE)
    allowed = 0 < len(encoded) <= MAX_ENCODED_LENGTH
    return {
        "principalId": str(certificate.get("serialNumber") or "nobody"),
        "policyDocument": {
            "Version": "2012-10-17",
            "Statement": [
                {
                    "Action": "execute-api:Invoke",
                    "Effect": "Allow" if allowed else "Deny",
                    "Resource": event["methodArn"],
                }
            ],
        },
        "context": {"certificate": encoded} if allowed else {},
    }
