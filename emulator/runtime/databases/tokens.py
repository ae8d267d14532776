"""Authentication tokens of RDS: the signed request to connect that takes the place of a password.

https://docs.aws.amazon.com/AmazonRDS/latest/AuroraUserGuide/UsingWithRDS.IAMDBAuth.html
https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_sigv-create-signed-request.html
"""

from __future__ import annotations

import hashlib
import hmac
from dataclasses import dataclass
from datetime import UTC, datetime
from urllib.parse import parse_qsl, quote, urlsplit

from moto.core import DEFAULT_ACCOUNT_ID
from moto.sts.models import sts_backends

from emulator.authorization.callers import Caller, session_caller
from emulator.authorization.gate import decided
from emulator.turns import turn

SECONDS_VALID = 900
ALGORITHM, SIGNATURE = "AWS4-HMAC-SHA256", "X-Amz-Signature"
_DATE_FORM = "%Y%m%dT%H%M%SZ"


@dataclass(frozen=True, kw_only=True)
class Cluster:
    """A cluster that takes tokens: its resource id, and where clients reach it."""

    resource_id: str
    region: str
    names: frozenset[str]
    port: int
    master: str
    forces_tls: bool


class TokenError(Exception):
    """A token is refused; the message is for the log, as the client learns nothing of the reason."""


def allowed_by(token: str, user: str, cluster: Cluster) -> str:
    """The statements that allow the token's session to log in as ``user``.

    Raises:
        TokenError: the token is not one of this place and user, is over or wrongly signed, or IAM does not allow it.
    """
    url = urlsplit(f"https://{token}")
    query = dict(parse_qsl(url.query))
    if url.hostname not in cluster.names or url.port != cluster.port:
        raise TokenError(f"the token is for {url.netloc}")
    if (query.get("Action"), query.get("DBUser")) != ("connect", user):
        raise TokenError(f"the token is not for a connection as {user}")
    caller = _signer(url.netloc, query)
    resource = f"arn:aws:rds-db:{cluster.region}:{DEFAULT_ACCOUNT_ID}:dbuser:{cluster.resource_id}/{user}"
    with turn():
        verdict = decided(caller, "rds-db:connect", resource)
    if not verdict.is_allowed:
        raise TokenError(verdict.message)
    return "; ".join(f"rds-db:connect: {said}" for said in verdict.said if said.effect == "Allow")


def _signer(host: str, query: dict[str, str]) -> Caller:
    """The session that has signed a token."""
    try:
        key, date, region, service, _ = query["X-Amz-Credential"].split("/")
        signed_at = datetime.strptime(query["X-Amz-Date"], _DATE_FORM).replace(tzinfo=UTC)
        sent = query[SIGNATURE]
    except (KeyError, ValueError):
        raise TokenError("it is no token of RDS") from None
    age = (datetime.now(UTC) - signed_at).total_seconds()
    if age > min(SECONDS_VALID, int(query.get("X-Amz-Expires", SECONDS_VALID))):
        raise TokenError("the token is over")
    with turn():
        session = sts_backends[DEFAULT_ACCOUNT_ID]["aws"].get_assumed_role_from_access_key(key)
    if session is None:
        raise TokenError("the token is of no session")
    scope = f"{date}/{region}/{service}/aws4_request"
    expected = _signature(str(session.secret_access_key), scope, query["X-Amz-Date"], _canonical(host, query))
    if not hmac.compare_digest(expected, sent):
        raise TokenError("the signature of the token is wrong")
    return session_caller(session)


def _canonical(host: str, query: dict[str, str]) -> str:
    signed = sorted((quote(name, safe="-_.~"), quote(value, safe="-_.~")) for name, value in query.items())
    text = "&".join(f"{name}={value}" for name, value in signed if name != SIGNATURE)
    return "\n".join(["GET", "/", text, f"host:{host}", "", "host", hashlib.sha256(b"").hexdigest()])


def _signature(secret: str, scope: str, when: str, canonical: str) -> str:
    key = f"AWS4{secret}".encode()
    for part in scope.split("/"):
        key = hmac.digest(key, part.encode(), "sha256")
    hashed = hashlib.sha256(canonical.encode()).hexdigest()
    return hmac.digest(key, f"{ALGORITHM}\n{when}\n{scope}\n{hashed}".encode(), "sha256").hex()
