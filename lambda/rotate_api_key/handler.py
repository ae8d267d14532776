"""Makes the API keys of API Gateway that a secret holds, and rotates them (P4.5).

Each version of the secret has a key of its own, named KEY_NAME-VERSION. Keys of other names are never touched.

As a custom resource of CloudFormation: when the stack is created or updated, the current version's key is created if
there is none, and when it is deleted, all keys of the name are. No key is in the template: a rotation replaces keys,
and an update of the stack would meet one that is gone, or create one whose value exists.

As the rotation's function: a rotation creates the new key, adds it to the usage plan in addition to the current one,
checks it, and makes it current. The previous key works at least until the next rotation. An older one is deleted when
it has had no request for UNUSED_DAYS, or OVERLAP_DAYS after the key that replaced it was created, whichever is earlier;
until then each rotation logs "former key in use", with the day of its end, for an alarm. Clients take new keys from the
operator, who is told of those that they have not taken yet.

The secret is JSON with `api_key`, the key's value.

Environment variables:

- KEY_NAME: the prefix of the keys' names, with the environment's suffix: no other key's name may begin with it;
- USAGE_PLAN_ID: the usage plan that the keys are added to;
- OVERLAP_DAYS: optional; days that a replaced key that is still used works; 90 by default;
- KEY_TAGS: optional; JSON, the tags of the keys;
- KEY_LENGTH: optional; the length of a new key, of letters and digits; 40 by default.

Its calls to AWS are in calls.toml; with KEY_TAGS also apigateway:PUT on /tags/*.
https://docs.aws.amazon.com/service-authorization/latest/reference/list_amazonapigatewaymanagement.html
"""

from __future__ import annotations

import functools
import json
import os
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

import boto3
from botocore.exceptions import ClientError

from shared.custom_resource import respond
from shared.secret_rotation import (
    CURRENT,
    PENDING,
    PREVIOUS,
    RotationFailed,
    RotationRefused,
    Secret,
    Steps,
    cause_of,
    json_object,
    log,
    required,
    run,
)
from shared.secret_rotation.steps import CONFIG

KEY_LENGTH = 40
MIN_KEY_LENGTH, MAX_KEY_LENGTH = 20, 128  # https://docs.aws.amazon.com/apigateway/latest/api/API_CreateApiKey.html
OVERLAP_DAYS, LONGEST_OVERLAP_DAYS = 90, 365
UNUSED_DAYS = 30
"""Days without a request after which nobody uses a key: a client may call once a month.
API Gateway has the usage of 90 days: https://docs.aws.amazon.com/apigateway/latest/api/API_GetUsage.html"""
VERSION = re.compile(r"[A-Za-z0-9-]{32,64}")  # ids of versions of a secret


@dataclass(frozen=True)
class Key:
    """A key that this function has created, for a version of the secret."""

    id: str
    version: str
    created: datetime


def handler(event: Mapping[str, Any], context: Any) -> None:
    """Run one step of a rotation, or handle an event of CloudFormation. Errors are logged without anything secret."""
    if "ResponseURL" in event:
        _for_cloudformation(event, context)
    else:
        run(event, Steps(create=_create, set=_set, test=_test, finish=_finish))


def _for_cloudformation(event: Mapping[str, Any], context: Any) -> None:
    failed = ""
    try:
        if event["RequestType"] == "Delete":
            _delete(_keys().values())
        else:
            secret = Secret(_secrets_manager(), event["ResourceProperties"]["SecretId"], "")
            (current,) = (version for version, stages in secret.stages.items() if CURRENT in stages)
            _keep(current, _values(secret.current())["api_key"])
    except Exception as error:  # noqa: BLE001 - whatever it is, CloudFormation needs a response
        failed = cause_of(error)
    respond(event, context.log_stream_name, id_=_key_name(), failed=failed)
    if failed:
        raise RotationFailed(f"{event['RequestType']}: {failed}")


def _create(secret: Secret) -> None:
    """Store the value of a new key as AWSPENDING."""
    if secret.pending_or_none() is not None:
        return
    values = _values(secret.current())
    length = int(os.environ.get("KEY_LENGTH", KEY_LENGTH))
    if not MIN_KEY_LENGTH <= length <= MAX_KEY_LENGTH:
        raise RotationRefused(f"KEY_LENGTH {length} is not allowed; {MIN_KEY_LENGTH} to {MAX_KEY_LENGTH} are")
    made = secret.random_password(length, punctuation=False)
    secret.put_pending(json.dumps({**values, "api_key": made}))


def _set(secret: Secret) -> None:
    """Create the new key and add it to the usage plan."""
    _keep(secret.token, _values(secret.pending())["api_key"])


def _keep(version: str, value: str) -> None:
    """Make sure that the version's key is there, and in the usage plan."""
    known = _keys().get(version)
    key = known.id if known else _make(version, value)
    if key not in _keys_of_plan():
        _client().create_usage_plan_key(usagePlanId=_usage_plan(), keyId=key, keyType="API_KEY")


