"""A region's record under the origin name that CloudFront resolves, with its health check (W7.2).

Creates a Route 53 health check of the region's load balancer, and the failover or latency record. The record of the
primary region is healthy only while its load balancer is and the recovery region has not taken over
(modules/ingress/takeover.py): a calculated health check of both. Each routing policy has a name of its own
(settings/edge.py says why).
"""

from __future__ import annotations

from cdktf_cdktf_provider_aws.route53_health_check import Route53HealthCheck
from cdktf_cdktf_provider_aws.route53_record import (
    Route53Record,
    Route53RecordAlias,
    Route53RecordFailoverRoutingPolicy,
    Route53RecordLatencyRoutingPolicy,
)
from constructs import Construct

from modules.ingress.load_balancer import LoadBalancer
from modules.ingress.takeover import Takeover
from modules.network.security_groups import HTTPS_PORT
from modules.region import Region
from settings.edge import EdgeSettings, OriginRouting
from settings.naming import Names


class OriginRecord(Construct):
    """The origin record of one region."""

    requirements = ("W7.2",)

    def __init__(
        self,
        scope: Construct,
        id_: str,
        *,
        names: Names,
        settings: EdgeSettings,
        load_balancer: LoadBalancer,
        domain_name: str,
        zone_id: str,
        takeover: Takeover | None,
    ) -> None:
        """``domain_name`` is shared by the regions; the region with a ``takeover`` is the primary one."""
        super().__init__(scope, id_)
        region = Region.of(self).name
        check = settings.health_check
        self.health_check = Route53HealthCheck(
            self,
            "health-check",
            type="HTTPS",
            fqdn=load_balancer.domain_name,
            port=HTTPS_PORT,
            resource_path=check.path,
            enable_sni=True,
            request_interval=check.interval_seconds,
            failure_threshold=check.failure_threshold,
            measure_latency=True,
            tags={"Name": names.of(f"{region}-health")},
        )
        self.serves = self._serves(names, region, takeover) if takeover else self.health_check
        by_failover = settings.origin_routing is OriginRouting.FAILOVER
        self.record = Route53Record(
            self,
            f"{settings.origin_routing.value}-record",
            zone_id=zone_id,
            name=domain_name,
            type="A",
            set_identifier=region,
            health_check_id=self.serves.id,
            alias=Route53RecordAlias(
                name=load_balancer.load_balancer.dns_name,
                zone_id=load_balancer.load_balancer.zone_id,
                # A load balancer with an empty target group is unhealthy to Route 53: as the idle colour after a
                # release. https://docs.aws.amazon.com/Route53/latest/APIReference/API_AliasTarget.html
                evaluate_target_health=False,
            ),
            failover_routing_policy=Route53RecordFailoverRoutingPolicy(type="PRIMARY" if takeover else "SECONDARY")
            if by_failover
            else None,
            latency_routing_policy=None if by_failover else Route53RecordLatencyRoutingPolicy(region=region),
        )

    def _serves(self, names: Names, region: str, takeover: Takeover) -> Route53HealthCheck:
        """Healthy while both are: the region's own check, and the check that the other region has not taken over."""
        both = [self.health_check.id, takeover.health_check.id]
        return Route53HealthCheck(
            self,
            "serves",
            type="CALCULATED",
            child_healthchecks=both,
            child_health_threshold=len(both),
            tags={"Name": names.of(f"{region}-serves")},
        )
