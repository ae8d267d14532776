"""Lambda functions as processes of the local Python.

A function has its code in a folder of its own, its environment variables, and the variables that point any AWS client
at the local AWS, with a session of its role; of the user's environment it has only PATH. In a VPC it reaches the load
balancers there (:mod:`emulator.runtime.vpc`) and trusts the certificates of ACM. Its output goes to its log group. It
runs on the Python and the libraries of the local AWS, whatever its runtime and architecture; layers are not supported.
"""

from __future__ import annotations

import contextlib
import io
import json
import os
import subprocess
import sys
import tempfile
import threading
import uuid
import zipfile
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from emulator.address import HOST, environment
from emulator.authorization import callers, gate
from emulator.passages import passing
from emulator.runtime import vpc
from emulator.runtime.authority import trust_in_place_of_rds, write_trusted
from emulator.runtime.databases.clusters import SERVERS
from emulator.turns import let_others, turn

RUNNER = Path(__file__).parent / "function_runner.py"
LAMBDA = "lambda.amazonaws.com"
LOG_TAIL_BYTES = 4096
"""The length of the log tail in Invoke's response (Lambda's API reference, LogType)."""

# In addition to a function's code: its CA bundle, and its view of the VPC.
CODE, TRUSTED, NETWORK = "code", "trusted.pem", "network.json"
TASK_ROOT = "/var/task"
"""Lambda's folder for a function's code: https://docs.aws.amazon.com/lambda/latest/dg/configuration-envvars.html"""

# The runner ends at its timeout by itself; this is for one that cannot.
_SECONDS_OF_GRACE = 5.0

_running: set[subprocess.Popen[bytes]] = set()
_running_lock = threading.Lock()


@dataclass(frozen=True)
class Outcome:
    """The outcome of an invocation: the function's result or error as JSON, and its output."""

    failed: bool
    payload: str
    log: str


def run(function: Any, event: Any) -> Outcome:
    """Run a function (one of moto's) to its end, and write its output to its log group.

    Raises:
        NotImplementedError: it is no Python function.
    """
    if not (function.run_time or "").startswith("python"):
        raise NotImplementedError(f"{function.function_name} is no Python function: nothing else is run here")
    request_id = str(uuid.uuid4())
    with passing("function", function.function_name, _about(event)) as passage:
        outcome = _invoked(function, event, request_id)
        passage.outcome = "failed" if outcome.failed else "returned"
    return outcome


def _about(event: Any) -> str:
    """A description of the event for the record: the operations that it names, without content."""
    records = event.get("Records") if isinstance(event, dict) else None
    if isinstance(records, list) and records and records[0].get("eventSource") == "aws:sqs":
        return f"{len(records)} messages of {records[0]['eventSourceARN'].rpartition(':')[2]}"
    return "an event"


def _invoked(function: Any, event: Any, request_id: str) -> Outcome:
    if vpc.network_of(function):
        SERVERS.start()  # it may connect to a database
    with turn():
        if not gate.may_assume(LAMBDA, function.role, function.function_arn):
            return Outcome(failed=True, payload=json.dumps(_not_assumed(function)), log="")
        session = callers.new_session(
            function.role, function.function_name, region=function.region, network=vpc.network_of(function)
        )
    with tempfile.TemporaryDirectory(prefix="function-") as folder:
        zipfile.ZipFile(io.BytesIO(function.code_bytes)).extractall(Path(folder) / CODE)
        write_trusted(Path(folder) / TRUSTED)
        trust_in_place_of_rds(Path(folder) / CODE)
        with turn():
            (Path(folder) / NETWORK).write_text(json.dumps(vpc.view(function)), encoding="utf-8")
        with let_others():
            outcome = _run(function, session, event, request_id, Path(folder))
    with turn():
        _write_log(function, callers.session_caller(session), outcome.log)
    return outcome


def end_all() -> None:
    """End every running function."""
    with _running_lock:
        for process in _running:
            process.kill()


