"""One call by Secrets Manager: which step it asks for, whether it may be made, and what is said of it."""

from __future__ import annotations

import functools
import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import boto3
from botocore.config import Config
from botocore.exceptions import BotoCoreError, ClientError

from secret_rotation.secret import Refused, Secret

# boto3 would otherwise wait for minutes, and the function would be ended in the midst of a step.
CONFIG = Config(connect_timeout=3, read_timeout=5, retries={"mode": "standard", "total_max_attempts": 3})


class RotationFailed(Exception):
    """What Lambda logs and Secrets Manager sees of any failure: its cause, without what other errors may quote."""


@dataclass(frozen=True)
class Steps:
    """What a function does in each step. Each can be repeated at any time, and does then what is left to do.

    ``cause`` names errors that only the function knows; for those that it does not know it returns None.
    """

    create: Callable[[Secret], None]
    set: Callable[[Secret], None]
    test: Callable[[Secret], None]
    finish: Callable[[Secret], None] = Secret.promote
    cause: Callable[[Exception], str | None] = lambda _error: None


def run(event: Mapping[str, str], steps: Steps, client: Any = None) -> None:
    """Make the step that Secrets Manager asks for. A version that is current already is neither made nor set again.

    Args:
        event: with SecretId, ClientRequestToken and Step.
        steps: what the function does.
        client: of Secrets Manager; its own by default.

    Raises:
        RotationFailed: whatever went wrong. Secrets Manager calls again, from the first step.
    """
    arn, token, step = (str(event.get(name, "")) for name in ("SecretId", "ClientRequestToken", "Step"))
    said = {"secret": arn, "version": token, "step": step}
    try:
        secret = Secret(client or _client(), arn, token)
        secret.check()
        make = _step(step, steps)
        if secret.is_current and make in {steps.create, steps.set}:
            log("nothing to do: the version is current", **said)
            return
        _make(make, secret, steps)
    except Exception as error:  # noqa: BLE001 - an error's own words and its traceback may quote a secret
        cause = steps.cause(error) or _cause(error)
        log("step failed", **said, cause=cause)
    else:
        log("step done", **said)
        return
    raise RotationFailed(f"{step}: {cause}")


def _make(make: Callable[[Secret], None], secret: Secret, steps: Steps) -> None:
    """Make a step. Nothing is set, tested or finished whose value has not reached the replicas."""
    if make is steps.create:
        make(secret)
        return
    secret.check_replicas()
    make(secret)
    if make is steps.finish and not secret.is_current:
        secret.reread().check_replicas()


def log(message: str, **values: object) -> None:
    """A line of JSON, for CloudWatch Logs."""
    print(json.dumps({"message": message, **values}), flush=True)


def _step(name: str, steps: Steps) -> Callable[[Secret], None]:
    by_name = {
        "createSecret": steps.create,
        "setSecret": steps.set,
        "testSecret": steps.test,
        "finishSecret": steps.finish,
    }
    if name not in by_name:
        raise Refused(f"{name!r} is no step of a rotation")
    return by_name[name]


def _cause(error: Exception) -> str:
    if isinstance(error, Refused):
        return str(error)
    if isinstance(error, ClientError):
        return f"AWS: {error.operation_name}: {error.response['Error'].get('Code', 'ClientError')}"
    if isinstance(error, BotoCoreError):
        return f"AWS: {type(error).__name__}"
    if isinstance(error, OSError) and error.strerror:
        return f"{type(error).__name__}: {error.strerror}"
    return type(error).__name__


@functools.cache
def _client() -> Any:
    make: Any = boto3.client
    return make("secretsmanager", config=CONFIG)
