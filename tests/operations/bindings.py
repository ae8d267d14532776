"""What a provider's schema has, read from the prebuilt bindings that were generated from it.

For each block the generated JavaScript has a function that names its arguments as Terraform does, and for each argument
that is a block the function of that block. Bindings are the one thing that a package registry has of a provider.
"""

from __future__ import annotations

import re
import tarfile
from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

FUNCTION = re.compile(r"^function (\w+)ToHclTerraform\(struct\) \{\n(.*?)^\}", re.MULTILINE | re.DOTALL)
ARGUMENTS = re.compile(r"^    synthesizeHclAttributes\(\) \{\n(.*?)^    \}", re.MULTILINE | re.DOTALL)
ARGUMENT = re.compile(r"^ +\"?(\w+)\"?: \{\n +value: (.*),$", re.MULTILINE)
BLOCK = re.compile(r"(?<!\.)\b(\w+)ToHclTerraform")
TYPE = re.compile(r'static tfResourceType = "(\w+)";')
FOLDERS = {"": "", "data.": "data-aws-", "ephemeral.": "ephemeral-aws-"}

Arguments = Mapping[str, str | None]
"""The arguments of a block; of those that are blocks the name of their function."""


@dataclass(frozen=True)
class Binding:
    """The arguments of one type, and those of all blocks within it, by the name of their function."""

    type: str
    arguments: Arguments
    blocks: Mapping[str, Arguments]

    def unknown(self, block: Mapping[str, Any]) -> list[str]:
        """The paths of arguments within a block of the configuration that the provider does not know."""
        return list(self._unknown(block, self.arguments, ""))

    def _unknown(self, value: Any, known: Arguments, path: str) -> Iterator[str]:
        for block in value if isinstance(value, list) else [value]:
            if not isinstance(block, Mapping):
                continue  # a reference to a whole block: what it has is seen where it comes from
            for name, inner in block.items():
                if name not in known:
                    yield f"{path}{name}"
                elif function := known[name]:
                    yield from self._unknown(inner, self.blocks[function], f"{path}{name}.")


def read(archive: Path, kinds: Collection[tuple[str, str]]) -> dict[tuple[str, str], Binding]:
    """The bindings of types, from the archive of JavaScript within the Python package.

    Args:
        archive: the only ``*.jsii.tgz`` of the package.
        kinds: ``""``, ``data.`` or ``ephemeral.``, and the type, such as ``aws_vpc``.
    """
    wanted = {f"package/lib/{_folder(*kind)}/index.js": kind for kind in kinds}
    found = {}
    with tarfile.open(archive) as files:
        for member in files:
            if (kind := wanted.get(member.name)) and (content := files.extractfile(member)):
                found[kind] = _binding(content.read().decode())
    return found


def _folder(prefix: str, type_: str) -> str:
    return FOLDERS[prefix] + type_.removeprefix("aws_").replace("_", "-")


def _binding(text: str) -> Binding:
    (type_,), (arguments,) = TYPE.findall(text), ARGUMENTS.findall(text)
    blocks = {name: _arguments(body) for name, body in FUNCTION.findall(text)}
    return Binding(type=type_, arguments=_arguments(arguments), blocks=blocks)


def _arguments(body: str) -> Arguments:
    found = {name: BLOCK.search(value) for name, value in ARGUMENT.findall(body)}
    return {name: match[1] if match else None for name, match in found.items()}
