"""Credentials of tasks, as served by ECS's agent: sessions of the task role.

https://docs.aws.amazon.com/AmazonECS/latest/developerguide/task-iam-roles.html
"""

from __future__ import annotations

import threading
import time
import uuid
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

from emulator.authorization import callers, gate
from emulator.turns import turn

PATH = "/v2/credentials/"
TASKS = "ecs-tasks.amazonaws.com"
SECONDS_OF_A_SESSION = 3600
_SECONDS_BEFORE_THE_END = 600
_FORM = "%Y-%m-%dT%H:%M:%SZ"


@dataclass(frozen=True, kw_only=True)
class Holder:
    """A task and the role whose credentials it gets."""

    role: str
    task: str
    """The task's ARN."""
    region: str
    network: callers.Network | None


@dataclass(frozen=True, kw_only=True)
class _Kept:
    until: float
    answer: dict[str, str]


_holders: dict[str, Holder] = {}
_kept: dict[str, _Kept] = {}
_lock = threading.Lock()


class NotAssumedError(Exception):
    """The role's trust policy does not allow ECS to assume it; the message is AWS's."""


def session_of(holder: Holder) -> Any:
    """A new session (moto's) of the role.

    Raises:
        NotAssumedError: its trust policy does not allow ECS to assume it for this task.
    """
    with turn():
        if not gate.may_assume(TASKS, holder.role, holder.task):
            raise NotAssumedError(f"ECS was unable to assume the role '{holder.role}' that was provided for this task.")
        name = holder.task.rpartition("/")[2]
        return callers.new_session(holder.role, name, region=holder.region, network=holder.network)


def path_for(holder: Holder) -> str:
    """The agent's path for the credentials of a task's role, which only the task knows."""
    name = str(uuid.uuid4())
    with _lock:
        _holders[name] = holder
    return PATH + name


def forget(path: str) -> None:
    """Remove a path, as its task has ended."""
    with _lock:
        _holders.pop(path.removeprefix(PATH), None)
        _kept.pop(path.removeprefix(PATH), None)


def answer(path: str) -> dict[str, str] | None:
    """The agent's response; None where the path is unknown or the role cannot be assumed."""
    name = path.removeprefix(PATH)
    with _lock:
        holder, kept = _holders.get(name), _kept.get(name)
    if holder is None:
        return None
    if kept is not None and kept.until > time.monotonic():
        return kept.answer
    try:
        session = session_of(holder)
    except NotAssumedError:
        return None
    said = {
        "RoleArn": holder.role,
        "AccessKeyId": str(session.access_key_id),
        "SecretAccessKey": str(session.secret_access_key),
        "Token": str(session.session_token),
        "Expiration": f"{datetime.now(UTC) + timedelta(seconds=SECONDS_OF_A_SESSION):{_FORM}}",
    }
    until = time.monotonic() + SECONDS_OF_A_SESSION - _SECONDS_BEFORE_THE_END
    with _lock:
        _kept[name] = _Kept(until=until, answer=said)
    return said
