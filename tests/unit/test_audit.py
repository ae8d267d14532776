"""What watches the account (W5.6): the trail, its alarms, GuardDuty, AWS Config, Security Hub, and who makes them."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from typing import Any

import pytest

from modules.account.audit_alarms import LONGEST_PATTERN, AuditEvent, events, pattern_of
from policy.evaluation import Decision, Request, evaluate
from policy.iam import RESOURCE, policies
from settings import Settings, load
from settings.audit import AuditSettings
from tests.synthesized import Block, Synthesized, region_of, synthesize

pytestmark = pytest.mark.requirement("W5.6")

ACCOUNT = "123456789012"
TRAIL = f"arn:aws:cloudtrail:us-east-2:{ACCOUNT}:trail/payments-audit-local"
BUCKET = f"arn:aws:s3:::payments-audit-local-{ACCOUNT}-us-east-2"
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


def only(platform: Synthesized, type_: str) -> Block:
    (found,) = platform.resources(type_).values()
    return found


def changed(**fields: Any) -> Synthesized:
    return synthesize(Settings.model_validate(load("local").model_dump() | fields))


@pytest.fixture(scope="module")
def of_nobody() -> Synthesized:
    """An environment beside the account's owner, as for a pull request: it extends the owner's file."""
    return changed(environment_suffix="pr-7")


@pytest.fixture(scope="module")
def protected() -> Synthesized:
    """The rehearsal's platform, protected."""
    return changed(protected=True)


def test_the_trail_has_all_regions_and_validated_encrypted_files(platform: Synthesized) -> None:
    trail = only(platform, "aws_cloudtrail")
    assert trail["is_multi_region_trail"] is True
    assert trail["include_global_service_events"] is True
    assert trail["enable_log_file_validation"] is True
    assert "keys_logs" in trail["kms_key_id"]
    assert platform.by_id(trail["s3_bucket_name"])["bucket"] == BUCKET.rpartition(":")[2]
    log_group = platform.by_id(trail["cloud_watch_logs_group_arn"].removesuffix(":*"))
    assert log_group["name"] == "/payments/local/audit-trail"
    assert log_group["retention_in_days"] == 30


def test_the_trail_has_management_events_and_those_of_sensitive_objects(platform: Synthesized) -> None:
    selectors = only(platform, "aws_cloudtrail")["advanced_event_selector"]
    fields = [{one["field"]: one for one in selector["field_selector"]} for selector in selectors]
    assert fields[0].keys() == {"eventCategory"}
    assert fields[0]["eventCategory"]["equals"] == ["Management"]
    watched = {}
    for one in fields[1:]:
        assert one["eventCategory"]["equals"] == ["Data"]
        assert one["resources.type"]["equals"] == ["AWS::S3::Object"]
        which = one.keys() - {"eventCategory", "resources.type", "resources.ARN"}
        for bucket in one["resources.ARN"]["starts_with"]:
            assert bucket.endswith("/")  # or buckets whose names are longer would be meant as well
            watched[re.sub(r"^arn:aws:s3:::payments-(.+?)-(local-)?\d.*", r"\1", bucket)] = sorted(which)
    assert watched == {
        "terraform-state": [],
        "backups": [],
        "static-assets": ["readOnly"],
        "logs": ["eventName"],
        "audit": ["eventName"],
    }


def test_the_log_of_the_trail_is_written_by_cloudtrail_to_its_own_streams(platform: Synthesized) -> None:
    role = platform.by_id(only(platform, "aws_cloudtrail")["cloud_watch_logs_role_arn"])
    (policy,) = [
        one for one in platform.resources("aws_iam_role_policy").values() if platform.by_id(one["role"]) == role
    ]
    (statement,) = platform.statements(policy["policy"]).values()
    assert sorted(statement["actions"]) == ["logs:CreateLogStream", "logs:PutLogEvents"]
    (stream,) = statement["resources"]
    assert stream.endswith(f".arn}}:log-stream:{ACCOUNT}_CloudTrail_us-east-2*")


def document(platform: Synthesized, owner: str) -> Mapping[str, Any]:
    (found,) = [
        one.document
        for one in policies(platform.configuration, account_id=ACCOUNT)
        if one.use == RESOURCE and one.owner.startswith(owner)
    ]
    return found


OWNED = {"s3:x-amz-acl": "bucket-owner-full-control", "aws:SecureTransport": "true", "s3:TlsVersion": "1.3"}


