"""Alarms on the payments themselves (W5.2), by the metrics that the payments service publishes in a region.

Creates the alarms. shared/payment_metrics.py says which metrics the service publishes, and when.
"""

from __future__ import annotations

from constructs import Construct

from modules.monitoring.alarm_topic import AlarmTopic
from modules.monitoring.alarms import Alarm, Incident, Missing
from modules.monitoring.metrics import FIVE_MINUTES, MINUTE, Metric, of_payments
from settings.common import SETTLEMENT_OVERDUE_SECONDS
from settings.naming import Names
from shared import payment_metrics as metrics

# Below this many payments in five minutes a share is meaningless: one declined card of five would be 20 %.
FEWEST_ENDED = 20


class PaymentAlarms(Construct):
    """Alarms on the payments of one region."""

    requirements = ("W5.2", "Q6")

    def __init__(
        self, scope: Construct, id_: str, *, names: Names, topic: AlarmTopic, reconcile_minutes: int | None
    ) -> None:
        """``reconcile_minutes`` are between two runs of the reconciler, in either region; None where none runs."""
        super().__init__(scope, id_)
        self._names = names
        settings = topic.settings
        for alarm in (
            self._success_rate(settings.min_success_percent),
            self._slow(settings.max_processing_p99_seconds),
            self._unsettled(settings.max_unsettled_age_seconds),
            self._contradicted(),
            self._credential_rejected(),
            self._not_in_database(),
            self._settlement_differs(),
            self._settlement_overdue(),
            *self._silences(reconcile_minutes, serves=topic.serves),
            # Without payments there is no data for the anomaly detection model.
            *([self._unusual(settings.anomaly_deviations)] if topic.serves else []),
        ):
            topic.watch(self, alarm.name, alarm)

    def _metric(self, metric: metrics.Metric, statistic: str) -> Metric:
        return of_payments(self._names, metric, statistic, FIVE_MINUTES)

    def _success_rate(self, lowest_percent: float) -> Alarm:
        """Share of payments that succeed. A count of zero is not published, and counts as 0."""
        return Alarm(
            name="payments-success-rate",
            meaning=f"Less than {lowest_percent:g} % of the payments succeed",
            metrics={
                "succeeded": self._metric(metrics.SUCCEEDED, "Sum"),
                "failed": self._metric(metrics.FAILED, "Sum"),
            },
            expression=f"IF(succeeded + failed >= {FEWEST_ENDED}, 100 * succeeded / (succeeded + failed), 100)",
            bound=lowest_percent,
            below=True,
            periods=2,
            pages=Incident.PAYMENTS_NOT_PROCESSED,
        )

    def _slow(self, slowest_seconds: float) -> Alarm:
        return Alarm(
            name="payments-slow",
            meaning=f"One in a hundred payments waits longer than {slowest_seconds:g} s for the acquirer's answer",
            metrics={"time": self._metric(metrics.PROCESSING_TIME, "p99")},
            bound=slowest_seconds * 1000,
            periods=2,
        )

    def _unsettled(self, oldest_seconds: int) -> Alarm:
        return Alarm(
            name="payments-unsettled",
            meaning=f"A payment has waited for its answer for more than {oldest_seconds // 60} minutes",
            metrics={"age": self._metric(metrics.OLDEST_PENDING, "Maximum")},
            bound=oldest_seconds,
            periods=2,
            missing=Missing.SAYS_NOTHING,  # the reconciler writes it at each run: without one nothing is known
            pages=Incident.PAYMENTS_NOT_PROCESSED,
        )

    def _contradicted(self) -> Alarm:
        return Alarm(
            name="payments-contradicted",
            meaning="The acquirer says of a payment what differs from what is stored",
            metrics={"contradictions": self._metric(metrics.CONTRADICTED, "Sum")},
            bound=0,
        )

    def _credential_rejected(self) -> Alarm:
        return Alarm(
            name="payments-credential-rejected",
            meaning="The acquirer does not accept our credential: no payment is processed",
            metrics={"rejected": self._metric(metrics.CREDENTIAL_REJECTED, "Sum")},
            bound=0,
            pages=Incident.PAYMENTS_NOT_PROCESSED,
        )

    def _not_in_database(self) -> Alarm:
        return Alarm(
            name="payments-not-in-database",
            meaning="A message names a payment that is not in the database: it may be charged, and its row lost",
            metrics={"messages": self._metric(metrics.NOT_IN_DATABASE, "Sum")},
            bound=0,
            pages=Incident.PAYMENTS_NOT_PROCESSED,
        )

    def _settlement_differs(self) -> Alarm:
        return Alarm(
            name="payments-settlement-differs",
            meaning="The acquirer's settlement file and the database differ: money is missing here or there",
            metrics={"differences": self._metric(metrics.SETTLEMENT_DIFFERENCES, "Maximum")},
            bound=0,
            missing=Missing.SAYS_NOTHING,  # the reconciler writes it at each run
            pages=Incident.PAYMENTS_NOT_PROCESSED,
        )

    def _settlement_overdue(self) -> Alarm:
        days = SETTLEMENT_OVERDUE_SECONDS // 86_400
        return Alarm(
            name="payments-settlement-overdue",
            meaning=f"No settlement file tells of money that has moved more than {days} days ago",
            metrics={"age": self._metric(metrics.SETTLEMENT_OVERDUE, "Maximum")},
            bound=SETTLEMENT_OVERDUE_SECONDS,
            missing=Missing.SAYS_NOTHING,  # the reconciler writes it at each run
            pages=Incident.PAYMENTS_NOT_PROCESSED,
        )

    def _silences(self, reconcile_minutes: int | None, *, serves: bool) -> list[Alarm]:
        """Alarms on heartbeats that are missing: all other alarms rest on metrics that arrive."""
        if reconcile_minutes is None:
            return []
        return [self._reconciler_silent(reconcile_minutes), self._publisher_silent(pages=serves)]

    def _reconciler_silent(self, minutes: int) -> Alarm:
        """In the standby region, too: after a failover its reconciler is the one that works."""
        return self._silent(
            name="reconciler-silent",
            meaning=f"The reconciler, due every {minutes} min, does not run, or its metrics do not arrive",
            heartbeat=of_payments(self._names, metrics.RECONCILER_RUNS, "Sum", minutes * MINUTE),
            # A long run and then a short one leave a period without an end of a run, and a lost event another one.
            periods=3,
            pages=Incident.PAYMENTS_NOT_PROCESSED,
        )

    def _publisher_silent(self, *, pages: bool) -> Alarm:
        """In a standby region it informs: no payment waits in its outbox, as the database is everybody's."""
        return self._silent(
            name="publisher-silent",
            meaning="No task looks into the outbox, or no metric of theirs arrives",
            heartbeat=self._metric(metrics.PUBLISHER_ROUNDS, "Sum"),
            periods=2,
            pages=Incident.PAYMENTS_NOT_PROCESSED if pages else None,
        )

    @staticmethod
    def _silent(*, name: str, meaning: str, heartbeat: Metric, periods: int, pages: Incident | None) -> Alarm:
        return Alarm(
            name=name,
            meaning=meaning,
            metrics={"beats": heartbeat},
            expression=metrics.beating("beats"),
            bound=1,
            below=True,
            periods=periods,
            missing=Missing.CHANGES_NOTHING,  # before the first there is no data, and long after the last: it stays
            pages=pages,
        )

    def _unusual(self, deviations: float) -> Alarm:
        """Anomaly detection: CloudWatch learns how many payments are usual by hour and day of the week."""
        return Alarm(
            name="payments-unusual",
            meaning="Many more or many fewer payments are started than usually at this time",
            metrics={"started": self._metric(metrics.STARTED, "Sum")},
            deviations=deviations,
            periods=3,
        )
