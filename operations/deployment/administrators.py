"""What only an administrator deploys: delivery itself, what watches the account, and who reads what is kept.

The boundary of the deploy role denies it these (modules/delivery/roles.py; docs/delivery.md, "What needs an
administrator"). An administrator's first deployment makes them; the role can make the rest.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from fnmatch import fnmatchcase
from typing import Any

from settings.naming import AUDIT, BACKUPS, CONFIGURATION, DELIVERY, KEEPERS, WATCHERS, Names

WATCHING = tuple(f"aws_{service.replace('-', '')}" for service in WATCHERS)
OF_THE_ACCOUNT = ("aws_iam_openid_connect_provider", "aws_s3_account_public_access_block")
OWNERS = re.compile(r"\$\{(aws_\w+\.[\w-]+)\.")


def addresses(configuration: Mapping[str, Any], names: Names) -> list[str]:
    """The addresses of the resources of a synthesized configuration that only an administrator deploys."""
    resources = configuration["resource"]
    owners = set(_by_name(resources, names))
    found = owners | {
        f"{type_}.{id_}"
        for type_, blocks in resources.items()
        for id_, block in blocks.items()
        if type_.startswith(WATCHING) or type_ in OF_THE_ACCOUNT or _belongs(type_, block, owners)
    }
    backups = f"{names.of(BACKUPS)}-"
    found |= {
        f"aws_s3_bucket_policy.{id_}"
        for id_, block in resources.get("aws_s3_bucket_policy", {}).items()
        if _bucket_name(resources, block).startswith(backups)
    }
    return sorted(found)


def _by_name(resources: Mapping[str, Any], names: Names) -> Iterator[str]:
    """Roles, policies and the bucket that are an administrator's by their names."""
    patterns = [f"{names.prefix}-{of}-*" for of in (AUDIT, CONFIGURATION, DELIVERY)]
    keepers = [one.format(prefix=names.prefix, suffix=names.suffix) for one in KEEPERS]
    for type_, attribute, wanted in (
        ("aws_iam_role", "name", [*patterns, *keepers]),
        ("aws_iam_policy", "name", patterns),
        ("aws_s3_bucket", "bucket", [f"{names.of(AUDIT)}-*"]),
    ):
        for id_, block in resources.get(type_, {}).items():
            if any(fnmatchcase(block[attribute], one) for one in wanted):
                yield f"{type_}.{id_}"


def _belongs(type_: str, block: Mapping[str, Any], owners: set[str]) -> bool:
    """Whether it configures one of these roles or buckets."""
    attribute = {"aws_iam_role_policy": "role", "aws_iam_role_policy_attachment": "role"}.get(type_, "bucket")
    is_part = type_.startswith(("aws_s3_bucket_", "aws_iam_role_policy"))
    match = OWNERS.match(str(block.get(attribute, "")))
    return is_part and match is not None and match[1] in owners


def _bucket_name(resources: Mapping[str, Any], block: Mapping[str, Any]) -> str:
    match = OWNERS.match(block["bucket"])
    if match is None:
        return str(block["bucket"])
    type_, _, id_ = match[1].partition(".")
    return str(resources[type_][id_]["bucket"])
