"""Permissions on encrypted resources match permissions on their keys, in both directions.

An encrypted queue, bucket, topic or secret needs two permissions: one on it and one on its key. A role with only the
first is denied at run time; one with only the second has more than it needs. Both are decided by IAM's evaluation
(:mod:`iam.evaluation`), for the policies of the role and for the policy of the key.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from fnmatch import fnmatchcase
from typing import Any

from iam.encryption import CONTEXTS, DECRYPT, ENCRYPT, GENERATE, NEEDS
from iam.evaluation import Decision, Request, evaluate
from iam.synthesized import IDENTITY, RESOURCE, Block, Policy, arn_of, policies
from settings.naming import DELIVERY

ROLE = re.compile(r"\$\{aws_iam_role\.([\w-]+)\.(?:id|name)\}")
REFERENCE = re.compile(r"\$\{(aws_\w+)\.([\w-]+)\.\w+\}")

# Attribute of a type that names its key, and attribute that names the encrypted resource where it is another one.
KEYED = {
    "aws_dynamodb_table": ("server_side_encryption", "kms_key_arn"),
    "aws_s3_bucket_server_side_encryption_configuration": ("kms_master_key_id",),
    "aws_secretsmanager_secret": ("kms_key_id",),
    "aws_sns_topic": ("kms_master_key_id",),
    "aws_sqs_queue": ("kms_master_key_id",),
}
# Permissions on the key of each replica for a write: the replica is encrypted there with the caller's permissions.
# https://docs.aws.amazon.com/secretsmanager/latest/apireference/API_ReplicateSecretToRegions.html
REPLICATED = "secretsmanager:PutSecretValue"
REPLICA_NEEDS = (DECRYPT, ENCRYPT, GENERATE)
# Additional permissions of a service on the key, where its documentation requires them.
SERVICE_NEEDS: dict[tuple[str, str], tuple[str, ...]] = {
    # "If you are using an existing S3 bucket with an S3 Bucket Key, kms:Decrypt permissions are required to create or
    # update a trail": https://docs.aws.amazon.com/awscloudtrail/latest/userguide/create-kms-key-policy-for-cloudtrail.html
    ("cloudtrail.amazonaws.com", "s3:PutObject"): (DECRYPT, "kms:DescribeKey"),
    # https://docs.aws.amazon.com/config/latest/developerguide/s3-kms-key-policy.html
    ("config.amazonaws.com", "s3:PutObject"): (DECRYPT,),
}
# Services whose pages show no condition on the key's policy: whether they send its keys to KMS is not documented.
# https://docs.aws.amazon.com/AmazonS3/latest/userguide/grant-destinations-permissions-to-s3.html
# https://docs.aws.amazon.com/AWSSimpleQueueService/latest/SQSDeveloperGuide/sqs-key-management.html
WITHOUT_SOURCE_AT_THE_KEY = ("events.amazonaws.com", "s3.amazonaws.com")


@dataclass(frozen=True, kw_only=True)
class Encrypted:
    """An encrypted resource and its key, by their ARNs in the policies, and their region."""

    arn: str
    key: str
    region: str
    replica_of: str | None = None
    """The ARN of the secret that it is a replica of, where a value reaches it by that one."""


@dataclass(frozen=True, kw_only=True)
class Caller:
    """A principal: a role with all its policies, or a service that a resource policy allows."""

    name: str
    principal: str
    documents: Sequence[Mapping[str, Any]]
    context: Mapping[str, str] | None = None
    """Condition keys of a service's source; none for a role."""


def missing(configuration: Block, *, account_id: str) -> list[str]:
    """Every action on something encrypted whose caller may not use the key as the action needs, a line each."""
    found = []
    keys = _key_policies(configuration, account_id)
    for caller, action, thing in _uses(configuration, account_id):
        for needed in _needs(caller, action, thing):
            request = _request(needed, action, caller, thing)
            requests = [request]
            if caller.principal in WITHOUT_SOURCE_AT_THE_KEY:
                requests.append(replace(request, context={}))
            allowed_by_key = all(evaluate(keys[thing.key], one) is Decision.ALLOW for one in requests)
            allowed_by_role = any(evaluate(one, request) is Decision.ALLOW for one in caller.documents)
            if not allowed_by_key or not (allowed_by_role or caller.context is not None):
                why = "no policy of its own allows it" if allowed_by_key else "the policy of the key does not allow it"
                found.append(f"{caller.name}: {action} on {thing.arn} needs {needed}: {why}")
    return found


def idle(configuration: Block, *, account_id: str, other_uses: Mapping[str, str]) -> list[str]:
    """Every permission of a role to use a key without an action on something that is encrypted under it, a line each.

    Args:
        configuration: the synthesized one.
        account_id: of the environment.
        other_uses: by Sid, statements whose use of a key is another one.
    """
    used = {(caller.name, thing.key) for caller, _, thing in _uses(configuration, account_id)}
    found = []
    for caller in _roles(configuration, account_id):
        for statement in (statement for document in caller.documents for statement in document["Statement"]):
            if statement["Effect"] != "Allow" or statement["Sid"] in other_uses:
                continue
            if any(action.startswith("kms:") for action in statement["Action"]):
                keys = [key for key in statement["Resource"] if (caller.name, key) not in used]
                found += [
                    f"{caller.name}: {statement['Sid']} allows {key}, under which it uses nothing" for key in keys
                ]
    return found


def _needs(caller: Caller, action: str, thing: Encrypted) -> tuple[str, ...]:
    if thing.replica_of:
        return REPLICA_NEEDS
    return *NEEDS[action], *SERVICE_NEEDS.get((caller.principal, action), ())


