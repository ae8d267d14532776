"""GuardDuty in one region (W5.6): it reads the account's calls, DNS queries, flows and logins for what attackers do.

Creates the detector of the account in the region, its features, and a queue with an alarm that takes grave findings.
Runtime monitoring is off: on Fargate it puts an endpoint into the VPC, with a security group, of which Terraform knows
nothing and on which a destruction would fail.
https://docs.aws.amazon.com/guardduty/latest/ug/runtime-monitoring-agent-resource-clean-up.html
"""

from __future__ import annotations

import json

from cdktf import TerraformResourceLifecycle
from cdktf_cdktf_provider_aws.cloudwatch_event_rule import CloudwatchEventRule
from cdktf_cdktf_provider_aws.cloudwatch_event_target import CloudwatchEventTarget
from cdktf_cdktf_provider_aws.guardduty_detector import GuarddutyDetector
from cdktf_cdktf_provider_aws.guardduty_detector_feature import GuarddutyDetectorFeature
from cdktf_cdktf_provider_aws.kms_key import KmsKey
from constructs import Construct

from modules.monitoring.alarm_topic import AlarmTopic
from modules.queues.event_queue import EventQueue
from settings.naming import THREAT_FINDINGS, Names

# What of it reads something that the platform has; there are no Kubernetes clusters and no volumes.
# https://docs.aws.amazon.com/guardduty/latest/APIReference/API_DetectorFeatureConfiguration.html
FEATURES = ("LAMBDA_NETWORK_LOGS", "RDS_LOGIN_EVENTS", "S3_DATA_EVENTS")
# https://docs.aws.amazon.com/guardduty/latest/ug/guardduty_findings-severity.html
HIGH = 7


class ThreatDetection(Construct):
    """The detector of an account in a region."""

    requirements = ("W5.6",)

    def __init__(
        self, scope: Construct, id_: str, *, names: Names, queue_key: KmsKey, topic: AlarmTopic, protected: bool
    ) -> None:
        """``queue_key`` encrypts what is found, ``topic`` is told of it; a ``protected`` detector stays."""
        super().__init__(scope, id_)
        self.detector = GuarddutyDetector(
            self,
            "detector",
            enable=True,
            finding_publishing_frequency="FIFTEEN_MINUTES",
            tags={"Name": names.of("threat-detection")},
            lifecycle=TerraformResourceLifecycle(prevent_destroy=protected),
        )
        for feature in FEATURES:
            GuarddutyDetectorFeature(self, feature, detector_id=self.detector.id, name=feature, status="ENABLED")
        self._tell_of_grave_findings(names, queue_key, topic)

    def _tell_of_grave_findings(self, names: Names, key: KmsKey, topic: AlarmTopic) -> None:
        name = names.of(THREAT_FINDINGS)
        findings = EventQueue(
            self,
            "findings",
            names=names,
            purpose=THREAT_FINDINGS,
            rule_name=name,
            meaning="GuardDuty has found something grave; it is in the queue of the same name",
            key=key,
            topic=topic,
        )
        pattern = {
            "source": ["aws.guardduty"],
            "detail-type": ["GuardDuty Finding"],
            "detail": {"severity": [{"numeric": [">=", HIGH]}]},
        }
        rule = CloudwatchEventRule(
            self, "rule", name=name, description="Findings of high severity", event_pattern=json.dumps(pattern)
        )
        CloudwatchEventTarget(self, "target", rule=rule.name, arn=findings.queue.arn, depends_on=[findings.policy])