@pytest.mark.parametrize(
    ("principal", "path", "context", "allowed"),
    [
        ("cloudtrail", f"trail/AWSLogs/{ACCOUNT}/CloudTrail/x", {"aws:SourceArn": TRAIL}, True),
        ("cloudtrail", f"trail/AWSLogs/{ACCOUNT}/CloudTrail-Digest/x", {"aws:SourceArn": TRAIL}, True),
        (
            "cloudtrail",
            f"trail/AWSLogs/{ACCOUNT}/CloudTrail/x",
            {"aws:SourceArn": TRAIL.replace("local", "other")},
            False,
        ),
        ("cloudtrail", f"trail/AWSLogs/{ACCOUNT}/x", {"aws:SourceArn": TRAIL.replace(ACCOUNT, "999999999999")}, False),
        ("cloudtrail", "trail/AWSLogs/999999999999/CloudTrail/x", {"aws:SourceArn": TRAIL}, False),
        ("cloudtrail", f"configuration/AWSLogs/{ACCOUNT}/Config/x", {"aws:SourceArn": TRAIL}, False),
        ("config", f"configuration/AWSLogs/{ACCOUNT}/Config/x", {"aws:SourceAccount": ACCOUNT}, True),
        ("config", f"configuration/AWSLogs/{ACCOUNT}/Config/x", {"aws:SourceAccount": "999999999999"}, False),
        ("config", f"trail/AWSLogs/{ACCOUNT}/CloudTrail/x", {"aws:SourceAccount": ACCOUNT}, False),
    ],
)
def test_the_audit_bucket_is_written_by_cloudtrail_and_config_for_this_account_only(
    platform: Synthesized, principal: str, path: str, context: dict[str, str], allowed: bool
) -> None:
    policy = document(platform, "aws_s3_bucket_policy.primary_audit-bucket")
    request = Request(
        action="s3:PutObject",
        resource=f"{BUCKET}/{path}",
        principal=f"{principal}.amazonaws.com",
        context={**OWNED, **context},
    )
    assert (evaluate(policy, request) is Decision.ALLOW) is allowed


def test_digests_under_sse_s3_are_not_refused(platform: Synthesized) -> None:
    """CloudTrail encrypts its files under the trail's key, and the digests of these under S3's own."""
    policy = document(platform, "aws_s3_bucket_policy.primary_audit-bucket")
    context = {**OWNED, "aws:SourceArn": TRAIL, "s3:x-amz-server-side-encryption": "AES256"}
    request = Request(
        action="s3:PutObject",
        resource=f"{BUCKET}/trail/AWSLogs/{ACCOUNT}/CloudTrail-Digest/x",
        principal="cloudtrail.amazonaws.com",
        context=context,
    )
    assert evaluate(policy, request) is Decision.ALLOW


@pytest.mark.parametrize(
    ("principal", "context", "allowed"),
    [
        ("cloudtrail.amazonaws.com", {"aws:SourceArn": TRAIL}, True),
        ("cloudtrail.amazonaws.com", {"aws:SourceArn": TRAIL.replace("local", "other")}, False),
        ("config.amazonaws.com", {"aws:SourceAccount": ACCOUNT}, True),
        ("config.amazonaws.com", {"aws:SourceAccount": "999999999999"}, False),
        (
            "budgets.amazonaws.com",
            {"aws:SourceAccount": ACCOUNT, "aws:SourceArn": f"arn:aws:budgets::{ACCOUNT}:b"},
            True,
        ),
        ("budgets.amazonaws.com", {"aws:SourceAccount": ACCOUNT, "aws:SourceArn": "arn:aws:budgets::9:b"}, False),
    ],
)
def test_the_key_is_used_by_services_for_this_account_only(
    platform: Synthesized, principal: str, context: dict[str, str], allowed: bool
) -> None:
    policy = document(platform, "aws_kms_key.primary_keys_logs")
    request = Request(action="kms:GenerateDataKey", resource="*", principal=principal, context=context)
    assert (evaluate(policy, request) is Decision.ALLOW) is allowed


def test_only_the_primary_regions_key_has_to_do_with_the_trail(platform: Synthesized) -> None:
    sids = platform.statements(platform.resource("aws_kms_key", "recovery/keys/logs")["policy"])
    assert not {"UseByTheTrail", "UseByConfig", "UseThroughTheAuditBucket", "UseByBudgets"} & sids.keys()


