"""Rotates an API key of API Gateway that a secret holds (P4.5): the new key opens the API before anybody uses it.

Each version of the secret has a key of its own, named KEY_NAME-VERSION. A new key stands in the usage plan beside the
one before, is looked at, and becomes the current one; the one before works until the next rotation, so that whoever has
read it goes on. What is older is deleted. Keys of other names are never touched, but for the one that the secret was
filled with at first, if the secret or the environment says its id.

The secret is JSON with `api_key`, the key's value, and at first it may have `api_key_id`, where a key with that value
exists.

The environment says:

- KEY_NAME: what the keys are called; with the environment's suffix, as no other may begin so;
- USAGE_PLAN_ID: the plan in which the keys stand, which says what they open and how often;
- FIRST_KEY_ID: the id of the key that the secret was filled with at first, where that is known; may be left out;
- KEY_TAGS: JSON, the tags of the keys; may be left out;
- KEY_LENGTH: characters of a new key, all letters and digits; 40 if it is left out.

What it calls of AWS is in calls.toml; with KEY_TAGS also apigateway:PUT on /tags/*.
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
from secret_rotation import CURRENT, PENDING, PREVIOUS, Refused, Secret, Steps, log, run
from secret_rotation.steps import CONFIG

KEY_LENGTH = 40
SHORTEST_KEY, LONGEST_KEY = 20, 128  # https://docs.aws.amazon.com/apigateway/latest/api/API_CreateApiKey.html
VERSION = re.compile(r"[A-Za-z0-9-]{32,64}")  # what Secrets Manager takes as a version's id


def handler(event: Mapping[str, str], _context: object) -> None:
    """Make one step of a rotation. Whatever fails is said without a word of what is secret."""
    run(event, Steps(create=_create, set=_set, test=_test, finish=_finish))


def _create(secret: Secret) -> None:
    """Keep the value of a new key under AWSPENDING."""
    if secret.pending_if_made() is not None:
        return
    values = _values(secret.current())
    values.pop("api_key_id", None)  # it was the first key's; the others are found by their names
    length = int(os.environ.get("KEY_LENGTH", KEY_LENGTH))
    if not SHORTEST_KEY <= length <= LONGEST_KEY:
        raise Refused(f"KEY_LENGTH {length} is not allowed; {SHORTEST_KEY} to {LONGEST_KEY} are")
    made = secret.random_password(length, punctuation=False)
    secret.put_pending(json.dumps({**values, "api_key": made}))


def _set(secret: Secret) -> None:
    """Put the new key beside the one before, into the usage plan."""
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
    """See that the key has the value that the secret holds, is switched on and stands in the usage plan."""
    value = _values(secret.pending())["api_key"]
    key = _keys().get(secret.token)
    if key is None:
        if PENDING in secret.stages.get(secret.token, []) and value == _values(secret.current())["api_key"]:
            return  # a trial of the configuration, with a copy of the current value
        raise Refused("there is no key for this version")
    found = _client().get_api_key(apiKey=key, includeValue=True)
    if found.get("value") != value:
        raise Refused("the key has another value than the secret")
    if not found.get("enabled"):
        raise Refused("the key is switched off")
    if key not in _keys_of_plan():
        raise Refused("the key is not in the usage plan")


def _finish(secret: Secret) -> None:
    """Make the new key the current one, and retire those before the previous one."""
    secret.promote()
    _retire(secret.reread())


def _retire(secret: Secret) -> None:
    kept = {version for version, stages in secret.stages.items() if {CURRENT, PENDING, PREVIOUS} & set(stages)}
    made = _keys()
    old = {key for version, key in made.items() if version not in kept}
    # The key that the secret was filled with at first: no stage has it any more two rotations later.
    firsts = (_object(value).get("api_key_id") for value in secret.staged_no_more())
    old |= {first for first in firsts if isinstance(first, str)}
    known = os.environ.get("FIRST_KEY_ID")
    if known and _was_made(secret, CURRENT, made) and _was_made(secret, PREVIOUS, made):
        old.add(known)
    for key in sorted(old):
        try:
            _client().delete_api_key(apiKey=key)
        except ClientError as error:
            if error.response["Error"].get("Code") != "NotFoundException":
                raise
        else:
            log("a key is retired", key=key)


def _was_made(secret: Secret, stage: str, made: Mapping[str, str]) -> bool:
    """Whether what has this stage is of a rotation, as there is a key of its name."""
    return any(stage in stages and version in made for version, stages in secret.stages.items())


def _values(text: str) -> dict[str, Any]:
    values = _object(text)
    if not (isinstance(values.get("api_key"), str) and values["api_key"]):
        raise Refused("the secret is no JSON object with an api_key")
    return values


def _object(text: str) -> dict[str, Any]:
    try:
        values = json.loads(text)
    except ValueError:
        return {}
    return values if isinstance(values, dict) else {}


def _keys() -> dict[str, str]:
    """The ids of the keys that rotations have made, by the version of the secret that each is of."""
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
    return _required("KEY_NAME")


def _usage_plan() -> str:
    return _required("USAGE_PLAN_ID")


def _required(variable: str) -> str:
    value = os.environ.get(variable)
    if not value:
        raise Refused(f"the environment has no {variable}")
    return value


@functools.cache
def _client() -> Any:
    make: Any = boto3.client
    return make("apigateway", config=CONFIG)