def _make(version: str, value: str) -> str:
    tags = json.loads(os.environ.get("KEY_TAGS") or "{}")
    try:
        made: str = _client().create_api_key(
            name=f"{_key_name()}-{version}",
            description="Made for a version of a secret, with which the name ends",
            enabled=True,
            value=value,
            **({"tags": tags} if tags else {}),
        )["id"]
    except ClientError as error:
        if error.response["Error"].get("Code") == "ConflictException":
            raise RotationRefused("another API key of this account has the secret's value") from None
        raise
    return made


def _test(secret: Secret) -> None:
    """Check that the key has the secret's value, is enabled and is in the usage plan."""
    value = _values(secret.pending())["api_key"]
    key = _keys().get(secret.token)
    if key is None:
        if PENDING in secret.stages.get(secret.token, []) and value == _values(secret.current())["api_key"]:
            return  # Secrets Manager tests the configuration, with a copy of the current value
        raise RotationRefused("there is no key for this version")
    found = _client().get_api_key(apiKey=key.id, includeValue=True)
    if found.get("value") != value:
        raise RotationRefused("the key has another value than the secret")
    if not found.get("enabled"):
        raise RotationRefused("the key is switched off")
    if key.id not in _keys_of_plan():
        raise RotationRefused("the key is not in the usage plan")


def _finish(secret: Secret) -> None:
    """Make the new key the current one, and delete former ones that nobody uses, or whose end has come."""
    secret.promote()
    stages = secret.refreshed().stages
    kept = {version for version, labels in stages.items() if {CURRENT, PENDING, PREVIOUS} & set(labels)}
    keys = _keys()
    _delete(key for version, key in keys.items() if version not in kept and _is_over(key, keys))


def _is_over(key: Key, keys: Mapping[str, Key]) -> bool:
    """Whether a replaced key is not used any more, or has worked beside its successor for as long as it may."""
    successors = (one.created for one in keys.values() if one.created >= key.created and one != key)
    end = min(successors, default=key.created) + _overlap()
    if _now() >= end or not _is_used(key):
        return True
    log("former key in use", key=key.id, ends=end.date().isoformat())
    return False


def _is_used(key: Key) -> bool:
    """Whether a request had this key in the last UNUSED_DAYS."""
    today = _now().date()
    first = today - timedelta(days=UNUSED_DAYS)
    found = _client().get_usage(
        usagePlanId=_usage_plan(), keyId=key.id, startDate=first.isoformat(), endDate=today.isoformat()
    )
    # Of each day: how many there were, and how many of the quota are left.
    return any(used for used, _left in found.get("items", {}).get(key.id, []))


def _overlap() -> timedelta:
    days = int(os.environ.get("OVERLAP_DAYS", OVERLAP_DAYS))
    if not 1 <= days <= LONGEST_OVERLAP_DAYS:
        raise RotationRefused(f"OVERLAP_DAYS {days} is not allowed; 1 to {LONGEST_OVERLAP_DAYS} are")
    return timedelta(days=days)


def _now() -> datetime:
    return datetime.now(UTC)


def _delete(keys: Iterable[Key]) -> None:
    for key in sorted(keys, key=lambda one: one.id):
        try:
            _client().delete_api_key(apiKey=key.id)
        except ClientError as error:
            if error.response["Error"].get("Code") != "NotFoundException":
                raise
        else:
            log("key deleted", key=key.id)


def _values(text: str) -> dict[str, Any]:
    values = json_object(text) or {}
    if not (isinstance(values.get("api_key"), str) and values["api_key"]):
        raise RotationRefused("the secret is no JSON object with an api_key")
    return values


def _keys() -> dict[str, Key]:
    """The keys of this function's, by the version of the secret."""
    prefix = f"{_key_name()}-"
    pages = _client().get_paginator("get_api_keys").paginate(nameQuery=prefix)
    named = ((key.get("name", "").removeprefix(prefix), key) for page in pages for key in page["items"])
    return {
        version: Key(key["id"], version, key["createdDate"])
        for version, key in named
        if key.get("name") == prefix + version and VERSION.fullmatch(version)
    }


def _keys_of_plan() -> set[str]:
    pages = _client().get_paginator("get_usage_plan_keys").paginate(usagePlanId=_usage_plan())
    return {key["id"] for page in pages for key in page["items"]}


def _key_name() -> str:
    return required("KEY_NAME")


def _usage_plan() -> str:
    return required("USAGE_PLAN_ID")


def _secrets_manager() -> Any:
    make: Any = boto3.client
    return make("secretsmanager", config=CONFIG)


@functools.cache
def _client() -> Any:
    make: Any = boto3.client
    return make("apigateway", config=CONFIG)
