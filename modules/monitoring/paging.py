"""What wakes somebody (W5.2): one composite alarm for each incident, over its signs in one region.

Creates the region's paging topic, encrypted under the logs key, with the subscriptions that settings list, and the
composite alarms, which alone publish to it. A composite alarm names alarms of its own region and account only, so each
region has its own. Where customers are not served, payments are not processed either: that page is held back then.
https://docs.aws.amazon.com/AmazonCloudWatch/latest/monitoring/Create_Composite_Alarm.html
"""

from __future__ import annotations

from cdktf_cdktf_provider_aws.cloudwatch_composite_alarm import (
    CloudwatchCompositeAlarm,
    CloudwatchCompositeAlarmActionsSuppressor,
)
from cdktf_cdktf_provider_aws.kms_key import KmsKey
from constructs import Construct

from modules.monitoring.alarm_topic import AlarmTopic, Topic
from modules.monitoring.alarms import RUNBOOK, Incident
from settings.naming import Names

MEANINGS = {
    Incident.CUSTOMERS_NOT_SERVED: "Customers are not served",
    Incident.PAYMENTS_NOT_PROCESSED: "Payments are accepted, and not processed as they should be",
    Incident.DATA_AT_RISK: "Data would be lost if something else were lost now",
}
# What is another's consequence: its page is held back while the other's is on.
CONSEQUENCES = {Incident.PAYMENTS_NOT_PROCESSED: Incident.CUSTOMERS_NOT_SERVED}
# For the cause to be seen where the consequence was seen first, and for the consequence to end after the cause.
WAIT_SECONDS, EXTENSION_SECONDS = 120, 300


class Paging(Construct):
    """The paging topic of a region and its composite alarms. Made when all alarms of the region are."""

    requirements = ("W5.2",)

    def __init__(self, scope: Construct, id_: str, *, names: Names, key: KmsKey, alarms: AlarmTopic) -> None:
        """``alarms`` has the region's alarms and the settings of who is woken."""
        super().__init__(scope, id_)
        settings = alarms.settings
        self._names = names
        self._alarms = alarms
        self.topic = Topic(
            self,
            "pages",
            names=names,
            purpose="pages",
            key=key,
            email_addresses=settings.paging_email_addresses,
            https_addresses=settings.paging_addresses,
        )
        self.composites: dict[Incident, CloudwatchCompositeAlarm] = {}
        for incident in Incident:
            self._composite(incident)

    def _composite(self, incident: Incident) -> None:
        signs = self._alarms.signs_of(incident)
        if not signs:
            return
        cause = CONSEQUENCES.get(incident)
        suppressor = self.composites.get(cause) if cause else None
        runbooks = self._alarms.settings.runbooks.rstrip("/")
        self.composites[incident] = CloudwatchCompositeAlarm(
            self,
            incident.value,
            alarm_name=self._names.alarm(incident.value),
            alarm_description=f"{MEANINGS[incident]}. Pages. {runbooks}/{RUNBOOK}#{incident.value}",
            alarm_rule=" OR ".join(f'ALARM("{name}")' for name in sorted(signs)),
            alarm_actions=[self.topic.arn],
            ok_actions=[self.topic.arn],
            actions_suppressor=CloudwatchCompositeAlarmActionsSuppressor(
                alarm=self._names.alarm(cause.value), wait_period=WAIT_SECONDS, extension_period=EXTENSION_SECONDS
            )
            if cause and suppressor
            else None,
            # Terraform cannot infer it: the rule has names, which must exist when CloudWatch reads it.
            depends_on=[*signs.values(), *([suppressor] if suppressor else [])],
        )
