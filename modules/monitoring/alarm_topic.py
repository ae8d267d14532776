"""The topics that a region's alarms are published to (W5.2), encrypted under the logs key.

Creates a topic, a policy that allows this account's alarms to publish (and its budgets where granted), and the
subscriptions of settings. Each region has a topic for all of its alarms, which informs, and one that pages
(modules/monitoring/paging.py).
"""

from __future__ import annotations

from collections.abc import Sequence

from cdktf_cdktf_provider_aws.cloudwatch_metric_alarm import CloudwatchMetricAlarm
from cdktf_cdktf_provider_aws.kms_key import KmsKey
from cdktf_cdktf_provider_aws.sns_topic import SnsTopic
from cdktf_cdktf_provider_aws.sns_topic_policy import SnsTopicPolicy
from cdktf_cdktf_provider_aws.sns_topic_subscription import SnsTopicSubscription
from constructs import Construct

from modules.monitoring.alarms import Alarm, Incident
from modules.policy_documents import Condition, PolicyDocument, Statement, anyone, on_behalf_of, service, when
from modules.region import Region
from settings.naming import Names
from settings.observability import ObservabilitySettings


class Topic(Construct):
    """An SNS topic for this environment's alarms, of one region."""

    requirements: tuple[str, ...] = ("W5.2",)

    def __init__(
        self,
        scope: Construct,
        id_: str,
        *,
        names: Names,
        purpose: str,
        key: KmsKey,
        email_addresses: Sequence[str] = (),
        https_addresses: Sequence[str] = (),
    ) -> None:
        """``email_addresses`` must confirm the subscription; ``https_addresses`` confirm automatically."""
        super().__init__(scope, id_)
        self.topic = SnsTopic(
            self,
            "topic",
            name=names.of(purpose),
            display_name=names.of(purpose),
            kms_master_key_id=key.arn,
            tags={"Name": names.of(purpose)},
        )
        self.arn = self.topic.arn
        alarms = f"arn:aws:cloudwatch:{Region.of(self).name}:{names.account_id}:alarm:{names.alarm('*')}"
        self._statements = [
            self._publication("PublishByOwnAlarms", "cloudwatch.amazonaws.com", on_behalf_of(names.account_id, alarms)),
            Statement(
                sid="NothingWithoutTls",
                effect="Deny",
                actions=["sns:Publish"],
                resources=[self.arn],
                principals=[anyone()],
                condition=[when("Bool", "aws:SecureTransport", "false")],
            ),
        ]
        self._publishers = PolicyDocument(self, "publishers", statement=self._statements)
        self.policy = SnsTopicPolicy(self, "policy", arn=self.arn, policy=self._publishers.json)
        for address in email_addresses:
            SnsTopicSubscription(self, address, topic_arn=self.arn, protocol="email", endpoint=address)
        for address in https_addresses:
            SnsTopicSubscription(
                self,
                # A construct's id takes no slash.
                address.removeprefix("https://").replace("/", " "),
                topic_arn=self.arn,
                protocol="https",
                endpoint=address,
                endpoint_auto_confirms=True,
            )

    def grant_publish(self, sid: str, service_name: str, conditions: list[Condition]) -> None:
        """Allow another service to publish; the policy of the topic's key must allow the service, too."""
        self._statements.append(self._publication(sid, service_name, conditions))
        self._publishers.put_statement(self._statements)

    def _publication(self, sid: str, service_name: str, conditions: list[Condition]) -> Statement:
        return Statement(
            sid=sid,
            actions=["sns:Publish"],
            resources=[self.arn],
            principals=[service(service_name)],
            condition=conditions,
        )


class AlarmTopic(Topic):
    """The topic of a region's alarms, and the registry of these alarms."""

    def __init__(
        self,
        scope: Construct,
        id_: str,
        *,
        names: Names,
        key: KmsKey,
        settings: ObservabilitySettings,
        email_addresses: Sequence[str],
        serves: bool = True,
    ) -> None:
        """``settings`` have the bounds of alarms.

        ``serves`` is whether the region serves customers in normal operation: alarms of a standby region do not page.
        """
        super().__init__(scope, id_, names=names, purpose="alarms", key=key, email_addresses=email_addresses)
        self._names = names
        self.settings = settings
        self.serves = serves
        self.alarms: list[tuple[Alarm, CloudwatchMetricAlarm]] = []

    def watch(self, scope: Construct, id_: str, alarm: Alarm) -> CloudwatchMetricAlarm:
        """Create an alarm of this region below ``scope``; composite alarms and dashboards find it in ``alarms``."""
        made = alarm.resource(
            scope, id_, names=self._names, topic_arn=self.arn, runbooks=self.settings.runbooks.rstrip("/")
        )
        self.alarms.append((alarm, made))
        return made

    def symptoms_of(self, incident: Incident) -> dict[str, CloudwatchMetricAlarm]:
        """The alarms so far that are symptoms of an incident, by their names in CloudWatch."""
        return {self._names.alarm(alarm.name): made for alarm, made in self.alarms if alarm.pages is incident}
