"""Custom resources: CloudFormation invokes the function, which runs with its role, and waits for its answer.

https://docs.aws.amazon.com/AWSCloudFormation/latest/UserGuide/crpg-ref.html
CDK's own functions are for Node.js, which is not run here; their effect is emulated.
"""

from __future__ import annotations

import itertools
from typing import Any

from ministack.core.responses import new_uuid
from ministack.services import s3
from ministack.services.cloudformation import custom_resource

from emulator.cloudformation import functions
from emulator.cloudformation.calls import Created, Properties, call
from emulator.cloudformation.types import made_by

SECONDS_TO_WAIT = 3600
"""https://docs.aws.amazon.com/AWSCloudFormation/latest/UserGuide/aws-resource-cloudformation-customresource.html"""
_NUMBERS = itertools.count(1)


def install() -> None:
    """Invoke functions of custom resources where they run; emulate CDK's own."""
    custom_resource.invoke_custom_resource = invoke
    made_by("Custom::VpcRestrictDefaultSG", create=_close_default_group, delete=lambda _id, _: None)
    made_by("Custom::S3AutoDeleteObjects", create=_remember_bucket, delete=_empty_bucket)


def invoke(  # noqa: PLR0917 (as ministack calls it)
    request_type: str,
    logical_id: str,
    props: Properties,
    stack_name: str,  # noqa: ARG001 (ministack passes it)
    stack_id: str,
    resource_type: str,
    physical_id: str | None = None,
    old_props: Properties | None = None,
) -> Created:
    """Invoke the function, and return its physical id and attributes once it has answered.

    Raises:
        TimeoutError: it did not answer in its time.
        RuntimeError: it answered that it failed.
    """
    seconds = float(props.get("ServiceTimeout", SECONDS_TO_WAIT))
    token, request_id = new_uuid(), new_uuid()
    event: dict[str, Any] = {
        "RequestType": request_type,
        "RequestId": request_id,
        "StackId": stack_id,
        "ResponseURL": custom_resource._response_url(token),
        "ResourceType": resource_type,
        "LogicalResourceId": logical_id,
        "ResourceProperties": custom_resource._normalise_resource_properties(props),
    }
    if physical_id is not None:
        event["PhysicalResourceId"] = physical_id
    if old_props is not None:
        event["OldResourceProperties"] = custom_resource._normalise_resource_properties(old_props)
    answered = custom_resource.register_token(token)
    functions.invoke(props["ServiceToken"], event)
    answered.wait(timeout=seconds)
    with custom_resource._lock:
        said = (custom_resource._pending.pop(token, None) or {}).get("result")
    if said is None:
        raise TimeoutError(f"CloudFormation did not receive a response from your Custom Resource {logical_id}")
    if said.get("Status") == "FAILED":
        raise RuntimeError(f"Received response status [FAILED] from custom resource: {said.get('Reason', '')}")
    return said.get("PhysicalResourceId") or physical_id or request_id, said.get("Data") or {}


def _close_default_group(logical_id: str, properties: Properties, _stack: str) -> Created:
    """Take every rule from the default security group."""
    id_ = properties["DefaultSecurityGroupId"]
    (group,) = call("ec2", "DescribeSecurityGroups", {"GroupIds": [id_]})["SecurityGroups"]
    for name, operation in (("IpPermissions", "Ingress"), ("IpPermissionsEgress", "Egress")):
        if group[name]:
            call("ec2", f"RevokeSecurityGroup{operation}", {"GroupId": id_, "IpPermissions": group[name]})
    return f"{logical_id}-{next(_NUMBERS)}", {}


def _remember_bucket(logical_id: str, _properties: Properties, _stack: str) -> Created:
    return f"{logical_id}-{next(_NUMBERS)}", {}


def _empty_bucket(_id: str, properties: Properties) -> None:
    """Remove every object and version, as CDK's function does before the bucket is deleted."""
    name = properties["BucketName"]
    if name in s3._buckets:
        s3._buckets[name]["objects"].clear()
        for version in [version for version in s3._object_versions if version[0] == name]:
            del s3._object_versions[version]
