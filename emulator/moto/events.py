"""EventBridge: rules start state machines; undelivered events go to the target's dead-letter queue.

moto delivers to log groups and queues, and fails for targets of another type. It lets every event match a rule that has
a schedule and no pattern.
"""

from __future__ import annotations

import copy
import json
import uuid
from typing import Any

from moto.core.exceptions import JsonRESTError
from moto.events.models import Rule
from moto.sqs.models import sqs_backends
from moto.stepfunctions.exceptions import AWSError
from moto.stepfunctions.parser.models import stepfunctions_parser_backends
from moto.utilities.arns import parse_arn

from emulator.moto.extend import Method, override

WORKFLOW = ("states", "stateMachine")


@override(Rule)
def send_to_targets(original: Method, self: Any, original_event: Any, transform_input: bool = True) -> None:
    """Start the workflows among the targets, and leave the others to moto. A schedule by itself answers no event."""
    if not self.event_pattern.get_pattern():
        return
    others = copy.copy(self)
    others.targets = [target for target in self.targets if not _is_workflow(target)]
    original(others, original_event, transform_input)
    if self.state != "ENABLED" or not self.event_pattern.matches_event(original_event):
        return
    for target in self.targets:
        if _is_workflow(target):
            _start(target, original_event)


def _is_workflow(target: dict[str, Any]) -> bool:
    parts = str(target["Arn"]).split(":")
    return (parts[2], parts[5]) == WORKFLOW


def _start(target: dict[str, Any], event: Any) -> None:
    if {"Input", "InputPath", "InputTransformer"} & target.keys():
        raise NotImplementedError("a workflow gets the event as it is: inputs of targets are not played")
    machine = parse_arn(target["Arn"])
    backend = stepfunctions_parser_backends[machine.account][machine.region]
    message = json.dumps(event)
    try:
        backend.start_execution(target["Arn"], name=str(uuid.uuid4()), execution_input=message)
    except (AWSError, JsonRESTError):
        if "DeadLetterConfig" in target:
            queue = parse_arn(target["DeadLetterConfig"]["Arn"])
            sqs_backends[queue.account][queue.region].send_message(queue.resource_id, message)
