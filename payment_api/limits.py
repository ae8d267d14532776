"""Alarms of the payment API as limits of metrics, and those on heartbeats that are missing (P5.1)."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from aws_cdk import Duration
from aws_cdk.aws_cloudwatch import IMetric, MathExpression, Metric, Stats, TreatMissingData

from payment_api.processing import RECONCILE_MINUTES
from settings.naming import Names
from shared import payment_metrics as metrics

HEARTBEAT_PERIOD = Duration.minutes(RECONCILE_MINUTES)  # the publisher beats every minute


@dataclass(frozen=True, kw_only=True)
class Limit:
    """An alarm: metric, threshold, datapoints to alarm out of evaluation periods, and its meaning."""

    name: str
    metric: IMetric
    threshold: float
    periods: int
    of: int
    meaning: str
    below: bool = False
    missing: TreatMissingData = TreatMissingData.NOT_BREACHING
    heading: str = ""
    """Of the runbook, where several alarms share one; its name otherwise."""


def own(names: Names, metric: metrics.Metric, statistic: str, period: Duration) -> Metric:
    """A metric of our own, of the whole environment."""
    return Metric(
        namespace=metrics.NAMESPACE,
        metric_name=metric.name,
        dimensions_map={metrics.ENVIRONMENT_DIMENSION: names.suffix},
        statistic=statistic,
        period=period,
    )


def silences(names: Names) -> Iterator[Limit]:
    """Alarms on heartbeats that are missing: nobody is at work, or no metric arrives, which all others rest on."""
    for name, heartbeat, periods, meaning in (
        ("reconciler-silent", metrics.RECONCILER_RUNS, 3, "The reconciler does not run"),
        ("publisher-silent", metrics.PUBLISHER_ROUNDS, 2, "No task looks into the outbox"),
    ):
        yield Limit(
            name=name,
            metric=MathExpression(
                expression=metrics.beating("beats"),
                using_metrics={"beats": own(names, heartbeat, Stats.SUM, HEARTBEAT_PERIOD)},
                label=name,
                period=HEARTBEAT_PERIOD,
            ),
            threshold=1,
            below=True,
            periods=periods,
            of=periods + 1,  # FILL decides the newest one, which may not have arrived yet
            meaning=f"{meaning}, or its metrics do not arrive",
            missing=TreatMissingData.IGNORE,  # before the first there is no data, and long after the last: it stays
        )
