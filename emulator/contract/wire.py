"""Readers of raw requests, member by member, for each protocol of AWS.

moto's own parsers (``moto.core.parse``) drop members that the model does not have and coerce wrong types, which the
contract must detect. A reader here returns the raw child nodes of a node and the names that the model does not have;
:mod:`emulator.contract.check` walks the shapes.

    QueryReader   query and ec2: a form with dotted keys, as a tree of dictionaries
    JsonReader    json, and the body of rest-json
    XmlReader     the body of rest-xml
    TextReader    headers, path labels and query strings: text only
"""

from __future__ import annotations

import base64
import binascii
import json
import re
from collections.abc import Iterable, Mapping
from typing import Any
from xml.etree import ElementTree as ET

from botocore.utils import parse_timestamp
from moto.core.model import Shape, StructureShape
from typing_extensions import override

Members = tuple[dict[str, Any], list[str]]
"""The nodes of a structure by the name of their member, and the names on the wire that the model does not have."""


class WrongTypeError(ValueError):
    """A node does not have the type of its shape; the message names the required type."""


class Reader:
    """Reads the nodes of one protocol."""

    def members(self, shape: StructureShape, node: Any) -> Members:
        """The members of a structure."""
        raise NotImplementedError

    def items(self, shape: Shape, node: Any) -> list[Any]:
        """The items of a list."""
        raise NotImplementedError

    def entries(self, shape: Shape, node: Any) -> list[tuple[Any, Any]]:
        """The keys and values of a map."""
        raise NotImplementedError

    def scalar(self, shape: Shape, node: Any) -> Any:
        """The value of a scalar: str, int, float, bool or bytes; a timestamp is read and returned as it is."""
        if not isinstance(node, str):
            raise WrongTypeError(f"must be a {shape.type_name}")
        return _from_text(shape, node)


def _from_text(shape: Shape, text: str) -> Any:
    match shape.type_name:
        case "integer" | "long" | "short" | "byte" if re.fullmatch(r"[+-]?\d+", text):
            return int(text)
        case "float" | "double" if re.fullmatch(r"[+-]?\d+(\.\d*)?([eE][+-]?\d+)?|-?Infinity|NaN", text):
            return float(text)
        case "boolean" if text in ("true", "false"):
            return text == "true"
        case "blob":
            return _from_base64(text)
        case "timestamp":
            return _timestamp(text)
        case "string" | "character":
            return text
    raise WrongTypeError(f"must be a {shape.type_name}")


def _from_base64(text: str) -> bytes:
    try:
        return base64.b64decode(text, validate=True)
    except binascii.Error:
        raise WrongTypeError("must be base64") from None


def _timestamp(value: str | int | float) -> str | int | float:
    try:
        parse_timestamp(value)  # type: ignore[arg-type]  # it takes numbers too
    except ValueError:
        raise WrongTypeError("must be a timestamp") from None
    return value


class TextReader(Reader):
    """Headers, path labels and query strings.

    A list is a list of texts, or one text with commas (a header); the values of a map are lists of texts or texts.
    """

    @override
    def items(self, shape: Shape, node: Any) -> list[Any]:
        return node if isinstance(node, list) else [item.strip() for item in node.split(",")]

    @override
    def entries(self, shape: Shape, node: Any) -> list[tuple[Any, Any]]:
        return list(node.items())

    @override
    def scalar(self, shape: Shape, node: Any) -> Any:
        if isinstance(node, list) and len(node) == 1:
            node = node[0]
        if shape.type_name == "string" and shape.serialization.get("jsonvalue"):
            return _from_base64(node).decode("utf-8", errors="replace")
        return super().scalar(shape, node)


