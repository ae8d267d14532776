"""The public load balancer (P2.1): for clients that call it directly, by mutual TLS too, and for the gateway.

Creates the load balancer in the public subnets, and two listeners of one certificate:

- 443, from anywhere: clients show a certificate that the pinned trust store vouches for, as at the gateway, so that
  nobody gets past mutual TLS by calling the load balancer;
- 8443, from the gateway's VPC link alone, which has done so already.

Both answer 404 except on the API's paths. There is no listener on 80: nobody should say anything in the clear first.
"""

from __future__ import annotations

from aws_cdk import Duration
from aws_cdk.aws_certificatemanager import Certificate
from aws_cdk.aws_ec2 import Peer, Port, SecurityGroup
from aws_cdk.aws_elasticloadbalancingv2 import (
    ApplicationListener,
    ApplicationLoadBalancer,
    ApplicationProtocol,
    ApplicationTargetGroup,
    DesyncMitigationMode,
    HealthCheck,
    ListenerAction,
    ListenerCertificate,
    ListenerCondition,
    MutualAuthentication,
    MutualAuthenticationMode,
    Protocol,
    SslPolicy,
    TargetType,
    TrustStore,
)
from aws_cdk.aws_route53 import ARecord, HostedZone, RecordTarget
from aws_cdk.aws_route53_targets import LoadBalancerTarget
from aws_cdk.aws_s3 import Bucket
from constructs import Construct

from payment_api.network import Network
from payment_api.settings import Settings
from payment_api.settings.entry import GatewaySettings

PUBLIC_PORT, GATEWAY_PORT, TASK_PORT = 443, 8443, 8443
PATHS = ["/payments", "/payments/*"]


class LoadBalancer(Construct):
    """The load balancer, its listeners, and the target group of the service's tasks."""

    requirements = ("P2.1", "P6.1")

    def __init__(
        self,
        scope: Construct,
        id_: str,
        *,
        settings: Settings,
        network: Network,
        access_logs: Bucket,
    ) -> None:
        super().__init__(scope, id_)
        self._names, self._domain = settings.names, settings.domain
        self.group = self._group(network, "load-balancer", "Public load balancer")
        self.gateway_link = self._group(network, "gateway-link", "VPC link of API Gateway")
        self.load_balancer = ApplicationLoadBalancer(
            self,
            "load-balancer",
            load_balancer_name=self._names.of("direct"),
            vpc=network.vpc,
            vpc_subnets=network.public,
            internet_facing=True,
            security_group=self.group,
            deletion_protection=settings.protected,
            drop_invalid_header_fields=True,
            desync_mitigation_mode=DesyncMitigationMode.STRICTEST,
            idle_timeout=Duration.seconds(60),
        )
        self.load_balancer.log_access_logs(access_logs, "load-balancer")
        self.load_balancer.log_connection_logs(access_logs, "load-balancer-connections")
        self.targets = self._targets(network)
        self.public_listener = self._listener("public", PUBLIC_PORT, self._mutual_authentication(settings.gateway))
        self.gateway_listener = self._listener("gateway", GATEWAY_PORT, None)
        self.group.add_ingress_rule(
            Peer.any_ipv4(), Port.tcp(PUBLIC_PORT), "HTTPS from clients that show a certificate"
        )
        self.gateway_link.connections.allow_to(self.group, Port.tcp(GATEWAY_PORT), "HTTPS from API Gateway")
        self._name_it()

    def _group(self, network: Network, purpose: str, description: str) -> SecurityGroup:
        return SecurityGroup(
            self,
            purpose + "-group",
            vpc=network.vpc,
            security_group_name=self._names.of(purpose),
            description=description,
            allow_all_outbound=False,
        )

    def _targets(self, network: Network) -> ApplicationTargetGroup:
        return ApplicationTargetGroup(
            self,
            "targets",
            target_group_name=self._names.of("payments"),
            vpc=network.vpc,
            target_type=TargetType.IP,
            protocol=ApplicationProtocol.HTTPS,  # TLS up to the task, with the task's own certificate
            port=TASK_PORT,
            deregistration_delay=Duration.seconds(30),
            health_check=HealthCheck(
                path="/health",  # not /ready: ECS would replace every task while the database fails over
                protocol=Protocol.HTTPS,
                healthy_http_codes="200",
                interval=Duration.seconds(15),
                timeout=Duration.seconds(5),
                healthy_threshold_count=2,
                unhealthy_threshold_count=3,
            ),
        )

    def _mutual_authentication(self, settings: GatewaySettings) -> MutualAuthentication:
        """The same pinned version of the same certificates as at the gateway."""
        trust_store = TrustStore(
            self,
            "trust-store",
            trust_store_name=self._names.of("clients"),
            bucket=Bucket.from_bucket_name(self, "trust-store-bucket", settings.trust_store_bucket),
            key=settings.trust_store_key,
            version=settings.trust_store_version,
        )
        return MutualAuthentication(
            mutual_authentication_mode=MutualAuthenticationMode.VERIFY,
            trust_store=trust_store,
            ignore_client_certificate_expiry=False,
        )

    def _listener(self, name: str, port: int, authentication: MutualAuthentication | None) -> ApplicationListener:
        listener = self.load_balancer.add_listener(
            name,
            port=port,
            protocol=ApplicationProtocol.HTTPS,
            open=False,
            certificates=[ListenerCertificate.from_arn(self._domain.certificate_arn)],
            ssl_policy=SslPolicy.TLS13_RES,
            mutual_authentication=authentication,
            default_action=ListenerAction.fixed_response(404, content_type="application/json", message_body="{}"),
        )
        listener.add_action(
            "payments",
            priority=10,
            conditions=[ListenerCondition.path_patterns(PATHS)],
            action=ListenerAction.forward([self.targets]),
        )
        return listener

    def _name_it(self) -> None:
        zone = HostedZone.from_hosted_zone_attributes(
            self, "zone", hosted_zone_id=self._domain.zone_id, zone_name=self._domain.zone_name
        )
        ARecord(
            self,
            "name",
            zone=zone,
            record_name=f"{self._domain.load_balancer_name}.",
            target=RecordTarget.from_alias(LoadBalancerTarget(self.load_balancer)),
        )
        self.certificate = Certificate.from_certificate_arn(self, "certificate", self._domain.certificate_arn)
