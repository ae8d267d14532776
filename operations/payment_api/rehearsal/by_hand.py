"""What people replace in a rehearsal of the payment API (docs/runbooks/payment-api.md): peppers, the acquirer's key.

Neither rotates by itself: a pepper is valid as long as keys are hashed under it, and the acquirer issues its own keys.
"""

from __future__ import annotations

import functools
import json
import secrets
import uuid
from typing import Any

import httpx

from operations.outcome import Failed
from operations.payment_api.pay import Client, DeployedApi
from operations.rehearsal.credential import ACCEPTED, ask
from operations.rehearsal.events import until

REPLACEMENTS = 2
BYTES = 40


def replace_secrets(api: DeployedApi, client: Client) -> str:
    """Replace each twice; what was valid before stays so, for whoever pays meanwhile.

    Raises:
        Failed: a key under a former or the new pepper is refused, or nothing is charged by the acquirer's new key.
    """
    for _ in range(REPLACEMENTS):
        replace_pepper(api, client)
        replace_acquirer_key(api, client)
    return f"{REPLACEMENTS} peppers and {REPLACEMENTS} keys of the acquirer; every key paid"


def replace_pepper(api: DeployedApi, client: Client) -> None:
    """Begin a pepper for new keys, and pay by a key under it and by the client's, which is under a former one."""
    name, store = uuid.uuid4().hex[:8], api.api("secretsmanager")
    value = _value(store, api.settings.secrets.peppers)
    peppers = {**value["peppers"], name: secrets.token_urlsafe(BYTES)}
    _put(store, api.settings.secrets.peppers, {"current": name, "peppers": peppers})
    new = str(api.administration().make_key(client.merchant)["key"])
    keys = {"the client's": client.key, "a new": new}
    with client.connect() as connection:
        for whose, key in keys.items():
            if (status := ask(connection, key)) != ACCEPTED:
                raise Failed(f"{whose} key got {status} once a pepper was replaced")


def replace_acquirer_key(api: DeployedApi, client: Client) -> None:
    """Have the acquirer issue a key beside ours, hand it over, and have it refuse the former one."""
    store, acquirer = api.api("secretsmanager"), api.run_acquirer()
    former = str(_value(store, api.settings.secrets.acquirer)["api_key"])
    issued = secrets.token_urlsafe(BYTES)
    _admit(acquirer, former, issued)
    _put(store, api.settings.secrets.acquirer, {"api_key": issued})
    _admit(acquirer, issued)
    before = _charges(acquirer)
    with client.connect() as connection:
        ask(connection, client.key)
    until(functools.partial(_more_than, before, acquirer), "a charge by the acquirer's new key")


def _value(store: Any, name: str) -> dict[str, Any]:
    return dict(json.loads(store.get_secret_value(SecretId=name)["SecretString"]))


def _put(store: Any, name: str, value: dict[str, Any]) -> None:
    store.put_secret_value(SecretId=name, SecretString=json.dumps(value))


def _admit(acquirer: str, *keys: str) -> None:
    httpx.put(f"{acquirer}/_behaviour", json={"api_keys": keys}, trust_env=False).raise_for_status()


def _charges(acquirer: str) -> int:
    return len(httpx.get(f"{acquirer}/_book/entries", trust_env=False).raise_for_status().json())


def _more_than(before: int, acquirer: str) -> bool:
    return _charges(acquirer) > before
