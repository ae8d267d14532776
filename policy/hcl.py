"""The synthesized configuration as HCL: what scanners read best, and the way out of CDKTF.

Scanners pass over JSON that they do not parse, and see in a plan neither what a default hides nor a policy that names
an unknown ARN. In HCL they see all of it, once the attributes that CDKTF writes as null are gone.
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
    """The configuration could not be synthesized; the message is what the program said."""


def synthesize(environment: str, directory: Path) -> Path:
    """Synthesize an environment to HCL below ``directory`` and give the file.

    Raises:
        SynthesisFailedError: with the program's own message, for bad settings say.
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
    """HCL in which an attribute that is the result of a call says the call alone, without quotes around it."""
    return QUOTED_CALL.sub(r"\1\2", text)
