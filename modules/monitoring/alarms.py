"""The definition of an alarm (W5.2): metric, threshold, meaning, and whether it pages.

Each alarm is one `Alarm`, declared with the resource that it watches, and created by the region's topic
(modules/monitoring/alarm_topic.py). Symptoms of an incident page by one composite alarm of the region
(modules/monitoring/paging.py); all other alarms inform.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

from cdktf_cdktf_provider_aws.cloudwatch_metric_alarm import (
    CloudwatchMetricAlarm,
    CloudwatchMetricAlarmMetricQuery,
    CloudwatchMetricAlarmMetricQueryMetric,
)
from constructs import Construct

from modules.monitoring.metrics import Metric
from settings.naming import Names

RUNBOOK = "alarms.md"
# Below this many requests a minute no share of errors is evaluated: one error of ten would be 10 %.
FEWEST_REQUESTS = 20
BAND = "band"


class Incident(StrEnum):
    """An incident that pages. Its value is the name of the composite alarm and of its section in the runbook."""

    CUSTOMERS_NOT_SERVED = "customers-not-served"
    PAYMENTS_NOT_PROCESSED = "payments-not-processed"
    DATA_AT_RISK = "data-at-risk"


class Missing(StrEnum):
    """How a period without data is treated.

    https://docs.aws.amazon.com/AmazonCloudWatch/latest/monitoring/alarms-and-missing-data.html
    """

    IS_GOOD = "notBreaching"
    IS_BAD = "breaching"
    SAYS_NOTHING = "missing"
    CHANGES_NOTHING = "ignore"


@dataclass(frozen=True, kw_only=True)
class Alarm:
    """A threshold on a metric, or on an expression over several.

    With ``deviations`` instead of ``bound`` it is an anomaly detection band, so many standard deviations wide.
    """

    name: str
    """Below the environment's path, such as database-cpu; unique in the region."""
    meaning: str
    """What is wrong, for the person who is notified."""
    metrics: Mapping[str, Metric]
    """By their ids in the expression; at most ten."""
    expression: str = ""
    """A metric math expression; none for a single metric."""
    bound: float | None = None
    below: bool = False
    """Whether it alarms below ``bound``, else above it; never at it."""
    deviations: float | None = None
    periods: int = 1
    """Breaching datapoints to alarm."""
    of: int | None = None
    """Evaluation periods; None for as many as ``periods``, or one more if the expression has FILL."""
    missing: Missing = Missing.IS_GOOD
    pages: Incident | None = None
    """The incident that it is a symptom of; None informs only."""
    kind: str = ""
    """The runbook's section, where several alarms share one; by default the alarm's name."""

    @property
    def section(self) -> str:
        """Its section in the runbook."""
        return self.kind or self.name

    @property
    def subject(self) -> str:
        """The part of the name before the kind: ``reports`` of ``reports-dead-letters``."""
        words = self.kind.split("-")
        for number in range(len(words)):
            if self.name.endswith(suffix := "-" + "-".join(words[number:])):
                return self.name.removesuffix(suffix)
        return self.name

    def resource(
        self, scope: Construct, id_: str, *, names: Names, topic_arn: str, runbooks: str
    ) -> CloudwatchMetricAlarm:
        """The alarm as a resource, which notifies ``topic_arn`` of ALARM and OK."""
        return CloudwatchMetricAlarm(
            scope,
            id_,
            alarm_name=names.alarm(self.name),
            alarm_description=self._description(runbooks),
            evaluation_periods=self._evaluation_periods,
            datapoints_to_alarm=self.periods if self._evaluation_periods > self.periods else None,
            treat_missing_data=self.missing.value,
            alarm_actions=[topic_arn],
            ok_actions=[topic_arn],
            **self._comparison(),
            **self._watched(),
        )

    @property
    def _evaluation_periods(self) -> int:
        """One more than breaching datapoints if FILL stands for missing data.

        The newest period of a metric may not be published yet: FILL then decides it, so it must not decide alone.
        """
        return self.of or self.periods + ("FILL(" in self.expression)

    def _description(self, runbooks: str) -> str:
        effect = f"Pages, as a sign of {self.pages.value}" if self.pages else "Informs"
        return f"{self.meaning}. {effect}. {runbooks}/{RUNBOOK}#{self.section}"

    def _comparison(self) -> dict[str, Any]:
        if self.deviations is not None:
            operator = "LessThanLowerOrGreaterThanUpperThreshold"
            return {"comparison_operator": operator, "threshold_metric_id": BAND}
        operator = "LessThanThreshold" if self.below else "GreaterThanThreshold"
        return {"comparison_operator": operator, "threshold": self.bound or 0}

    def _watched(self) -> dict[str, Any]:
        if self.deviations is not None:
            (id_,) = self.metrics
            band = f"ANOMALY_DETECTION_BAND({id_}, {self.deviations:g})"
            queries = [_query(id_, metric, shown=True) for id_, metric in self.metrics.items()]
            expected = CloudwatchMetricAlarmMetricQuery(id=BAND, expression=band, label="expected", return_data=True)
            return {"metric_query": [*queries, expected]}
        if self.expression:
            queries = [_query(id_, metric) for id_, metric in self.metrics.items()]
            result = CloudwatchMetricAlarmMetricQuery(
                id="result", expression=self.expression, label=self.name, return_data=True
            )
            return {"metric_query": [*queries, result]}
        (metric,) = self.metrics.values()
        is_percentile = metric.statistic.startswith("p")
        return {
            "namespace": metric.namespace,
            "metric_name": metric.name,
            "dimensions": metric.dimensions,
            "extended_statistic" if is_percentile else "statistic": metric.statistic,
            "period": metric.period_seconds,
        }


def _query(id_: str, metric: Metric, *, shown: bool = False) -> CloudwatchMetricAlarmMetricQuery:
    return CloudwatchMetricAlarmMetricQuery(
        id=id_,
        return_data=shown,
        metric=CloudwatchMetricAlarmMetricQueryMetric(
            namespace=metric.namespace,
            metric_name=metric.name,
            stat=metric.statistic,
            period=metric.period_seconds,
            dimensions=metric.dimensions,
        ),
    )
