"""AWS Config (W5.6): recorders, delivery and rules."""

from __future__ import annotations

import re

import pytest

from tests.synthesized import Synthesized, region_of

pytestmark = pytest.mark.requirement("W5.6")


def test_config_records_each_region_once_and_global_resources_in_one_region(platform: Synthesized) -> None:
    recorders = {region_of(one): one for one in platform.resources("aws_config_configuration_recorder").values()}
    assert recorders.keys() == {"primary", "recovery"}
    groups = {region: one["recording_group"] for region, one in recorders.items()}
    assert groups["primary"] == {"all_supported": True, "include_global_resource_types": True}
    assert groups["recovery"] == {"all_supported": True, "include_global_resource_types": False}
    for channel in platform.resources("aws_config_delivery_channel").values():
        assert "primary_audit-bucket" in channel["s3_bucket_name"]
        assert "primary_keys_logs" in channel["s3_kms_key_arn"]
    statuses = platform.resources("aws_config_configuration_recorder_status").values()
    assert [one["is_enabled"] for one in statuses] == [True, True]


def test_rules_of_config_bear_the_requirement_that_they_matter_to(platform: Synthesized) -> None:
    rules = platform.resources("aws_config_config_rule").values()
    identifiers: dict[str, set[str]] = {"primary": set(), "recovery": set()}
    for rule in rules:
        identifier = rule["source"]["source_identifier"]
        identifiers[region_of(rule)].add(identifier)
        match = re.fullmatch(r"payments-pci-(\d+\.\d+\.\d+)-([a-z0-9-]+)-local", rule["name"])
        assert match, rule["name"]
        assert match[2].replace("-", "_").upper() == identifier
        assert rule["description"].startswith(f"PCI DSS 4.0.1, {match[1]}: ")
    assert len(rules) == sum(len(found) for found in identifiers.values())  # none twice in a region
    assert identifiers["recovery"] < identifiers["primary"]
    of_account = identifiers["primary"] - identifiers["recovery"]
    assert {"ROOT_ACCOUNT_MFA_ENABLED", "MULTI_REGION_CLOUD_TRAIL_ENABLED"} <= of_account
    assert {"RDS_STORAGE_ENCRYPTED", "ALB_WAF_ENABLED"} <= identifiers["recovery"]
