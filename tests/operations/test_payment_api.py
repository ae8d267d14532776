"""The payment API's commands: what they write, refuse and clear away."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from operations.outcome import Failed, Refused, console
from operations.payment_api.deploy import Deployment, flatten, write_outputs
from operations.payment_api.local import changed
from payment_api.settings import load

pytestmark = pytest.mark.requirement("P6.1", "P6.4")


def test_outputs_of_all_stacks_are_written_flat(tmp_path: Path) -> None:
    write_outputs({"api": {"ApiEndpoint": "https://x"}, "replica": {"Bucket": "b"}}, tmp_path / "cfn-outputs")
    written = json.loads((tmp_path / "cfn-outputs" / "flat-outputs.json").read_text())
    assert written == {"ApiEndpoint": "https://x", "Bucket": "b"}


@pytest.mark.parametrize("outputs", [{}, {"api": {}}, {"api": {"A": "1"}, "replica": {"A": "2"}}])
def test_no_outputs_or_two_of_one_name_are_a_failure(outputs: dict[str, dict[str, str]]) -> None:
    with pytest.raises(Failed):
        flatten(outputs)


def test_a_protected_environment_is_not_destroyed() -> None:
    with pytest.raises(Refused, match="protected"):
        Deployment("production", load("production"), console()).destroy(approve=True)


def test_deployment_or_destruction_without_confirmation_is_refused() -> None:
    deployment = Deployment("staging", load("staging"), console())
    for command in (deployment.deploy, deployment.destroy):
        with pytest.raises(Refused, match="--approve"):
            command(approve=False)


def test_changes_override_a_settings_file_table_by_table() -> None:
    text = changed('extends = "local"\n[gateway]\nburst_requests = 1\n[a]\nb = "c"\n', "[gateway]\nrate = 2\n")
    assert "burst_requests = 1" in text
    assert "rate = 2" in text
    assert text.startswith('extends = "local"')
