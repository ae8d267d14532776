"""Ephemeral values are written in HCL too (W0.1)."""

from __future__ import annotations

import pytest

from modules.ephemeral import as_hcl


@pytest.mark.requirement("W0.1")
def test_ephemeral_values_are_written_in_hcl_too() -> None:
    block = {"provider": "aws.recovery", "length": 40, "name": "x", "flag": True, "//": {"metadata": {}}}
    written = as_hcl({"type": {"name": block}})
    lines = ["", 'ephemeral "type" "name" {', "  provider = aws.recovery", "  length = 40", '  name = "x"']
    assert written == "\n".join([*lines, "  flag = true", "}", ""])
