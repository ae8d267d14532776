"""What these tests share."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from iam.synthesized import RESOURCE, policies
from tests.synthesized import Block, Synthesized, local_with, synthesize

ACCOUNT = "123456789012"


TRAIL = f"arn:aws:cloudtrail:us-east-2:{ACCOUNT}:trail/payments-audit-local"


BUCKET = f"arn:aws:s3:::payments-audit-local-{ACCOUNT}-us-east-2"


def only(platform: Synthesized, type_: str) -> Block:
    (found,) = platform.resources(type_).values()
    return found


def changed(**fields: Any) -> Synthesized:
    return synthesize(local_with(**fields))


def document(platform: Synthesized, owner: str) -> Mapping[str, Any]:
    (found,) = [
        one.document
        for one in policies(platform.configuration, account_id=ACCOUNT)
        if one.use == RESOURCE and one.owner.startswith(owner)
    ]
    return found
