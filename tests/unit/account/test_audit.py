"""The audit of the account (W5.6): who makes it, and what of it may be left to the account."""

from __future__ import annotations

import json
from typing import Any

import pytest

from settings import load
from tests.synthesized import Synthesized, region_of
from tests.unit.account.support import changed, only

pytestmark = pytest.mark.requirement("W5.6")


LOGS = "aws_cloudwatch_log_group"


# What is of the account, by the switch that makes it.
SWITCHES = {
    "cloudtrail": {"aws_cloudtrail", "aws_cloudwatch_log_metric_filter"},
    "guardduty": {"aws_guardduty_detector", "aws_guardduty_detector_feature"},
    "aws_config": {
        "aws_config_config_rule",
        "aws_config_configuration_recorder",
        "aws_config_configuration_recorder_status",
        "aws_config_delivery_channel",
    },
    "security_hub": {
        "aws_securityhub_account",
        "aws_securityhub_finding_aggregator",
        "aws_securityhub_standards_subscription",
    },
    "access_analyzer": {"aws_accessanalyzer_analyzer"},
    "block_public_access": {"aws_s3_account_public_access_block"},
    "database_metrics_log": set(),  # a log group among others: see below
}


@pytest.fixture(scope="module")
def of_nobody() -> Synthesized:
    """An environment beside the account's owner, as for a pull request: it extends the owner's file."""
    return changed(environment_suffix="pr-7")


def test_no_bucket_of_the_account_is_public_and_access_from_outside_is_analysed(platform: Synthesized) -> None:
    block = only(platform, "aws_s3_account_public_access_block")
    switches = ("block_public_acls", "block_public_policy", "ignore_public_acls", "restrict_public_buckets")
    assert all(block[one] is True for one in switches)
    analyzers = platform.resources("aws_accessanalyzer_analyzer").values()
    assert {(region_of(one), one["type"]) for one in analyzers} == {("primary", "ACCOUNT"), ("recovery", "ACCOUNT")}


def test_environment_other_than_the_owner_creates_no_audit(of_nobody: Synthesized) -> None:
    types = set().union(*SWITCHES.values())
    assert not types & of_nobody.configuration["resource"].keys()
    assert not [one for one in of_nobody.resources(LOGS).values() if one["name"] == "RDSOSMetrics"]
    assert not [one for one in of_nobody.resources("aws_s3_bucket").values() if "audit" in one["bucket"]]
    sids = of_nobody.statements(of_nobody.resource("aws_kms_key", "primary/keys/logs")["policy"])
    assert not {"UseByTheTrail", "UseByConfig", "UseByMetricsOfDatabases"} & sids.keys()


def test_environment_that_extends_the_owners_file_is_not_the_owner(tmp_path: Any) -> None:
    file = tmp_path / "pr-42.toml"
    file.write_text('extends = "staging"\nenvironment_suffix = "pr-42"\n')
    assert load("staging").owns_account
    assert not load(str(file)).owns_account


@pytest.mark.parametrize("switch", SWITCHES)
def test_each_part_can_be_left_to_the_account(platform: Synthesized, switch: str) -> None:
    without = changed(audit={switch: False})
    gone = set().union(*SWITCHES.values()) - without.configuration["resource"].keys()
    assert gone == SWITCHES[switch]
    made = [one["name"] for one in without.resources(LOGS).values()]
    assert made.count("RDSOSMetrics") == (0 if switch == "database_metrics_log" else 2)
    assert [one["name"] for one in platform.resources(LOGS).values()].count("RDSOSMetrics") == 2


def test_the_longest_suffix_fits_the_names_of_the_owner() -> None:
    suffix = "s" * 12
    owner = changed(environment_suffix=suffix, account_owner=suffix)
    assert max(len(one["name"]) for one in owner.resources("aws_iam_role").values()) <= 64
    assert max(len(one["bucket"]) for one in owner.resources("aws_s3_bucket").values()) <= 63
    assert max(len(one["name"]) for one in owner.resources("aws_config_config_rule").values()) <= 128
    assert max(len(one["name"]) for one in owner.resources("aws_sqs_queue").values()) <= 80


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"retention_days": 364}, "audit.retention_days: 364"),
        ({"denied_calls": 0}, "audit.denied_calls: 0"),
        ({"changing_roles": ("a/b",)}, "the name of a role is allowed"),
        ({"changing_roles": ("a", "a")}, "each once is allowed"),
        ({"changing_roles": ("a", "b", "c", "d")}, "audit.changing_roles"),
    ],
)
def test_bad_settings_are_one_line(tmp_path: Any, change: dict[str, Any], message: str) -> None:
    ((field, value),) = change.items()
    file = tmp_path / "bad.toml"
    file.write_text(f'extends = "local"\n[audit]\n{field} = {json.dumps(value)}\n')
    with pytest.raises(Exception) as refused:  # noqa: PT011
        load(str(file))
    assert message in str(refused.value)
