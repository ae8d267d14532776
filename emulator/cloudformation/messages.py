"""SQS's types: queues and their policies."""

from __future__ import annotations

from typing import Any

from emulator.cloudformation.calls import Created, Properties, _text, call, generated, gone, without
from emulator.cloudformation.types import made_by

NAME_LENGTH = 80


def install() -> None:
    """Register these types."""
    made_by("AWS::SQS::Queue", create=_create, update=_update, delete=_delete)
    made_by("AWS::SQS::QueuePolicy", create=_create_policy, update=_update_policy, delete=_delete_policy)


def _create(logical_id: str, properties: Properties, stack: str) -> Created:
    name = properties.get("QueueName") or generated(stack, logical_id, NAME_LENGTH)
    tags = properties.get("Tags") or []
    url = call("sqs", "CreateQueue", {"QueueName": name, "Attributes": _attributes(properties), "tags": tags})
    return _made(str(url["QueueUrl"]))


def _attributes(properties: Properties) -> dict[str, str]:
    return {name: _text(value) for name, value in without(properties, "QueueName", "Tags").items()}


def _made(url: str) -> Created:
    asked = {"QueueUrl": url, "AttributeNames": ["QueueArn"]}
    arn: Any = call("sqs", "GetQueueAttributes", asked)["Attributes"]["QueueArn"]
    return url, {"Arn": arn, "QueueName": arn.rpartition(":")[2], "QueueUrl": url}


def _update(url: str, old: Properties, new: Properties, stack: str) -> Created:
    if old.get("QueueName") != new.get("QueueName"):
        made = _create("queue", new, stack)
        _delete(url, old)
        return made
    call("sqs", "SetQueueAttributes", {"QueueUrl": url, "Attributes": _attributes(new)})
    return _made(url)


def _delete(url: str, _properties: Properties) -> None:
    gone("sqs", "DeleteQueue", QueueUrl=url)


def _create_policy(logical_id: str, properties: Properties, stack: str) -> Created:
    return _put_policy(generated(stack, logical_id, NAME_LENGTH), properties)


def _put_policy(id_: str, properties: Properties) -> Created:
    for url in properties["Queues"]:
        policy = {"Policy": _text(properties["PolicyDocument"])}
        call("sqs", "SetQueueAttributes", {"QueueUrl": url, "Attributes": policy})
    return id_, {"Id": id_}


def _update_policy(id_: str, _old: Properties, new: Properties, _stack: str) -> Created:
    return _put_policy(id_, new)


def _delete_policy(_id: str, properties: Properties) -> None:
    for url in properties["Queues"]:
        gone("sqs", "SetQueueAttributes", QueueUrl=url, Attributes={"Policy": ""})
