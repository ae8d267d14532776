"""Calls of CloudFormation to the services that make its resources, with a resource's properties as parameters.

A property is sent as the parameter of its name, whatever the case of its letters, in the type that the service's own
model has. A property that no parameter stands for is refused: none is dropped without a word.
"""

from __future__ import annotations

import json
import os
import secrets
import threading
from collections.abc import Callable, Iterable, Mapping
from typing import Any

import boto3
from botocore.config import Config
from botocore.exceptions import BotoCoreError, ClientError
from botocore.model import ListShape, MapShape, Shape, StructureShape
from ministack.core.responses import get_region

from emulator.address import environment
from emulator.cloudformation.front import URL_VARIABLE
from emulator.cloudformation.registry import Created as Created  # noqa: PLC0414
from emulator.cloudformation.registry import Properties as Properties  # noqa: PLC0414
from emulator.cloudformation.registry import RefusedError as RefusedError  # noqa: PLC0414

_clients: dict[tuple[str, str], Any] = {}
_lock = threading.Lock()


def client(service: str) -> Any:
    """A client of a service in the stack's region, as the account's administrator."""
    key = (service, get_region())
    with _lock:
        if key not in _clients:
            variables = environment(os.environ[URL_VARIABLE], key[1])
            make: Any = boto3.client
            _clients[key] = make(
                service,
                region_name=key[1],
                endpoint_url=os.environ[URL_VARIABLE],
                aws_access_key_id=variables["AWS_ACCESS_KEY_ID"],
                aws_secret_access_key=variables["AWS_SECRET_ACCESS_KEY"],
                # One try, as the local AWS does not throttle; a task or a function may take minutes.
                config=Config(retries={"total_max_attempts": 1}, read_timeout=900, proxies={}),
            )
        return _clients[key]


def call(service: str, operation: str, properties: Mapping[str, Any], names: Mapping[str, str] | None = None) -> Any:
    """Call an operation such as ``CreateQueue``; ``names`` are parameters by the properties that name them otherwise.

    Raises:
        RefusedError: the service refused it, or has no parameter for a property.
    """
    asked = client(service)
    model = asked.meta.service_model.operation_model(operation)
    renamed = {(names or {}).get(name, name): value for name, value in properties.items()}
    parameters = fit(model.input_shape, renamed, operation) if model.input_shape else {}
    method = {operation_name: name for name, operation_name in asked.meta.method_to_api_mapping.items()}[operation]
    try:
        return getattr(asked, method)(**parameters)
    except (ClientError, BotoCoreError) as error:
        raise RefusedError(str(error)) from None


def gone(service: str, operation: str, /, **parameters: Any) -> None:
    """Call an operation that deletes; what does not exist any more is deleted."""
    try:
        call(service, operation, parameters)
    except RefusedError as refused:
        if not any(
            word in str(refused) for word in ("NotFound", "NoSuch", "does not exist", "NonExistent", "not found")
        ):
            raise


_GONE = ("NotFound", "NoSuch", "does not exist", "NonExistent", "not found")
"""Of these each service has one in its error for what does not exist."""


def fit(shape: Shape, value: Any, where: str) -> Any:
    """A value of a template as a parameter of this shape.

    Raises:
        RefusedError: the shape has no member of a property's name.
    """
    if isinstance(shape, StructureShape):
        return _structure(shape, value, where)
    if isinstance(shape, ListShape):
        values = value if isinstance(value, list) else [value]
        return [fit(shape.member, one, f"{where}[{number}]") for number, one in enumerate(values)]
    if isinstance(shape, MapShape):
        pairs = {one["Key"]: one["Value"] for one in value} if isinstance(value, list) else dict(value)
        return {str(key): fit(shape.value, one, f"{where}.{key}") for key, one in pairs.items()}
    return _SCALARS.get(shape.type_name, lambda one: one)(value)


def _structure(shape: StructureShape, value: Mapping[str, Any], where: str) -> dict[str, Any]:
    members = {name.lower(): name for name in shape.members}
    fitted = {}
    for name, one in value.items():
        if name.lower() not in members:
            raise RefusedError(f"the local AWS sends no {name} of {where}: its API has no such parameter")
        member = members[name.lower()]
        fitted[member] = fit(shape.members[member], one, f"{where}.{name}")
    return fitted


def _text(value: Any) -> str:
    if isinstance(value, bool):
        return str(value).lower()
    return json.dumps(value) if isinstance(value, (dict, list)) else str(value)


_SCALARS: Mapping[str, Callable[[Any], Any]] = {
    "string": _text,
    "boolean": lambda value: str(value).lower() == "true",
    "integer": int,
    "long": int,
    "double": float,
    "float": float,
}


def without(properties: Properties, *names: str) -> Properties:
    """The properties but these."""
    return {name: value for name, value in properties.items() if name not in names}


def only(properties: Properties, *names: str) -> Properties:
    """These of the properties, as far as they are given."""
    return {name: properties[name] for name in names if name in properties}


def changed(old: Properties, new: Properties, names: Iterable[str]) -> bool:
    """Whether one of these properties is another one now."""
    return any(old.get(name) != new.get(name) for name in names)


def generated(stack: str, logical_id: str, most: int) -> str:
    """A physical name as CloudFormation makes it, of at most so many characters.

    https://docs.aws.amazon.com/AWSCloudFormation/latest/UserGuide/aws-properties-name.html
    """
    end = secrets.token_hex(6)
    return f"{f'{stack}-{logical_id}'[: most - len(end) - 1]}-{end}"
