"""Execution environments of Lambda functions: processes of the local Python, each reused for the next invocation.

An environment has the code of its function in a folder of its own, and takes one invocation at a time. What a function
keeps between invocations (connections, secrets that it has read, clients) is therefore kept here as it is on AWS, and
becomes stale here as it does there. A changed function gets new environments. Unlike Lambda's, one that waits is not
frozen: its threads go on.

https://docs.aws.amazon.com/lambda/latest/dg/lambda-runtime-environment.html
"""

from __future__ import annotations

import contextlib
import io
import json
import os
import select
import shutil
import socket
import subprocess
import sys
import tempfile
import threading
import time
import uuid
import zipfile
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from emulator.address import HOST, environment
from emulator.authorization import callers
from emulator.runtime import vpc
from emulator.runtime.authority import trust_in_place_of_rds, write_trusted
from emulator.turns import let_others, turn

RUNNER = Path(__file__).parent / "function_runner.py"
TASK_ROOT = "/var/task"
"""Lambda's folder for a function's code: https://docs.aws.amazon.com/lambda/latest/dg/configuration-envvars.html"""

# In addition to a function's code: its CA bundle, its view of the VPC, and what it has written.
CODE, TRUSTED, NETWORK, OUTPUT = "code", "trusted.pem", "network.json", "output"
SECONDS_TO_WAIT = 60.0
"""How long an environment waits for its next invocation. AWS says only that it does so for some time."""
SECONDS_OF_LIFE = 30 * 60.0
"""After that a new one takes its place, as its session ends in time; AWS does so every few hours."""
MOST_THAT_WAIT = 8
"""Each holds up to 100 MB; of more the one that has waited longest ends."""
# The runner ends at its timeout by itself; this is for one that cannot.
_SECONDS_OF_GRACE = 5.0
_BYTES = 1 << 16


@dataclass(frozen=True)
class Returned:
    """What an invocation gave: the answer of the runner, or none with the status of the process; and its output."""

    answer: dict[str, Any] | None
    status: int
    log: str


@dataclass(eq=False)
class ExecutionEnvironment:
    """A process that runs invocations of one function as it is configured now."""

    key: str
    session: Any
    folder: Path
    log_stream: str
    process: subprocess.Popen[bytes]
    channel: socket.socket
    began: float = field(default_factory=time.monotonic)
    free_since: float = 0.0

    def invoke(self, function: Any, event: Any, request_id: str) -> Returned:
        """Run one invocation to its end."""
        with turn():
            view = vpc.view(function)
        (self.folder / NETWORK).write_text(json.dumps(view.document), encoding="utf-8")
        invocation = {
            "event": event,
            "seconds": function.timeout,
            "request_id": request_id,
            # Not sampled: there is no X-Ray to send a trace to.
            "trace": f"Root=1-{request_id[:8]}-{uuid.uuid4().hex[:24]};Sampled=0",
        }
        output = self.folder / OUTPUT
        written = output.stat().st_size
        with let_others():
            answer = self._ask(invocation, function.timeout + _SECONDS_OF_GRACE)
        view.record(function.function_name, answer["tried"] if answer else ())
        with output.open("rb") as log:
            log.seek(written)
            text = log.read().decode(errors="replace")
        return Returned(answer, self.process.returncode if answer is None else 0, text)

    def may_go_on(self, now: float) -> bool:
        """Whether it takes another invocation."""
        return self.process.poll() is None and now - self.began < SECONDS_OF_LIFE

    def end(self) -> None:
        """End the process, and remove its folder."""
        self.process.kill()
        self.process.wait()
        self.channel.close()
        shutil.rmtree(self.folder, ignore_errors=True)

    def _ask(self, invocation: dict[str, Any], seconds: float) -> dict[str, Any] | None:
        """The runner's answer; none of a process that has ended, or has to be ended."""
        try:
            self.channel.sendall(json.dumps(invocation).encode() + b"\n")
            answer: dict[str, Any] = json.loads(self._line(time.monotonic() + seconds))
        except TimeoutError:
            self.process.kill()
        except OSError:  # it has closed the channel: mostly, as it ends
            with contextlib.suppress(subprocess.TimeoutExpired):
                self.process.wait(_SECONDS_OF_GRACE)
            self.process.kill()
        else:
            return answer
        self.process.wait()
        return None

    def _line(self, deadline: float) -> bytes:
        """The next line of the channel.

        Raises:
            TimeoutError: the time is over.
            OSError: the channel was closed.
        """
        line = b""
        while not line.endswith(b"\n"):
            ready, _, _ = select.select([self.channel], [], [], max(0.0, deadline - time.monotonic()))
            if not ready:
                raise TimeoutError
            part = self.channel.recv(_BYTES)
            if not part:
                raise BrokenPipeError
            line += part
        return line


