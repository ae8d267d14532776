"""The provider is the one whose checksums the project keeps, or Terraform does not run (W8.1)."""

from __future__ import annotations

import io
import json
import re
from pathlib import Path

import pytest
from rich.console import Console

from operations.deployment import terraform as runner
from operations.deployment.provider_mirror import PROVIDER_LOCK, required_providers
from operations.deployment.terraform import Terraform
from operations.outcome import Failed
from tests.synthesized import Synthesized

pytestmark = pytest.mark.requirement("W8.1")

LOCKED = re.compile(
    r'provider "(?P<address>[^"]+)" \{\s+version\s+= "(?P<version>[^"]+)"\s+constraints = "(?P<same>[^"]+)"'
)
PUBLISHED = 15
"""The checksums that HashiCorp has published of this release: a package for each platform, and the manifest."""


def test_the_lock_is_of_exactly_the_providers_that_the_configuration_requires(platform: Synthesized) -> None:
    text = PROVIDER_LOCK.read_text(encoding="utf-8")
    locked = {one["address"]: one["version"] for one in LOCKED.finditer(text)}
    wanted = required_providers(platform.directory / "cdk.tf.json", "linux_amd64")
    assert locked == {one.address: one.version for one in wanted}
    assert all(one["version"] == one["same"] for one in LOCKED.finditer(text))
    assert len(set(re.findall(r'"zh:[0-9a-f]{64}"', text))) == PUBLISHED


def test_another_package_than_is_locked_is_refused_and_the_locked_one_taken(
    platform: Synthesized,
    terraform_environment: dict[str, str],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """With the real provider, by its unpacked package's checksum, and Terraform's own refusal."""
    required = json.loads((platform.directory / "cdk.tf.json").read_text())["terraform"]["required_providers"]
    (tmp_path / "cdk.tf.json").write_text(json.dumps({"terraform": {"required_providers": required}}))
    terraform = Terraform(tmp_path, terraform_environment, Console(file=io.StringIO(), width=200))
    lock = tmp_path / PROVIDER_LOCK.name

    lock.write_bytes(PROVIDER_LOCK.read_bytes())
    terraform.init()
    assert lock.read_bytes() == PROVIDER_LOCK.read_bytes(), "nothing of this machine is added"

    forged = tmp_path / "forged" / PROVIDER_LOCK.name
    forged.parent.mkdir()
    forged.write_text(re.sub(r"h1:.{6}", "h1:forged", PROVIDER_LOCK.read_text(encoding="utf-8")), encoding="utf-8")
    monkeypatch.setattr(runner, "PROVIDER_LOCK", forged)
    lock.write_bytes(forged.read_bytes())
    with pytest.raises(Failed, match="checksum"):
        terraform.init()
