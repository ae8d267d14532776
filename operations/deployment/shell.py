"""`eval "$(make -s env ENV=...)"`: a shell in which the tools' own commands work on an environment (W8.9).

It synthesizes the environment into ``cdktf.out``, and names what `make` gives to Terraform and CDKTF by itself. Where
the environment is the rehearsal's and its local AWS runs, the shell is pointed at that; the next `make env` of another
environment points it away again.
"""

from __future__ import annotations

import os
import shlex
from collections.abc import Iterator, Mapping
from pathlib import Path

from emulator import process
from emulator.address import environment as local_environment
from operations.deployment.deploy import data_directory
from operations.deployment.local import DIRECTORY, ENVIRONMENT
from operations.deployment.synthesized import provider_installation, synthesize
from operations.project_root import PROJECT
from settings import Settings
from settings.loading import ENVIRONMENT_VARIABLE

OUTPUT = PROJECT / "cdktf.out"
PROGRAMS = (PROJECT / ".venv" / "bin", PROJECT / "node_modules" / ".bin")
LOCAL_NAMES = "PLATFORM_LOCAL_AWS"
"""Names the variables that point a shell at the local AWS, so that the next environment can take them away."""
# cdktf-cli has Terraform ask the registry for the checksums of other platforms, a mirror or not.
# https://developer.hashicorp.com/terraform/cli/commands/providers/lock
NO_REGISTRY = {"CDKTF_SKIP_PROVIDER_LOCK": "true"}
OF_A_SESSION = ("AWS_PROFILE", "AWS_SESSION_TOKEN", "AWS_ENDPOINT_URL_S3")  # they would win over the local AWS's


def lines(environment: str, settings: Settings, variables: Mapping[str, str]) -> Iterator[str]:
    """The lines that a shell evaluates: ``unset`` and ``export``.

    Args:
        environment: a name, or the absolute path of a settings file.
        settings: of the environment.
        variables: of the shell.

    Raises:
        Refused: the settings are bad, or a mirror lacks the provider.
        Failed: the environment could not be synthesized.
    """
    base = without_local_aws(variables)
    stack = synthesize(environment, OUTPUT, base)
    installation = provider_installation(stack, base).variables
    exports = {
        ENVIRONMENT_VARIABLE: environment,
        "AWS_REGION": settings.primary.name,
        "AWS_DEFAULT_REGION": settings.primary.name,
        "TF_DATA_DIR": str(data_directory(settings)),
        "CHECKPOINT_DISABLE": "1",
        "PATH": _path(base.get("PATH", "")),
        **installation,
        **(NO_REGISTRY if installation else {}),
    }
    unset = {*variables.get(LOCAL_NAMES, "").split(), LOCAL_NAMES, "PYTHONDONTWRITEBYTECODE"} & variables.keys()
    server = process.find(DIRECTORY) if environment == ENVIRONMENT else None
    if server:
        local = local_environment(server.url, settings.primary.name)
        unset |= set(OF_A_SESSION) & variables.keys()
        exports |= {**local, LOCAL_NAMES: " ".join(local)}
    if names := sorted(unset - exports.keys()):
        yield f"unset {' '.join(names)}"
    for name, value in exports.items():
        yield f"export {name}={shlex.quote(value)}"


def without_local_aws(variables: Mapping[str, str]) -> dict[str, str]:
    """A shell's variables as they are without what an earlier `make env` has pointed at the local AWS."""
    taken = {*variables.get(LOCAL_NAMES, "").split(), LOCAL_NAMES}
    return {name: value for name, value in variables.items() if name not in taken}


def _path(path: str) -> str:
    kept = [one for one in path.split(os.pathsep) if one and Path(one) not in PROGRAMS]
    return os.pathsep.join([*map(str, PROGRAMS), *kept])
