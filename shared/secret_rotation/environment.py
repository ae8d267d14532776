"""Input of a rotation: its environment variables, and the JSON of secrets."""

from __future__ import annotations

import json
import os
from typing import Any

from shared.secret_rotation.secret import RotationRefused


def required(variable: str) -> str:
    """The value of an environment variable.

    Raises:
        RotationRefused: it is missing or empty.
    """
    value = os.environ.get(variable)
    if not value:
        raise RotationRefused(f"the environment has no {variable}")
    return value


def json_object(text: str) -> dict[str, Any] | None:
    """The JSON object in a secret's value; None where it is none."""
    try:
        values = json.loads(text)
    except ValueError:
        return None
    return values if isinstance(values, dict) else None
