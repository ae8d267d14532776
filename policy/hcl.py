"""The synthesized configuration as HCL, for scanners and for an exit from CDKTF.

Scanners skip JSON that they do not parse, and a plan shows them neither missing attributes nor policies with unknown
ARNs. In HCL they see all of it, once the attributes that CDKTF writes as null are removed.
"""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

import synthesis

REPOSITORY = Path(__file__).parents[1]
STACK = Path("stacks") / "payment-platform" / "cdk.tf"
# CDKTF puts a call of a function into quotes, as a template that holds nothing else. That is valid, but the parser of
# checkov does not read quotes within it.
QUOTED_CALL = re.compile(r'^(\s*\w+ = )"\$\{(jsonencode\(.*\))\}"$', re.MULTILINE)
NULL_ATTRIBUTE = re.compile(r"^\s*\w+ = null\n", re.MULTILINE)


class SynthesisFailedError(Exception):
    """The configuration could not be synthesized; the message is the program's output."""


def synthesize(environment: str, directory: Path) -> Path:
    """Synthesize an environment to HCL below ``directory`` and return the file.

    Raises:
        SynthesisFailedError: with the program's own message, for example on wrong settings.
    """
    variables = os.environ | {"SYNTH_HCL_OUTPUT": "true", "CDKTF_OUTDIR": str(directory)}
    command = [sys.executable, *synthesis.INTERPRETER_OPTIONS, "main.py", "--environment", environment]
    ended = subprocess.run(command, cwd=REPOSITORY, env=variables, capture_output=True, text=True, check=False)
    if ended.returncode:
        raise SynthesisFailedError(ended.stderr.strip())
    return directory / STACK


def without_nulls(text: str) -> str:
    """HCL without the attributes that are null: for a scanner an attribute that is null is one that is there."""
    return NULL_ATTRIBUTE.sub("", text)


def with_bare_calls(text: str) -> str:
    """HCL with function calls as attribute values, without quotes around them."""
    return QUOTED_CALL.sub(r"\1\2", text)
