"""Types of Lambda and EventBridge: functions, their permissions and event sources; rules."""

from __future__ import annotations

import json
from typing import Any

from ministack.services import s3

from emulator.cloudformation.calls import (
    Created,
    Properties,
    RefusedError,
    call,
    changed,
    client,
    generated,
    gone,
    only,
    without,
)
from emulator.cloudformation.types import made_by

NAME_LENGTH = 64


def install() -> None:
    """Register these types."""
    made_by("AWS::Lambda::Function", create=_create, update=_update, delete=_delete)
    made_by("AWS::Lambda::Permission", create=_permit, delete=_permit_no_more)
    made_by("AWS::Lambda::EventSourceMapping", create=_map, update=_map_again, delete=_map_no_more)
    made_by("AWS::Events::Rule", create=_create_rule, update=_update_rule, delete=_delete_rule)


def _create(logical_id: str, properties: Properties, stack: str) -> Created:
    name = properties.get("FunctionName") or generated(stack, logical_id, NAME_LENGTH)
    own = without(properties, "Code", "ReservedConcurrentExecutions")
    sent = {**own, "FunctionName": name, "Code": _code(properties)}
    made = call("lambda", "CreateFunction", sent, {"KmsKeyArn": "KMSKeyArn"})
    _reserve(name, properties)
    return name, {"Arn": made["FunctionArn"]}


def _code(properties: Properties) -> dict[str, Any]:
    """The code, which is among the assets of the CDK; CloudFormation's caller may read it."""
    code = properties["Code"]
    if code.keys() != {"S3Bucket", "S3Key"}:
        raise NotImplementedError(f"the local AWS makes no function of {sorted(code)}")
    body = s3._get_object_data(code["S3Bucket"], code["S3Key"])
    if body is None:
        raise RefusedError(f"NoSuchKey: s3://{code['S3Bucket']}/{code['S3Key']}")
    return {"ZipFile": body}


def _reserve(name: str, properties: Properties) -> None:
    if "ReservedConcurrentExecutions" in properties:
        count = properties["ReservedConcurrentExecutions"]
        reserved = {"FunctionName": name, "ReservedConcurrentExecutions": count}
        call("lambda", "PutFunctionConcurrency", reserved)
    else:
        gone("lambda", "DeleteFunctionConcurrency", FunctionName=name)


def _update(name: str, old: Properties, new: Properties, stack: str) -> Created:
    if changed(old, new, ("FunctionName",)):
        made = _create("function", new, stack)
        _delete(name, old)
        return made
    if changed(old, new, ("Code", "Architectures")):
        code = {**_code(new), **only(new, "Architectures")}
        call("lambda", "UpdateFunctionCode", {"FunctionName": name, **code})
    own = without(new, "Code", "ReservedConcurrentExecutions", "Architectures", "Tags", "FunctionName")
    sent = {**own, "FunctionName": name}
    made = call("lambda", "UpdateFunctionConfiguration", sent, {"KmsKeyArn": "KMSKeyArn"})
    _reserve(name, new)
    return name, {"Arn": made["FunctionArn"]}


def _delete(name: str, _properties: Properties) -> None:
    gone("lambda", "DeleteFunction", FunctionName=name)


def _permit(logical_id: str, properties: Properties, stack: str) -> Created:
    id_ = generated(stack, logical_id, NAME_LENGTH)
    call("lambda", "AddPermission", {**properties, "StatementId": id_})
    return id_, {"Id": id_}


def _permit_no_more(id_: str, properties: Properties) -> None:
    gone("lambda", "RemovePermission", FunctionName=properties["FunctionName"], StatementId=id_)


def _map(_logical_id: str, properties: Properties, _stack: str) -> Created:
    made = call("lambda", "CreateEventSourceMapping", properties)
    return made["UUID"], {"Id": made["UUID"]}


def _map_again(id_: str, old: Properties, new: Properties, stack: str) -> Created:
    if changed(old, new, ("EventSourceArn",)):
        made = _map("", new, stack)
        _map_no_more(id_, old)
        return made
    call("lambda", "UpdateEventSourceMapping", {**without(new, "EventSourceArn", "Tags"), "UUID": id_})
    return id_, {"Id": id_}


def _map_no_more(id_: str, _properties: Properties) -> None:
    gone("lambda", "DeleteEventSourceMapping", UUID=id_)


def _create_rule(logical_id: str, properties: Properties, stack: str) -> Created:
    name = properties.get("Name") or generated(stack, logical_id, NAME_LENGTH)
    arn = call("events", "PutRule", {**without(properties, "Targets"), "Name": name})["RuleArn"]
    if targets := properties.get("Targets"):
        call("events", "PutTargets", {"Rule": name, "Targets": targets})
    return name, {"Arn": arn}


def _update_rule(name: str, old: Properties, new: Properties, stack: str) -> Created:
    _delete_rule(name, old)
    return _create_rule(name, {**new, "Name": name}, stack)


def _delete_rule(name: str, properties: Properties) -> None:
    ids = [one["Id"] for one in properties.get("Targets") or ()]
    if ids:
        gone("events", "RemoveTargets", Rule=name, Ids=ids)
    gone("events", "DeleteRule", Name=name)


def invoke(function: str, event: object) -> None:
    """Invoke a function and do not wait for its end, as CloudFormation does for a custom resource.

    Raises:
        RefusedError: it was refused.
    """
    sent = {"FunctionName": function, "InvocationType": "Event"}
    client("lambda").invoke(**sent, Payload=json.dumps(event).encode())