def _not_assumed(function: Any) -> dict[str, str]:
    return {
        "errorType": "AccessDeniedException",
        "errorMessage": f"The role defined for the function cannot be assumed by Lambda. ({function.role})",
    }


def _run(function: Any, session: Any, event: Any, request_id: str, folder: Path) -> Outcome:
    answer = folder / "answer.json"
    command = [sys.executable, "-P", str(RUNNER), function.handler, str(function.timeout), str(answer)]
    command.append(str(folder / NETWORK))
    process = subprocess.Popen(
        command,
        cwd=folder / CODE,
        env=_environment(function, session, request_id, folder),
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
    )
    with _tracked(process):
        try:
            written, _ = process.communicate(json.dumps(event).encode(), timeout=function.timeout + _SECONDS_OF_GRACE)
        except subprocess.TimeoutExpired:
            process.kill()
            written, _ = process.communicate()
    log = f"START RequestId: {request_id}\n{written.decode(errors='replace')}END RequestId: {request_id}\n"
    if not answer.exists():
        return Outcome(failed=True, payload=json.dumps(_no_answer(function, process.returncode, request_id)), log=log)
    said = json.loads(answer.read_text(encoding="utf-8"))
    return Outcome(failed=said["failed"], payload=json.dumps(said["payload"]), log=log)


@contextlib.contextmanager
def _tracked(process: subprocess.Popen[bytes]) -> Any:
    with _running_lock:
        _running.add(process)
    try:
        yield
    finally:
        with _running_lock:
            _running.discard(process)


def _no_answer(function: Any, status: int, request_id: str) -> dict[str, str]:
    if status < 0:
        return {
            "errorType": "Sandbox.Timedout",
            "errorMessage": f"RequestId: {request_id} Error: Task timed out after {function.timeout:.2f} seconds",
        }
    return {
        "errorType": "Runtime.ExitError",
        "errorMessage": f"RequestId: {request_id} Error: Runtime exited with error: exit status {status}",
    }


def _environment(function: Any, session: Any, request_id: str, folder: Path) -> dict[str, str]:
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
        "LAMBDA_TASK_ROOT": str(folder / CODE),
        "SSL_CERT_FILE": str(folder / TRUSTED),
        # Not sampled: there is no X-Ray to send a trace to.
        "_X_AMZN_TRACE_ID": f"Root=1-{request_id[:8]}-{uuid.uuid4().hex[:24]};Sampled=0",
        "_HANDLER": function.handler,
        "_REQUEST_ID": request_id,
        "_FUNCTION_ARN": function.function_arn,
        **{name: _in_place(str(value), folder) for name, value in function.environment_vars.items()},
    }


def _in_place(value: str, folder: Path) -> str:
    """A value; a path in Lambda's folder for code becomes the path in the local folder."""
    within = value == TASK_ROOT or value.startswith(f"{TASK_ROOT}/")
    return f"{folder / CODE}{value.removeprefix(TASK_ROOT)}" if within else value


def _write_log(function: Any, role: callers.Caller, log: str) -> None:
    """Write with the permissions of the function's role; without them the output is lost, as on AWS."""
    now = datetime.now(UTC)
    group, logs = function.logs_group_name, function.logs_backend
    stream = f"{now:%Y/%m/%d}/[{function.version}]{uuid.uuid4().hex}"
    arn = f"arn:aws:logs:{function.region}:{function.account_id}:log-group:{group}:log-stream:"
    if group not in logs.groups:
        if not gate.may_act(role, "logs:CreateLogGroup", arn):
            return
        logs.ensure_log_group(group)
    if not all(gate.may_act(role, f"logs:{one}", arn + stream) for one in ("CreateLogStream", "PutLogEvents")):
        return
    logs.create_log_stream(group, stream)
    milliseconds = int(now.timestamp() * 1000)
    events = [{"timestamp": milliseconds, "message": line} for line in log.splitlines() if line]
    logs.put_log_events(group, stream, events)
