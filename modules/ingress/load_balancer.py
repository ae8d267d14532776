"""The load balancer of one region (W2.1).

Creates an application load balancer in the public tier, a production and a test listener (TLS 1.2 and 1.3; 403 where no
rule matches), a listener on port 80 that redirects to HTTPS, and the security groups: only CloudFront and Route 53's
health checkers reach it from outside. Access and connection logs go to the logs bucket.
"""

from __future__ import annotations

from collections.abc import Sequence

from cdktf_cdktf_provider_aws.data_aws_ec2_managed_prefix_list import DataAwsEc2ManagedPrefixList
from cdktf_cdktf_provider_aws.lb import Lb, LbAccessLogs, LbConnectionLogs
from cdktf_cdktf_provider_aws.lb_listener import (
    LbListener,
    LbListenerDefaultAction,
    LbListenerDefaultActionFixedResponse,
    LbListenerDefaultActionRedirect,
)
from cdktf_cdktf_provider_aws.route53_record import Route53Record, Route53RecordAlias
from constructs import Construct

from modules.ingress.certificate import Certificate
from modules.network.security_groups import HTTPS_PORT, Flow, Group, PrefixList
from modules.network.vpc import Network
from modules.region import Region
from modules.storage.buckets import LOAD_BALANCER_LOGS, Bucket
from settings.load_balancer import IDLE_TIMEOUT_SECONDS
from settings.naming import Names

HTTP_PORT = 80
TEST_PORT = 8443
# TLS 1.3 and 1.2 with forward secrecy and post-quantum key exchange: the policy that AWS recommends.
# https://docs.aws.amazon.com/elasticloadbalancing/latest/application/describe-ssl-policies.html
TLS_POLICY = "ELBSecurityPolicy-TLS13-1-2-Res-PQ-2025-09"
# Its 55 addresses count against the 60 rules of a security group: one rule with it fits into a group, not two.
# https://docs.aws.amazon.com/AmazonCloudFront/latest/DeveloperGuide/LocationsOfEdgeServers.html
CLOUDFRONT = "com.amazonaws.global.cloudfront.origin-facing"
# 25 addresses: together with CloudFront's they would be more than a group takes.
# https://docs.aws.amazon.com/vpc/latest/userguide/working-with-aws-managed-prefix-lists.html
HEALTH_CHECKERS = "com.amazonaws.{region}.route53-healthchecks"


class LoadBalancer(Construct):
    """The load balancer, its listeners, certificate and DNS record."""

    requirements = ("W2.1",)

    def __init__(
        self,
        scope: Construct,
        id_: str,
        *,
        names: Names,
        network: Network,
        logs: Bucket,
        domain_name: str,
        shared_names: Sequence[str],
        zone_id: str,
        protected: bool,
    ) -> None:
        """``domain_name`` is this load balancer's; ``shared_names`` are CloudFront's origin names, of both regions.

        ``protected`` enables deletion protection.
        """
        super().__init__(scope, id_)
        self.domain_name = domain_name
        self._names = names
        self._network = network
        self.certificate = Certificate(
            self, "certificate", domain_name=domain_name, zone_id=zone_id, other_names=shared_names
        )
        self.group = self._group("https", "load-balancer", "Load balancer, HTTPS")
        self._plain_group = self._group("http", "load-balancer-http", "Load balancer, HTTP that is redirected")
        self._health_check_group = self._group("health-checks", "load-balancer-health", "Load balancer, health checks")
        self._allow_from_cloudfront()
        self._allow_from_health_checkers()
        self.load_balancer = Lb(
            self,
            "load-balancer",
            name=names.of("lb"),
            load_balancer_type="application",
            internal=False,
            subnets=network.public.subnet_ids,
            security_groups=[
                group.security_group.id for group in (self.group, self._plain_group, self._health_check_group)
            ],
            drop_invalid_header_fields=True,
            desync_mitigation_mode="strictest",
            idle_timeout=IDLE_TIMEOUT_SECONDS,
            enable_deletion_protection=protected,
            # An operator can shift traffic away from a zone with a grey failure: free, and off by default.
            # https://docs.aws.amazon.com/elasticloadbalancing/latest/application/zonal-shift.html
            enable_zonal_shift=True,
            access_logs=LbAccessLogs(bucket=logs.bucket.id, prefix=LOAD_BALANCER_LOGS, enabled=True),
            connection_logs=LbConnectionLogs(bucket=logs.bucket.id, prefix=LOAD_BALANCER_LOGS, enabled=True),
            # not inferable: ELB writes a test object when logging is enabled, and an internet-facing load balancer is
            # refused in a VPC without an internet gateway
            depends_on=[logs.policy, network.internet_gateway],
        )
        self.listener = self._https_listener("listener", HTTPS_PORT)
        self.test_listener = self._https_listener("test-listener", TEST_PORT)
        self._redirect()
        self._name(domain_name, zone_id)

    def _group(self, id_: str, purpose: str, description: str) -> Group:
        return Group(
            self,
            id_,
            names=self._names,
            purpose=purpose,
            network=self._network,
            tier=self._network.public,
            description=description,
        )

    def _allow_from_cloudfront(self) -> None:
        cloudfront = PrefixList(DataAwsEc2ManagedPrefixList(self, "cloudfront", name=CLOUDFRONT).id)
        Flow(
            self,
            "cloudfront-flow",
            source=cloudfront,
            destination=self.group,
            port=HTTPS_PORT,
            reason="Requests of customers through CloudFront",
        )
        Flow(
            self,
            "cloudfront-http-flow",
            source=cloudfront,
            destination=self._plain_group,
            port=HTTP_PORT,
            reason="Requests through CloudFront that are redirected to HTTPS",
        )

    def _allow_from_health_checkers(self) -> None:
        """Route 53's health checkers; their path is the only one that the rule group lets pass without the secret."""
        name = HEALTH_CHECKERS.format(region=Region.of(self).name)
        Flow(
            self,
            "health-checks-flow",
            source=PrefixList(DataAwsEc2ManagedPrefixList(self, "health-checkers", name=name).id),
            destination=self._health_check_group,
            port=HTTPS_PORT,
            reason="Health checks of Route 53, which move the name that CloudFront calls",
        )

    def _https_listener(self, id_: str, port: int) -> LbListener:
        refusal = LbListenerDefaultAction(
            type="fixed-response",
            fixed_response=LbListenerDefaultActionFixedResponse(
                content_type="text/plain", message_body="Forbidden", status_code="403"
            ),
        )
        return LbListener(
            self,
            id_,
            load_balancer_arn=self.load_balancer.arn,
            port=port,
            protocol="HTTPS",
            ssl_policy=TLS_POLICY,
            certificate_arn=self.certificate.arn,
            default_action=[refusal],
        )

    def _redirect(self) -> None:
        redirect = LbListenerDefaultActionRedirect(port=str(HTTPS_PORT), protocol="HTTPS", status_code="HTTP_301")
        LbListener(
            self,
            "redirect",
            load_balancer_arn=self.load_balancer.arn,
            port=HTTP_PORT,
            protocol="HTTP",
            default_action=[LbListenerDefaultAction(type="redirect", redirect=redirect)],
        )

    def _name(self, domain_name: str, zone_id: str) -> None:
        Route53Record(
            self,
            "name",
            zone_id=zone_id,
            name=domain_name,
            type="A",
            alias=Route53RecordAlias(
                name=self.load_balancer.dns_name,
                zone_id=self.load_balancer.zone_id,
                evaluate_target_health=True,
            ),
        )