def test_the_audit_bucket_keeps_at_least_a_year_and_logs_who_reads_it(platform: Synthesized) -> None:
    lifecycle = platform.resource("aws_s3_bucket_lifecycle_configuration", "audit-bucket/bucket/lifecycle")
    (expiration,) = [rule["expiration"][0] for rule in lifecycle["rule"] if rule["id"] == "expire"]
    assert expiration == {"days": 365}
    logging = platform.resource("aws_s3_bucket_logging", "audit-bucket/bucket/logging")
    assert "buckets_logs" in logging["target_bucket"]
    production = synthesize(load("production"))
    lifecycle = production.resource("aws_s3_bucket_lifecycle_configuration", "audit-bucket/bucket/lifecycle")
    assert {"days": 2555} in [rule["expiration"][0] for rule in lifecycle["rule"] if "expiration" in rule]


def test_a_protected_environment_keeps_what_was_recorded_and_found(
    platform: Synthesized, protected: Synthesized
) -> None:
    for type_ in ("aws_cloudtrail", "aws_guardduty_detector", "aws_securityhub_account"):
        assert all(one["lifecycle"]["prevent_destroy"] for one in protected.resources(type_).values())
        assert not any(one["lifecycle"]["prevent_destroy"] for one in platform.resources(type_).values())
    delete = Request(
        action="s3:DeleteObjectVersion",
        resource=f"{BUCKET}/trail/x",
        principal=f"arn:aws:iam::{ACCOUNT}:role/administrator",
        context=OWNED,
    )
    owner = "aws_s3_bucket_policy.primary_audit-bucket"
    assert evaluate(document(protected, owner), delete) is Decision.DENY
    assert evaluate(document(platform, owner), delete) is not Decision.DENY  # or nothing could be destroyed


# --- Alarms ---


def test_every_event_has_a_filter_on_the_trails_log_and_an_alarm_that_tells(platform: Synthesized) -> None:
    trail = only(platform, "aws_cloudtrail")
    log = trail["cloud_watch_logs_group_arn"].removesuffix(".arn}:*") + ".name}"
    alarms = {
        one["metric_name"]: one
        for one in platform.resources("aws_cloudwatch_metric_alarm").values()
        if "/audit" in one.get("namespace", "")
    }
    filters = platform.resources("aws_cloudwatch_log_metric_filter").values()
    assert {"root-use", "denied-calls", "key-deletion", "policy-changes"} <= alarms.keys()
    assert {one["name"] for one in filters} == alarms.keys() == {one.name for one in events(AuditSettings())}
    for one in filters:
        assert one["log_group_name"] == log
        alarm, counted = alarms[one["name"]], one["metric_transformation"]
        assert (counted["name"], counted["namespace"]) == (alarm["metric_name"], alarm["namespace"])
        assert alarm["alarm_actions"] == [
            "${aws_sns_topic.primary_alarms_topic_" + alarm["alarm_actions"][0].split("_")[-1]
        ]
    assert {one["comparison_operator"] for one in alarms.values()} == {"GreaterThanThreshold"}
    assert alarms["denied-calls"]["threshold"] == AuditSettings().denied_calls - 1
    assert {alarms[name]["threshold"] for name in alarms.keys() - {"denied-calls"}} == {0}


def test_no_pattern_is_longer_than_aws_allows() -> None:
    longest = tuple(f"{'r' * 62}-{number}" for number in range(3))  # two of settings, and the one that deploys
    patterns = {one.name: pattern_of(one, longest) for one in events(AuditSettings())}
    assert {name for name, pattern in patterns.items() if len(pattern) > LONGEST_PATTERN} == set()


def test_the_role_that_deploys_from_ci_is_expected_to_change_policies(platform: Synthesized) -> None:
    patterns = {one["name"]: one["pattern"] for one in platform.resources("aws_cloudwatch_log_metric_filter").values()}
    deploying = {one["name"] for one in platform.resources("aws_iam_role").values() if "delivery-deploy" in one["name"]}
    assert deploying
    for name in deploying:
        assert f'!= "{name}"' in patterns["policy-changes"]
        assert name not in patterns["root-use"]


