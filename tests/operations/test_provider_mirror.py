"""Where Terraform's provider comes from, on machines of every kind."""

from __future__ import annotations

import json
import os
import subprocess
import zipfile
from collections.abc import Callable
from pathlib import Path

import pytest

from operations import preflight
from operations.deployment.provider_mirror import Installation, Provider, find_installation, required_providers
from operations.outcome import Refused

PLATFORM = preflight.terraform_platform()
Layout = Callable[..., Path]
AWS = Provider("registry.terraform.io", "hashicorp", "aws", "5.100.0", PLATFORM)


def unpacked(mirror: Path, version: str = "5.100.0", platform: str = PLATFORM) -> Path:
    folder = mirror / "registry.terraform.io" / "hashicorp" / "aws" / version / platform
    folder.mkdir(parents=True)
    program = folder / f"terraform-provider-aws_v{version}_x5"
    program.write_text("#!/bin/sh\n")
    program.chmod(0o755)
    return mirror


def packed(mirror: Path, version: str = "5.100.0", platform: str = PLATFORM) -> Path:
    folder = mirror / "registry.terraform.io" / "hashicorp" / "aws"
    folder.mkdir(parents=True)
    with zipfile.ZipFile(folder / f"terraform-provider-aws_{version}_{platform}.zip", "w") as archive:
        archive.writestr(f"terraform-provider-aws_v{version}_x5", "#!/bin/sh\n")
    return mirror


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    folder = tmp_path / "home"
    folder.mkdir()
    monkeypatch.setenv("HOME", str(folder))
    return folder


def find(tmp_path: Path, variables: dict[str, str] | None = None, **places: Path) -> Installation:
    """As on a machine that has no mirror but those given."""
    found = {name: [path] for name, path in places.items()}
    return find_installation(
        [AWS],
        variables or {},
        tmp_path / "generated.tfrc",
        implied=found.get("implied", []),
        places=found.get("places", []),
    )


@pytest.mark.parametrize("layout", [packed, unpacked])
@pytest.mark.requirement("W8.2")
def test_terraform_installs_from_the_mirror_that_was_found(home: Path, tmp_path: Path, layout: Layout) -> None:
    mirror = layout(tmp_path / "software" / "terraform-plugins")
    stack = tmp_path / "stack"
    stack.mkdir()
    required = {"aws": {"source": "aws", "version": "5.100.0"}}
    (stack / "cdk.tf.json").write_text(json.dumps({"terraform": {"required_providers": required}}))

    installation = find_installation(
        required_providers(stack / "cdk.tf.json", PLATFORM),
        {},
        tmp_path / "generated.tfrc",
        implied=[],
        places=[tmp_path / "software"],
    )

    assert installation.source == f"the mirror {mirror}"
    # A variable that names no file, as on a machine that was set up by halves, is taken away.
    base = {**os.environ, "TF_CLI_CONFIG_FILE": str(tmp_path / "absent.tfrc")}
    result = subprocess.run(
        ["terraform", "init", "-no-color"],
        cwd=stack,
        env=installation.environment(base),
        capture_output=True,
        text=True,
        check=False,
    )
    assert result.returncode == 0, result.stderr
    assert "Installed hashicorp/aws v5.100.0" in result.stdout
    assert "CLI configuration" not in result.stdout + result.stderr


def test_reads_the_provider_from_the_synthesized_configuration(tmp_path: Path) -> None:
    synthesized = tmp_path / "cdk.tf.json"
    required = {
        "aws": {"source": "aws", "version": "5.100.0"},
        "random": {"source": "hashicorp/random", "version": "= 3.6.0"},
        "own": {"source": "example.com/team/own", "version": "1.0.0"},
    }
    synthesized.write_text(json.dumps({"terraform": {"required_providers": required}}))

    aws, random, own = required_providers(synthesized, PLATFORM)

    assert aws == AWS
    assert (random.address, random.version) == ("registry.terraform.io/hashicorp/random", "3.6.0")
    assert own.address == "example.com/team/own"


@pytest.mark.parametrize("other", [{"version": "5.99.0"}, {"version": "6.0.0"}, {"platform": "plan9_mips"}], ids=str)
@pytest.mark.parametrize("layout", [packed, unpacked])
def test_a_mirror_without_this_version_for_this_platform_does_not_count(
    home: Path, tmp_path: Path, layout: Layout, other: dict[str, str]
) -> None:
    layout(tmp_path / "software" / "plugins", **other)

    installation = find(tmp_path, places=tmp_path / "software")

    assert installation.source == "registry.terraform.io"
    assert not installation.variables


