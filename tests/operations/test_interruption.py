"""However a command ends, Terraform writes its state and releases its lock, in the S3 of the local AWS."""

from __future__ import annotations

import io
import json
import os
import pty
import select
import shutil
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import boto3
import pytest
from botocore.config import Config
from rich.console import Console

from emulator import process
from operations.deployment.terraform import Terraform
from operations.outcome import EXIT_INTERRUPTED
from tests.operations.test_terraform import configuration, fake, thing

REPOSITORY = Path(__file__).parents[2]
BUCKET = "runner-state-us-east-2"
SECONDS_TO_WAIT = 60
PROGRAM = """
import sys, os, pathlib
from operations.outcome import console, exit_codes
from operations.deployment import terraform
terraform.SECONDS_BETWEEN_LINES = 0.0
with exit_codes():
    terraform = terraform.Terraform(pathlib.Path(sys.argv[1]), os.environ, console())
    {doing}
"""
APPLY, DESTROY = "terraform.apply()", "terraform.destroy()"
# What a person has seen and agreed to: make deploy, and make destroy.
SHOWN = "with terraform.planned(destroy={destroy}) as shown: shown.apply()"
COMMANDS = {
    "apply": APPLY,
    "apply what was shown": SHOWN.format(destroy=False),
    "destroy": DESTROY,
    "destroy what was shown": SHOWN.format(destroy=True),
}


def test_terraform_gets_one_interrupt_for_several_of_the_user(tmp_path: Path) -> None:
    """Ctrl-C goes to the whole group of the terminal; Terraform takes a second request as the order to drop all."""
    trap = f"trap 'echo asked >> {tmp_path}/asked' INT TERM"
    environment = fake(tmp_path, f"{trap}; touch {tmp_path}/begun; for i in {{1..20}}; do sleep 0.1; done")
    running = subprocess.Popen(
        [sys.executable, "-c", PROGRAM.format(doing=APPLY), str(tmp_path)],
        cwd=REPOSITORY,
        env=environment,
        stdout=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )
    wait_for(tmp_path / "begun", running)

    for _ in range(3):
        os.killpg(running.pid, signal.SIGINT)
        time.sleep(0.2)
    output, _ = running.communicate(timeout=SECONDS_TO_WAIT)

    assert (tmp_path / "asked").read_text().split() == ["asked"]
    assert running.returncode == EXIT_INTERRUPTED
    assert "still stopping (process " in output


def wait_for(path: Path, running: subprocess.Popen[Any]) -> None:
    deadline = time.monotonic() + SECONDS_TO_WAIT
    while not path.exists():
        assert time.monotonic() < deadline, "Terraform did not begin"
        assert running.poll() is None
        time.sleep(0.05)


@pytest.fixture
def bucket(local_aws: process.Server) -> Any:
    """A client for the bucket that the interrupted run's state is in."""
    client = boto3.client(
        "s3",
        region_name="us-east-2",
        endpoint_url=local_aws.url,
        aws_access_key_id="AKIAIOSFODNN7EXAMPLE",
        aws_secret_access_key="local-aws",
        config=Config(proxies={}),
    )
    place: Any = {"LocationConstraint": "us-east-2"}
    client.create_bucket(Bucket=BUCKET, CreateBucketConfiguration=place)
    yield client
    for one in client.list_objects_v2(Bucket=BUCKET).get("Contents", []):
        client.delete_object(Bucket=BUCKET, Key=one["Key"])
    client.delete_bucket(Bucket=BUCKET)


class Run:
    """The command, under way, with what it prints in a pipe or on a terminal that this test holds the other end of."""

    def __init__(self, directory: Path, environment: dict[str, str], doing: str, *, on_a_terminal: bool) -> None:
        self.reader, writer = pty.openpty() if on_a_terminal else os.pipe()
        self.process = subprocess.Popen(
            [sys.executable, "-c", PROGRAM.format(doing=doing), str(directory)],
            cwd=REPOSITORY,
            env=environment,
            stdin=writer if on_a_terminal else subprocess.DEVNULL,
            stdout=writer,
            stderr=subprocess.PIPE,
            # With a terminal of its own the program is told, by SIGHUP, that it was closed.
            start_new_session=on_a_terminal,
            preexec_fn=_take_the_terminal if on_a_terminal else None,  # noqa: PLW1509 - no thread here
        )
        os.close(writer)
        self._left = threading.Event()
        self._reading = threading.Thread(target=self._read, daemon=True)
        self._reading.start()

    def _read(self) -> None:
        while not self._left.is_set():
            if select.select([self.reader], [], [], 0.1)[0]:
                try:
                    if not os.read(self.reader, 65_536):
                        return
                except OSError:  # a terminal whose program has ended
                    return

    def lose_reader(self) -> None:
        self._left.set()
        self._reading.join()
        os.close(self.reader)


def _take_the_terminal() -> None:
    import fcntl
    import termios

    fcntl.ioctl(0, termios.TIOCSCTTY, 0)


