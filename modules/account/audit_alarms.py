"""Alarms on events of the audit trail (W5.6): a metric filter and an alarm for each kind of event.

Creates them on the log group of the trail, which has the events of all regions. None of these events is expected, but
for changes by the roles that deploy, which settings name.
https://docs.aws.amazon.com/awscloudtrail/latest/userguide/cloudwatch-alarms-for-cloudtrail.html
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from cdktf_cdktf_provider_aws.cloudwatch_log_metric_filter import (
    CloudwatchLogMetricFilter,
    CloudwatchLogMetricFilterMetricTransformation,
)
from constructs import Construct

from modules.account.audit_trail import AuditTrail
from modules.monitoring.alarm_topic import AlarmTopic
from modules.monitoring.alarms import Alarm
from modules.monitoring.metrics import Metric
from settings.audit import AuditSettings
from settings.naming import Names

KIND = "audit-trail"  # one section of the runbook for all of them
PERIOD_SECONDS = 300
# https://docs.aws.amazon.com/AmazonCloudWatchLogs/latest/APIReference/API_PutMetricFilter.html
LONGEST_PATTERN = 1024


@dataclass(frozen=True, kw_only=True)
class AuditEvent:
    """A kind of event, with an alarm at ``bound`` events or more within five minutes.

    ``pattern`` selects events of the trail; with ``by_deployments``, those of roles that settings name are excluded.
    """

    name: str
    meaning: str
    pattern: str
    by_deployments: bool = False
    bound: int = 1


def _any_of(*event_names: str) -> str:
    """A pattern for writes with one of these event names; reads may have names with the same ending."""
    return "($.readOnly IS FALSE) && (" + " || ".join(f'($.eventName = "{name}")' for name in event_names) + ")"


KEY_DELETIONS = ("ScheduleKeyDeletion", "DisableKey", "DeleteImportedKeyMaterial")
POLICY_CHANGES = ("*Policy", "*PolicyVersion", "*PermissionsBoundary")
RESOURCE_POLICY_CHANGES = (
    "PutBucketPolicy",
    "DeleteBucketPolicy",
    "*PublicAccessBlock",
    "PutKeyPolicy",
    "PutResourcePolicy",
    "DeleteResourcePolicy",
)
# PCI DSS 4.0.1, 10.2.1.6: all initialization, starting, stopping or pausing of audit logs.
AUDIT_CHANGES = (
    "*Trail",
    "*Logging",  # of trails and of buckets
    "PutEventSelectors",
    "*Detector",
    "*ConfigurationRecorder",
    "DeleteDeliveryChannel",
    "DisableSecurityHub",
    "BatchDisableStandards",
    "DeleteAnalyzer",
    "DeleteFlowLogs",
    "DeleteLogGroup",
    "PutRetentionPolicy",
)


def events(settings: AuditSettings) -> tuple[AuditEvent, ...]:
    """The kinds of events that have an alarm."""
    return (
        AuditEvent(
            name="root-use",
            meaning="The root user of the account did something: it is for what nobody else can, and is locked away",
            pattern='($.userIdentity.type = "Root") && ($.userIdentity.invokedBy NOT EXISTS) && '
            '($.eventType != "AwsServiceEvent")',
        ),
        AuditEvent(
            name="sign-in-without-mfa",
            meaning="Somebody signed in to the console with a password alone",
            pattern='($.eventName = "ConsoleLogin") && ($.userIdentity.type = "IAMUser") && '
            '($.responseElements.ConsoleLogin = "Success") && ($.additionalEventData.MFAUsed != "Yes")',
        ),
        AuditEvent(
            name="denied-calls",
            meaning="Calls are refused: a permission is missing, or somebody tries what there is",
            pattern='($.errorCode = "*UnauthorizedOperation") || ($.errorCode = "AccessDenied*")',
            bound=settings.denied_calls,
        ),
        AuditEvent(
            name="key-deletion",
            meaning="A key was disabled or will be deleted, and all that is encrypted under it with it",
            pattern=f"($.eventSource = kms.amazonaws.com) && {_any_of(*KEY_DELETIONS)}",
            by_deployments=True,
        ),
        AuditEvent(
            name="policy-changes",
            meaning="Somebody changed who may do what, and settings do not expect it of him",
            pattern=f"($.eventSource = iam.amazonaws.com) && {_any_of(*POLICY_CHANGES)}",
            by_deployments=True,
        ),
        AuditEvent(
            name="resource-policy-changes",
            meaning="Somebody changed who may reach a bucket, key or secret, and settings do not expect it of him",
            pattern=_any_of(*RESOURCE_POLICY_CHANGES),
            by_deployments=True,
        ),
        AuditEvent(
            name="audit-changes",
            meaning="Somebody changed what watches the account, and settings do not expect it of him",
            pattern=_any_of(*AUDIT_CHANGES),
            by_deployments=True,
        ),
    )


def pattern_of(event: AuditEvent, changing_roles: Sequence[str]) -> str:
    """The filter pattern of an event, without the events of ``changing_roles``.

    NOT EXISTS comes first: a comparison with a missing field is false, and an IAM user has no session issuer.
    https://docs.aws.amazon.com/AmazonCloudWatch/latest/logs/FilterAndPatternSyntaxForMetricFilters.html
    """
    role = "$.userIdentity.sessionContext.sessionIssuer.userName"
    expected = [f'({role} != "{name}")' for name in changing_roles] if event.by_deployments else []
    if not expected:
        return f"{{ {event.pattern} }}"
    return f"{{ ({event.pattern}) && (({role} NOT EXISTS) || ({' && '.join(expected)})) }}"


class AuditAlarms(Construct):
    """The metric filters and alarms of a trail."""

    requirements = ("W5.6", "W5.2")

    def __init__(
        self,
        scope: Construct,
        id_: str,
        *,
        names: Names,
        settings: AuditSettings,
        trail: AuditTrail,
        topic: AlarmTopic,
        changing_roles: Sequence[str] = (),
    ) -> None:
        """``topic`` is that of the trail's region. Changes by ``changing_roles`` raise no alarm."""
        super().__init__(scope, id_)
        self._names, self._trail, self._topic = names, trail, topic
        for event in events(settings):
            self._count(event, pattern_of(event, (*changing_roles, *settings.changing_roles)))
            self._alarm(event)

    def _count(self, event: AuditEvent, pattern: str) -> None:
        transformation = CloudwatchLogMetricFilterMetricTransformation(
            name=event.name, namespace=self._namespace, value="1"
        )
        CloudwatchLogMetricFilter(
            self,
            f"{event.name}-filter",
            name=event.name,
            log_group_name=self._trail.log_group.name,
            pattern=pattern,
            metric_transformation=transformation,
        )

    @property
    def _namespace(self) -> str:
        return f"{self._names.prefix}/{self._names.suffix}/audit"

    def _alarm(self, event: AuditEvent) -> None:
        self._topic.watch(
            self,
            f"{event.name}-alarm",
            Alarm(
                name=f"audit-{event.name}",
                kind=KIND,
                meaning=event.meaning,
                metrics={"events": Metric(self._namespace, event.name, "Sum", {}, PERIOD_SECONDS)},
                bound=event.bound - 1,  # an alarm begins above its bound
            ),
        )
