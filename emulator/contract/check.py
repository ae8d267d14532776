"""A request against the shapes of its operation: every member, recursively."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

from moto.core.model import Shape, StructureShape
from moto.core.request import Request

from emulator.contract.models import Target
from emulator.contract.patterns import matches
from emulator.contract.wire import (
    JsonReader,
    QueryReader,
    Reader,
    TextReader,
    WrongTypeError,
    XmlReader,
    header_map,
    read_json,
    read_xml,
)


class Constraint(StrEnum):
    """Kinds of constraints of a model."""

    UNKNOWN_OPERATION = "unknown operation"
    UNKNOWN_MEMBER = "unknown member"
    MISSING = "missing"
    TYPE = "type"
    ENUM = "enum"
    PATTERN = "pattern"
    LENGTH_MINIMUM = "length minimum"
    LENGTH_MAXIMUM = "length maximum"
    RANGE_MINIMUM = "range minimum"
    RANGE_MAXIMUM = "range maximum"
    UNION = "union"


@dataclass(frozen=True)
class Violation:
    """One violation of the model by a request.

    ``member`` is the path as the model names it (``Tags[0].Key``, empty for the request as a whole); ``value`` is what
    was sent, shortened, or empty where the model marks the member as sensitive.
    """

    service: str
    operation: str
    member: str
    constraint: Constraint
    requirement: str
    value: str = ""

    @property
    def message(self) -> str:
        """The violation in the words of AWS's own validation errors."""
        sent = f"Value '{self.value}' at" if self.value else "Value at"
        return f"1 validation error detected: {sent} '{self.member}' failed to satisfy constraint: {self.requirement}"


_LONGEST_VALUE_SHOWN = 120

# Headers and query parameters of the protocols themselves, which no operation's model lists.
_PROTOCOL_HEADERS = frozenset(
    {
        "x-amz-content-sha256",
        "x-amz-date",
        "x-amz-decoded-content-length",
        "x-amz-sdk-checksum-algorithm",
        "x-amz-security-token",
        "x-amz-target",
        "x-amz-te",
        "x-amz-trailer",
        "x-amz-user-agent",
    }
)
_PROTOCOL_QUERY = frozenset(
    {
        "X-Amz-Algorithm",
        "X-Amz-Content-Sha256",
        "X-Amz-Credential",
        "X-Amz-Date",
        "X-Amz-Expires",
        "X-Amz-Security-Token",
        "X-Amz-Signature",
        "X-Amz-SignedHeaders",
        "x-id",
    }
)
_QUERY_ENVELOPE = ("Action", "Version")

# Request payloads that are handed on as they are: their content is no shape of the model.
_OPAQUE_TYPES = ("blob", "string")


