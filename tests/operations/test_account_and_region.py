"""Every command asks first whose the credentials are, and acts in the regions of its environment."""

from __future__ import annotations

from pathlib import Path

import pytest

from payment_api.settings import load as load_api
from settings import Settings
from tests.operations.surroundings import Checkout, OnlyAnAccount
from tests.operations.test_surroundings import APPROVED, COMMANDS, World, arguments_of, checkout, machine

__all__ = ["checkout"]

pytestmark = pytest.mark.requirement("W8.1")

GLOBAL = "us-east-1"  # where AWS has what is of no region: IAM, CloudFront, Route 53
OPTIONS = {
    "redrive": [["--region", "recovery"], ["--discard", "a reason that is long enough", "--approve"]],
    "failover": [["--approve"]],
}
EACH = [
    [name, *arguments_of(name), *APPROVED.get(name, ()), *options]
    for name in COMMANDS
    for options in [[], *OPTIONS.get(name, [])]
]


def world(checkout: Checkout, folder: Path, url: str) -> World:
    """A machine whose own region is none of the platform's."""
    made = machine(checkout, folder, url)
    made.variables |= {"AWS_REGION": "eu-west-1", "AWS_DEFAULT_REGION": "eu-west-1"}
    return made


def test_no_call_but_the_account_check_is_made_with_credentials_of_another_account(
    checkout: Checkout, tmp_path: Path
) -> None:
    aws = OnlyAnAccount("999999999999")
    asking = 0
    with aws as url:
        machine = world(checkout, tmp_path, url)
        for line in EACH:
            aws.asked.clear()
            ended = machine.run(*line)
            assert {service for service, _ in aws.asked} <= {"sts"}, line
            if aws.asked:
                asking += 1
                assert ended.code == 2, line
                assert "account_id: " in ended.stderr, line

    assert asking >= 14


def test_no_command_leaves_the_regions_of_its_environment(
    checkout: Checkout, tmp_path: Path, local_settings: Settings
) -> None:
    api = load_api("local")
    regions = {local_settings.primary.name, local_settings.recovery.name, api.region, api.replica_region, GLOBAL}
    aws = OnlyAnAccount()
    seen = set()
    with aws as url:
        machine = world(checkout, tmp_path, url)
        for line in EACH:
            aws.asked.clear()
            machine.run(*line)
            assert {region for _, region in aws.asked} <= regions, line
            seen |= {service for service, _ in aws.asked}

    assert {"sts", "s3", "sqs", "lambda", "ecs"} <= seen
