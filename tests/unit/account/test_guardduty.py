"""GuardDuty (W5.6): on in both regions, with alarms on grave findings."""

from __future__ import annotations

import json

import pytest

from tests.synthesized import Synthesized, region_of

pytestmark = pytest.mark.requirement("W5.6")


def test_guardduty_is_on_in_both_regions_and_alarms_on_high_severity(platform: Synthesized) -> None:
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
