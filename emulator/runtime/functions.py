"""Invocations of Lambda functions.

A function has its code in a folder of its own, its environment variables, and the variables that point any AWS client
at the local AWS, with a session of its role; of the user's environment it has only PATH. In a VPC it reaches the load
balancers there (:mod:`emulator.runtime.vpc`) and trusts the certificates of ACM. Its output goes to its log group. It
runs on the Python and the libraries of the local AWS, whatever its runtime and architecture; layers are not supported.
Its process takes the next invocation as well (:mod:`emulator.runtime.execution_environments`).
"""

from __future__ import annotations

import contextlib
import json
import os
import threading
import time
import uuid
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from alarms.sources import of_invocation
from emulator.authorization import callers, gate
from emulator.passages import passing
from emulator.runtime import vpc
from emulator.runtime.databases.clusters import SERVERS
from emulator.runtime.execution_environments import ENVIRONMENTS, ExecutionEnvironment
from emulator.runtime.metering import METERING
from emulator.turns import turn

LAMBDA = "lambda.amazonaws.com"
LOG_TAIL_BYTES = 4096
"""The length of the log tail in Invoke's response (Lambda's API reference, LogType)."""


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
    begun = time.monotonic()
    with passing("function", function.function_name, _about(event)) as passage, _CONCURRENT.one_more(function) as many:
        outcome = _invoked(function, event, request_id)
        passage.outcome = "failed" if outcome.failed else "returned"
    seconds = time.monotonic() - begun
    data = of_invocation(function.function_name, failed=outcome.failed, seconds=seconds, concurrent=many)
    METERING.publish(function.region, data)
    return outcome


class _Concurrent:
    """Counts the invocations of each function that run."""

    def __init__(self) -> None:
        self._forget()
        os.register_at_fork(after_in_child=self._forget)

    def _forget(self) -> None:
        """Start without one: in a fork, which may have been forked while another thread had the lock."""
        self._running: Counter[str] = Counter()
        self._lock = threading.Lock()

    @contextlib.contextmanager
    def one_more(self, function: Any) -> Iterator[int]:
        """Count one for the block; gives how many there are with it."""
        with self._lock:
            self._running[function.function_arn] += 1
            many = self._running[function.function_arn]
        try:
            yield many
        finally:
            with self._lock:
                self._running[function.function_arn] -= 1


_CONCURRENT = _Concurrent()


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
    with ENVIRONMENTS.one_for(function) as one:
        returned = one.invoke(function, event, request_id)
        log = f"START RequestId: {request_id}\n{returned.log}END RequestId: {request_id}\n"
        with turn():
            _write_log(function, one, log)
    if returned.answer is None:
        return Outcome(failed=True, payload=json.dumps(_no_answer(function, returned.status, request_id)), log=log)
    return Outcome(failed=returned.answer["failed"], payload=json.dumps(returned.answer["payload"]), log=log)


def _not_assumed(function: Any) -> dict[str, str]:
    return {
        "errorType": "AccessDeniedException",
        "errorMessage": f"The role defined for the function cannot be assumed by Lambda. ({function.role})",
    }


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


def _write_log(function: Any, one: ExecutionEnvironment, log: str) -> None:
    """Write with the permissions of the function's role; without them the output is lost, as on AWS."""
    role, stream = callers.session_caller(one.session), one.log_stream
    group, logs = function.logs_group_name, function.logs_backend
    arn = f"arn:aws:logs:{function.region}:{function.account_id}:log-group:{group}:log-stream:"
    if group not in logs.groups:
        if not gate.may_act(role, "logs:CreateLogGroup", arn):
            return
        logs.ensure_log_group(group)
    if not all(gate.may_act(role, f"logs:{one}", arn + stream) for one in ("CreateLogStream", "PutLogEvents")):
        return
    if stream not in logs.groups[group].streams:
        logs.create_log_stream(group, stream)
    milliseconds = int(datetime.now(UTC).timestamp() * 1000)
    events = [{"timestamp": milliseconds, "message": line} for line in log.splitlines() if line]
    logs.put_log_events(group, stream, events)
