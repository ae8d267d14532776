"""What all settings models share."""

from __future__ import annotations

import re

from pydantic import AfterValidator, BaseModel, ConfigDict


class SettingsModel(BaseModel):
    """A frozen group of settings that refuses unknown names and does not turn one type into another."""

    model_config = ConfigDict(frozen=True, extra="forbid", strict=True, validate_default=True)


def matching(pattern: str, allowed: str) -> AfterValidator:
    """A rule that a whole string matches ``pattern``; ``allowed`` says in words what does, for the error line."""
    compiled = re.compile(pattern)

    def check(text: str) -> str:
        if not compiled.fullmatch(text):
            raise ValueError(allowed)
        return text

    return AfterValidator(check)
