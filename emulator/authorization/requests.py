"""What a request asks of IAM: its action on resources, under condition keys, and what else of keys and roles.

A name in a request becomes the ARN that AWS authorizes; what names nothing asks for all of the type, as a list does.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping
from typing import Any

from moto.codedeploy.models import codedeploy_backends
from moto.iam.models import iam_backends
from moto.secretsmanager.models import secretsmanager_backends

from emulator.authorization.api import ApiRequest
from emulator.authorization.callers import Caller
from emulator.authorization.keys import encrypts_by_bucket, key_of, resolve_key
from iam import reference
from iam.calls import actions_of, context_of, resources_of
from iam.encryption import NEEDS, key_context
from iam.evaluation import Request

# The local AWS speaks plain HTTP and stands for endpoints that are reached by TLS.
TRANSPORT = {"aws:SecureTransport": "true", "s3:TlsVersion": "1.3"}

# Condition keys that are headers or parameters of the request, as sent.
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

# The service to which an operation passes a role, by the parameter that names the role.
# https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_iam-condition-keys.html#ck_PassedToService
PASSED: Mapping[str, Mapping[str, str]] = {
    "application-autoscaling": {},
    "backup": {"BackupSelection.IamRoleArn": "backup.amazonaws.com"},
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
    """All that a request asks of IAM, what it is for first.

    Raises:
        UnknownActionError: AWS's reference has no such action.
    """
    context = _context(api, caller)
    for action in actions_of(api):
        for resource in _resources(api, action):
            yield _request(caller, action, resource, context)
            yield from _of_keys(api, caller, action, resource)
    yield from _of_passed_roles(api, caller)


def _request(caller: Caller, action: str, resource: str, context: Mapping[str, Any]) -> Request:
    return Request(action=action, resource=resource, principal=caller.principal, role=caller.role, context=context)


# --- resources ---


def _resources(api: ApiRequest, action: str) -> list[str]:
    if not reference.resource_patterns(action):
        return ["*"]
    resolve = RESOLVERS.get(action.partition(":")[0])
    found = list(resolve(api)) if resolve else []
    return (
        found
        or resources_of(api, api.account)
        or reference.resources_of_all(action, region=api.region, account=api.account)
    )


def _named(api: ApiRequest, *names: str) -> Iterator[str]:
    for name in names:
        value = api.resource.get(name, [])
        yield from [value] if isinstance(value, str) else value


def _arn(api: ApiRequest, service: str, rest: str) -> str:
    return f"arn:aws:{service}:{api.region}:{api.account}:{rest}"


def _secrets(api: ApiRequest) -> Iterator[str]:
    """A secret by its full ARN, with the characters that Secrets Manager adds to its name."""
    for name in _named(api, "SecretId", "Name"):
        secret: Any = secretsmanager_backends[api.account][api.region].secrets.get(name)
        if secret is not None:
            yield secret.arn
        else:
            yield name if name.startswith("arn:") else _arn(api, "secretsmanager", f"secret:{name}")


def _keys(api: ApiRequest) -> Iterator[str]:
    """A key by its ARN, whichever way it is named. Of an alias that is made or moved both are asked."""
    for name in _named(api, "KeyId", "TargetKeyId"):
        yield resolve_key(api.account, api.region, name)
    if api.operation.endswith("Alias"):
        yield from (_arn(api, "kms", name) for name in _named(api, "AliasName"))


def _queues(api: ApiRequest) -> Iterator[str]:
    for url in _named(api, "QueueUrl", "QueueName"):
        yield _arn(api, "sqs", url.rpartition("/")[2])


def _logs(api: ApiRequest) -> Iterator[str]:
    """CloudWatch Logs authorizes on a stream of a group, one without a name where an operation names none."""
    for name in _named(api, "logGroupName"):
        stream = next(_named(api, "logStreamName"), "")
        yield _arn(api, "logs", f"log-group:{name}:log-stream:{stream}")


def _rds(api: ApiRequest) -> Iterator[str]:
    """Snapshots of a cluster; an export is of its source."""
    yield from (_arn(api, "rds", f"cluster-snapshot:{one}") for one in _named(api, "DBClusterSnapshotIdentifier"))
    yield from _named(api, "SourceArn")


def _codedeploy(api: ApiRequest) -> Iterator[str]:
    for id_ in _named(api, "deploymentId"):
        deployment: Any = codedeploy_backends[api.account][api.region].deployments.get(id_)
        if deployment is not None:
            names = f"{deployment.application_name}/{deployment.deployment_group_name}"
            yield _arn(api, "codedeploy", f"deploymentgroup:{names}")


def _roles(api: ApiRequest) -> Iterator[str]:
    """A role by its ARN, with its path."""
    for name in _named(api, "RoleName"):
        role: Any = next((one for one in iam_backends[api.account]["aws"].roles.values() if one.name == name), None)
        yield role.arn if role else f"arn:aws:iam::{api.account}:role/{name}"


def _firewalls(api: ApiRequest) -> Iterator[str]:
    """https://docs.aws.amazon.com/service-authorization/latest/reference/list_awswafv2.html."""
    kind = next((path for word, path in WAF_KINDS.items() if word in api.operation), "")
    for name in _named(api, "Name") if kind else ():
        scope = "global" if api.parameters.get("Scope") == "CLOUDFRONT" else "regional"
        yield _arn(api, "wafv2", f"{scope}/{kind}/{name}/{next(_named(api, 'Id'), '*')}")