class ExecutionEnvironments:
    """All execution environments of a local AWS."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._free: list[ExecutionEnvironment] = []  # the one that has waited longest first
        self._taken: set[ExecutionEnvironment] = set()

    @contextlib.contextmanager
    def one_for(self, function: Any) -> Iterator[ExecutionEnvironment]:
        """An environment of a function (moto's): one that waits, or a new one. It waits again afterwards."""
        key = _key(function)
        one = self._take(key) or self._started(key, function)
        try:
            yield one
        finally:
            self._give_back(one)

    def end_all(self) -> None:
        """End every environment, also those whose function runs."""
        with self._lock:
            ending = [*self._free, *self._taken]
            self._free.clear()
        for one in ending:
            one.end()

    def forget(self) -> None:
        """In a fork: the environments are those of the process that was forked."""
        for one in [*self._free, *self._taken]:
            one.channel.detach()  # the fork closes all sockets
        self._free, self._taken = [], set()

    def _take(self, key: str) -> ExecutionEnvironment | None:
        now = time.monotonic()
        with self._lock:
            found = next((one for one in reversed(self._free) if one.key == key and one.may_go_on(now)), None)
            if found:
                self._free.remove(found)
                self._taken.add(found)
        return found

    def _started(self, key: str, function: Any) -> ExecutionEnvironment:
        one = _start(key, function)
        with self._lock:
            self._taken.add(one)
        return one

    def _give_back(self, one: ExecutionEnvironment) -> None:
        now = one.free_since = time.monotonic()
        with self._lock:
            self._taken.discard(one)
            self._free.append(one)
            staying = [each for each in self._free if each.may_go_on(now) and now - each.free_since < SECONDS_TO_WAIT]
            staying = staying[-MOST_THAT_WAIT:]
            ending = [each for each in self._free if each not in staying]
            self._free = staying
        for each in ending:
            each.end()


ENVIRONMENTS = ExecutionEnvironments()


def _key(function: Any) -> str:
    """What an environment depends on: with any of it changed, Lambda starts new ones."""
    return json.dumps(
        [
            function.function_arn,
            str(function.version),
            function.code_sha_256,
            function.run_time,
            function.handler,
            function.timeout,
            function.memory_size,
            function.role,
            function.vpc_config,
            function.environment_vars,
            function.logs_group_name,
        ],
        sort_keys=True,
        default=str,
    )


def _start(key: str, function: Any) -> ExecutionEnvironment:
    with turn():
        session = callers.new_session(
            function.role, function.function_name, region=function.region, network=vpc.network_of(function)
        )
    folder = Path(tempfile.mkdtemp(prefix="function-"))
    zipfile.ZipFile(io.BytesIO(function.code_bytes)).extractall(folder / CODE)
    write_trusted(folder / TRUSTED)
    trust_in_place_of_rds(folder / CODE)
    log_stream = f"{datetime.now(UTC):%Y/%m/%d}/[{function.version}]{uuid.uuid4().hex}"
    ours, its = socket.socketpair()
    with its, (folder / OUTPUT).open("ab") as output:
        process = subprocess.Popen(
            [sys.executable, "-P", str(RUNNER), function.handler, str(folder / NETWORK), str(its.fileno())],
            cwd=folder / CODE,
            env=_variables(function, session, folder, log_stream),
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
            pass_fds=[its.fileno()],
        )
    return ExecutionEnvironment(key, session, folder, log_stream, process, ours)


def _variables(function: Any, session: Any, folder: Path, log_stream: str) -> dict[str, str]:
    url = f"http://{HOST}:{os.environ['MOTO_PORT']}"
    of_aws = {name: value for name, value in environment(url, function.region).items() if name.startswith("AWS_")}
    return {
        "PATH": os.environ.get("PATH", os.defpath),
        "LANG": "en_US.UTF-8",
        "TZ": ":UTC",
        "PYTHONUNBUFFERED": "1",
        "PYTHONDONTWRITEBYTECODE": "1",
        **of_aws,
        "AWS_ACCESS_KEY_ID": session.access_key_id,
        "AWS_SECRET_ACCESS_KEY": session.secret_access_key,
        "AWS_SESSION_TOKEN": session.session_token,
        "AWS_EXECUTION_ENV": f"AWS_Lambda_{function.run_time}",
        "AWS_LAMBDA_FUNCTION_NAME": function.function_name,
        "AWS_LAMBDA_FUNCTION_VERSION": str(function.version),
        "AWS_LAMBDA_FUNCTION_MEMORY_SIZE": str(function.memory_size),
        "AWS_LAMBDA_LOG_GROUP_NAME": function.logs_group_name,
        "AWS_LAMBDA_LOG_STREAM_NAME": log_stream,
        "LAMBDA_TASK_ROOT": str(folder / CODE),
        "SSL_CERT_FILE": str(folder / TRUSTED),
        "_HANDLER": function.handler,
        "_FUNCTION_ARN": function.function_arn,
        **{name: _in_place(str(value), folder) for name, value in function.environment_vars.items()},
    }


def _in_place(value: str, folder: Path) -> str:
    """A value; a path in Lambda's folder for code becomes the path in the local folder."""
    within = value == TASK_ROOT or value.startswith(f"{TASK_ROOT}/")
    return f"{folder / CODE}{value.removeprefix(TASK_ROOT)}" if within else value
