"""The context of cdk.json, which the CDK's CLI reads; code that synthesizes without the CLI must pass it."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any


def feature_flags() -> dict[str, Any]:
    """The context of cdk.json. Without it the app would be another one: two buckets would share a role's name."""
    context: dict[str, Any] = json.loads(Path(__file__).with_name("cdk.json").read_text(encoding="utf-8"))["context"]
    return context
