"""Lambda: attributes of a function that moto drops, execution of functions, and event source mappings of queues.

An account's limits are Lambda's defaults, and of its concurrency is left what no function has reserved.

moto runs functions in Docker. Here a Python function runs in a process of the local Python
(:mod:`emulator.runtime.functions`). moto invokes a function while a message is sent to its queue, with that message
and constant attributes; here pollers invoke it with batches (:mod:`emulator.runtime.event_sources`).
"""

from __future__ import annotations

import base64
import json
import os
import threading
from typing import Any

from moto.awslambda import urls
from moto.awslambda.models import LambdaBackend, LambdaFunction
from moto.awslambda.responses import LambdaResponse
from moto.sqs.models import Queue, sqs_backends
from moto.utilities.docker_utilities import DockerModel

from emulator.moto.extend import Method, add, override, override_property
from emulator.runtime import event_sources, functions

urls.url_paths["{0}/2016-08-19/account-settings/?$"] = LambdaResponse.dispatch

CONCURRENCY_VARIABLE = "MOTO_LAMBDA_CONCURRENCY_QUOTA"
"""By this variable moto refuses to reserve more than an account has."""
MIB, GIB = 2**20, 2**30
LIMITS = {"TotalCodeSize": 75 * GIB, "CodeSizeUnzipped": 250 * MIB, "CodeSizeZipped": 50 * MIB}
"""Defaults, in bytes: https://docs.aws.amazon.com/lambda/latest/dg/gettingstarted-limits.html"""
KEPT = ("DeadLetterConfig", "LoggingConfig", "TracingConfig", "KMSKeyArn", "EphemeralStorage")
"""Members of a configuration that moto does not store, or not when they change."""


@override(LambdaFunction)
def __init__(original: Method, self: Any, *arguments: Any, **keywords: Any) -> None:  # noqa: N807
    """Store attributes that moto drops."""
    original(self, *arguments, **keywords)
    self.kept = {}
    _keep(self, keywords["spec"])


@override(LambdaFunction)
def update_configuration(original: Method, self: Any, config_updates: dict[str, Any]) -> dict[str, Any]:
    """Store attributes that moto drops."""
    _keep(self, config_updates)
    return original(self, config_updates)  # type: ignore[no-any-return]


@override(LambdaFunction)
def update_function_code(original: Method, self: Any, updated_spec: dict[str, Any]) -> dict[str, Any]:
    """Store the architectures, which come with the code."""
    if "Architectures" in updated_spec:
        self.architectures = updated_spec["Architectures"]
    return original(self, updated_spec)  # type: ignore[no-any-return]


@override(LambdaFunction)
def get_configuration(original: Method, self: Any, on_create: bool = False) -> dict[str, Any]:
    """Return what is stored."""
    return {**original(self, on_create), **self.kept}


@override_property(DockerModel)
def docker_client(self: Any) -> Any:
    """Nothing here runs in Docker: moto's own view of all models must not look for it."""
    raise AttributeError(f"{type(self).__name__} has no docker_client")


def _keep(self: Any, sent: dict[str, Any]) -> None:
    # Another dictionary: a published version keeps the one it has.
    self.kept = {**self.kept, **{member: sent[member] for member in KEPT if member in sent}}
    if "LoggingConfig" in self.kept:
        self.logs_group_name = self.kept["LoggingConfig"].setdefault("LogGroup", f"/aws/lambda/{self.function_name}")


@override(LambdaFunction)
def invoke(_original: Method, self: Any, body: str, request_headers: Any, response_headers: Any) -> str | bytes:
    """Run the function, and answer as the invocation type has it."""
    event = json.loads(body) if body else {}
    kind = request_headers.get("x-amz-invocation-type", "RequestResponse")
    if kind == "Event":
        threading.Thread(target=functions.run, args=(self, event), daemon=True).start()
    if kind != "RequestResponse":
        return ""
    outcome = functions.run(self, event)
    if outcome.failed:
        response_headers["x-amz-function-error"] = "Unhandled"
    response_headers["x-amz-log-result"] = base64.b64encode(outcome.log.encode()[-functions.LOG_TAIL_BYTES :]).decode()
    return outcome.payload.encode()


@add(LambdaResponse)
def get_account_settings(self: Any) -> str:
    """The limits of the account in the region, and what its functions have used and reserved of them."""
    functions_of_account = list(self.backend.list_functions())
    concurrency = int(os.environ[CONCURRENCY_VARIABLE])
    reserved = sum(int(one.reserved_concurrency or 0) for one in functions_of_account)
    limit = {**LIMITS, "ConcurrentExecutions": concurrency, "UnreservedConcurrentExecutions": concurrency - reserved}
    used = sum(one.code_size for one in functions_of_account)
    return json.dumps(
        {"AccountLimit": limit, "AccountUsage": {"TotalCodeSize": used, "FunctionCount": len(functions_of_account)}}
    )


@override(Queue)
def add_message(original: Method, self: Any, message: Any) -> None:
    """Store the message, and notify the queue's pollers."""
    mappings, self.lambda_event_source_mappings = self.lambda_event_source_mappings, {}
    try:
        original(self, message)
    finally:
        self.lambda_event_source_mappings = mappings
    event_sources.wake(self)


@override(LambdaBackend)
def create_event_source_mapping(original: Method, self: Any, spec: dict[str, Any]) -> Any:
    """Start with the messages in the queue."""
    return _awake(original(self, spec))


@override(LambdaBackend)
def update_event_source_mapping(original: Method, self: Any, uuid: str, spec: dict[str, Any]) -> Any:
    """Go on, if it is enabled now."""
    return _awake(original(self, uuid, spec))


@override(LambdaBackend)
def delete_event_source_mapping(original: Method, self: Any, uuid: str) -> Any:
    """The queue forgets it, too."""
    mapping = original(self, uuid)
    if queue := _queue_of(mapping):
        queue.lambda_event_source_mappings.pop(mapping.function_arn, None)
    return mapping


def _awake(mapping: Any) -> Any:
    if queue := _queue_of(mapping):
        event_sources.wake(queue)
    return mapping


def _queue_of(mapping: Any) -> Any:
    """The queue of a mapping, if it is of a queue that there is."""
    if mapping is None:
        return None
    queues = sqs_backends[mapping.account_id][mapping.region].queues.values()
    return next((queue for queue in queues if queue.queue_arn == mapping.event_source_arn), None)