class Check:
    """Validates one request against one operation; the result is in :attr:`violations`."""

    def __init__(self, target: Target) -> None:
        self._target = target
        self.violations: list[Violation] = []
        self.resource: dict[str, str | list[str]] = {}
        """Parameters that name a resource, with their values."""
        self.parameters: dict[str, Any] = {}
        """Every scalar that was sent, by its path (``Tags[0].Key``); none that the model marks as sensitive."""

    def request(self, request: Request, body: bytes) -> None:
        """Check a whole request, whose body is ``body``."""
        shape = self._target.operation.input_shape
        try:
            if self._target.protocol in ("query", "ec2"):
                self._check_form(shape, request)
            elif self._target.protocol == "json":
                self._check_input(JsonReader(), shape, read_json(body))
            else:
                self._check_rest(shape, request, body)
        except WrongTypeError as mismatch:
            self._report("", Constraint.TYPE, f"The body {mismatch}")

    # --- the request as a whole, by protocol ---------------------------------------------------------------------

    def _check_input(self, reader: Reader, shape: Shape | None, node: Any) -> None:
        """The input structure; an operation without one takes no members."""
        if isinstance(shape, StructureShape):
            self._structure(reader, shape, node, "")
            return
        for name in node:
            self._report(str(name), Constraint.UNKNOWN_MEMBER, f"{self._target.operation.name} takes no parameters")

    def _check_form(self, shape: Shape | None, request: Request) -> None:
        pairs = [(k, v) for k, v in request.values.items(multi=True) if k not in _QUERY_ENVELOPE]
        self._check_input(QueryReader(self._target.protocol), shape, QueryReader.tree(pairs))

    def _check_rest(self, shape: Shape | None, request: Request, body: bytes) -> None:
        members = shape.members if isinstance(shape, StructureShape) else {}
        outside = self._values_outside_the_body(members, request)
        for name, node in outside.items():
            self._shape(TextReader(), members[name], node, name)
        self._report_unknown_outside_the_body(members, request)
        inside = self._check_body(shape, members, body)
        if isinstance(shape, StructureShape):
            self._require(shape, outside.keys() | inside, "")

    def _values_outside_the_body(self, members: Mapping[str, Shape], request: Request) -> dict[str, Any]:
        """Members bound to headers, path labels, host labels and the query string, by their name."""
        values: dict[str, Any] = {}
        for name, shape in members.items():
            value = self._value_outside_the_body(name, shape, members, request)
            if value is None and shape.serialization.get("hostLabel"):
                value = self._target.path_values.get(name)
            if value is not None:
                values[name] = value
        return values

    def _value_outside_the_body(self, name: str, shape: Shape, members: Mapping[str, Shape], request: Request) -> Any:
        wire_name = shape.serialization.get("name", name)
        value: Any = None
        match shape.serialization.get("location"):
            case "uri":
                value = self._target.path_values.get(wire_name)
            case "header":
                value = request.headers.get(wire_name)
            case "headers":
                value = header_map(request.headers, wire_name)
            case "querystring" if shape.type_name == "list":
                value = request.args.getlist(wire_name) or None
            case "querystring" if shape.type_name == "map":
                value = self._free_query(members, request)
            case "querystring":
                value = request.args.get(wire_name)
        return value

    def _bound_query(self, members: Mapping[str, Shape]) -> set[str]:
        bound = {m.serialization.get("name", n) for n, m in members.items() if _location(m) == "querystring"}
        return bound | set(self._target.operation.http_trait.query_args) | _PROTOCOL_QUERY

    def _free_query(self, members: Mapping[str, Shape], request: Request) -> dict[str, Any]:
        bound = self._bound_query(members)
        return {name: request.args.getlist(name) for name in request.args if name not in bound}

    def _report_unknown_outside_the_body(self, members: Mapping[str, Shape], request: Request) -> None:
        takes_any_query = any(_location(m) == "querystring" and m.type_name == "map" for m in members.values())
        for name in () if takes_any_query else self._free_query(members, request):
            self._report(name, Constraint.UNKNOWN_MEMBER, "no such query parameter")
        # WSGI does not distinguish underscores and dashes in header names (SSO has an underscore).
        named = (m.serialization.get("name", n) for n, m in members.items() if _location(m) == "header")
        headers = {name.lower().replace("_", "-") for name in named}
        prefixes = tuple(m.serialization["name"].lower() for m in members.values() if _location(m) == "headers")
        for name in map(str.lower, request.headers.keys()):
            # Other headers are the HTTP client's own affair.
            if not name.startswith("x-amz-") or name in headers | _PROTOCOL_HEADERS:
                continue
            if not name.startswith((*prefixes, "x-amz-checksum-")):
                self._report(name, Constraint.UNKNOWN_MEMBER, "no such header")

    def _check_body(self, shape: Shape | None, members: Mapping[str, Shape], body: bytes) -> set[str]:
        """Check the body of a REST request; returns the names of the input's members that it holds."""
        xml = self._target.protocol == "rest-xml"
        reader: Reader = XmlReader() if xml else JsonReader()
        payload = shape.serialization.get("payload") if shape is not None else None
        if payload is not None:
            member = members[payload]
            if not body:
                return set()
            if member.type_name == "string":
                self._constraints(member, body.decode("utf-8", errors="replace"), payload)
            elif member.type_name not in _OPAQUE_TYPES and not member.serialization.get("eventstream"):
                self._shape(reader, member, self._document(member, body), payload)
            return {payload}
        in_body = {name for name, member in members.items() if _location(member) is None}
        if not isinstance(shape, StructureShape) or not in_body or not body.strip():
            return set()
        return self._members(reader, shape, self._document(shape, body), "")

    def _document(self, shape: Shape, body: bytes) -> Any:
        if self._target.protocol != "rest-xml":
            return read_json(body)
        root = read_xml(body)
        expected = shape.serialization.get("name")
        if expected and XmlReader.local_name(root.tag) != expected:
            raise WrongTypeError(f"must be a <{expected}>, is a <{XmlReader.local_name(root.tag)}>")
        return [root] if shape.type_name == "list" and shape.is_flattened else root

    # --- shapes --------------------------------------------------------------------------------------------------

    def _shape(self, reader: Reader, shape: Shape, node: Any, path: str) -> None:
        try:
            if isinstance(shape, StructureShape):
                if not shape.is_document_type:
                    self._structure(reader, shape, node, path)
            elif shape.type_name == "list":
                self._list(reader, shape, node, path)
            elif shape.type_name == "map":
                self._map(reader, shape, node, path)
            else:
                value = reader.scalar(shape, node)
                self._note(shape, path, value)
                self._constraints(shape, value, path)
        except WrongTypeError as mismatch:
            self._report(path, Constraint.TYPE, f"Member {mismatch}")

    def _structure(self, reader: Reader, shape: StructureShape, node: Any, path: str) -> None:
        self._require(shape, self._members(reader, shape, node, path), path)

    def _members(self, reader: Reader, shape: StructureShape, node: Any, path: str) -> set[str]:
        members, unknown = reader.members(shape, node)
        for name in unknown:
            self._report(_join(path, name), Constraint.UNKNOWN_MEMBER, f"{shape.name} has no such member")
        for name, member_node in members.items():
            self._shape(reader, shape.members[name], member_node, _join(path, name))
        return set(members)

    def _require(self, shape: StructureShape, given: set[str], path: str) -> None:
        for name in shape.required_members:
            if name not in given:
                self._report(_join(path, name), Constraint.MISSING, "Member must not be null")
        if shape.is_tagged_union and len(given) != 1:
            self._report(path, Constraint.UNION, f"Exactly one of {', '.join(shape.members)} must be set")

    def _list(self, reader: Reader, shape: Shape, node: Any, path: str) -> None:
        items = reader.items(shape, node)
        self._bounds(shape, len(items), path, "length")
        for index, item in enumerate(items):
            self._shape(reader, shape.member, item, f"{path}[{index}]")

    def _map(self, reader: Reader, shape: Shape, node: Any, path: str) -> None:
        entries = reader.entries(shape, node)
        self._bounds(shape, len(entries), path, "length")
        for index, (key, value) in enumerate(entries):
            self._shape(reader, shape.key, key, f"{path}[{index}].key")
            self._shape(reader, shape.value, value, f"{path}[{index}].value")

    def _constraints(self, shape: Shape, value: Any, path: str) -> None:
        if isinstance(value, str | bytes):
            self._bounds(shape, len(value), path, "length", shown=value)
        elif isinstance(value, int | float) and not isinstance(value, bool) and shape.type_name != "timestamp":
            self._bounds(shape, value, path, "range", shown=value)
        if shape.type_name == "string" and isinstance(value, str):
            self._text(shape, value, path)

    def _text(self, shape: Shape, value: str, path: str) -> None:
        allowed = shape.metadata.get("enum")
        if allowed and value not in allowed:
            self._report(path, Constraint.ENUM, f"Member must satisfy enum value set: {allowed}", shape, value)
        pattern = shape.metadata.get("pattern")
        if pattern and not matches(pattern, value):
            requirement = f"Member must satisfy regular expression pattern: {pattern}"
            self._report(path, Constraint.PATTERN, requirement, shape, value)

    def _bounds(self, shape: Shape, size: float, path: str, kind: str, shown: Any = "") -> None:
        minimum, maximum = shape.metadata.get("min"), shape.metadata.get("max")
        noun = "have length" if kind == "length" else "have value"
        if minimum is not None and size < minimum:
            requirement = f"Member must {noun} greater than or equal to {minimum}"
            self._report(path, Constraint(f"{kind} minimum"), requirement, shape, shown)
        if maximum is not None and size > maximum:
            requirement = f"Member must {noun} less than or equal to {maximum}"
            self._report(path, Constraint(f"{kind} maximum"), requirement, shape, shown)

    # --- results -------------------------------------------------------------------------------------------------

    def _report(
        self, path: str, constraint: Constraint, requirement: str, shape: Shape | None = None, value: Any = ""
    ) -> None:
        hidden = shape is not None and shape.metadata.get("sensitive")
        shown = "" if hidden else str(value)[:_LONGEST_VALUE_SHOWN]
        service, operation = self._target.service.service_name, self._target.operation.name
        self.violations.append(Violation(service, operation, path, constraint, requirement, shown))

    def _note(self, shape: Shape, path: str, value: Any) -> None:
        name, _, rest = path.partition("[")
        if shape.metadata.get("sensitive"):
            return
        self.parameters[path] = value
        if not isinstance(value, str) or not _NAMES_A_RESOURCE.search(name):
            return
        if not rest:
            self.resource[name] = value
        elif rest.endswith("]") and isinstance(items := self.resource.setdefault(name, []), list):
            items.append(value)


_NAMES_A_RESOURCE = re.compile(r"^([Bb]ucket|[Kk]ey|[Nn]ame|arn|[Rr]esource)$|(Arn|ARN|Name|Id|ID|Identifier)s?$")
"""Parameters of a request that name a resource: only of the first level, where AWS's operations have them."""


def _join(path: str, name: str) -> str:
    return f"{path}.{name}" if path else name


def _location(shape: Shape) -> str | None:
    location = shape.serialization.get("location")
    return None if location is None else str(location)
