"""One local AWS for all tests that only add to it; those that count or stop something start their own."""

from __future__ import annotations

import os
import platform
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from emulator import process
from operations.deployment.provider_mirror import Provider, find_installation
from operations.deployment.terraform import COLLECT_AT_PERCENT
from tests.emulator.support import Client, Terraform, client_for
from tests.warm_aws import LocalAws

FIXTURES = Path(__file__).parent / "terraform"
MACHINES = {"x86_64": "amd64", "aarch64": "arm64"}


@pytest.fixture(scope="session")
def aws(empty_aws: LocalAws, tmp_path_factory: pytest.TempPathFactory) -> Iterator[process.Server]:
    """A local AWS that the whole session shares."""
    with empty_aws(tmp_path_factory.mktemp("local-aws")) as server:
        yield server


@pytest.fixture
def own_aws(empty_aws: LocalAws, tmp_path: Path) -> Iterator[process.Server]:
    """A local AWS of the test's own."""
    with empty_aws(tmp_path / "aws") as server:
        yield server


@pytest.fixture(scope="session")
def client(aws: process.Server) -> Callable[..., Client]:
    """Clients of the shared local AWS: ``client("kms")``, ``client("ec2", region="us-west-2")``."""
    return client_for(aws)


@pytest.fixture(scope="session")
def terraform_variables(tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    """What tells Terraform where its provider is on this machine."""
    machine = platform.machine()
    of_this_machine = f"{platform.system().lower()}_{MACHINES.get(machine, machine)}"
    provider = Provider("registry.terraform.io", "hashicorp", "aws", "5.100.0", of_this_machine)
    generated = tmp_path_factory.mktemp("terraform") / "terraform.tfrc"
    return find_installation([provider], os.environ, generated).environment({})


@pytest.fixture
def terraform(terraform_variables: dict[str, str], tmp_path: Path) -> Callable[[str, process.Server], Terraform]:
    """The real Terraform in a copy of one of the configurations beside this file, pointed at a local AWS."""

    def configure(name: str, server: process.Server) -> Terraform:
        environment = process.complete_environment(server.url) | terraform_variables | {"GOGC": COLLECT_AT_PERCENT}
        return Terraform.initialized(FIXTURES / name, tmp_path / name, environment)

    return configure
