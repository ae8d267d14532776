"""Observability of the API (P5.1): a dashboard with processing time and success rate, alarms, and their topic.

Custom metrics are those of services/payments (shared/payment_metrics.py), of the whole environment: the function or the
reconciler may complete a payment.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from aws_cdk import Duration, Stack
from aws_cdk.aws_apigateway import RestApi
from aws_cdk.aws_cloudwatch import (
    Alarm,
    ComparisonOperator,
    Dashboard,
    GraphWidget,
    IWidget,
    MathExpression,
    Metric,
    SingleValueWidget,
    Stats,
    TextWidget,
    TreatMissingData,
    YAxisProps,
)
from aws_cdk.aws_cloudwatch_actions import SnsAction
from aws_cdk.aws_ecs import FargateService
from aws_cdk.aws_elasticloadbalancingv2 import ApplicationLoadBalancer, HttpCodeElb, HttpCodeTarget
from aws_cdk.aws_kms import IKey
from aws_cdk.aws_lambda import Function
from aws_cdk.aws_rds import DatabaseCluster
from aws_cdk.aws_sqs import Queue
from constructs import Construct

from payment_api import alarm_topic
from payment_api.limits import Limit, own, silences
from payment_api.settings.observability import ObservabilitySettings
from settings.common import CONNECTION_SHARE, SETTLEMENT_OVERDUE_SECONDS
from settings.naming import Names
from shared import payment_metrics as metrics

PERIOD = Duration.minutes(1)
RUNBOOK = "docs/runbooks/payment-api.md"


@dataclass(frozen=True, kw_only=True)
class Watched:
    """Sources of the metrics of dashboard and alarms."""

    api: RestApi
    load_balancer: ApplicationLoadBalancer
    gateway_load_balancer: ApplicationLoadBalancer
    service: FargateService
    database: DatabaseCluster
    queue: Queue
    dead_letters: Queue
    functions: Mapping[str, Function]
    """By the purpose in their names."""
    former_api_keys_in_use: Metric


class Observability(Construct):
    """The topic, the dashboard, and the alarms by name as ``alarms``."""

    requirements = ("P5.1", "P6.1")

    def __init__(
        self,
        scope: Construct,
        id_: str,
        *,
        names: Names,
        settings: ObservabilitySettings,
        max_connections: int,
        watched: Watched,
        key: IKey,
        email_addresses: Sequence[str],
    ) -> None:
        super().__init__(scope, id_)
        self._names, self._watched = names, watched
        self.topic = alarm_topic.make(self, names=names, key=key, email_addresses=email_addresses)
        self.alarms = {limit.name: self._alarm(limit) for limit in self._limits(settings, max_connections)}
        self.dashboard = Dashboard(
            self, "dashboard", dashboard_name=names.of("payments"), widgets=self._widgets(settings)
        )

    @property
    def dashboard_url(self) -> str:
        """Where a person sees it."""
        region = Stack.of(self).region
        return (
            f"https://{region}.console.aws.amazon.com/cloudwatch/home?region={region}#dashboards:name="
            f"{self._names.of('payments')}"
        )

    def own(self, metric: metrics.Metric, statistic: str) -> Metric:
        """A metric of our own."""
        return own(self._names, metric, statistic, PERIOD)

    @property
    def success_percent(self) -> MathExpression:
        """Share of completed transactions that succeeded; a minute without any has no data."""
        return MathExpression(
            # A count of zero is not published, and missing data would make the whole expression missing.
            expression="100 * FILL(succeeded, 0) / (FILL(succeeded, 0) + FILL(failed, 0))",
            using_metrics={
                "succeeded": self.own(metrics.SUCCEEDED, Stats.SUM),
                "failed": self.own(metrics.FAILED, Stats.SUM),
            },
            label="success rate",
            period=PERIOD,
        )

    def _processing_time(self, statistic: str) -> Metric:
        return self.own(metrics.PROCESSING_TIME, statistic)

    def _limits(self, settings: ObservabilitySettings, max_connections: int) -> list[Limit]:
        watched, oldest = self._watched, Duration.minutes(5).to_seconds()
        return [
            Limit(
                name="success-rate",
                metric=self.success_percent,
                threshold=settings.min_success_percent,
                below=True,
                periods=5,
                of=5,
                meaning="Too many transactions fail",
            ),
            Limit(
                name="processing-time",
                metric=self._processing_time("p99"),
                threshold=settings.max_p99_seconds * 1000,
                periods=5,
                of=5,
                meaning="Transactions take too long",
            ),
            Limit(
                name="credential-rejected",
                metric=self.own(metrics.CREDENTIAL_REJECTED, Stats.SUM),
                threshold=0,
                periods=1,
                of=1,
                meaning="The acquirer does not accept our credential: no payment is processed",
            ),
            Limit(
                name="not-in-database",
                metric=self.own(metrics.NOT_IN_DATABASE, Stats.SUM),
                threshold=0,
                periods=1,
                of=1,
                meaning="A message names a payment that is not in the database: it may be charged, and its row lost",
            ),
            Limit(
                name="settlement-differs",
                metric=self.own(metrics.SETTLEMENT_DIFFERENCES, Stats.MAXIMUM),
                threshold=0,
                periods=1,
                of=1,
                meaning="The acquirer's settlement file and the database differ: money is missing here or there",
                missing=TreatMissingData.IGNORE,  # between two runs of the reconciler it stays as it was
            ),
            Limit(
                name="settlement-overdue",
                metric=self.own(metrics.SETTLEMENT_OVERDUE, Stats.MAXIMUM),
                threshold=SETTLEMENT_OVERDUE_SECONDS,
                periods=1,
                of=1,
                meaning="No settlement file tells of money that has moved days ago",
                missing=TreatMissingData.IGNORE,
            ),
            *silences(self._names),
            Limit(
                name="dead-letters",
                metric=watched.dead_letters.metric_approximate_number_of_messages_visible(period=PERIOD),
                threshold=0,
                periods=1,
                of=1,
                meaning="Messages were given up and wait to be brought back",
            ),
            *self._function_limits(),
            Limit(
                name="former-api-keys",
                metric=watched.former_api_keys_in_use,
                threshold=0,
                periods=1,
                of=1,
                meaning="A client still sends an API key that has been replaced, and that will end",
            ),
            Limit(
                name="queue-age",
                metric=watched.queue.metric_approximate_age_of_oldest_message(period=PERIOD),
                threshold=oldest,
                periods=3,
                of=5,
                meaning="Payments wait in the queue",
            ),
            Limit(
                name="gateway-errors",
                metric=watched.api.metric_server_error(period=PERIOD, statistic=Stats.AVERAGE),
                threshold=0.01,
                periods=3,
                of=5,
                meaning="More than one in a hundred requests to the gateway fails",
            ),
            *(
                Limit(
                    name=name,
                    metric=balancer.metrics.http_code_elb(HttpCodeElb.ELB_5XX_COUNT, period=PERIOD),
                    threshold=10,
                    periods=3,
                    of=5,
                    meaning="The load balancer finds no task that answers",
                )
                for name, balancer in (
                    ("load-balancer-errors", watched.load_balancer),
                    ("gateway-load-balancer-errors", watched.gateway_load_balancer),
                )
            ),
            Limit(
                name="service-errors",
                metric=self._service_errors(),
                threshold=10,
                periods=3,
                of=5,
                meaning="The service answers requests with errors of its own",
            ),
            Limit(
                name="tasks-missing",
                metric=Metric(
                    namespace="ECS/ContainerInsights",
                    metric_name="RunningTaskCount",
                    dimensions_map={
                        "ClusterName": watched.service.cluster.cluster_name,
                        "ServiceName": watched.service.service_name,
                    },
                    statistic=Stats.MINIMUM,
                    period=PERIOD,
                ),
                threshold=1,
                below=True,
                periods=2,
                of=2,
                meaning="No task runs",
                missing=TreatMissingData.BREACHING,
            ),
            Limit(
                name="database-connections",
                metric=watched.database.metric_database_connections(period=PERIOD, statistic=Stats.MAXIMUM),
                threshold=max_connections * CONNECTION_SHARE,
                periods=3,
                of=5,
                meaning="The database has few connections left",
            ),
            Limit(
                name="database-processor",
                metric=watched.database.metric_cpu_utilization(period=PERIOD),
                threshold=85,
                periods=10,
                of=10,
                meaning="The database is too small",
            ),
        ]

    def _service_errors(self) -> MathExpression:
        """Responses of tasks that are 5xx, behind both load balancers; a minute without any has no data."""
        watched = {"direct": self._watched.load_balancer, "gateway": self._watched.gateway_load_balancer}
        return MathExpression(
            expression="FILL(direct, 0) + FILL(gateway, 0)",
            using_metrics={
                name: balancer.metrics.http_code_target(HttpCodeTarget.TARGET_5XX_COUNT, period=PERIOD)
                for name, balancer in watched.items()
            },
            label="errors of the service",
            period=PERIOD,
        )

    def _function_limits(self) -> Iterator[Limit]:
        """Alarms on errors and throttles of each function, whatever its caller: a failed rotation is an error, too."""
        period = Duration.minutes(5)
        for purpose, function in self._watched.functions.items():
            for kind, metric, meaning in (
                ("errors", function.metric_errors(period=period), "fails"),
                ("throttles", function.metric_throttles(period=period), "is called more often than it may run"),
            ):
                yield Limit(
                    name=f"{purpose}-{kind}",
                    heading=f"function-{kind}",
                    metric=metric,
                    threshold=0,
                    periods=1 if kind == "errors" else 3,
                    of=3,
                    meaning=f"The function {purpose} {meaning}",
                )

    def _alarm(self, limit: Limit) -> Alarm:
        over, under = ComparisonOperator.GREATER_THAN_THRESHOLD, ComparisonOperator.LESS_THAN_THRESHOLD
        alarm: Alarm = limit.metric.create_alarm(  # type: ignore[attr-defined]  # of Metric and of MathExpression
            self,
            limit.name,
            alarm_name=self._names.alarm(limit.name),
            alarm_description=f"{limit.meaning}. {RUNBOOK}#{limit.heading or limit.name}",
            threshold=limit.threshold,
            comparison_operator=under if limit.below else over,
            datapoints_to_alarm=limit.periods,
            evaluation_periods=limit.of,
            treat_missing_data=limit.missing,
        )
        alarm.add_alarm_action(SnsAction(self.topic))
        alarm.add_ok_action(SnsAction(self.topic))
        return alarm

    def _widgets(self, settings: ObservabilitySettings) -> list[list[IWidget]]:
        return [self._business(settings), self._edge(), self._platform()]

    def _business(self, settings: ObservabilitySettings) -> list[IWidget]:
        times = [self._processing_time(statistic) for statistic in ("p50", "p95", "p99")]
        counts = [
            self.own(metrics.STARTED, Stats.SUM),
            self.own(metrics.SUCCEEDED, Stats.SUM),
            self.own(metrics.FAILED, Stats.SUM),
        ]
        return [
            TextWidget(
                markdown=f"## Transactions\nAlarms: below {settings.min_success_percent:g} % success, above "
                f"{settings.max_p99_seconds:g} s at p99",
                width=4,
                height=6,
            ),
            SingleValueWidget(title="success rate", metrics=[self.success_percent], width=4, height=6),
            GraphWidget(
                title="transaction success rate (%)",
                left=[self.success_percent],
                left_y_axis=YAxisProps(min=0, max=100),
                width=5,
            ),
            GraphWidget(title="transaction processing time (ms)", left=times, width=6),
            GraphWidget(title="transactions a minute", left=counts, width=5),
        ]

    def _edge(self) -> list[IWidget]:
        api = self._watched.api
        errors = [api.metric_client_error(period=PERIOD), api.metric_server_error(period=PERIOD)]
        balancers = [self._watched.load_balancer.metrics, self._watched.gateway_load_balancer.metrics]
        targets = [
            balancer.http_code_target(code, period=PERIOD)
            for balancer in balancers
            for code in (HttpCodeTarget.TARGET_4XX_COUNT, HttpCodeTarget.TARGET_5XX_COUNT)
        ]
        requests = [balancer.request_count(period=PERIOD) for balancer in balancers]
        return [
            GraphWidget(title="gateway requests", left=[api.metric_count(period=PERIOD)], right=errors, width=8),
            GraphWidget(
                title="gateway latency (ms)", left=[api.metric_latency(period=PERIOD, statistic="p99")], width=8
            ),
            GraphWidget(title="load balancers", left=requests, right=targets, width=8),
        ]

    def _platform(self) -> list[IWidget]:
        watched = self._watched
        service = [
            watched.service.metric_cpu_utilization(period=PERIOD),
            watched.service.metric_memory_utilization(period=PERIOD),
        ]
        queue = [
            watched.queue.metric_approximate_number_of_messages_visible(period=PERIOD),
            watched.dead_letters.metric_approximate_number_of_messages_visible(period=PERIOD),
        ]
        database = [watched.database.metric_cpu_utilization(period=PERIOD)]
        connections = [watched.database.metric_database_connections(period=PERIOD)]
        return [
            GraphWidget(title="tasks: processor and memory (%)", left=service, width=8),
            GraphWidget(title="queue and dead letters", left=queue, width=8),
            GraphWidget(title="database", left=database, right=connections, width=8),
        ]
