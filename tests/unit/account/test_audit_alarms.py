"""Alarms on the audit trail (W5.6): metric filters, their patterns, and whose changes are expected."""

from __future__ import annotations

import pytest

from modules.account.audit_alarms import LONGEST_PATTERN, AuditEvent, events, pattern_of
from settings.audit import AuditSettings
from tests.synthesized import Synthesized
from tests.unit.account.support import only

pytestmark = pytest.mark.requirement("W5.6")


def test_every_event_has_a_metric_filter_and_an_alarm(platform: Synthesized) -> None:
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


def test_changes_are_expected_only_of_the_roles_in_settings() -> None:
    plain = AuditEvent(name="a", meaning="", pattern="($.eventName = X)", by_deployments=True)
    role = "$.userIdentity.sessionContext.sessionIssuer.userName"
    assert pattern_of(plain, ()) == "{ ($.eventName = X) }"
    assert pattern_of(plain, ("one", "two")) == (
        f'{{ (($.eventName = X)) && (({role} NOT EXISTS) || (({role} != "one") && ({role} != "two"))) }}'
    )
    assert "one" not in pattern_of(AuditEvent(name="a", meaning="", pattern="($.eventName = X)"), ("one",))
    assert not {one.name for one in events(AuditSettings()) if one.by_deployments} & {"root-use", "denied-calls"}
