"""Alarms on CloudFront, its certificate and the health checks of the regions (W5.2).

Creates the alarms whose metrics AWS publishes in us-east-1 only: alarms and topic are in that region.
https://docs.aws.amazon.com/AmazonCloudFront/latest/DeveloperGuide/programming-cloudwatch-metrics.html
https://docs.aws.amazon.com/Route53/latest/DeveloperGuide/monitoring-health-checks.html
"""

from __future__ import annotations

from collections.abc import Collection, Mapping

from constructs import Construct

from modules.ingress.distribution import Distribution
from modules.ingress.firewall import Firewall
from modules.ingress.origin_record import OriginRecord
from modules.monitoring.alarm_topic import AlarmTopic
from modules.monitoring.alarms import FEWEST_REQUESTS, Alarm, Incident, Missing
from modules.monitoring.metrics import FIVE_MINUTES, Metric


class EdgeAlarms(Construct):
    """The alarms of global services."""

    requirements = ("W5.2", "W7.2")

    def __init__(
        self,
        scope: Construct,
        id_: str,
        *,
        distribution: Distribution,
        firewall: Firewall,
        origin_records: Mapping[str, OriginRecord],
        serving: Collection[str],
        topic: AlarmTopic,
    ) -> None:
        """``origin_records`` by the region's id. An unhealthy region pages if it is in ``serving``."""
        super().__init__(scope, id_)
        settings = topic.settings
        own = {"DistributionId": distribution.distribution.id, "Region": "Global"}
        topic.watch(self, "errors", _errors(own, settings.max_5xx_percent))
        topic.watch(self, "blocked", firewall.alarm("edge-requests-blocked", settings.max_blocked_percent, pages=True))
        topic.watch(self, "requests", _requests(own, settings.anomaly_deviations))
        topic.watch(self, "certificate", distribution.certificate.alarm("edge-certificate", settings.certificate_days))
        for region_id, record in origin_records.items():
            topic.watch(self, f"{region_id}-unhealthy", _unhealthy(region_id, record, pages=region_id in serving))


def _errors(own: dict[str, str], most_percent: float) -> Alarm:
    return Alarm(
        name="edge-errors",
        meaning=f"More than {most_percent:g} % of the requests of customers end in a server error",
        metrics={
            "requests": Metric("AWS/CloudFront", "Requests", "Sum", own),
            "share": Metric("AWS/CloudFront", "5xxErrorRate", "Average", own),
        },
        expression=f"IF(requests >= {FEWEST_REQUESTS}, share, 0)",
        bound=most_percent,
        periods=3,
        of=5,
        pages=Incident.CUSTOMERS_NOT_SERVED,
    )


def _requests(own: dict[str, str], deviations: float) -> Alarm:
    """An anomaly detection band: CloudWatch learns the expected number by hour and weekday."""
    return Alarm(
        name="edge-requests-unusual",
        meaning="Customers ask much more or much less than they usually do at this time",
        metrics={"requests": Metric("AWS/CloudFront", "Requests", "Sum", own, FIVE_MINUTES)},
        deviations=deviations,
        periods=3,
    )


def _unhealthy(region_id: str, record: OriginRecord, *, pages: bool) -> Alarm:
    return Alarm(
        name=f"{region_id}-unhealthy",
        kind="region-unhealthy",
        meaning=f"From outside, the {region_id} region does not answer as it should",
        metrics={
            "healthy": Metric("AWS/Route53", "HealthCheckStatus", "Minimum", {"HealthCheckId": record.health_check.id})
        },
        bound=1,
        below=True,
        periods=3,
        missing=Missing.SAYS_NOTHING,
        pages=Incident.CUSTOMERS_NOT_SERVED if pages else None,
    )
