"""The payment API's templates, a resource at a time, in the words of the tables.

A path is the stack and the logical id without the digest that CDK ends it with: ``api/queuespayments``. References and
other functions read as text: ``<queuespayments>.Arn``.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Any

from policy.closed_world.resources import Block, Resource, flattened, parted

DIGEST_OF_CDK = re.compile(r"[0-9A-F]{8}$")
ASSET = re.compile(r"\b[0-9a-f]{32,64}\b")
SUBSTITUTION = re.compile(r"\$\{(\w[\w:]*)(?:\.(\w+))?\}")
OTHER_SECTIONS = ("Outputs", "Mappings", "Conditions", "Parameters", "Rules", "Transform")


class Templates:
    """Reads the templates of an environment. Blocks that are the same object are read once."""

    def __init__(self, stacks: Mapping[str, str]) -> None:
        """``stacks`` are the names of the stacks by the region that each is in."""
        self._stacks = stacks
        self._read: dict[tuple[int, str, int], tuple[Any, Resource]] = {}

    def resources(self, templates: Mapping[str, Block]) -> Iterator[Resource]:
        """All of the templates."""
        for region, template in templates.items():
            stack = self._stacks.get(region, region)
            names = Names(template)
            for id_, block in template["Resources"].items():
                yield self._resource(block["Type"], f"{stack}/{names.of(id_)}", block, names)
            for section in OTHER_SECTIONS:
                for id_, block in template.get(section, {}).items():
                    yield self._resource(section, f"{stack}/{id_}", block, names)

    def _resource(self, type_: str, path: str, block: Any, names: Names) -> Resource:
        key = (id(block), path, names.digest)
        if key not in self._read:
            said = {name: names.said(value) for name, value in block.items() if name != "Type"}
            properties = said.pop("Properties", {}) if isinstance(said.get("Properties", {}), dict) else {}
            attributes, statements = parted(flattened({**properties, **said}))
            found = Resource(type=type_, path=path, attributes=attributes, statements=statements)
            self._read[key] = (block, found)  # the block too, so that its id stays its own
        return self._read[key][1]


class Names:
    """The logical ids of a template without CDK's digests, where that leaves each its own name."""

    def __init__(self, template: Block) -> None:
        ids = [*template["Resources"], *template.get("Parameters", {})]
        short = [DIGEST_OF_CDK.sub("", id_) for id_ in ids]
        self._names = {id_: one if short.count(one) == 1 else id_ for id_, one in zip(ids, short, strict=True)}
        self.digest = hash(frozenset(self._names.items()))

    def of(self, id_: str) -> str:
        """The name of a logical id; of one that is no resource, as AWS::Region, itself."""
        return ASSET.sub("{digest}", self._names.get(id_, id_))

    def said(self, value: Any) -> Any:
        """A value with its functions as text."""
        if isinstance(value, list):
            return [self.said(one) for one in value]
        if isinstance(value, dict):
            if len(value) == 1 and (text := self._function(*next(iter(value.items())))) is not None:
                return text
            return {key: self.said(one) for key, one in value.items()}
        return ASSET.sub("{digest}", value) if isinstance(value, str) else value

    def _function(self, name: str, argument: Any) -> str | None:
        match name, argument:
            case "Ref", str(id_):
                return f"<{self.of(id_)}>"
            case "Fn::GetAtt", [str(id_), str(attribute)]:
                return f"<{self.of(id_)}>.{attribute}"
            case "Fn::Join", [str(between), [*parts]]:
                return between.join(str(self.said(one)) for one in parts)
            case "Fn::Sub", str(text):
                return SUBSTITUTION.sub(self._substituted, text)
        return None

    def _substituted(self, match: re.Match[str]) -> str:
        attribute = f".{match[2]}" if match[2] else ""
        return f"<{self.of(match[1])}>{attribute}"
