"""Alarms on a region's load balancer, its certificate and its NAT gateways, if there are any (W5.2).

https://docs.aws.amazon.com/elasticloadbalancing/latest/application/load-balancer-cloudwatch-metrics.html
"""

from __future__ import annotations

from collections.abc import Sequence

from cdktf_cdktf_provider_aws.nat_gateway import NatGateway
from constructs import Construct

from modules.ingress.firewall import Firewall
from modules.ingress.load_balancer import LoadBalancer
from modules.monitoring.alarm_topic import AlarmTopic
from modules.monitoring.alarms import FEWEST_REQUESTS, Alarm, Incident
from modules.monitoring.metrics import FIVE_MINUTES, Metric


class RegionAlarms(Construct):
    """The alarms of one region that belong to no single service."""

    requirements = ("W5.2",)

    def __init__(
        self,
        scope: Construct,
        id_: str,
        *,
        load_balancer: LoadBalancer,
        firewall: Firewall,
        nat_gateways: Sequence[NatGateway],
        topic: AlarmTopic,
    ) -> None:
        super().__init__(scope, id_)
        own = {"LoadBalancer": load_balancer.load_balancer.arn_suffix}
        topic.watch(self, "errors", _errors(own, topic.settings.max_5xx_percent))
        topic.watch(
            self,
            "blocked",
            firewall.alarm("origin-requests-blocked", topic.settings.max_origin_blocked_percent, pages=topic.serves),
        )
        topic.watch(self, "slow", _slow(own, topic.settings.max_p99_seconds))
        topic.watch(
            self,
            "certificate",
            load_balancer.certificate.alarm("load-balancer-certificate", topic.settings.certificate_days),
        )
        if nat_gateways:
            topic.watch(self, "nat-gateways", _nat_gateways(nat_gateways))


def _errors(own: dict[str, str], most_percent: float) -> Alarm:
    """5xx of targets, and 5xx of the load balancer itself (no healthy target, timeout): customers see both.

    The latter are not in RequestCount. A metric that did not occur has no datapoint.
    """
    metrics = {
        "requests": Metric("AWS/ApplicationELB", "RequestCount", "Sum", own),
        "errors": Metric("AWS/ApplicationELB", "HTTPCode_Target_5XX_Count", "Sum", own),
        "unanswered": Metric("AWS/ApplicationELB", "HTTPCode_ELB_5XX_Count", "Sum", own),
    }
    requests, errors, unanswered = (f"FILL({id_}, 0)" for id_ in metrics)
    total = f"({requests} + {unanswered})"
    return Alarm(
        name="load-balancer-errors",
        meaning=f"More than {most_percent:g} % of the requests to the load balancer end in a server error",
        metrics=metrics,
        expression=f"IF({total} >= {FEWEST_REQUESTS}, 100 * ({errors} + {unanswered}) / {total}, 0)",
        bound=most_percent,
        periods=3,
        of=5,
        pages=Incident.CUSTOMERS_NOT_SERVED,
    )


def _slow(own: dict[str, str], slowest_seconds: float) -> Alarm:
    return Alarm(
        name="load-balancer-slow",
        meaning=f"One in a hundred requests to the load balancer takes longer than {slowest_seconds:g} s",
        metrics={
            "requests": Metric("AWS/ApplicationELB", "RequestCount", "Sum", own),
            "slowest": Metric("AWS/ApplicationELB", "TargetResponseTime", "p99", own),
        },
        expression=f"IF(requests >= {FEWEST_REQUESTS}, slowest, 0)",
        bound=slowest_seconds,
        periods=5,
    )


def _nat_gateways(gateways: Sequence[NatGateway]) -> Alarm:
    """One alarm for all gateways: failed port allocations and dropped packets.

    https://docs.aws.amazon.com/vpc/latest/userguide/metrics-dimensions-nat-gateway.html
    """
    metrics = {
        f"{what}_{number}": Metric("AWS/NATGateway", metric, "Sum", {"NatGatewayId": gateway.id}, FIVE_MINUTES)
        for number, gateway in enumerate(gateways, start=1)
        for what, metric in (("ports", "ErrorPortAllocation"), ("drops", "PacketsDropCount"))
    }
    return Alarm(
        name="nat-gateways",
        meaning="A NAT gateway has no port left or drops packets: calls of the acquirer fail",
        metrics=metrics,
        expression=" + ".join(metrics),
        bound=0,
        periods=2,
    )
