"""Synthesizes an environment, and reads what the synthesized configuration says of itself."""

from __future__ import annotations

import contextlib
import json
import os
import shutil
import signal
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path

import synthesis
from operations import preflight
from operations.deployment.provider_mirror import (
    PROVIDER_LOCK,
    Installation,
    find_installation,
    required_providers,
)
from operations.interruption import IN_ITS_OWN_GROUP
from operations.outcome import EXIT_REFUSED, Failed, Refused
from operations.project_root import PROJECT

STACK = "payment-platform"
CONFIGURATION = "cdk.tf.json"
CACHE = PROJECT / ".cache"


def synthesize(environment: str, output: Path, variables: Mapping[str, str] | None = None) -> Path:
    """Synthesize ``environment`` into ``output``, and return the stack's directory, in which Terraform runs.

    The lock of its providers is in it.

    Raises:
        Refused: the settings are bad; what is wrong with them has been printed.
        Failed: synthesis failed; what it said has been printed.
    """
    output.mkdir(parents=True, exist_ok=True)
    # A group of its own, with its Node: Ctrl-C on a terminal ends it through us, in silence.
    process = subprocess.Popen(
        [sys.executable, *synthesis.INTERPRETER_OPTIONS, str(PROJECT / "main.py"), "--environment", environment],
        cwd=PROJECT,
        env={**(os.environ if variables is None else variables), "CDKTF_OUTDIR": str(output)},
        **IN_ITS_OWN_GROUP,
    )
    try:
        code = process.wait()
    except BaseException:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)  # it writes to its own folder alone, which is not used then
        process.wait()
        raise
    if code == EXIT_REFUSED:
        raise Refused("")
    if code:
        raise Failed(f"synthesis of {environment} failed with exit code {code}")
    stack = output / "stacks" / STACK
    try:
        json.loads((stack / CONFIGURATION).read_text(encoding="utf-8"))
    except ValueError as error:
        raise Failed(f"synthesis of {environment} wrote no JSON ({error})") from error
    shutil.copyfile(PROVIDER_LOCK, stack / PROVIDER_LOCK.name)
    return stack


def provider_installation(stack_directory: Path, variables: Mapping[str, str] | None = None) -> Installation:
    """Where the providers that a synthesized stack requires come from on this machine.

    Raises:
        Refused: Terraform cannot be run.
    """
    try:
        terraform_platform = preflight.terraform_platform()
    except preflight.Silent as failure:
        raise Refused(str(failure)) from None
    providers = required_providers(stack_directory / CONFIGURATION, terraform_platform)
    environment = os.environ if variables is None else variables
    return find_installation(providers, environment, CACHE / "terraform.tfrc")


def absolute(environment: str) -> str:
    """An environment's name as it is; the path of a settings file as one that holds in any folder."""
    path = Path(environment)
    return str(path.absolute()) if path.is_file() else environment
