"""Custom resources whose functions are not invoked here, and their emulation.

CDK's own functions need a Node SDK that a local AWS without network does not have; their effect is emulated through
ministack's services. Any other custom resource invokes its function, as ministack does.
"""

from __future__ import annotations

import itertools
from typing import Any

from ministack.core.responses import AccountRegionScopedDict
from ministack.services import ec2, lambda_svc, s3

from emulator.ministack.registry import Created, Properties, RefusedError, add_type

ASKED: Any = AccountRegionScopedDict()
"""Last request to each function that is not invoked, by physical id."""
_NUMBERS = itertools.count(1)


def install() -> None:
    """Register these additions with ministack."""
    add_type("Custom::VpcRestrictDefaultSG", create=_close_default_group, delete=_leave)
    # Its function makes users in PostgreSQL, of which there is none here: tests/functions/test_prepare_database.py.
    add_type("Custom::PreparedDatabase", create=_keep, delete=_forget, update=_keep_again)
    add_type("Custom::S3AutoDeleteObjects", create=_remember_bucket, delete=_empty_bucket)


def _close_default_group(logical_id: str, properties: Properties, _stack: str) -> Created:
    """Take every rule from the default security group, as CDK's function does."""
    group = ec2._security_groups[properties["DefaultSecurityGroupId"]]
    group["IpPermissions"], group["IpPermissionsEgress"] = [], []
    return f"{logical_id}-{next(_NUMBERS)}", {}


def _keep(logical_id: str, properties: Properties, _stack: str) -> Created:
    """The request that the function would have received. The function must exist, as CloudFormation would invoke it."""
    name = properties["ServiceToken"].rpartition(":")[2]
    if name not in lambda_svc._functions:
        raise RefusedError(f"ResourceNotFoundException: Function not found: {properties['ServiceToken']}")
    id_ = f"{logical_id}-{next(_NUMBERS)}"
    ASKED[id_] = properties
    return id_, {}


def _keep_again(id_: str, _old: Properties, new: Properties, _stack: str) -> Created:
    ASKED[id_] = new
    return id_, {}


def _forget(id_: str, _properties: Properties) -> None:
    ASKED.pop(id_, None)


def _leave(_id: str, _properties: Properties) -> None:
    """Nothing: the group is deleted with its VPC."""


def _remember_bucket(logical_id: str, _properties: Properties, _stack: str) -> Created:
    return f"{logical_id}-{next(_NUMBERS)}", {}


def _empty_bucket(_id: str, properties: Properties) -> None:
    """Remove every object and version, as CDK's function does before the bucket is deleted."""
    name = properties["BucketName"]
    if name in s3._buckets:
        s3._buckets[name]["objects"].clear()
        for version in [version for version in s3._object_versions if version[0] == name]:
            del s3._object_versions[version]
