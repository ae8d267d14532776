"""`make drift`: what a deployment would change though nobody has changed anything, without reading a secret.

A refresh reads each resource. For some the provider reads the secret value itself (docs/decisions/0031-who-deploys.md),
and Terraform excludes no resource from a refresh. So these are taken out of a copy of the state, with which the plan is
made; what it then would create of them is no drift. The state itself is neither locked nor written.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

from operations.deployment.terraform import PlanFile, Terraform
from operations.outcome import Failed

# Resources whose reading is the reading of a secret value (SecretsManager: GetSecretValue), by provider 5.100.0.
SECRETS = ("aws_secretsmanager_secret_version",)
COPY = "drift.tfstate"
OVERRIDE = "drift_override.tf.json"
"""https://developer.hashicorp.com/terraform/language/files/override"""
EMPTY = {"version": 4, "lineage": "", "serial": 0, "outputs": {}, "resources": []}


@contextmanager
def planned(terraform: Terraform, secrets: tuple[str, ...] = SECRETS) -> Iterator[tuple[PlanFile, frozenset[str]]]:
    """A plan with a refresh but of ``secrets``, and the addresses of those, for as long as the block lasts.

    Args:
        terraform: in a folder of its own, connected to its backend. In the block it has a copy of the state.
        secrets: types of resources that are not read.

    Raises:
        Failed: with Terraform's errors.
    """
    state = _state(terraform)
    hidden = frozenset(_addresses(state, secrets))
    state["resources"] = [one for one in state["resources"] if one.get("type") not in secrets]
    copy, override = terraform.directory / COPY, terraform.directory / OVERRIDE
    backend = {"terraform": {"backend": {"local": {"path": str(copy.absolute())}}}}
    beside = replace(terraform, environment=_with_data_beside(terraform))
    try:
        copy.touch(mode=0o600)
        copy.write_text(json.dumps(state), encoding="utf-8")
        override.write_text(json.dumps(backend), encoding="utf-8")
        beside.init()
        with beside.planned(lock=False) as plan:
            yield plan, hidden
    finally:
        for file in (copy, override):
            file.unlink(missing_ok=True)


def _state(terraform: Terraform) -> dict[str, Any]:
    said = terraform.read("state", "pull")
    try:
        state: dict[str, Any] = json.loads(said) if said.strip() else dict(EMPTY)
        state["resources"] = list(state["resources"])
    except (ValueError, KeyError, TypeError) as error:
        raise Failed(f"terraform state pull wrote no state ({error!r})") from error
    return state


def _addresses(state: dict[str, Any], types: tuple[str, ...]) -> Iterator[str]:
    for one in state["resources"]:
        if one.get("mode") == "managed" and one["type"] in types:
            yield f"{one['type']}.{one['name']}"


def _with_data_beside(terraform: Terraform) -> dict[str, str]:
    """The variables with a data directory of its own: the environment's one knows the real backend."""
    return {**terraform.environment, "TF_DATA_DIR": str(Path(terraform.directory) / ".terraform-drift")}