def _request(needed: str, action: str, caller: Caller, thing: Encrypted) -> Request:
    service = action.partition(":")[0]
    context = {CONTEXTS[service]: thing.arn} if service in CONTEXTS else {}
    by = caller.context if caller.context is not None else {"kms:ViaService": f"{service}.{thing.region}.amazonaws.com"}
    return Request(action=needed, resource=thing.key, principal=caller.principal, context={**context, **by})


def _uses(configuration: Block, account_id: str) -> Iterator[tuple[Caller, str, Encrypted]]:
    """Principals with the actions of NEEDS that their own policies allow on encrypted resources."""
    things = list(_encrypted(configuration, account_id))
    for caller in [*_roles(configuration, account_id), *_services(configuration, account_id)]:
        for statement in (statement for document in caller.documents for statement in document["Statement"]):
            if statement["Effect"] != "Allow":
                continue
            for action in (name for name in NEEDS if any(_matches(name, one) for one in statement["Action"])):
                for thing in things:
                    if any(_reaches(resource, thing.arn) for resource in statement["Resource"]):
                        yield caller, action, replace(thing, replica_of=None)
                    source = thing.replica_of if action == REPLICATED else None
                    if source and any(_reaches(resource, source) for resource in statement["Resource"]):
                        yield caller, action, thing


def _matches(action: str, pattern: str) -> bool:
    return fnmatchcase(action.lower(), pattern.lower())


def _reaches(resource: str, arn: str) -> bool:
    """Whether a statement's resource is the encrypted resource, or in it: objects in a bucket, in any folder."""
    return fnmatchcase(arn, resource) or fnmatchcase(f"{arn}/x", resource) or resource.startswith(f"{arn}/")


def _roles(configuration: Block, account_id: str) -> list[Caller]:
    documents: dict[str, list[Block]] = {}
    for policy in policies(configuration, account_id=account_id):
        # Who deploys uses keys through services that encrypt for him, by the keys' tags and not by their ARNs; what he
        # may do is held against what he did (policy/delivery.py).
        if policy.use == IDENTITY and f"_{DELIVERY}_" not in policy.owner:
            documents.setdefault(_role_of(configuration, policy), []).append(policy.document)
    roles = configuration["resource"]["aws_iam_role"]
    return [
        Caller(name=id_, principal=f"arn:aws:iam::{account_id}:role/{roles[id_]['name']}", documents=own)
        for id_, own in documents.items()
    ]


def _services(configuration: Block, account_id: str) -> Iterator[Caller]:
    """Services that the policy of a topic, queue or bucket allows, with the conditions."""
    for policy in policies(configuration, account_id=account_id):
        if policy.use != RESOURCE or policy.owner.startswith("aws_kms_key."):
            continue
        for statement in policy.statements:
            for name in statement["Principal"].get("Service", []):
                tests = statement.get("Condition", {}).values()
                pairs = [(key, value) for test in tests for key, value in test.items()]
                context = {key: value if isinstance(value, str) else value[0] for key, value in pairs}
                document = {"Version": "2012-10-17", "Statement": [statement]}
                yield Caller(name=policy.owner, principal=name, documents=[document], context=context)


def _role_of(configuration: Block, policy: Policy) -> str:
    type_, id_ = policy.owner.split(".", 1)
    reference = configuration["resource"][type_][id_].get("role", "")
    if match := ROLE.fullmatch(reference):
        return match[1]
    raise LookupError(f"{policy.owner}: whose policy it is, is not known here")


def _encrypted(configuration: Block, account_id: str) -> Iterator[Encrypted]:
    for type_, attributes in KEYED.items():
        for id_, block in configuration["resource"].get(type_, {}).items():
            key = next((value for value in _values(block, attributes[-1]) if "aws_kms_key." in str(value)), None)
            if key is None:
                continue  # AWS's own key, which needs no permission of the caller
            owner = str(block["bucket"]) if "bucket" in block else f"${{{type_}.{id_}.arn}}"
            match = REFERENCE.fullmatch(owner)
            if match is None:
                raise LookupError(f"{type_}.{id_}: what is encrypted is not known here: {owner}")
            arn = arn_of(configuration, f"${{{match[1]}.{match[2]}.arn}}", account_id=account_id)
            key_arn = _key_arn(configuration, str(key), account_id)
            yield Encrypted(arn=arn, key=key_arn, region=key_arn.split(":")[3])
            for replica in block.get("replica", []):
                key_arn = _key_arn(configuration, replica["kms_key_id"], account_id)
                region = replica["region"]
                yield Encrypted(arn=_in_region(arn, region), key=key_arn, region=region, replica_of=arn)


def _key_arn(configuration: Block, reference: str, account_id: str) -> str:
    """The ARN of a key, whichever of its attributes the reference is to."""
    return arn_of(configuration, re.sub(r"\.\w+\}$", ".arn}", reference), account_id=account_id)


def _in_region(arn: str, region: str) -> str:
    parts = arn.split(":")
    return ":".join([*parts[:3], region, *parts[4:]])


def _values(block: Any, name: str) -> Iterator[Any]:
    """Every value of an attribute of this name, however deep."""
    if isinstance(block, dict):
        for key, value in block.items():
            if key == name:
                yield value
            yield from _values(value, name)
    elif isinstance(block, list):
        for one in block:
            yield from _values(one, name)


def _key_policies(configuration: Block, account_id: str) -> dict[str, Block]:
    found = {}
    for policy in policies(configuration, account_id=account_id):
        if policy.use == RESOURCE and policy.owner.startswith("aws_kms_key."):
            found[arn_of(configuration, f"${{{policy.owner}.arn}}", account_id=account_id)] = policy.document
    return found