class JsonReader(Reader):
    """JSON documents. A null is an absent member."""

    @override
    def members(self, shape: StructureShape, node: Any) -> Members:
        if not isinstance(node, dict):
            raise WrongTypeError("must be a structure")
        names = {member.serialization.get("name", name): name for name, member in shape.members.items()}
        unknown = [name for name in node if name not in names]
        return {names[key]: value for key, value in node.items() if key in names and value is not None}, unknown

    @override
    def items(self, shape: Shape, node: Any) -> list[Any]:
        if not isinstance(node, list):
            raise WrongTypeError("must be a list")
        return node

    @override
    def entries(self, shape: Shape, node: Any) -> list[tuple[Any, Any]]:
        if not isinstance(node, dict):
            raise WrongTypeError("must be a map")
        return list(node.items())

    @override
    def scalar(self, shape: Shape, node: Any) -> Any:
        match shape.type_name:
            # Python's bool is an int: JSON's true is no number.
            case "integer" | "long" | "short" | "byte" if type(node) is int:
                return node
            case "float" | "double" if type(node) in (int, float):
                return float(node)
            case "boolean" if isinstance(node, bool):
                return node
            case "timestamp" if type(node) in (int, float):
                return _timestamp(node)
            case "timestamp" | "blob" | "string" | "character" if isinstance(node, str):
                return _from_text(shape, node)
            case "float" | "double" if node in ("NaN", "Infinity", "-Infinity"):
                return float(node)
        raise WrongTypeError(f"must be a {shape.type_name}")


_VALUE = ""
"""Key of a node's own text in the tree of a query: no part of a dotted key is empty."""


class QueryReader(Reader):
    """The query and ec2 protocols. A node is the tree below a key prefix, its own text under the empty key."""

    def __init__(self, protocol: str) -> None:
        self._ec2 = protocol == "ec2"

    @staticmethod
    def tree(values: Iterable[tuple[str, str]]) -> dict[str, Any]:
        """The tree of dotted keys: ``A.1.B=x`` is ``{"A": {"1": {"B": {"": "x"}}}}``."""
        root: dict[str, Any] = {}
        for key, value in values:
            node = root
            for part in key.split("."):
                node = node.setdefault(part or "(empty)", {})
            node[_VALUE] = value
        return root

    def _name(self, shape: Shape, default: str) -> str:
        if self._ec2:
            if "queryName" in shape.serialization:
                return str(shape.serialization["queryName"])
            name = str(shape.serialization.get("name", default))
            return name[0].upper() + name[1:]
        return str(shape.serialization.get("name", default))

    def _member_name(self, shape: Shape, default: str) -> str:
        if not self._ec2 and shape.type_name == "list" and shape.is_flattened:
            # A flattened list has the name of its items on the wire.
            item_name = shape.member.serialization.get("name")
            if item_name:
                return str(item_name)
        return self._name(shape, default)

    @override
    def members(self, shape: StructureShape, node: Any) -> Members:
        names = {self._member_name(member, name): name for name, member in shape.members.items()}
        unknown = [key for key in node if key not in names and key != _VALUE]
        if node.get(_VALUE):
            raise WrongTypeError("must be a structure")
        return {names[key]: value for key, value in node.items() if key in names}, unknown

    @override
    def items(self, shape: Shape, node: Any) -> list[Any]:
        if not self._ec2 and not shape.is_flattened:
            name = self._name(shape.member, "member")
            if set(node) - {name, _VALUE}:
                raise WrongTypeError(f"must be a list of '{name}.1', '{name}.2' ...")
            node = {_VALUE: node.get(_VALUE, ""), **node.get(name, {})}
        return self._numbered(node)

    def _numbered(self, node: dict[str, Any]) -> list[Any]:
        keys = [key for key in node if key != _VALUE]
        if node.get(_VALUE) or not all(key.isdecimal() for key in keys):
            raise WrongTypeError("must be a numbered list")
        return [node[key] for key in sorted(keys, key=int)]

    @override
    def entries(self, shape: Shape, node: Any) -> list[tuple[Any, Any]]:
        key_name = self._name(shape.key, "key")
        value_name = self._name(shape.value, "value")
        pairs = self._numbered(node if shape.is_flattened else node.get("entry", {}))
        if any(set(pair) - {key_name, value_name} for pair in pairs):
            raise WrongTypeError(f"must be a numbered list of '{key_name}' and '{value_name}'")
        absent = {_VALUE: ""}
        return [(pair.get(key_name, absent), pair.get(value_name, absent)) for pair in pairs]

    @override
    def scalar(self, shape: Shape, node: Any) -> Any:
        if set(node) != {_VALUE}:
            raise WrongTypeError(f"must be a {shape.type_name}")
        return super().scalar(shape, node[_VALUE])


