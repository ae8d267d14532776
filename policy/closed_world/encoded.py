"""What Terraform's ``jsonencode`` encodes, as values."""

from __future__ import annotations

import json
import re
from typing import Any

STRINGS = re.compile(r'("(?:[^"\\]|\\.)*")')
REFERENCE = re.compile(r"(?:data\.|ephemeral\.)?aws_\w+\.[\w-]+\.\w+(?:\.\w+)*")


def decoded(text: str) -> Any:
    """The value that ``${jsonencode(...)}`` encodes, a reference in it as ``${...}``; nothing for any other text."""
    match = re.fullmatch(r"\$\{jsonencode\((.*)\)\}", text, re.DOTALL)
    if not match:
        return None
    tokens = STRINGS.split(match[1])
    tokens[::2] = [REFERENCE.sub(r'"${\g<0>}"', token).replace(" = ", ": ") for token in tokens[::2]]
    try:
        return json.loads("".join(tokens))
    except ValueError:
        return None
