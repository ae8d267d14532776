"""Rotates an API key of API Gateway that a secret holds (P4.5).

Each version of the secret has a key of its own, named KEY_NAME-VERSION. A rotation creates the new key, adds it to the
usage plan in addition to the current one, checks it, and makes it current. The previous key works until the next
rotation, for clients that have not read the new one yet; older keys are deleted. Keys of other names are never touched,
except the one that the secret was first filled with, if the secret or the environment names its id.

The secret is JSON with `api_key`, the key's value; at first it may also have `api_key_id`, the id of an existing key
with that value.

Environment variables:

- KEY_NAME: the prefix of the keys' names, with the environment's suffix: no other key's name may begin with it;
- USAGE_PLAN_ID: the usage plan that the keys are added to;
- FIRST_KEY_ID: optional; the id of the key that the secret was first filled with;
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
from collections.abc import Mapping
from typing import Any

import boto3
from botocore.exceptions import ClientError

from shared.secret_rotation import (
    CURRENT,
    PENDING,
    PREVIOUS,
    RotationRefused,
    Secret,
    Steps,
    json_object,
    log,
    required,
    run,
)
from shared.secret_rotation.steps import CONFIG

KEY_LENGTH = 40
MIN_KEY_LENGTH, MAX_KEY_LENGTH = 20, 128  # https://docs.aws.amazon.com/apigateway/latest/api/API_CreateApiKey.html
VERSION = re.compile(r"[A-Za-z0-9-]{32,64}")  # ids of versions of a secret


def handler(event: Mapping[str, str], _context: object) -> None:
    """Run one step of a rotation. An error is raised and logged without anything secret."""
    run(event, Steps(create=_create, set=_set, test=_test, finish=_finish))


def _create(secret: Secret) -> None:
    """Store the value of a new key as AWSPENDING."""
    if secret.pending_or_none() is not None:
        return
    values = _values(secret.current())
    values.pop("api_key_id", None)  # of the first key alone; the others are found by their names
    length = int(os.environ.get("KEY_LENGTH", KEY_LENGTH))
    if not MIN_KEY_LENGTH <= length <= MAX_KEY_LENGTH:
        raise RotationRefused(f"KEY_LENGTH {length} is not allowed; {MIN_KEY_LENGTH} to {MAX_KEY_LENGTH} are")
    made = secret.random_password(length, punctuation=False)
    secret.put_pending(json.dumps({**values, "api_key": made}))


def _set(secret: Secret) -> None:
    """Create the new key and add it to the usage plan."""
    value = _values(secret.pending())["api_key"]
    key = _keys().get(secret.token)
    if key is None:
        tags = json.loads(os.environ.get("KEY_TAGS") or "{}")
        made = _client().create_api_key(
            name=f"{_key_name()}-{secret.token}",
            description="Made by the rotation of a secret; the name ends with the version",
            enabled=True,
            value=value,
            **({"tags": tags} if tags else {}),
        )
        key = made["id"]
    if key not in _keys_of_plan():
        _client().create_usage_plan_key(usagePlanId=_usage_plan(), keyId=key, keyType="API_KEY")


def _test(secret: Secret) -> None:
    """Check that the key has the secret's value, is enabled and is in the usage plan."""
    value = _values(secret.pending())["api_key"]
    key = _keys().get(secret.token)
    if key is None:
        if PENDING in secret.stages.get(secret.token, []) and value == _values(secret.current())["api_key"]:
            return  # Secrets Manager tests the configuration, with a copy of the current value
        raise RotationRefused("there is no key for this version")
    found = _client().get_api_key(apiKey=key, includeValue=True)
    if found.get("value") != value:
        raise RotationRefused("the key has another value than the secret")
    if not found.get("enabled"):
        raise RotationRefused("the key is switched off")
    if key not in _keys_of_plan():
        raise RotationRefused("the key is not in the usage plan")


def _finish(secret: Secret) -> None:
    """Make the new key the current one, and delete those before the previous one."""
    secret.promote()
    _delete_old_keys(secret.refreshed())


def _delete_old_keys(secret: Secret) -> None:
    kept = {version for version, stages in secret.stages.items() if {CURRENT, PENDING, PREVIOUS} & set(stages)}
    made = _keys()
    old = {key for version, key in made.items() if version not in kept}
    # The key that the secret was first filled with: two rotations later its version has no staging label.
    firsts = ((json_object(value) or {}).get("api_key_id") for value in secret.unstaged_values())
    old |= {first for first in firsts if isinstance(first, str)}
    known = os.environ.get("FIRST_KEY_ID")
    if known and _is_rotated(secret, CURRENT, made) and _is_rotated(secret, PREVIOUS, made):
        old.add(known)
    for key in sorted(old):
        try:
            _client().delete_api_key(apiKey=key)
        except ClientError as error:
            if error.response["Error"].get("Code") != "NotFoundException":
                raise
        else:
            log("key deleted", key=key)


def _is_rotated(secret: Secret, stage: str, made: Mapping[str, str]) -> bool:
    """Whether the version with this staging label is of a rotation: there is a key of its name."""
    return any(stage in stages and version in made for version, stages in secret.stages.items())


def _values(text: str) -> dict[str, Any]:
    values = json_object(text) or {}
    if not (isinstance(values.get("api_key"), str) and values["api_key"]):
        raise RotationRefused("the secret is no JSON object with an api_key")
    return values


def _keys() -> dict[str, str]:
    """The ids of the keys that rotations have created, by the version of the secret."""
    prefix = f"{_key_name()}-"
    pages = _client().get_paginator("get_api_keys").paginate(nameQuery=prefix)
    named = ((key.get("name", "").removeprefix(prefix), key) for page in pages for key in page["items"])
    return {
        version: key["id"]
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


@functools.cache
def _client() -> Any:
    make: Any = boto3.client
    return make("apigateway", config=CONFIG)
