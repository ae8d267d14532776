"""Paging (W5.2): one composite alarm for each incident, over its symptoms in one region.

Creates the region's paging topic, encrypted under the logs key, with the subscriptions of settings, and the composite
alarms, which alone publish to it. A composite alarm references alarms of its own region and account only, so each
region has its own. While customers are not served, the page that payments are not processed is suppressed.
https://docs.aws.amazon.com/AmazonCloudWatch/latest/monitoring/Create_Composite_Alarm.html
"""

from __future__ import annotations

from cdktf import DataResource, TerraformResourceLifecycle
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
# The page of a consequence is suppressed while its cause is in alarm.
CONSEQUENCES = {Incident.PAYMENTS_NOT_PROCESSED: Incident.CUSTOMERS_NOT_SERVED}
# Time for a cause that is detected after its consequence, and for a consequence that ends after its cause.
WAIT_SECONDS, EXTENSION_SECONDS = 120, 300


class Paging(Construct):
    """The paging topic of a region and its composite alarms. Create it after all alarms of the region."""

    requirements = ("W5.2",)

    def __init__(self, scope: Construct, id_: str, *, names: Names, key: KmsKey, topic: AlarmTopic) -> None:
        """``topic`` has the region's alarms, and settings with the paging addresses."""
        super().__init__(scope, id_)
        settings = topic.settings
        self._names = names
        self._alarm_topic = topic
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
        symptoms = self._alarm_topic.symptoms_of(incident)
        if not symptoms:
            return
        cause = CONSEQUENCES.get(incident)
        suppressor = self.composites.get(cause) if cause else None
        runbooks = self._alarm_topic.settings.runbooks.rstrip("/")
        names = " OR ".join(f'ALARM("{name}")' for name in sorted(symptoms))
        rule = DataResource(self, f"{incident.value}-rule", input={"alarm_rule": names})
        self.composites[incident] = CloudwatchCompositeAlarm(
            self,
            incident.value,
            alarm_name=self._names.alarm(incident.value),
            alarm_description=f"{MEANINGS[incident]}. Pages. {runbooks}/{RUNBOOK}#{incident.value}",
            alarm_rule=names,
            alarm_actions=[self.topic.arn],
            ok_actions=[self.topic.arn],
            actions_suppressor=CloudwatchCompositeAlarmActionsSuppressor(
                alarm=self._names.alarm(cause.value), wait_period=WAIT_SECONDS, extension_period=EXTENSION_SECONDS
            )
            if cause and suppressor
            else None,
            # CloudWatch deletes no alarm that a composite one names, and Terraform deletes an alarm before it updates
            # what depends on it. A composite that is replaced is deleted first. The alternative, alarms that are
            # created before they are destroyed, would force the same on all that their dimensions refer to.
            # https://github.com/hashicorp/terraform-provider-aws/issues/34807
            lifecycle=TerraformResourceLifecycle(replace_triggered_by=[f"terraform_data.{rule.friendly_unique_id}"]),
            # not inferable: the rule has names of alarms, which must exist
            depends_on=[*symptoms.values(), *([suppressor] if suppressor else [])],
        )