def interrupt(run: Run) -> None:
    run.process.send_signal(signal.SIGINT)


def terminate(run: Run) -> None:
    run.process.send_signal(signal.SIGTERM)


def hang_up(run: Run) -> None:
    run.process.send_signal(signal.SIGHUP)


def lose_reader(run: Run) -> None:
    """As `| head`, or a pager that is left."""
    run.lose_reader()


def lose_reader_and_interrupt(run: Run) -> None:
    """As `| tee log` and Ctrl-C, which ends tee as well."""
    run.lose_reader()
    run.process.send_signal(signal.SIGINT)


def cancel_as_github_does(run: Run) -> None:
    """SIGINT to the step's process, SIGTERM 7.5 s later if it has not ended (actions/runner#1309)."""
    run.process.send_signal(signal.SIGINT)
    time.sleep(0.5)
    run.process.send_signal(signal.SIGTERM)


WAYS_TO_END = (interrupt, terminate, hang_up, lose_reader, lose_reader_and_interrupt, cancel_as_github_does)


def slow_configuration(begun: Path, *, when: str) -> dict[str, Any]:
    """Three resources, of which the second takes seconds to create or to destroy: the last must not begin after it.

    A destruction goes the other way, so that in both the first is there in the end, and the third is not.
    """
    work = f"touch {begun}; for i in 1 2 3 4; do sleep 0.6; echo $i; done"
    slow = {"provisioner": [{"local-exec": {"command": work, "when": when}}], "depends_on": ["terraform_data.one"]}
    content = configuration(
        resource={
            "terraform_data": {
                "one": thing("1"),
                "two": thing("2", **slow),
                "three": thing("3", depends_on=["terraform_data.two"]),
            }
        }
    )
    content["terraform"]["backend"] = {
        "s3": {"bucket": BUCKET, "key": "state", "region": "us-east-2", "use_lockfile": True}
    }
    return content


def without_ps(folder: Path) -> str:
    """A PATH with what Terraform's provisioner needs, and no `ps`, as in a slim container."""
    folder.mkdir()
    for name in ("terraform", "sh", "touch", "sleep"):
        program = shutil.which(name)
        assert program is not None
        (folder / name).symlink_to(program)
    return str(folder)


ENDED = [
    pytest.param(end, command, on_a_terminal, id=f"{end.__name__}-{command}-{'terminal' if on_a_terminal else 'pipe'}")
    for end in WAYS_TO_END
    for command in COMMANDS
    for on_a_terminal in (False, True)
]


@pytest.mark.requirement("W0.3")
@pytest.mark.parametrize(("end", "command", "on_a_terminal"), ENDED)
def test_a_run_that_is_ended_writes_the_state_releases_its_lock_and_leaves_nothing_running(
    local_aws: process.Server,
    bucket: Any,
    tmp_path: Path,
    end: Callable[[Run], None],
    command: str,
    on_a_terminal: bool,
) -> None:
    begun = tmp_path / "begun"
    destroys = command.startswith("destroy")
    content = slow_configuration(begun, when="destroy" if destroys else "create")
    (tmp_path / "cdk.tf.json").write_text(json.dumps(content))
    environment = {
        **process.complete_environment(local_aws.url),
        "CHECKPOINT_DISABLE": "1",
        "PATH": without_ps(tmp_path / "programs"),
    }
    terraform = Terraform(tmp_path, environment, Console(file=io.StringIO()))
    terraform.init()
    if destroys:
        terraform.apply()

    run = Run(tmp_path, environment, COMMANDS[command], on_a_terminal=on_a_terminal)
    wait_for(begun, run.process)
    assert f"{BUCKET}/state.tflock" in keys(bucket)
    end(run)
    try:
        _, said = run.process.communicate(timeout=SECONDS_TO_WAIT)
    finally:
        run.process.kill()  # where it has not ended by itself

    assert run.process.returncode == EXIT_INTERRUPTED
    assert b"Traceback" not in said
    assert keys(bucket) == [f"{BUCKET}/state"]
    state = json.loads(bucket.get_object(Bucket=BUCKET, Key="state")["Body"].read())
    names = {one["name"] for one in state["resources"]}
    assert "one" in names  # what was done is in the state
    assert "three" not in names  # and nothing new was begun
    assert not terraforms_in(tmp_path)


def keys(bucket: Any) -> list[str]:
    return [f"{BUCKET}/{one['Key']}" for one in bucket.list_objects_v2(Bucket=BUCKET).get("Contents", [])]


def terraforms_in(directory: Path) -> list[str]:
    """Terraform and its providers that work in a directory."""
    found = []
    for entry in Path("/proc").iterdir():
        try:
            command = (entry / "cmdline").read_text().replace("\0", " ") if entry.name.isdigit() else ""
            if "terraform" in command and (entry / "cwd").readlink() == directory:
                found.append(command)
        except OSError:  # it has ended meanwhile
            continue
    return found
