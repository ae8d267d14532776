"""The API's names in DNS and API Gateway (P2.2)."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field

from settings.base import SettingsModel, matching
from settings.common import DomainName
from settings.platform import BucketName

CertificateArn = Annotated[
    str,
    matching(r"arn:aws:acm:[a-z0-9-]+:\d{12}:certificate/[0-9a-f-]{36}", "the ARN of a certificate of ACM is allowed"),
]
ObjectKey = Annotated[str, matching(r"[!-~]{1,1024}", "the key of an object is allowed, such as clients.pem")]
ObjectVersion = Annotated[
    str, matching(r"(?!null$)[!-~]{1,1024}", "the id of an object's version is allowed: the bucket has versions on")
]


class DomainSettings(SettingsModel):
    """The names by which the API is reached, in a zone and with a certificate that exist.

    Left out, they are named after the environment: `api-SUFFIX.ZONE` and `direct-SUFFIX.ZONE`.
    """

    zone_name: DomainName
    """The hosted zone, in Route 53, that takes both names."""
    zone_id: Annotated[str, matching(r"Z[A-Z0-9]{4,31}", "the id of a hosted zone is allowed, such as Z0123456789")]
    """Its id."""
    api_name: DomainName
    """The API's name, which API Gateway answers to."""
    load_balancer_name: DomainName
    """The load balancer's name, for clients that call it directly, and for API Gateway."""
    certificate_arn: CertificateArn
    """A certificate for both names, in the API's region."""


class GatewaySettings(SettingsModel):
    """API Gateway (P2.2)."""

    trust_store_bucket: BucketName
    """The versioned bucket with the certificates of authorities that sign client certificates."""
    trust_store_key: ObjectKey = "clients.pem"
    """The object in it: certificates in PEM."""
    trust_store_version: ObjectVersion
    """The version of the object that is trusted; another one is trusted only by another deployment."""
    requests_per_second: Annotated[int, Field(ge=1, le=10_000)] = 1000
    """Requests a second: from one API key by its usage plan, to one method by the stage, and from all clients to all
    methods together by the web ACL, which counts a minute."""
    burst_requests: Annotated[int, Field(ge=1, le=5000)] = 2000
    """Requests that a plan and a method take at once, from a full bucket of tokens that fills with
    requests_per_second."""
    requests_per_day_and_client: Annotated[int, Field(ge=1, le=1_000_000_000)] = 86_400_000
    """Requests a day that one API key is good for: not fewer than a day at requests_per_second has."""
    makes_account_logging_role: bool = True
    """Whether the environment that account_owner names makes the role by which API Gateway writes logs, of which an
    account has one; switch it off where the account has one already."""
