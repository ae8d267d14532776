"""`make unlock`: frees the lock of an environment's state that a run has left behind, once it is told whose it is.

Terraform's S3 backend keeps the lock as an object beside the state
(https://developer.hashicorp.com/terraform/language/backend/s3#state-locking). A run that is killed cannot remove it.
"""

from __future__ import annotations

import getpass
import json
import socket
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from botocore.exceptions import ClientError
from rich.console import Console

from operations.deployment.terraform import Terraform
from operations.outcome import Failed, Refused
from operations.question import agreed, refuse_silence

SUFFIX = ".tflock"
NOT_THERE = {"NoSuchKey", "404"}
PROCESSES = Path("/proc")


@dataclass(frozen=True, kw_only=True)
class Lock:
    """What the lock says of the run that has it."""

    id: str
    operation: str
    who: str
    """``user@host``, as Terraform writes it."""
    created: datetime

    @property
    def is_of_this_machine(self) -> bool:
        """Whether the run was begun here, by the same user."""
        return self.who == f"{getpass.getuser()}@{socket.gethostname()}"

    def text(self, now: datetime) -> str:
        """For a person: what is done, by whom, and since when."""
        minutes = int((now - self.created).total_seconds() // 60)
        return f"{self.operation}, by {self.who}, since {self.created:%Y-%m-%d %H:%M} UTC ({minutes} min ago)"


def read(client: Any, bucket: str, key: str) -> Lock | None:
    """The lock of the state at ``key``, or None.

    Raises:
        Failed: there is one that cannot be understood.
        ClientError: of GetObject.
    """
    try:
        text = client.get_object(Bucket=bucket, Key=f"{key}{SUFFIX}")["Body"].read()
    except ClientError as error:
        if error.response["Error"].get("Code") in NOT_THERE:
            return None
        raise
    try:
        said = json.loads(text)
        created = datetime.fromisoformat(said["Created"]).astimezone(UTC)
        return Lock(id=said["ID"], operation=said["Operation"], who=said["Who"], created=created)
    except (ValueError, KeyError, TypeError) as error:
        raise Failed(f"s3://{bucket}/{key}{SUFFIX} is no lock of Terraform ({error!r}); look at it") from error


def still_runs(lock: Lock, running: Callable[[], list[int]] | None = None) -> str | None:
    """Whether the run goes on, as far as this machine can tell; None, if it is of this machine and has ended."""
    if not lock.is_of_this_machine:
        return (
            f"whether it still runs can be seen where {lock.who} is; of a workflow (runner@...) in the repository's "
            "Actions"
        )
    if pids := (running or terraforms)():
        return f"Terraform runs on this machine (process {', '.join(map(str, pids))}): it may be this run"
    return None


def terraforms() -> list[int]:
    """The processes of this machine that are Terraform, where there is a /proc."""
    found = []
    for entry in PROCESSES.glob("[0-9]*"):
        try:
            if (entry / "comm").read_text(encoding="utf-8").strip() == "terraform":
                found.append(int(entry.name))
        except OSError:  # it has ended meanwhile
            continue
    return sorted(found)


def unlock(lock: Lock | None, terraform: Terraform, console: Console, *, approve: bool) -> None:
    """Say whose the lock is and whether that run goes on, ask (unless ``approve``), and free it.

    Raises:
        Refused: the answer is no.
        Failed: Terraform failed; such as where another run has the lock by now.
    """
    if lock is None:
        console.print("the state is not locked")
        return
    console.print(f"the state is locked: {lock.text(datetime.now(UTC))}", markup=False)
    console.print(still_runs(lock) or "no Terraform runs on this machine: that run has ended", markup=False)
    refuse_silence(approve)
    if not approve and not agreed("Free the lock? While that run goes on, both would write the state"):
        raise Refused("the state is still locked")
    terraform.read("force-unlock", "-force", lock.id)
    console.print("the lock is free")
