"""The synthesized configuration, read as a test wants to read it.

Assertions are made on the JSON that CDKTF writes, not with its matchers: those take ``None`` for any value and a map
for a part of itself.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any

from settings import Settings, load
from settings.loading import move_images
from tests import kept

Block = dict[str, Any]
STACK = "payment-platform"
# Sections of the configuration by what their addresses begin with.
SECTIONS = {"": "resource", "data.": "data", "ephemeral.": "ephemeral"}
ADDRESS = re.compile(r"(?:data\.|ephemeral\.)?aws_\w+\.[\w-]+\.\w+")


@dataclass
class Synthesized:
    """The parsed JSON of a stack, and the directory that it lies in: others read it too, so nobody writes there."""

    configuration: Block = field(repr=False)
    directory: Path

    def resources(self, type_: str, *, none_is_right: bool = False) -> dict[str, Block]:
        """The resources of a type, by their id within the configuration.

        Raises:
            AssertionError: there is none. What a test says of each would hold, and of nothing.
        """
        found: dict[str, Block] = self.configuration.get("resource", {}).get(type_, {})
        assert found or none_is_right, f"there is no {type_}: what is said of each is said of nothing"
        return found

    def resource(self, type_: str, path: str) -> Block:
        """The one resource of a type whose construct path ends with ``path``."""
        matching = [block for block in self.resources(type_).values() if path_of(block).endswith(path)]
        assert len(matching) == 1, f"{len(matching)} {type_} end with {path}"
        return matching[0]

    @cached_property
    def blocks(self) -> list[tuple[str, str, Block]]:
        """Every resource, data source and ephemeral value of AWS's: address, type, and block."""
        return [
            (f"{prefix}{type_}.{id_}", type_, block)
            for prefix, section in SECTIONS.items()
            for type_, blocks in self.configuration.get(section, {}).items()
            for id_, block in blocks.items()
            if type_.startswith("aws_")  # terraform_data is Terraform's own, and in no region
        ]

    def by_id(self, reference: str) -> Block:
        """The resource or data source that a reference such as ``${aws_vpc.x.id}`` points into."""
        match = re.fullmatch(
            r"\$\{(?:tolist\(|jsondecode\(|one\(\[for option in )?(data\.|ephemeral\.)?(\w+)\.([\w-]+)\..+\}", reference
        )
        assert match, f"{reference} is not a reference"
        section = self.configuration[SECTIONS[match[1] or ""]]
        block: Block = section[match[2]][match[3]]
        return block

    def statements(self, reference: str) -> dict[str, Block]:
        """The statements of the policy document that a reference points to, by Sid."""
        return {statement["sid"]: statement for statement in self.by_id(reference)["statement"]}


def local_with(**changes: Any) -> Settings:
    """The settings of the rehearsal with other values, and its own images in the repositories of other names."""
    values = load("local").model_dump()
    move_images(values, changes)
    return Settings.model_validate(values | changes)


def synthesize(settings: Settings) -> Synthesized:
    """The platform of these settings, as this process or an earlier one has synthesized it (tests/kept.py)."""
    return read(kept.directory_of("platform", settings.model_dump_json(), lambda output: _synthesize(settings, output)))


def kept_stack(environment: str, _output: Path) -> Path:
    """In the place of `operations.deployment.synthesized.synthesize`, for tests of what comes after it: no process."""
    return synthesize(load(environment)).directory


def _synthesize(settings: Settings, output: Path) -> None:
    from cdktf import App

    from stacks.payment_platform import PaymentPlatform

    app = App(outdir=str(output))
    PaymentPlatform(app, STACK, settings=settings)
    app.synth()


def read(output: Path) -> Synthesized:
    """What was synthesized into a directory."""
    directory = output / "stacks" / STACK
    return Synthesized(json.loads((directory / "cdk.tf.json").read_text()), directory)


def path_of(block: Block) -> str:
    """The construct path of a resource or data source, such as ``payment-platform/primary/network/vpc``."""
    path: str = block["//"]["metadata"]["path"]
    return path


def region_of(block: Block) -> str:
    """The region's construct that a resource stands under: primary, recovery or global."""
    return path_of(block).split("/")[1]


def references(value: object) -> Iterator[str]:
    """Every ``${...}`` within a value, however deep; of a call of a function those in its arguments."""
    if isinstance(value, str) and value.startswith("${jsonencode("):
        yield from (f"${{{address}}}" for address in ADDRESS.findall(value))
    elif isinstance(value, str):
        yield from re.findall(r"\$\{[^}]+\}", value)
    elif isinstance(value, dict):
        for inner in value.values():
            yield from references(inner)
    elif isinstance(value, list):
        for inner in value:
            yield from references(inner)


def decoded(expression: str) -> Any:
    """The value that an expression such as ``${jsonencode([{"name" = "web"}])}`` encodes; a reference in it is text."""
    match = re.fullmatch(r"\$\{jsonencode\((.*)\)\}", expression, re.DOTALL)
    assert match, f"{expression} encodes nothing"
    tokens = re.split(r'("(?:[^"\\]|\\.)*")', match[1])
    tokens[::2] = [ADDRESS.sub(r'"${\g<0>}"', token).replace(" = ", ": ") for token in tokens[::2]]
    return json.loads("".join(tokens))
