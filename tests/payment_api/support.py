"""A synthesized template, and how to ask it."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Any

Properties = dict[str, Any]


@dataclass(frozen=True)
class Template:
    """A template as CloudFormation gets it."""

    content: dict[str, Any]

    @property
    def resources(self) -> dict[str, dict[str, Any]]:
        """All resources, by logical id.

        Raises:
            AssertionError: there is none.
        """
        found: dict[str, dict[str, Any]] = self.content["Resources"]
        assert found, "the template is empty: what is said of each resource is said of nothing"
        return found

    def of(self, type_: str, *, none_is_right: bool = False) -> dict[str, Properties]:
        """The properties of all resources of a type, by logical id.

        Raises:
            AssertionError: there is none. What a test says of each would hold, and of nothing.
        """
        found = {id_: one.get("Properties", {}) for id_, one in self.resources.items() if one["Type"] == type_}
        assert found or none_is_right, f"there is no {type_}: what is said of each is said of nothing"
        return found

    def one(self, type_: str, part: str = "") -> Properties:
        """The properties of the only resource of a type, or the only one whose logical id holds ``part``."""
        (found,) = (properties for id_, properties in self.of(type_).items() if part in id_)
        return found

    def id_of(self, type_: str, part: str = "") -> str:
        """The logical id of the only resource of a type, or the only one whose logical id holds ``part``."""
        (found,) = (id_ for id_ in self.of(type_) if part in id_)
        return found

    def statements(self) -> list[tuple[str, dict[str, Any]]]:
        """Every statement of every identity policy, with the logical id of its resource."""
        found = []
        for type_ in ("AWS::IAM::Policy", "AWS::IAM::ManagedPolicy"):
            for id_, properties in self.of(type_, none_is_right=True).items():
                found += [(id_, one) for one in properties["PolicyDocument"]["Statement"]]
        for id_, properties in self.of("AWS::IAM::Role").items():
            for policy in properties.get("Policies", []):
                found += [(id_, one) for one in policy["PolicyDocument"]["Statement"]]
        return found

    @property
    def text(self) -> str:
        return json.dumps(self.content)


def as_list(value: Any) -> list[Any]:
    """IAM's lists of one are often no lists."""
    return value if isinstance(value, list) else [value]


def tags(properties: Properties) -> dict[str, str]:
    found = properties.get("Tags", [])
    return found if isinstance(found, dict) else {one["Key"]: one["Value"] for one in found}
