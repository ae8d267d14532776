"""Custom resources whose functions are not run here, and what stands for them.

CDK's own functions need a Node SDK that a local AWS without network has not; what they do is done here through
ministack's services. Any other custom resource runs its function, as ministack does.
"""

from __future__ import annotations

import itertools

from ministack.services import ec2, s3

from emulator.payment_api.registry import Created, Properties, add_type

_NUMBERS = itertools.count(1)


def install() -> None:
    """Add what is here to ministack."""
    add_type("Custom::VpcRestrictDefaultSG", create=_close_default_group, delete=_leave)
    add_type("Custom::S3AutoDeleteObjects", create=_remember_bucket, delete=_empty_bucket)


def _close_default_group(logical_id: str, properties: Properties, _stack: str) -> Created:
    """Take every rule from the default security group, as CDK's function does."""
    group = ec2._security_groups[properties["DefaultSecurityGroupId"]]
    group["IpPermissions"], group["IpPermissionsEgress"] = [], []
    return f"{logical_id}-{next(_NUMBERS)}", {}


def _leave(_id: str, _properties: Properties) -> None:
    """The group goes with its VPC."""


def _remember_bucket(logical_id: str, _properties: Properties, _stack: str) -> Created:
    return f"{logical_id}-{next(_NUMBERS)}", {}


def _empty_bucket(_id: str, properties: Properties) -> None:
    """Remove every object and version, as CDK's function does before the bucket goes."""
    name = properties["BucketName"]
    if name in s3._buckets:
        s3._buckets[name]["objects"].clear()
        for version in [version for version in s3._object_versions if version[0] == name]:
            del s3._object_versions[version]
