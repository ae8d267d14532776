"""Reads the source of a picture: a Terraform plan, or the configuration that a plan is made from.

Both have what the picture shows: the resources, their regions, their arguments, and references between them. A plan is
the output of `terraform show -json`
(https://developer.hashicorp.com/terraform/internals/json-format#plan-representation); a configuration is in Terraform's
JSON syntax (https://developer.hashicorp.com/terraform/language/syntax/json), such as the cdk.tf.json of synthesis,
which needs no account.
"""

from __future__ import annotations

import json
import re
from collections import defaultdict
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any

from operations.outcome import Refused

Block = dict[str, Any]
DEFAULT_PROVIDER = "aws"
# A resource within an expression; data sources and ephemeral values are not drawn.
NAMED = re.compile(r"(?<![\w.-])(aws_\w+\.[\w-]+)")
INDEX = re.compile(r"\[[^\]]*\]$")  # of a resource with `count` or `for_each`
ALLOWED = "the output of terraform show -json on a plan's file, or a cdk.tf.json, is allowed"


@dataclass(frozen=True, kw_only=True, eq=False)
class Resource:
    """A resource that exists, or will once the plan is applied. Compared by identity."""

    address: str
    """Type and name, such as ``aws_vpc.main``; all resources of one block share it."""
    type: str
    place: str
    """The key of its provider, such as ``aws`` or ``aws.recovery``."""
    values: Block
    references: Mapping[str, frozenset[str]]
    """The addresses that each attribute names."""

    def names(self, attribute: str, other: Resource) -> bool:
        """Whether ``attribute`` refers to ``other``."""
        return other.address in self.references.get(attribute, ())

    def text(self, attribute: str, default: str = "") -> str:
        """A known text without references to other resources, or ``default``."""
        value = self.values.get(attribute)
        return value if isinstance(value, str) and "${" not in value else default

    def number(self, attribute: str) -> int | None:
        """A known integer; Terraform accepts it as text, too."""
        try:
            return int(self.values[attribute])
        except (KeyError, TypeError, ValueError):
            return None

    def block(self, attribute: str) -> Block:
        """The nested block, or an empty one. In a plan it is in a list, in a configuration not always."""
        return next(iter(self.blocks(attribute)), {})

    def blocks(self, attribute: str) -> list[Block]:
        """The nested blocks."""
        value = self.values.get(attribute)
        return [one for one in (value if isinstance(value, list) else [value]) if isinstance(one, dict)]


@dataclass(frozen=True, kw_only=True)
class Platform:
    """All resources that exist or will exist."""

    regions: Mapping[str, str]
    """The region of each provider, in the order of their declaration."""
    tags: Mapping[str, str]
    """The default tags of the default provider."""
    resources: tuple[Resource, ...]

    def of(self, *types: str, place: str | None = None) -> list[Resource]:
        """The resources of these types, of one provider or all, ordered by type and then by address."""
        return [one for type_ in types for one in self._of_type.get(type_, []) if place in {None, one.place}]

    @cached_property
    def _of_type(self) -> Mapping[str, list[Resource]]:
        found: dict[str, list[Resource]] = defaultdict(list)
        for one in sorted(self.resources, key=lambda one: one.address):
            found[one.type].append(one)
        return found


def read(text: str, source: str) -> Platform:
    """The platform that a plan or a configuration describes.

    Args:
        text: the content that was read.
        source: its origin, for messages.

    Raises:
        Refused: it is neither, or a plan that ended with errors, or has no resource.
    """
    try:
        document = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise Refused(f"{source}: no JSON ({error}); {ALLOWED}") from error
    try:
        platform = _platform(document)
    except (AttributeError, KeyError, TypeError) as error:
        raise Refused(f"{source}: neither a plan nor a configuration ({error!r}); {ALLOWED}") from error
    if document.get("errored"):
        raise Refused(f"{source}: a plan that ended with errors; one that was finished is allowed")
    if not platform.resources:
        raise Refused(f"{source}: no resource is in it; {ALLOWED}")
    return platform


def _platform(document: Block) -> Platform:
    if "planned_values" in document:
        return _planned(document)
    return _configured(document)


def _configured(document: Block) -> Platform:
    providers = document["provider"]["aws"]
    blocks = {_key(one): one for one in (providers if isinstance(providers, list) else [providers])}
    return Platform(
        regions={key: str(one.get("region", key)) for key, one in blocks.items()},
        tags=_tags(blocks.get(DEFAULT_PROVIDER, {})),
        resources=tuple(
            Resource(
                address=f"{type_}.{name}",
                type=type_,
                place=block.get("provider", DEFAULT_PROVIDER),
                values=block,
                references={attribute: frozenset(_named(value)) for attribute, value in block.items()},
            )
            for type_, named in document["resource"].items()
            for name, block in named.items()
        ),
    )


def _key(provider: Block) -> str:
    return f"{DEFAULT_PROVIDER}.{provider['alias']}" if "alias" in provider else DEFAULT_PROVIDER


def _planned(document: Block) -> Platform:
    configuration = document["configuration"]
    providers = {
        key: {name: _constant(value) for name, value in one.get("expressions", {}).items()}
        for key, one in configuration["provider_config"].items()
        if one["name"] == DEFAULT_PROVIDER
    }
    declared = {one["address"]: one for one in _all(configuration["root_module"])}
    return Platform(
        regions={key: str(one.get("region") or key) for key, one in sorted(providers.items(), key=_declared_order)},
        tags=_tags(providers.get(DEFAULT_PROVIDER, {})),
        resources=tuple(_resources(document["planned_values"]["root_module"], declared)),
    )


def _declared_order(provider: tuple[str, Any]) -> tuple[bool, str]:
    """The sort key of a provider: the default one first, then by provider key, as in a plan."""
    return provider[0] != DEFAULT_PROVIDER, provider[0]


def _resources(module: Block, declared: Mapping[str, Block]) -> Iterator[Resource]:
    for one in _all(module):
        if one["mode"] == "managed":
            address = INDEX.sub("", one["address"])
            written = declared.get(address, {})
            yield Resource(
                address=address,
                type=one["type"],
                place=written.get("provider_config_key", DEFAULT_PROVIDER),
                values=one.get("values", {}),
                references={
                    attribute: frozenset(_named(list(_references(value))))
                    for attribute, value in written.get("expressions", {}).items()
                },
            )


def _all(module: Block) -> Iterator[Block]:
    """The resources of a module. One that calls modules is rejected: the platform has none."""
    yield from module.get("resources", [])
    if module.get("child_modules") or module.get("module_calls"):
        raise TypeError("it calls modules")


def _constant(expression: Any) -> Any:
    """The value of an expression in a plan, as far as it is constant."""
    if isinstance(expression, list):
        return [_constant(one) for one in expression]
    if isinstance(expression, dict) and "constant_value" in expression:
        return expression["constant_value"]
    if isinstance(expression, dict):
        return {name: _constant(value) for name, value in expression.items() if name != "references"}
    return expression


def _references(expression: Any) -> Iterator[str]:
    if isinstance(expression, list):
        for one in expression:
            yield from _references(one)
    elif isinstance(expression, dict):
        yield from expression.get("references", [])
        for value in expression.values():
            if isinstance(value, (dict, list)) and value is not expression.get("references"):
                yield from _references(value)


def _named(value: Any) -> list[str]:
    return NAMED.findall(json.dumps(value))


def _tags(provider: Block) -> Mapping[str, str]:
    blocks = provider.get("default_tags") or [{}]
    first = blocks[0] if isinstance(blocks, list) else blocks
    return first.get("tags") or {}