def test_an_empty_folder_of_the_right_name_does_not_count(home: Path, tmp_path: Path) -> None:
    (tmp_path / "software" / "registry.terraform.io" / "hashicorp" / "aws" / "5.100.0" / PLATFORM).mkdir(parents=True)

    assert find(tmp_path, places=tmp_path / "software").source == "registry.terraform.io"


def test_a_mirror_that_lacks_one_of_two_providers_does_not_count(home: Path, tmp_path: Path) -> None:
    unpacked(tmp_path / "mirror")
    other = Provider("registry.terraform.io", "hashicorp", "random", "3.6.0", PLATFORM)

    found = find_installation([AWS, other], {}, tmp_path / "g.tfrc", implied=[tmp_path / "mirror"], places=[])

    assert found.source == "registry.terraform.io"


def test_finds_a_mirror_in_terraforms_implied_folders_in_the_home_folder(home: Path, tmp_path: Path) -> None:
    mirror = unpacked(home / ".terraform.d" / "plugins")

    installation = find_installation([AWS], {}, tmp_path / "generated.tfrc", places=[])

    assert installation.source == f"the mirror {mirror}"


def test_finds_a_mirror_in_a_folder_below_the_home_folder(home: Path, tmp_path: Path) -> None:
    mirror = packed(home / "my-mirror")

    # A machine may have a mirror of its own in a folder that comes first: only what lies below the home counts here.
    installation = find_installation(
        [AWS], {}, tmp_path / "generated.tfrc", implied=[], places=[Path("~").expanduser()]
    )

    assert installation.source == f"the mirror {mirror}"


def test_the_variable_comes_first(home: Path, tmp_path: Path) -> None:
    unpacked(tmp_path / "implied")
    named = packed(tmp_path / "named")

    installation = find(tmp_path, {"TERRAFORM_PROVIDER_MIRROR": str(named)}, implied=tmp_path / "implied")

    assert installation.source == f"the mirror {named}"


def test_a_variable_that_names_no_mirror_is_refused_in_one_line(home: Path, tmp_path: Path) -> None:
    unpacked(tmp_path / "named", version="5.99.0")

    with pytest.raises(Refused) as refused:
        find(tmp_path, {"TERRAFORM_PROVIDER_MIRROR": str(tmp_path / "named")})

    assert str(refused.value) == (
        f"TERRAFORM_PROVIDER_MIRROR: '{tmp_path / 'named'}' is not allowed; a folder that holds "
        f"registry.terraform.io/hashicorp/aws 5.100.0 for {PLATFORM} is"
    )


def test_cli_configuration_with_provider_installation_takes_precedence(home: Path, tmp_path: Path) -> None:
    unpacked(tmp_path / "implied")
    own = tmp_path / "own.tfrc"
    own.write_text("provider_installation {\n  direct {}\n}\n")

    installation = find(tmp_path, {"TF_CLI_CONFIG_FILE": str(own)}, implied=tmp_path / "implied")

    assert installation.source == f"as {own} says"
    assert installation.environment({"TF_CLI_CONFIG_FILE": "other"})["TF_CLI_CONFIG_FILE"] == str(own)
    assert not (tmp_path / "generated.tfrc").exists()


def test_cli_configuration_in_the_home_folder_is_found(home: Path, tmp_path: Path) -> None:
    (home / ".terraformrc").write_text("provider_installation {\n  direct {}\n}\n")

    assert find(tmp_path).source == f"as {home / '.terraformrc'} says"


def test_unrelated_cli_configuration_does_not_hide_a_mirror(home: Path, tmp_path: Path) -> None:
    mirror = unpacked(tmp_path / "implied")
    (home / ".terraformrc").write_text("# provider_installation is not set\ndisable_checkpoint = true\n")

    assert find(tmp_path, implied=tmp_path / "implied").source == f"the mirror {mirror}"


def test_without_a_mirror_the_users_configuration_stays(home: Path, tmp_path: Path) -> None:
    (home / ".terraformrc").write_text("disable_checkpoint = true\n")

    installation = find(tmp_path)

    assert installation.source == "registry.terraform.io"
    assert installation.variables == {"TF_CLI_CONFIG_FILE": str(home / ".terraformrc")}


def test_variable_that_names_a_missing_configuration_is_removed(home: Path, tmp_path: Path) -> None:
    variables = {"TF_CLI_CONFIG_FILE": str(tmp_path / "absent.tfrc"), "OTHER": "stays"}

    environment = find(tmp_path, variables).environment(variables)

    assert environment == {"OTHER": "stays", "CHECKPOINT_DISABLE": "1"}


def test_terraform_does_not_check_for_updates(home: Path, tmp_path: Path) -> None:
    assert find(tmp_path).environment({})["CHECKPOINT_DISABLE"] == "1"