WAF_KINDS = {"RuleGroup": "rulegroup", "WebACL": "webacl", "IPSet": "ipset"}


def _cloudfront(api: ApiRequest) -> Iterator[str]:
    if api.operation.endswith("Function"):
        yield from (f"arn:aws:cloudfront::{api.account}:function/{name}" for name in _named(api, "Name"))


EC2_KINDS: Mapping[str, str] = {
    "acl": "network-acl",
    "eipalloc": "elastic-ip",
    "eni": "network-interface",
    "fl": "vpc-flow-log",
    "igw": "internet-gateway",
    "nat": "natgateway",
    "pcx": "vpc-peering-connection",
    "pl": "prefix-list",
    "rtb": "route-table",
    "sg": "security-group",
    "sgr": "security-group-rule",
    "subnet": "subnet",
    "vpc": "vpc",
    "vpce": "vpc-endpoint",
}
"""By the beginning of its id, what EC2 calls a resource in ARNs."""


def _ec2(api: ApiRequest) -> Iterator[str]:
    for value in api.resource.values():
        for id_ in [value] if isinstance(value, str) else value:
            prefix, separator, _ = id_.partition("-")
            if separator and prefix in EC2_KINDS:
                yield _arn(api, "ec2", f"{EC2_KINDS[prefix]}/{id_}")


RESOLVERS: Mapping[str, Callable[[ApiRequest], Iterator[str]]] = {
    "cloudfront": _cloudfront,
    "codedeploy": _codedeploy,
    "ec2": _ec2,
    "iam": _roles,
    "kms": _keys,
    "logs": _logs,
    "rds": _rds,
    "secretsmanager": _secrets,
    "sqs": _queues,
    "sts": lambda api: _named(api, "RoleArn"),
    "wafv2": _firewalls,
}


# --- condition keys ---


def _context(api: ApiRequest, caller: Caller) -> dict[str, Any]:
    service = api.action.partition(":")[0]
    sent = {key: str(api.parameters[name]) for name, key in SENT.get(service, {}).items() if name in api.parameters}
    if service == "s3":
        sent = {f"s3:{name}": api.headers[name] for name in S3_HEADERS if name in api.headers}
    if service == "kms":
        sent = _encryption_context(api.parameters)
    return {**TRANSPORT, **_of_caller(api, caller), **sent, **_tags(api.parameters), **context_of(api, api.account)}


def _of_caller(api: ApiRequest, caller: Caller) -> dict[str, str]:
    about = {
        "aws:PrincipalArn": caller.role or caller.principal,
        "aws:PrincipalAccount": api.account,
        "aws:ResourceAccount": api.account,  # nothing here is another's
    }
    return about | ({"kms:CallerAccount": api.account} if api.service == "kms" else {})


TAG = re.compile(
    r"^(?:Tags?|tags|TagList|TagSpecifications?\[\d+\]\.Tags)(?:\.Items)?\[(\d+)\]\.(Key|key|Value|value)$"
)


def _tags(parameters: Mapping[str, Any]) -> dict[str, Any]:
    """The tags that a request sends, as ``aws:RequestTag/KEY`` and ``aws:TagKeys``."""
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


# --- what is asked besides ---


def _of_keys(api: ApiRequest, caller: Caller, action: str, resource: str) -> Iterator[Request]:
    """The key of what is encrypted is used in the caller's name, by the service."""
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
    """Condition keys of what a service asks in the caller's name."""
    return {**TRANSPORT, **_of_caller(api, caller), "aws:RequestedRegion": region}
