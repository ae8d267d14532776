"""The stack as a whole: where things land, what they are called, what they depend on."""

from __future__ import annotations

import re

import pytest

from modules.database.enhanced_monitoring_log import METRICS_LOG
from settings import load
from tests.synthesized import Synthesized, local_with, path_of, references, region_of, synthesize

PROVIDERS = {"primary": "aws", "recovery": "aws.recovery", "global": "aws.global"}


@pytest.mark.requirement("W0.2")
def test_every_resource_and_data_source_has_the_provider_of_its_region(platform: Synthesized) -> None:
    assert platform.blocks
    for address, _, block in platform.blocks:
        assert block["provider"] == PROVIDERS[region_of(block)], address


@pytest.mark.requirement("W0.2")
def test_providers_are_the_three_regions_and_refuse_other_accounts(platform: Synthesized) -> None:
    providers = platform.configuration["provider"]["aws"]
    assert [(provider.get("alias"), provider["region"]) for provider in providers] == [
        (None, "us-east-2"),
        ("recovery", "us-west-2"),
        ("global", "us-east-1"),
    ]
    assert all(provider["allowed_account_ids"] == ["123456789012"] for provider in providers)


@pytest.mark.requirement("W0.2")
def test_only_resources_of_us_east_1_are_global(platform: Synthesized) -> None:
    """CloudFront with its certificate, firewall and logs, alarms on what is measured there, and what these need."""
    allowed = {
        "aws_acm_certificate",
        "aws_acm_certificate_validation",
        "aws_route53_record",  # the names of the distribution and the proofs of its certificate, beside them
        "aws_wafv2_ip_set",
        "aws_wafv2_web_acl",
        "aws_wafv2_web_acl_logging_configuration",
        "aws_cloudwatch_composite_alarm",  # metrics of CloudFront and Route 53 are published there alone
        "aws_cloudwatch_metric_alarm",
        "aws_sns_topic",
        "aws_sns_topic_policy",
        "aws_cloudwatch_log_delivery",
        "aws_cloudwatch_log_delivery_destination",
        "aws_cloudwatch_log_delivery_source",
        "aws_cloudwatch_log_group",
        "aws_kms_alias",  # of the logs
        "aws_kms_key",
        "aws_iam_policy_document",
    }
    types = {type_ for _, type_, block in platform.blocks if region_of(block) == "global"}
    assert {type_ for type_ in types if not type_.startswith("aws_cloudfront_")} == allowed
    log_groups = [
        b["name"] for b in platform.resources("aws_cloudwatch_log_group").values() if region_of(b) == "global"
    ]
    assert sorted(log_groups) == ["/payments/local/cloudfront", "aws-waf-logs-payments/local/edge"]


@pytest.mark.requirement("W0.2")
def test_references_across_regions_are_only_those_that_may_cross(platform: Synthesized) -> None:
    """A reference into another region is a mistake unless the attribute is one that AWS means to cross with."""
    crossing = {
        ("aws_backup_plan", "rule"),  # the vault that copies go to
        ("aws_backup_selection", "iam_role_arn"),  # one role for the plans of both regions, which is global
        ("aws_backup_selection", "depends_on"),  # and its policy
        ("aws_vpc_peering_connection", "peer_vpc_id"),
        ("aws_vpc_peering_connection_accepter", "vpc_peering_connection_id"),
        ("aws_vpc_peering_connection_options", "vpc_peering_connection_id"),
        ("aws_route", "vpc_peering_connection_id"),
        ("aws_s3_bucket_replication_configuration", "rule"),
        ("aws_s3_bucket_replication_configuration", "depends_on"),
        ("aws_iam_policy_document", "statement"),  # of the replication role, which is global
        ("aws_cloudwatch_metric_alarm", "dimensions"),  # names of both buckets; health checks, which are global
        ("aws_lambda_function", "environment"),  # the endpoint of the global database, which follows its writer
        ("aws_cloudwatch_dashboard", "dashboard_body"),  # a board has no region: its graphs name theirs
        ("aws_iam_role", "permissions_boundary"),  # one policy, which is global
        ("aws_rds_cluster", "global_cluster_identifier"),
        ("aws_rds_cluster", "depends_on"),  # on the writer that the secondary follows
        ("aws_secretsmanager_secret", "replica"),  # the key of the replica
        ("aws_route53_record", "zone_id"),  # of the one zone, which is global
        ("aws_route53_health_check", "child_healthchecks"),  # which are global, whichever region they are about
        ("aws_ecs_task_definition", "container_definitions"),  # the name that leads to the writer of a global database
        ("aws_cloudfront_distribution", "origin"),  # the buckets of both regions
        ("aws_cloudfront_distribution", "depends_on"),  # the records of both regions that its origin's name has
        ("aws_cloudfront_distribution", "default_cache_behavior"),  # the function of CloudFront, which is global
        ("aws_cloudfront_distribution", "ordered_cache_behavior"),
        ("aws_config_delivery_channel", "s3_bucket_name"),  # the account's one audit bucket, for both regions
        ("aws_config_delivery_channel", "s3_kms_key_arn"),  # and its key
        ("aws_wafv2_web_acl", "rule"),  # the rule groups of both regions, which one function makes
        ("aws_secretsmanager_secret", "replica"),  # under the other region's key
    }
    found = set()
    for _, type_, block in platform.blocks:
        for attribute, value in block.items():
            for reference in references(value):
                if region_of(platform.by_id(reference)) != region_of(block):
                    found.add((type_, attribute))
    assert found <= crossing
    assert ("aws_vpc_peering_connection", "peer_vpc_id") in found


