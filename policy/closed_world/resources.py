"""What is synthesized, a resource at a time, in the words of the tables: construct paths in place of ids.

A reference (``${aws_kms_key.primary_keys_logs_1FD28F83.arn}``) reads ``<aws_kms_key primary/keys/logs>.arn``, whichever
language it was written in. Text that is JSON is read as what it says.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from policy.closed_world.encoded import decoded

Block = dict[str, Any]
ADDRESS = re.compile(r"(?:data\.|ephemeral\.)?((?:aws_|terraform_)\w+)\.([\w-]+)")
INTERPOLATION = re.compile(r"\$\{((?:[^{}]|\{[^{}]*\})*)\}")
# What names an element of a list, so that a rule says which one it speaks of and not where it stands.
NAMES = ("name", "Name", "id", "Id", "sid", "rule_no", "priority", "Key", "principal", "description")
# Held by who is named, not by the tables. Words for readers change nothing.
HELD_ELSEWHERE = {
    "//": "CDKTF's own note of the construct path, which is what the tables name resources by",
    "depends_on": "policy/order.py says which order there must be",
    "DependsOn": "CDK computes it from references and grants; tests/payment_api/test_deletion.py holds the rest",
    "dashboard_body": "tests/unit/dashboards says what each graph shows",
    "DashboardBody": "tests/payment_api says what each graph shows",
    "Metadata": "for readers and scanners; no resource is made from it",
}


@dataclass(frozen=True, kw_only=True)
class Resource:
    """One resource, data source or setting of the whole: its type, construct path and attributes.

    Attributes are by their names from the outside in (``rule.expire.status``); a list of texts is one value.
    """

    type: str
    path: str
    attributes: Mapping[str, Any] = field(repr=False)
    statements: Mapping[str, list[Block]] = field(default_factory=dict, repr=False)
    """Those of its policy documents, by the attribute that the document is."""

    def __str__(self) -> str:
        return f"{self.type} {self.path}"


class Terraform:
    """Reads the platform's configuration. Blocks that are the same object are read once."""

    def __init__(self) -> None:
        self._read: dict[tuple[int, int], tuple[Any, Resource]] = {}

    def resources(self, configuration: Block) -> Iterator[Resource]:
        """All of a configuration."""
        ids = Ids(configuration)
        for section in ("resource", "data", "ephemeral"):
            for type_, blocks in configuration.get(section, {}).items():
                name = type_ if section == "resource" else f"{section}.{type_}"
                for id_, block in blocks.items():
                    yield self._resource(name, ids.path(type_, id_), block, ids)
        for section in ("provider", "terraform", "output"):
            for id_, block in configuration[section].items():
                yield self._resource(section, f"{section}/{id_}", block, ids)

    def _resource(self, type_: str, path: str, block: Any, ids: Ids) -> Resource:
        key = (id(block), ids.digest)
        if key not in self._read:
            attributes, statements = parted(flattened(ids.named(block)))
            found = Resource(type=type_, path=path, attributes=attributes, statements=statements)
            self._read[key] = (block, found)  # the block too, so that its id stays its own
        found = self._read[key][1]
        return found if found.path == path else Resource(**{**vars(found), "path": path})


class Ids:
    """The construct paths of a configuration by the ids that CDKTF made of them."""

    def __init__(self, configuration: Block) -> None:
        self._paths = {
            (type_, id_): _path(block, id_)
            for section in ("resource", "data", "ephemeral")
            for type_, blocks in configuration.get(section, {}).items()
            for id_, block in blocks.items()
        }
        self.digest = hash(frozenset(self._paths.items()))

    def path(self, type_: str, id_: str) -> str:
        """The path of a resource; the id itself, where there is no such."""
        return self._paths.get((type_, id_), id_)

    def named(self, value: Any) -> Any:
        """A value with the paths in place of the ids."""
        if isinstance(value, dict):
            return {key: self.named(one) for key, one in value.items() if key != "//"}
        if isinstance(value, list):
            return [self.named(one) for one in value]
        if isinstance(value, str) and "${" in value:
            inner = decoded(value)
            if inner is not None:
                return self.named(inner)
            return INTERPOLATION.sub(self._expression, value)
        return value

    def _expression(self, match: re.Match[str]) -> str:
        expression = ADDRESS.sub(lambda found: f"<{found[1]} {self.path(found[1], found[2])}>", match[1])
        return expression if re.fullmatch(r"<[^<>]+>[\w.]*", expression) else f"${{{expression}}}"


def _path(block: Block, id_: str) -> str:
    path: str = block.get("//", {}).get("metadata", {}).get("path", id_)
    _, _, inner = path.partition("/")
    # A zone by its letter: its region is that of the path.
    return re.sub(r"[a-z]{2}-[a-z]+-\d(?=[a-f]\b)", "", inner or path)


def flattened(value: Any, name: str = "") -> dict[str, Any]:
    """The values that hold no other, by their names from the outside in."""
    return dict(_leaves(value, name)) if value != {} else {}


def _leaves(value: Any, name: str) -> Iterator[tuple[str, Any]]:
    value = _read_json(value)
    if value == {}:
        yield f"{name}.is_there", True
    elif isinstance(value, dict):
        for key, one in value.items():
            if key not in HELD_ELSEWHERE:
                yield from _leaves(one, _inner(name, key))
    elif _is_statements(value, name) or not _holds_more(value):
        if value is not None:  # null is Terraform's word for what is not there
            yield name, value
    else:
        yield from _elements(value, name)


def _elements(elements: list[Any], name: str) -> Iterator[tuple[str, Any]]:
    naming, keys = _names(elements)
    for key, one in zip(keys, elements, strict=True):
        # What names the element is in the name of each of its values already.
        rest = {inner: value for inner, value in one.items() if inner != naming} if isinstance(one, dict) else one
        yield from _leaves(rest, _inner(name, key))


def _holds_more(value: Any) -> bool:
    return isinstance(value, list) and any(isinstance(one, dict | list) for one in value)


def _inner(name: str, key: str) -> str:
    return f"{name}.{key}" if name else key


def _read_json(value: Any) -> Any:
    if isinstance(value, str) and value[:1] in {"{", "["}:
        try:
            return json.loads(value)
        except ValueError:
            return value
    return value


def _is_statements(value: Any, name: str) -> bool:
    if name.rpartition(".")[2] not in {"statement", "Statement"} or not isinstance(value, list):
        return False
    return all(isinstance(one, dict) and {"actions", "Action", "NotAction", "not_actions"} & set(one) for one in value)


def _names(elements: list[Any]) -> tuple[str | None, list[str]]:
    """What names each element, and its names: their places, where nothing is something else for each."""
    for name in NAMES:
        found = [one.get(name) for one in elements if isinstance(one, dict)]
        if len(set(map(str, found))) == len(elements) and all(_is_name(one) for one in found):
            return name, [str(one).replace(".", "-") for one in found]
    return None, [str(index) for index in range(len(elements))]


def _is_name(value: Any) -> bool:
    return isinstance(value, int) or (isinstance(value, str) and "<" not in value)


def parted(attributes: dict[str, Any]) -> tuple[dict[str, Any], dict[str, list[Block]]]:
    """The attributes that are values, and those that are statements of policies."""
    statements = {name: value for name, value in attributes.items() if _is_statements(value, name)}
    return {name: value for name, value in attributes.items() if name not in statements}, statements