def test_what_deployments_change_is_expected_of_the_roles_that_settings_name_only() -> None:
    plain = AuditEvent(name="a", meaning="", pattern="($.eventName = X)", by_deployments=True)
    role = "$.userIdentity.sessionContext.sessionIssuer.userName"
    assert pattern_of(plain, ()) == "{ ($.eventName = X) }"
    assert pattern_of(plain, ("one", "two")) == (
        f'{{ (($.eventName = X)) && (({role} NOT EXISTS) || (({role} != "one") && ({role} != "two"))) }}'
    )
    assert "one" not in pattern_of(AuditEvent(name="a", meaning="", pattern="($.eventName = X)"), ("one",))
    assert not {one.name for one in events(AuditSettings()) if one.by_deployments} & {"root-use", "denied-calls"}


# --- Threats, configuration, findings ---


def test_guardduty_is_on_in_both_regions_and_tells_of_grave_findings(platform: Synthesized) -> None:
    detectors = platform.resources("aws_guardduty_detector").values()
    assert {region_of(one) for one in detectors} == {"primary", "recovery"}
    assert all(one["enable"] is True for one in detectors)
    features = [
        (region_of(one), one["name"], one["status"])
        for one in platform.resources("aws_guardduty_detector_feature").values()
    ]
    assert sorted(features) == [
        (region, name, "ENABLED")
        for region in ("primary", "recovery")
        for name in ("LAMBDA_NETWORK_LOGS", "RDS_LOGIN_EVENTS", "S3_DATA_EVENTS")
    ]
    for region in ("primary", "recovery"):
        rule = platform.resource("aws_cloudwatch_event_rule", f"{region}/threat-detection/rule")
        assert json.loads(rule["event_pattern"])["detail"] == {"severity": [{"numeric": [">=", 7]}]}
        target = platform.resource("aws_cloudwatch_event_target", f"{region}/threat-detection/target")
        alarm = platform.resource("aws_cloudwatch_metric_alarm", f"{region}/threat-detection/findings/alarm")
        queue = platform.by_id(target["arn"])
        assert platform.by_id(alarm["dimensions"]["QueueName"]) == queue
        assert f"{region}_alarms_topic" in alarm["alarm_actions"][0]


def test_config_records_each_region_once_and_what_is_of_the_account_in_one(platform: Synthesized) -> None:
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


def test_security_hub_checks_both_standards_in_both_regions_and_gathers_in_one(platform: Synthesized) -> None:
    hubs = platform.resources("aws_securityhub_account").values()
    assert {region_of(one) for one in hubs} == {"primary", "recovery"}
    standards = [one["standards_arn"] for one in platform.resources("aws_securityhub_standards_subscription").values()]
    assert sorted(standards) == [
        f"arn:aws:securityhub:{region}::standards/{standard}"
        for region in ("us-east-2", "us-west-2")
        for standard in ("aws-foundational-security-best-practices/v/1.0.0", "pci-dss/v/4.0.1")
    ]
    aggregator = only(platform, "aws_securityhub_finding_aggregator")
    assert (region_of(aggregator), aggregator["specified_regions"]) == ("primary", ["us-west-2"])


def test_no_bucket_of_the_account_is_public_and_access_from_outside_is_analysed(platform: Synthesized) -> None:
    block = only(platform, "aws_s3_account_public_access_block")
    switches = ("block_public_acls", "block_public_policy", "ignore_public_acls", "restrict_public_buckets")
    assert all(block[one] is True for one in switches)
    analyzers = platform.resources("aws_accessanalyzer_analyzer").values()
    assert {(region_of(one), one["type"]) for one in analyzers} == {("primary", "ACCOUNT"), ("recovery", "ACCOUNT")}


# --- Who makes it ---


def test_an_environment_beside_the_owner_makes_nothing_of_it(of_nobody: Synthesized) -> None:
    types = set().union(*SWITCHES.values())
    assert not types & of_nobody.configuration["resource"].keys()
    assert not [one for one in of_nobody.resources(LOGS).values() if one["name"] == "RDSOSMetrics"]
    assert not [one for one in of_nobody.resources("aws_s3_bucket").values() if "audit" in one["bucket"]]
    sids = of_nobody.statements(of_nobody.resource("aws_kms_key", "primary/keys/logs")["policy"])
    assert not {"UseByTheTrail", "UseByConfig", "UseByMetricsOfDatabases"} & sids.keys()


def test_whoever_extends_the_owners_file_is_no_owner(tmp_path: Any) -> None:
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


def test_without_trail_and_config_there_is_no_audit_bucket() -> None:
    without = changed(audit={"cloudtrail": False, "aws_config": False})
    assert not [one for one in without.resources("aws_s3_bucket").values() if "audit" in one["bucket"]]


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
