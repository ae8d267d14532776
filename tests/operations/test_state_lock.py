"""The lock of the state: what only looks takes none, what deploys waits for it, and one left behind can be freed."""

from __future__ import annotations

import getpass
import io
import json
import socket
import threading
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import boto3
import pytest
from botocore.config import Config
from rich.console import Console

from emulator import process
from operations.deployment.lock import Lock, read, still_runs, unlock
from operations.deployment.terraform import Terraform
from operations.outcome import Failed, Refused

pytestmark = pytest.mark.requirement("W0.3")

BUCKET, KEY = "locked-state-us-east-2", "state"
HERE = f"{getpass.getuser()}@{socket.gethostname()}"


class Locked:
    """A state in S3, its Terraform, and a lock of somebody else's."""

    def __init__(self, folder: Path, server: process.Server) -> None:
        place = {"bucket": BUCKET, "key": KEY, "region": "us-east-2", "use_lockfile": True}
        content = {"terraform": {"backend": {"s3": place}}, "resource": {"terraform_data": {"one": {"input": "1"}}}}
        (folder / "cdk.tf.json").write_text(json.dumps(content), encoding="utf-8")
        environment = {**process.complete_environment(server.url), "CHECKPOINT_DISABLE": "1"}
        self.said = io.StringIO()
        self.terraform = Terraform(folder, environment, Console(file=self.said, width=200), lock_timeout="20s")
        self.client: Any = boto3.client(
            "s3",
            region_name="us-east-2",
            endpoint_url=server.url,
            aws_access_key_id="AKIAIOSFODNN7EXAMPLE",
            aws_secret_access_key="local-aws",
            config=Config(proxies={}),
        )

    def lock(self, who: str = "runner@elsewhere") -> None:
        """Lock the state as Terraform does."""
        info = {
            "ID": "11111111-2222-3333-4444-555555555555",
            "Operation": "OperationTypeApply",
            "Info": "",
            "Who": who,
            "Version": "1.11.4",
            "Created": "2026-11-28T09:30:00.123456789Z",
            "Path": f"{BUCKET}/{KEY}",
        }
        self.client.put_object(Bucket=BUCKET, Key=f"{KEY}.tflock", Body=json.dumps(info))

    def free(self) -> None:
        self.client.delete_object(Bucket=BUCKET, Key=f"{KEY}.tflock")

    @property
    def keys(self) -> set[str]:
        return {one["Key"] for one in self.client.list_objects_v2(Bucket=BUCKET).get("Contents", [])}


@pytest.fixture(scope="module")
def locked(local_aws: process.Server, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Locked]:
    made = Locked(tmp_path_factory.mktemp("locked"), local_aws)
    place: Any = {"LocationConstraint": "us-east-2"}
    made.client.create_bucket(Bucket=BUCKET, CreateBucketConfiguration=place)
    made.terraform.init()
    yield made
    for key in made.keys:
        made.client.delete_object(Bucket=BUCKET, Key=key)
    made.client.delete_bucket(Bucket=BUCKET)


def test_plan_takes_no_lock_and_deployment_waits_for_it(locked: Locked) -> None:
    locked.lock()
    with locked.terraform.planned(lock=False) as plan:
        assert "terraform_data.one will be created" in plan.as_text()
    assert KEY not in locked.keys

    threading.Timer(1.0, locked.free).start()  # the other run ends
    with locked.terraform.planned() as plan:
        plan.apply()
    assert locked.keys == {KEY}


def test_lock_names_its_holder_and_is_freed_by_its_id(locked: Locked) -> None:
    locked.lock()
    lock = read(locked.client, BUCKET, KEY)
    assert lock is not None
    with pytest.raises(Refused, match="--approve: needed"):
        unlock(lock, locked.terraform, locked.terraform.console, approve=False)
    assert f"{KEY}.tflock" in locked.keys

    unlock(lock, locked.terraform, locked.terraform.console, approve=True)

    assert f"{KEY}.tflock" not in locked.keys
    said = locked.said.getvalue()
    assert "OperationTypeApply, by runner@elsewhere, since 2026-11-28 09:30 UTC" in said
    assert "whether it still runs can be seen where runner@elsewhere is" in said
    with pytest.raises(Failed, match="force-unlock failed"):  # it is somebody else's by now, or nobody's
        unlock(lock, locked.terraform, locked.terraform.console, approve=True)


def test_missing_or_invalid_lock_is_reported(locked: Locked) -> None:
    assert read(locked.client, BUCKET, KEY) is None
    unlock(None, locked.terraform, locked.terraform.console, approve=False)
    assert "the state is not locked" in locked.said.getvalue()

    locked.client.put_object(Bucket=BUCKET, Key=f"{KEY}.tflock", Body=b"{}")
    with pytest.raises(Failed, match="is no lock of Terraform"):
        read(locked.client, BUCKET, KEY)
    locked.free()


def test_running_process_of_this_machine_is_detected_as_lock_holder() -> None:
    lock = Lock(id="1", operation="OperationTypeApply", who=HERE, created=datetime.now(UTC))
    assert still_runs(lock, list) is None
    assert still_runs(lock, lambda: [7, 9]) == "Terraform runs on this machine (process 7, 9): it may be this run"