class XmlReader(Reader):
    """XML documents. A node is an element, or the list of the equally named elements of a flattened list or map."""

    @staticmethod
    def local_name(name: str) -> str:
        """The name of an element or attribute without its namespace."""
        return name.rpartition("}")[2]

    @override
    def members(self, shape: StructureShape, node: Any) -> Members:
        names = {
            self._member_name(member, name): name
            for name, member in shape.members.items()
            if "location" not in member.serialization
        }
        found: dict[str, Any] = {}
        unknown = []
        for child in self._one(node):
            tag = self.local_name(child.tag)
            if tag not in names:
                unknown.append(tag)
                continue
            found.setdefault(names[tag], []).append(child)
        for attribute, value in self._one(node).attrib.items():
            name = next((n for n in names if n.rpartition(":")[2] == self.local_name(attribute)), None)
            if name is None:
                unknown.append(attribute)
            else:
                found[names[name]] = value
        return found, unknown

    @staticmethod
    def _one(node: Any) -> ET.Element:
        element = node
        if isinstance(node, list):
            if len(node) > 1:
                raise WrongTypeError("must be given once")
            element = node[0]
        if not isinstance(element, ET.Element):
            raise WrongTypeError("must be an element")
        return element

    def _member_name(self, shape: Shape, default: str) -> str:
        if shape.type_name == "list" and shape.is_flattened:
            item_name = shape.member.serialization.get("name")
            if item_name:
                return str(item_name)
        return str(shape.serialization.get("name", default))

    @override
    def items(self, shape: Shape, node: Any) -> list[Any]:
        if shape.is_flattened:
            return list(node)
        name = shape.member.serialization.get("name", "member")
        children = list(self._one(node))
        if any(self.local_name(child.tag) != name for child in children):
            raise WrongTypeError(f"must be a list of <{name}>")
        return children

    @override
    def entries(self, shape: Shape, node: Any) -> list[tuple[Any, Any]]:
        key_name = shape.key.serialization.get("name", "key")
        value_name = shape.value.serialization.get("name", "value")
        pairs = []
        for entry in node if shape.is_flattened else self._one(node):
            parts = {self.local_name(child.tag): child for child in entry}
            if parts.keys() != {key_name, value_name}:
                raise WrongTypeError(f"must be entries of <{key_name}> and <{value_name}>")
            pairs.append((parts[key_name], parts[value_name]))
        return pairs

    @override
    def scalar(self, shape: Shape, node: Any) -> Any:
        if isinstance(node, str):  # an attribute
            return super().scalar(shape, node)
        element = self._one(node)
        if len(element):
            raise WrongTypeError(f"must be a {shape.type_name}")
        text = element.text or ""
        return super().scalar(shape, text if shape.type_name in ("string", "character") else text.strip())


def read_json(body: bytes) -> Any:
    """The document of a JSON body; an empty body is an empty structure.

    Raises:
        WrongTypeError: the body is not JSON.
    """
    try:
        return json.loads(body) if body.strip() else {}
    except ValueError:
        raise WrongTypeError("must be JSON") from None


def read_xml(body: bytes) -> ET.Element:
    """The root element of an XML body.

    Raises:
        WrongTypeError: the body is not XML.
    """
    try:
        return ET.fromstring(body)  # noqa: S314 (expat of Python 3.11 bounds entity expansion)
    except ET.ParseError:
        raise WrongTypeError("must be XML") from None


def header_map(headers: Mapping[str, str], prefix: str) -> dict[str, str]:
    """Headers that begin with ``prefix``, by the rest of their name."""
    return {k[len(prefix) :]: v for k, v in headers.items() if k.lower().startswith(prefix.lower())}
