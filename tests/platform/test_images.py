"""Images: a task may pull the one that it runs (W1.1, W1.5)."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from iam.synthesized import policies
from settings import load
from settings.services import image_in
from tests.synthesized import Synthesized, decoded, synthesize

ACCOUNT = "123456789012"
ECR = re.compile(r"(\d{12})\.dkr\.ecr\.([a-z0-9-]+)\.amazonaws\.com/([^@:]+)@sha256:[0-9a-f]{64}")
# https://docs.aws.amazon.com/AmazonECR/latest/userguide/repository-policy-examples.html
PULLS = {"ecr:BatchCheckLayerAvailability", "ecr:GetDownloadUrlForLayer", "ecr:BatchGetImage"}
REGIONS = {"primary": "us-east-2", "recovery": "us-west-2"}


@pytest.fixture(params=["local", "an environment that extends it"])
def images(request: pytest.FixtureRequest, platform: Synthesized, tmp_path: Path) -> Synthesized:
    """A platform with an image of its own repository."""
    if request.param == "local":
        return platform
    file = tmp_path / "pr-42.toml"
    file.write_text('extends = "local"\nenvironment_suffix = "pr-42"\n')
    return synthesize(load(str(file)))


@pytest.mark.requirement("W1.1", "W1.5")
def test_execution_role_may_pull_the_image_of_its_task(images: Synthesized) -> None:
    """In either region: what a role may pull is its own region's, where the image is replicated to."""
    platform = images
    pulled: dict[str, set[str]] = {}
    for policy in policies(platform.configuration, account_id=ACCOUNT):
        for statement in policy.statements:
            if statement["Effect"] == "Allow" and set(statement["Action"]) >= PULLS:
                pulled.setdefault(policy.owner.partition("_execution-policy")[0], set()).update(statement["Resource"])
    looked_at: set[str] = set()
    for id_, definition in platform.resources("aws_ecs_task_definition").items():
        for container in decoded(definition["container_definitions"]):
            if not (own := ECR.fullmatch(container["image"])):
                continue
            account, region, repository = own.groups()
            (allowed,) = [found for owner, found in pulled.items() if id_.startswith(owner.rpartition(".")[2])]
            assert f"arn:aws:ecr:{region}:{account}:repository/{repository}" in allowed, id_
            looked_at.add(region)
    assert looked_at == set(REGIONS.values())


@pytest.mark.parametrize(
    ("image", "expected"),
    [
        (
            "123456789012.dkr.ecr.us-east-2.amazonaws.com/payments/local/web@sha256:0",
            "123456789012.dkr.ecr.us-west-2.amazonaws.com/payments/local/web@sha256:0",
        ),
        ("ghcr.io/somebody/web@sha256:0", "ghcr.io/somebody/web@sha256:0"),
    ],
)
def test_image_of_ecr_is_that_of_the_region(image: str, expected: str) -> None:
    assert image_in("us-west-2", image) == expected
