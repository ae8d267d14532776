"""One invocation by Secrets Manager: its step, the checks before it, and its log lines."""

from __future__ import annotations

import functools
import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import boto3
from botocore.config import Config
from botocore.exceptions import BotoCoreError, ClientError

from shared.secret_rotation.secret import RotationRefused, Secret

# By default boto3 would wait for minutes, and Lambda would end the function in the middle of a step.
CONFIG = Config(connect_timeout=3, read_timeout=5, retries={"mode": "standard", "total_max_attempts": 3})


class RotationFailed(Exception):
    """The failure of a step, as Lambda logs it: its cause, without the messages of other errors, which may quote."""


@dataclass(frozen=True)
class Steps:
    """A function's implementation of the steps. Each is idempotent: it does the rest.

    ``cause`` describes errors that only the function knows; it returns None for others.
    """

    create: Callable[[Secret], None]
    set: Callable[[Secret], None]
    test: Callable[[Secret], None]
    finish: Callable[[Secret], None] = Secret.promote
    cause: Callable[[Exception], str | None] = lambda _error: None


def run(event: Mapping[str, str], steps: Steps, client: Any = None) -> None:
    """Run the step of an event. createSecret and setSecret are skipped where the version is current already.

    Args:
        event: has SecretId, ClientRequestToken and Step.
        steps: the function's implementation.
        client: of Secrets Manager; one is created if none is given.

    Raises:
        RotationFailed: the step failed. Secrets Manager starts over from the first step.
    """
    arn, token, step = (str(event.get(name, "")) for name in ("SecretId", "ClientRequestToken", "Step"))
    about = {"secret": arn, "version": token, "step": step}
    try:
        secret = Secret(client or _client(), arn, token)
        secret.check()
        implementation = _step(step, steps)
        if secret.is_current and implementation in {steps.create, steps.set}:
            log("step skipped: the version is current", **about)
            return
        _perform(implementation, secret, steps)
    except Exception as error:  # noqa: BLE001 - the error's own message and its traceback may quote a secret
        cause = steps.cause(error) or cause_of(error)
        log("step failed", **about, cause=cause)
    else:
        log("step done", **about)
        return
    raise RotationFailed(f"{step}: {cause}")


def _perform(implementation: Callable[[Secret], None], secret: Secret, steps: Steps) -> None:
    """Run a step. A value is set, tested and finished only after it has reached the secret's replicas."""
    if implementation is steps.create:
        implementation(secret)
        return
    secret.check_replicas()
    implementation(secret)
    if implementation is steps.finish and not secret.is_current:
        secret.refreshed().check_replicas()


def log(message: str, **values: object) -> None:
    """Write a JSON line for CloudWatch Logs."""
    print(json.dumps({"message": message, **values}), flush=True)


def _step(name: str, steps: Steps) -> Callable[[Secret], None]:
    by_name = {
        "createSecret": steps.create,
        "setSecret": steps.set,
        "testSecret": steps.test,
        "finishSecret": steps.finish,
    }
    if name not in by_name:
        raise RotationRefused(f"{name!r} is no step of a rotation")
    return by_name[name]


def cause_of(error: Exception) -> str:
    """What went wrong, in words that hold nothing secret: messages of other errors may quote a value."""
    if isinstance(error, RotationRefused):
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
