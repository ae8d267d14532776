"""Base class and field types of all settings models."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import Annotated, Any

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, GetCoreSchemaHandler, GetJsonSchemaHandler
from pydantic_core import CoreSchema, core_schema


class SettingsModel(BaseModel):
    """A frozen group of settings that refuses unknown names and converts no types.

    The string below a field is its meaning in docs/settings.md, whose writer reads it from the source: pydantic's own
    `use_attribute_docstrings` does so whenever a command begins, which took more than a quarter of its start.
    """

    model_config = ConfigDict(
        frozen=True,
        extra="forbid",
        strict=True,
        validate_default=True,
    )


@dataclass(frozen=True)
class Rule:
    """A rule on a string, with a description of allowed values for docs/settings.md."""

    check: Callable[[str], str]
    allowed: str

    def __get_pydantic_core_schema__(self, source: Any, handler: GetCoreSchemaHandler) -> CoreSchema:
        """The rule holds once the value is known to be a string."""
        return core_schema.no_info_after_validator_function(self.check, handler(source))

    def __get_pydantic_json_schema__(self, schema: CoreSchema, handler: GetJsonSchemaHandler) -> dict[str, Any]:
        """Add the description to pydantic's own schema, such as the type."""
        return {**handler(schema), "allowed": self.allowed}


def matching(pattern: str, allowed: str) -> Rule:
    """A rule that a whole string matches ``pattern``; ``allowed`` describes it, for the error line, too."""
    compiled = re.compile(pattern)

    def check(text: str) -> str:
        if not compiled.fullmatch(text):
            raise ValueError(allowed)
        return text

    return Rule(check, allowed)


def each_once(values: tuple[str, ...]) -> tuple[str, ...]:
    """A rule that a list has nothing twice."""
    if len(set(values)) != len(values):
        raise ValueError("each once is allowed")
    return values


EmailAddress = Annotated[
    str, matching(r"[^@\s]+@[^@\s]+\.[^@\s]+", "an e-mail address is allowed, such as on-call@example.com")
]
EmailAddresses = Annotated[tuple[EmailAddress, ...], Field(strict=False), AfterValidator(each_once)]
