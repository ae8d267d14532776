"""The dashboard of payments (W5.2): started, succeeded and failed, processing time, and the amount at risk.

Creates one dashboard of the environment, with the same rows for each region. Its metrics are those that the payments
service publishes (shared/payment_metrics.py), and those of the queues that carry payments.
"""

from __future__ import annotations

from collections.abc import Mapping

from cdktf import Fn
from constructs import Construct

from modules.dashboards.dashboard import (
    BLUE,
    GREEN,
    GREY,
    ORANGE,
    RED,
    Dashboard,
    Graph,
    Section,
    Series,
    Text,
    graph_of,
    line,
)
from modules.monitoring.alarm_topic import AlarmTopic
from modules.monitoring.alarms import RUNBOOK, Alarm, Incident
from modules.monitoring.metrics import FIVE_MINUTES, Metric, of_payments
from modules.region import Region
from settings.naming import Names
from settings.observability import ObservabilitySettings
from shared import payment_metrics as metrics

SUCCESS = "100 * FILL(succeeded, 0) / (FILL(succeeded, 0) + FILL(failed, 0))"


class BusinessDashboard(Construct):
    """The payments dashboard. In the primary region."""

    requirements = ("W5.2",)

    def __init__(
        self,
        scope: Construct,
        id_: str,
        *,
        names: Names,
        settings: ObservabilitySettings,
        topics: Mapping[str, AlarmTopic],
    ) -> None:
        """``topics`` has the alarm topic of each region, by the id of the region."""
        super().__init__(scope, id_)
        self._names = names
        self._settings = settings
        head = Text(
            markdown=f"# Payments of {names.suffix}\n"
            "The numbers are of the time that is chosen above. Amounts are in minor units of their currency (cents). "
            f"Made by Terraform: what is changed here is lost. What to do: {settings.runbooks}/{RUNBOOK}",
            height=2,
        )
        first = Region.of(self).name
        self.dashboard = Dashboard(
            self,
            "board",
            name=names.of("business"),
            sections=[
                Section(region=first, rows=[[head]]),
                *(self._region(region_id, topic) for region_id, topic in topics.items()),
            ],
        )

    def _region(self, region_id: str, topic: AlarmTopic) -> Section:
        region = Region.of(topic).name
        return Section(
            region=region,
            rows=[
                [Text(markdown=f"## {region_id[0].upper()}{region_id[1:]} region, {region}")],
                [self._counts(), self._rate(), self._times()],
                [self._started(), self._success_rate(), self._processing_time()],
                [Text(markdown="### Pending: accepted, and not decided by the acquirer yet")],
                [self._at_risk(), self._unsettled(), *self._queues(topic)],
                [Text(markdown="### On the way to the acquirer")],
                [self._outbox(), self._acquirer(), self._reconciled(), self._refused()],
                [Text(markdown="### Held against the acquirer's settlement files")],
                [self._settlement()],
            ],
        )

    def _of(self, metric: metrics.Metric, statistic: str = "Sum") -> Metric:
        return of_payments(self._names, metric, statistic)

    def _ended(self) -> dict[str, Metric]:
        return {"succeeded": self._of(metrics.SUCCEEDED), "failed": self._of(metrics.FAILED)}

    def _counts(self) -> Graph:
        series = [
            line("started", self._of(metrics.STARTED), BLUE),
            line("succeeded", self._of(metrics.SUCCEEDED), GREEN),
            line("failed", self._of(metrics.FAILED), RED),
        ]
        return Graph(title="Payments", unit="payments", series=series, numbers=True, height=3)

    def _rate(self) -> Graph:
        series = [Series("success rate (%)", self._ended(), SUCCESS, GREEN)]
        return Graph(title="Of those that ended", unit="%", series=series, numbers=True, height=3)

    def _percentiles(self) -> list[Series]:
        return [
            Series(name, {name: self._of(metrics.PROCESSING_TIME, name)}, f"{name} / 1000", colour)
            for name, colour in (("p50", BLUE), ("p95", ORANGE), ("p99", RED))
        ]

    def _times(self) -> Graph:
        return Graph(title="Processing time (s)", unit="seconds", series=self._percentiles(), numbers=True, height=3)

    def _started(self) -> Graph:
        return Graph(
            title="Payments a minute",
            unit="payments a minute",
            series=[
                line("started", self._of(metrics.STARTED), BLUE),
                line("succeeded", self._of(metrics.SUCCEEDED), GREEN),
                line("failed", self._of(metrics.FAILED), RED),
            ],
        )

    def _success_rate(self) -> Graph:
        return Graph(
            title="Success rate",
            unit="% of those that ended",
            series=[Series("success rate", self._ended(), SUCCESS, GREEN)],
            bound=self._settings.min_success_percent,
            below=True,
            most=100,
        )

    def _processing_time(self) -> Graph:
        return Graph(
            title="Processing time, from acceptance to the acquirer's decision",
            unit="seconds",
            series=self._percentiles(),
            bound=self._settings.max_processing_p99_seconds,
        )

    def _at_risk(self) -> Graph:
        """A line for each currency, by a search expression: the currencies are not known here."""
        names = (metrics.NAMESPACE, *metrics.AMOUNT_DIMENSIONS)
        found = (
            f'{{{",".join(names)}}} MetricName="{metrics.PENDING_AMOUNT.name}" '
            f'{metrics.ENVIRONMENT_DIMENSION}="{self._names.suffix}"'
        )
        # CDKTF's jsonencode writes quotation marks as they are, but for those of a raw string.
        search = Fn.raw_string(f"SEARCH('{found}', 'Maximum', {FIVE_MINUTES})")
        return Graph(title="Pending amount", unit="minor units", series=[Series("", {}, search)])

    def _unsettled(self) -> Graph:
        return Graph(
            title="Pending operations, and the age of the oldest overdue one",
            unit="operations",
            right_unit="minutes",
            series=[
                line("operations", self._of(metrics.PENDING, "Maximum"), BLUE),
                Series(
                    "oldest (right)",
                    {"oldest": self._of(metrics.OLDEST_PENDING, "Maximum")},
                    "oldest / 60",
                    ORANGE,
                    right=True,
                ),
            ],
        )

    def _queues(self, topic: AlarmTopic) -> list[Graph]:
        """The queues that carry payments, if any."""
        own = [alarm for alarm, _ in topic.alarms if alarm.pages is Incident.PAYMENTS_NOT_PROCESSED]

        def of_kind(kind: str) -> list[Alarm]:
            return [alarm for alarm in own if alarm.kind == kind]

        waiting, given_up = of_kind("queue-age"), of_kind("queue-dead-letters")
        if not waiting:
            return []
        return [
            graph_of(waiting, title="Oldest message of a queue", unit="minutes", scale=60),
            graph_of(given_up, title="Messages that were given up", unit="messages"),
        ]

    def _outbox(self) -> Graph:
        outbox = self._of(metrics.OUTBOX_AGE, "p99")
        return Graph(
            title="Time until a message is sent (99 of 100)",
            unit="seconds",
            series=[Series("outbox", {"outbox": outbox}, "outbox / 1000", BLUE)],
        )

    def _acquirer(self) -> Graph:
        return Graph(
            title="Calls to the acquirer without a decision, decisions that contradict",
            unit="a minute",
            series=[
                line("without a decision", self._of(metrics.ATTEMPTS_FAILED), ORANGE),
                line("contradictions", self._of(metrics.CONTRADICTED), RED),
                line("credential rejected", self._of(metrics.CREDENTIAL_REJECTED), GREY),
            ],
        )

    def _settlement(self) -> Graph:
        overdue = self._of(metrics.SETTLEMENT_OVERDUE, "Maximum")
        return Graph(
            title="Differences from the settlement files, and the age of money that none tells of",
            unit="differences",
            right_unit="hours",
            series=[
                line("differences", self._of(metrics.SETTLEMENT_DIFFERENCES, "Maximum"), RED),
                Series("age (right)", {"overdue": overdue}, "overdue / 3600", ORANGE, right=True),
            ],
        )

    def _reconciled(self) -> Graph:
        return Graph(
            title="Decisions found by the reconciler, messages given up",
            unit="a minute",
            series=[
                line("found", self._of(metrics.RECONCILED), GREEN),
                line("given up", self._of(metrics.DEAD_LETTERS), RED),
                line("not in the database", self._of(metrics.NOT_IN_DATABASE), GREY),
            ],
        )

    def _refused(self) -> Graph:
        return Graph(
            title="Requests refused: overload, quotas, no valid credential",
            unit="a minute",
            series=[
                line("shed", self._of(metrics.REQUESTS_SHED), RED),
                line("throttled", self._of(metrics.REQUESTS_THROTTLED), ORANGE),
                line("unauthenticated", self._of(metrics.REQUESTS_UNAUTHENTICATED), GREY),
            ],
        )
