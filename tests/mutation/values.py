"""Other values than the one that is there, as a careless edit or an attacker would write them."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

CIDR = re.compile(r"\d+\.\d+\.\d+\.\d+/\d+")
EVERYWHERE = "0.0.0.0/0"
# What turns something off, for what turns it on, and what is weaker.
OPPOSITES = {
    "Enabled": "Suspended",
    "ENABLED": "DISABLED",
    "enabled": "disabled",
    "enforced": "disabled",
    "Allow": "Deny",
    "Deny": "Allow",
    "deny": "allow",
    "allow": "deny",
    "true": "false",
    "on": "off",
    "1": "0",
    "required": "optional",
    "aws:kms": "AES256",
    "TLSv1.2_2021": "TLSv1",
    "HTTPS": "HTTP",
    "https-only": "http-only",
    "redirect-to-https": "allow-all",
    "breaching": "notBreaching",
    "missing": "ignore",
    "notBreaching": "missing",
    "GreaterThanThreshold": "LessThanThreshold",
    "GreaterThanOrEqualToThreshold": "LessThanThreshold",
    "LessThanThreshold": "GreaterThanThreshold",
    "ALL": "ACCEPT",
    "Retain": "Delete",
    "Snapshot": "Delete",
}


def others(value: Any) -> Iterator[Any]:
    """One or two other values."""
    if isinstance(value, bool):
        yield not value
    elif isinstance(value, int | float):
        yield value * 10 + 1
        yield 0 if value else 1
    elif isinstance(value, list):
        yield value[:-1]
        yield [*value, "changed"]
    elif isinstance(value, str):
        yield from _other_texts(value)


def _other_texts(text: str) -> Iterator[str]:
    if text in OPPOSITES:
        yield OPPOSITES[text]
    elif CIDR.fullmatch(text):
        yield EVERYWHERE if text != EVERYWHERE else "198.51.100.0/24"
    elif text.isdigit():
        yield str(int(text) * 10 + 1)
    elif text.startswith("${") and "." in text:
        yield re.sub(r"\.([\w-]+)\.", r".another_\1.", text, count=1)
    else:
        yield f"{text}-changed"
