"""What the headers of a request say of its signature and of the SDK that sent it."""

from __future__ import annotations

import re

from moto.core.request import Request
from moto.iam.models import get_account_id_from
from moto.sts.models import sts_backends

# access key id / date / region / signing name / aws4_request
_SCOPE_SEPARATORS = 4

_UNSIGNED_STS = ("AssumeRoleWithSAML", "AssumeRoleWithWebIdentity")


def credential_scope(request: Request) -> tuple[str, str, str]:
    """Access key id, region and signing name of a request.

    An unsigned request is one to STS with a token of another identity provider, or otherwise one to S3, as in moto.
    """
    signed = re.search(r"Credential=([^,\s]+)", request.headers.get("Authorization", ""))
    credential = signed[1] if signed else request.args.get("X-Amz-Credential", "")
    if credential.count("/") >= _SCOPE_SEPARATORS:
        access_key_id, _date, region, signing_name, _end = credential.rsplit("/", _SCOPE_SEPARATORS)
        return access_key_id, region, signing_name
    return "", "us-east-1", "sts" if request.values.get("Action") in _UNSIGNED_STS else "s3"


def assumed_role(access_key_id: str) -> str:
    """The ARN of the session with an access key; empty where it is of none."""
    if not access_key_id:
        return ""
    role = sts_backends[get_account_id_from(access_key_id)]["aws"].get_assumed_role_from_access_key(access_key_id)
    return role.arn if role else ""


def attempt_of(request: Request) -> int:
    """Which attempt of its SDK a request is."""
    attempt = re.search(r"attempt=(\d+)", request.headers.get("amz-sdk-request", ""))
    return int(attempt[1]) if attempt else 1
