"""Account singletons: made by the environment that `account_owner` names, and by no other (W8.1, W5.6)."""

from __future__ import annotations

import pytest

from tests.synthesized import Synthesized, local_with, synthesize

pytestmark = [pytest.mark.requirement("W8.1"), pytest.mark.requirement("W5.6")]

# Types of which an account, or a region of it, has one; a second creation fails, or overwrites the first.
SINGLETONS = {
    "aws_accessanalyzer_analyzer",
    "aws_config_configuration_recorder",
    "aws_config_delivery_channel",
    "aws_ecr_replication_configuration",
    "aws_guardduty_detector",
    "aws_iam_openid_connect_provider",
    "aws_s3_account_public_access_block",
    "aws_securityhub_account",
}
SWITCHES = {
    "registry_replication": "aws_ecr_replication_configuration",
    "identity_provider": "aws_iam_openid_connect_provider",
}


def with_changes(**values: object) -> Synthesized:
    return synthesize(local_with(**values))


def test_owner_makes_each_singleton(platform: Synthesized) -> None:
    assert {type_ for type_ in SINGLETONS if not platform.resources(type_, none_is_right=True)} == set()


def test_environment_that_extends_the_owners_file_makes_none() -> None:
    beside = with_changes(environment_suffix="pr-42")
    assert {type_ for type_ in SINGLETONS if beside.resources(type_, none_is_right=True)} == set()
    assert beside.resources("aws_iam_role")


@pytest.mark.parametrize("switch", SWITCHES)
def test_existing_singleton_of_the_account_is_not_created(switch: str) -> None:
    owner = with_changes(account={switch: False})
    assert {type_ for type_ in SWITCHES.values() if owner.resources(type_, none_is_right=True)} == set(
        SWITCHES.values()
    ) - {SWITCHES[switch]}
