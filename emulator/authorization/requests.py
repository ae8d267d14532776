"""The actions that a request needs: its own on its resources, with condition keys, and those on keys and roles.

A name in a request becomes the ARN that AWS authorizes; a request without a name needs all of the type, as a list does.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Any

from emulator.authorization.api import ApiRequest
from emulator.authorization.callers import Caller
from emulator.authorization.keys import encrypts_by_bucket, key_of
from emulator.authorization.resources import authorized_resources, role_named
from iam.calls import actions_of, context_of
from iam.encryption import NEEDS, key_context
from iam.evaluation import Request

# The local AWS serves plain HTTP in place of endpoints with TLS.
TRANSPORT = {"aws:SecureTransport": "true", "s3:TlsVersion": "1.3"}

# Condition keys whose values are headers or parameters of the request, as sent.
# https://docs.aws.amazon.com/AmazonS3/latest/userguide/amazon-s3-policy-keys.html
S3_HEADERS = ("x-amz-server-side-encryption", "x-amz-server-side-encryption-aws-kms-key-id", "x-amz-acl")
SENT: Mapping[str, Mapping[str, str]] = {
    "secretsmanager": {
        "SecretId": "secretsmanager:SecretId",
        "VersionId": "secretsmanager:VersionId",
        "VersionStage": "secretsmanager:VersionStage",
    },
    "iam": {
        "PermissionsBoundary": "iam:PermissionsBoundary",
        "PolicyArn": "iam:PolicyARN",
        "AWSServiceName": "iam:AWSServiceName",
    },
    "ecs": {"cluster": "ecs:cluster"},
    "lambda": {"FunctionName": "lambda:FunctionArn"},
}

# The service that an operation passes a role to, by the parameter that names the role.
# https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_iam-condition-keys.html#ck_PassedToService
PASSED: Mapping[str, Mapping[str, str]] = {
    "application-autoscaling": {},
    "backup": {"BackupSelection.IamRoleArn": "backup.amazonaws.com"},
    "cloudformation": {"RoleARN": "cloudformation.amazonaws.com"},
    "cloudtrail": {"CloudWatchLogsRoleArn": "cloudtrail.amazonaws.com"},
    "codedeploy": {"serviceRoleArn": "codedeploy.amazonaws.com"},
    "config": {"ConfigurationRecorder.roleARN": "config.amazonaws.com"},
    "ec2": {"DeliverLogsPermissionArn": "vpc-flow-logs.amazonaws.com"},
    "ecs": {"taskRoleArn": "ecs-tasks.amazonaws.com", "executionRoleArn": "ecs-tasks.amazonaws.com"},
    "events": {"RoleArn": "events.amazonaws.com"},
    "lambda": {"Role": "lambda.amazonaws.com"},
    "rds": {"IamRoleArn": "export.rds.amazonaws.com", "MonitoringRoleArn": "monitoring.rds.amazonaws.com"},
    "s3": {"ReplicationConfiguration.Role": "s3.amazonaws.com"},
    "states": {"roleArn": "states.amazonaws.com"},
}


def asked(api: ApiRequest, caller: Caller) -> Iterator[Request]:
    """All actions that a request needs, its own first.

    Raises:
        UnknownActionError: AWS's reference has no such action.
    """
    context = _context(api, caller)
    for action in actions_of(api):
        for resource in authorized_resources(api, action):
            yield _request(caller, action, resource, context)
            yield from _of_keys(api, caller, action, resource)
    yield from _of_passed_roles(api, caller)


def _request(caller: Caller, action: str, resource: str, context: Mapping[str, Any]) -> Request:
    return Request(action=action, resource=resource, principal=caller.principal, role=caller.role, context=context)


# --- condition keys ---


def _context(api: ApiRequest, caller: Caller) -> dict[str, Any]:
    service = api.action.partition(":")[0]
    sent = {key: str(api.parameters[name]) for name, key in SENT.get(service, {}).items() if name in api.parameters}
    if service == "s3":
        sent = {f"s3:{name}": api.headers[name] for name in S3_HEADERS if name in api.headers}
    if service == "kms":
        sent = _encryption_context(api.parameters)
    if service == "iam":
        sent = {**_boundary_of(api), **sent}
    return {**TRANSPORT, **_of_caller(api, caller), **sent, **_tags(api.parameters), **context_of(api, api.account)}


def _boundary_of(api: ApiRequest) -> dict[str, str]:
    """The permissions boundary of the role that a request changes, if it has one; one in the request takes precedence.

    https://docs.aws.amazon.com/IAM/latest/UserGuide/access_policies_boundaries.html#access_policies_boundaries-delegate
    """
    role = role_named(api.account, str(api.parameters.get("RoleName", "")))
    boundary = getattr(role, "permissions_boundary_arn", None)
    return {"iam:PermissionsBoundary": str(boundary)} if boundary else {}


def _of_caller(api: ApiRequest, caller: Caller) -> dict[str, str]:
    about = {
        "aws:PrincipalArn": caller.role or caller.principal,
        "aws:PrincipalAccount": api.account,
        "aws:ResourceAccount": api.account,  # all resources here are of one account
    }
    return about | ({"kms:CallerAccount": api.account} if api.service == "kms" else {})


TAG = re.compile(
    r"^(?:\w+\.)?(?:\w*[Tt]ags?|Tags?List|TagSpecifications?\[\d+\]\.Tags)(?:\.Items)?\[(\d+)\]"
    r"\.(?:Tag)?(Key|key|Value|value)$"
)
"""A tag in a request: services have several names for their list, CloudFront wraps it, and KMS has its own members."""


def _tags(parameters: Mapping[str, Any]) -> dict[str, Any]:
    """The tags in a request, as ``aws:RequestTag/KEY`` and ``aws:TagKeys``."""
    parts: dict[str, dict[str, str]] = {}
    for path, value in parameters.items():
        if match := TAG.fullmatch(path):
            number = path.partition("].")[0] if path.count("[") > 1 else match[1]
            parts.setdefault(f"{number}-{match[1]}", {})[match[2].lower()] = str(value)
    tags = {one["key"]: one.get("value", "") for one in parts.values() if "key" in one}
    if not tags:
        return {}
    return {"aws:TagKeys": list(tags), **{f"aws:RequestTag/{key}": value for key, value in tags.items()}}


def _encryption_context(parameters: Mapping[str, Any]) -> dict[str, str]:
    entries: dict[str, dict[str, str]] = {}
    for path, value in parameters.items():
        if match := re.match(r"EncryptionContext\[(\d+)\]\.(key|value)$", path):
            entries.setdefault(match[1], {})[match[2]] = str(value)
    return {f"kms:EncryptionContext:{one['key']}": one.get("value", "") for one in entries.values()}


# --- further actions ---


def _of_keys(api: ApiRequest, caller: Caller, action: str, resource: str) -> Iterator[Request]:
    """The use of an encrypted resource's key, which the service makes on behalf of the caller."""
    key = key_of(api, resource) if action in NEEDS else ""
    for needed in NEEDS.get(action, ()) if key else ():
        region = key.split(":")[3]
        is_of_bucket = action.startswith("s3:") and encrypts_by_bucket(api.account, resource)
        encrypted = resource.partition("/")[0] if is_of_bucket else resource
        context = key_context(action, encrypted, region=region, account=api.account)
        yield _request(caller, needed, key, {**_within(api, caller, region), **context})


def _of_passed_roles(api: ApiRequest, caller: Caller) -> Iterator[Request]:
    for parameter, service in PASSED.get(api.action.partition(":")[0], {}).items():
        pattern = re.compile(r"(?:.*[.\]])?" + re.escape(parameter))
        roles = {str(value) for path, value in api.parameters.items() if pattern.fullmatch(path)}
        for role in sorted(one for one in roles if ":role/" in one):
            context = {**_within(api, caller, api.region), "iam:PassedToService": service}
            yield _request(caller, "iam:PassRole", role, context)


def _within(api: ApiRequest, caller: Caller, region: str) -> dict[str, str]:
    """Condition keys of an action that a service makes on behalf of the caller."""
    return {**TRANSPORT, **_of_caller(api, caller), "aws:RequestedRegion": region}
