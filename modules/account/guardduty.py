"""GuardDuty in one region (W5.6): threat detection on API calls, DNS queries, flows and database logins.

Creates the account's detector in the region, its features, and a queue with an alarm for findings of high severity.
Runtime Monitoring is off: on Fargate it creates a VPC endpoint and a security group that Terraform does not know, and
that would block the destruction of the VPC.
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

# The protection plans for resources that the platform has; it has no Kubernetes clusters and no volumes.
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
        """``queue_key`` encrypts findings; ``topic`` is notified; a ``protected`` detector is not destroyed."""
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
        self._alarm_on_high_findings(names, queue_key, topic)

    def _alarm_on_high_findings(self, names: Names, key: KmsKey, topic: AlarmTopic) -> None:
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
