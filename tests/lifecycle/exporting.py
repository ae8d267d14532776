"""What a snapshot of RDS sets off: the workflow that exports it."""

from __future__ import annotations

import json
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from rich.console import Console

from emulator import process
from emulator.process import Server
from tests.lifecycle.base import Deployed
from tests.lifecycle.clients import CLUSTER, client
from tests.lifecycle.parts import forked

SECONDS_TO_END = 120


@dataclass(frozen=True, kw_only=True)
class Exported:
    """What came of a snapshot: how the workflow ended, what it recorded, and the key of what RDS wrote."""

    status: str
    record: dict[str, Any]
    key_of_export: str


def play_export(deployed: Deployed, directory: Path, console: Console) -> Exported:
    with forked(deployed.server, directory, console) as (_, server):
        return export(server)


def export(server: Server) -> Exported:
    """Let RDS take its nightly snapshot, and wait for the workflow that exports it."""
    process.set_clock(server, 0.05)
    name = process.take_snapshot(server, "us-east-2", CLUSTER).removeprefix("rds:")
    status = _ended(client(server, "stepfunctions"))
    bucket, s3 = "payments-backups-local-123456789012-us-east-2", client(server, "s3")
    record = s3.get_object(Bucket=bucket, Key=f"exports/{CLUSTER}/{name}.json")
    info = s3.head_object(Bucket=bucket, Key=f"exports/{CLUSTER}/{name}/export_info_{name}.json")
    return Exported(status=status, record=json.loads(record["Body"].read()), key_of_export=info["SSEKMSKeyId"])


def _ended(states: Any) -> str:
    deadline = time.monotonic() + SECONDS_TO_END
    machine = "arn:aws:states:us-east-2:123456789012:stateMachine:payments-snapshot-export-local"
    while True:
        (execution,) = states.list_executions(stateMachineArn=machine)["executions"]
        if execution["status"] != "RUNNING":
            return str(execution["status"])
        assert time.monotonic() < deadline
        time.sleep(0.05)