@pytest.mark.requirement("W0.1")
def test_everything_is_one_stack_with_the_provider_that_is_verified(platform: Synthesized) -> None:
    required = platform.configuration["terraform"]["required_providers"]
    assert required == {"aws": {"source": "aws", "version": "5.100.0"}}


@pytest.mark.requirement("W0.3")
def test_state_is_locked_in_the_bucket_that_settings_name(platform: Synthesized) -> None:
    assert platform.configuration["terraform"]["backend"] == {
        "s3": {
            "bucket": "payments-terraform-state-123456789012-us-east-2",
            "key": "payments/local/terraform.tfstate",
            "region": "us-east-2",
            "use_lockfile": True,
        }
    }


@pytest.mark.requirement("W0.4")
def test_names_and_default_tags_carry_the_suffix(platform: Synthesized) -> None:
    name_attributes = ("name", "bucket", "alarm_name")
    own_name = {"aws_s3_bucket", "aws_iam_role", "aws_kms_alias", "aws_cloudwatch_log_group", "aws_security_group"}
    own_name |= {"aws_cloudwatch_metric_alarm", "aws_sns_topic"}
    named = [
        block[attribute]
        for _, type_, block in platform.blocks
        if type_ in own_name
        for attribute in name_attributes
        if attribute in block
    ]
    assert len(named) >= len(own_name)
    # Of the account, and called so by AWS: the environment that owns the account makes it.
    named = [name for name in named if name != METRICS_LOG]
    assert all("local" in re.split("[-/]", name) for name in named), named
    for provider in platform.configuration["provider"]["aws"]:
        assert provider["default_tags"][0]["tags"]["environment_suffix"] == "local"


@pytest.mark.requirement("W0.4")
def test_two_environments_share_no_name(platform: Synthesized) -> None:
    other = synthesize(load("local").model_copy(update={"environment_suffix": "pr-7"}))
    for type_ in ("aws_s3_bucket", "aws_iam_role", "aws_kms_alias", "aws_cloudwatch_log_group", "aws_sns_topic"):
        names = [
            {block.get("bucket") or block["name"] for block in p.resources(type_).values()} for p in (platform, other)
        ]
        assert names[0]
        assert not names[0] & names[1]


@pytest.mark.requirement("W0.4")
def test_longest_allowed_suffix_fits_the_names_of_aws() -> None:
    """The table of limits in settings/naming.py knows the longest purposes that the stack uses."""
    suffix = "s" * 12  # one more is refused, see the next test
    longest = synthesize(local_with(environment_suffix=suffix))
    limits = {"aws_s3_bucket": ("bucket", 63), "aws_iam_role": ("name", 64), "aws_security_group": ("name", 255)}
    limits["aws_lb_target_group"] = limits["aws_lb"] = ("name", 32)
    lengths = {
        type_: max(len(block[attribute]) for block in longest.resources(type_).values())
        for type_, (attribute, _) in limits.items()
    }
    assert all(lengths[type_] <= limit for type_, (_, limit) in limits.items()), lengths
    assert lengths["aws_lb_target_group"] == 32  # so the limit is met, not missed by luck


@pytest.mark.requirement("W0.4")
def test_a_longer_suffix_is_refused() -> None:
    with pytest.raises(ValueError, match="AWS allows 32"):
        local_with(environment_suffix="s" * 13)


@pytest.mark.requirement("W4.3")
@pytest.mark.requirement("W4.4")
def test_only_a_protected_environment_refuses_to_be_destroyed(platform: Synthesized) -> None:
    protected = synthesize(load("local").model_copy(update={"protected": True}))
    for type_ in ("aws_s3_bucket", "aws_kms_key"):
        assert all(block["lifecycle"]["prevent_destroy"] for block in protected.resources(type_).values())
        assert not any(block["lifecycle"]["prevent_destroy"] for block in platform.resources(type_).values())
    assert not any(block["force_destroy"] for block in protected.resources("aws_s3_bucket").values())
    assert all(block["force_destroy"] for block in platform.resources("aws_s3_bucket").values())


@pytest.mark.requirement("W0.1")
@pytest.mark.parametrize("environment", ["staging", "production"])
def test_shipped_environments_synthesize(environment: str) -> None:
    synthesized = synthesize(load(environment))
    assert all(path_of(block) for _, _, block in synthesized.blocks)
