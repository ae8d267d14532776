"""The load balancers (P2.1): a public one for clients that call it directly, and an internal one for API Gateway.

Each has an HTTPS listener, two target groups of the service's tasks, between which ECS shifts the traffic of a
deployment, and an access log:

- `PublicLoadBalancer`, in the public subnets, on 443 from anywhere: clients present a certificate that the pinned
  trust store verifies, as at the gateway, so that the load balancer does not bypass mutual TLS;
- `GatewayLoadBalancer`, in the private subnets, on 443 from the gateway's VPC link only, and with a listener for the
  smoke test of a deployment, which no client reaches.

There are two, as AWS's examples of VPC links target internal ones, and as requests through the link have few source
addresses, which the public one's rate limit must not count. Both answer 404 except on the paths of the service's
contract. There is no listener on 80, so that no client sends a request unencrypted first.
"""

from __future__ import annotations

from aws_cdk import Duration
from aws_cdk.aws_ec2 import Peer, Port, SecurityGroup, SubnetSelection
from aws_cdk.aws_elasticloadbalancingv2 import (
    ApplicationListener,
    ApplicationListenerRule,
    ApplicationLoadBalancer,
    ApplicationProtocol,
    ApplicationTargetGroup,
    CfnListener,
    CfnListenerRule,
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
    WeightedTargetGroup,
)
from aws_cdk.aws_route53 import ARecord, HostedZone, RecordTarget
from aws_cdk.aws_route53_targets import LoadBalancerTarget
from aws_cdk.aws_s3 import Bucket
from constructs import Construct

from payment_api import contract
from payment_api.network import Network
from payment_api.settings import Settings
from payment_api.settings.entry import GatewaySettings
from settings.load_balancer import IDLE_TIMEOUT_SECONDS

HTTPS_PORT, TASK_PORT, TEST_PORT = 443, 8443, 8444
STAGE = "live"
"""The stage of API Gateway, which according to AWS's guide is in the path of a private integration's request.
https://docs.aws.amazon.com/apigateway/latest/developerguide/private-integration.html"""


class ServiceLoadBalancer(Construct):
    """A load balancer in front of the service: ``load_balancer``, ``group``, ``listener`` and its ``rule``.

    ``targets`` and ``other_targets`` are the target groups; ``test_rule`` is that of the smoke test's listener, if any.
    """

    test_rule: ApplicationListenerRule | None = None

    def __init__(
        self,
        scope: Construct,
        id_: str,
        *,
        purpose: str,
        description: str,
        settings: Settings,
        network: Network,
        subnets: SubnetSelection,
        internet_facing: bool,
        access_logs: Bucket,
    ) -> None:
        super().__init__(scope, id_)
        self._settings, self._names, self._network = settings, settings.names, network
        self.group = self._group("load-balancer-group", purpose, description)
        self.load_balancer = ApplicationLoadBalancer(
            self,
            "load-balancer",
            load_balancer_name=self._names.of(purpose),
            vpc=network.vpc,
            vpc_subnets=subnets,
            internet_facing=internet_facing,
            security_group=self.group,
            deletion_protection=settings.protected,
            drop_invalid_header_fields=True,
            desync_mitigation_mode=DesyncMitigationMode.STRICTEST,
            idle_timeout=Duration.seconds(IDLE_TIMEOUT_SECONDS),
        )
        self.load_balancer.log_access_logs(access_logs, purpose)
        self.load_balancer.log_connection_logs(access_logs, f"{purpose}-connections")
        self.targets = self._targets("targets", purpose)
        self.other_targets = self._targets("other-targets", f"{purpose}-green")
        self.listener = self._listener()
        self.rule = self._rule("payments", self.listener, self._patterns())

    def _rule(self, id_: str, listener: ApplicationListener, patterns: list[str]) -> ApplicationListenerRule:
        """A rule whose weights ECS changes; those of the template are the first deployment's.

        https://docs.aws.amazon.com/AmazonECS/latest/developerguide/alb-resources-for-blue-green.html
        """
        return ApplicationListenerRule(
            self,
            id_,
            listener=listener,
            priority=10,
            conditions=[ListenerCondition.path_patterns(patterns)],
            action=ListenerAction.weighted_forward(
                [
                    WeightedTargetGroup(target_group=self.targets, weight=100),
                    WeightedTargetGroup(target_group=self.other_targets, weight=0),
                ]
            ),
        )

    def _group(self, id_: str, purpose: str, description: str) -> SecurityGroup:
        return SecurityGroup(
            self,
            id_,
            vpc=self._network.vpc,
            security_group_name=self._names.of(purpose),
            description=description,
            allow_all_outbound=False,
        )

    def _targets(self, id_: str, purpose: str) -> ApplicationTargetGroup:
        """A target group belongs to one load balancer; the service registers its tasks with each."""
        return ApplicationTargetGroup(
            self,
            id_,
            target_group_name=self._names.of(purpose),
            vpc=self._network.vpc,
            target_type=TargetType.IP,
            protocol=ApplicationProtocol.HTTPS,  # TLS up to the task, with the task's own certificate
            port=TASK_PORT,
            deregistration_delay=Duration.seconds(30),
            health_check=HealthCheck(
                path=contract.health_path(),
                protocol=Protocol.HTTPS,
                healthy_http_codes="200",
                interval=Duration.seconds(15),
                timeout=Duration.seconds(5),
                healthy_threshold_count=2,
                unhealthy_threshold_count=3,
            ),
        )

    def _listener(self) -> ApplicationListener:
        return self.load_balancer.add_listener(
            "listener",
            port=HTTPS_PORT,
            protocol=ApplicationProtocol.HTTPS,
            open=False,
            certificates=[ListenerCertificate.from_arn(self._settings.domain.certificate_arn)],
            ssl_policy=SslPolicy.TLS13_12_RES_PQ,
            mutual_authentication=self._mutual_authentication(),
            default_action=ListenerAction.fixed_response(404, content_type="application/json", message_body="{}"),
        )

    def _mutual_authentication(self) -> MutualAuthentication | None:
        """None, where clients have shown their certificates before."""
        return None

    def _patterns(self) -> list[str]:
        return contract.path_patterns()


class PublicLoadBalancer(ServiceLoadBalancer):
    """The public one, by its own name in DNS, with mutual TLS."""

    requirements = ("P2.1", "P6.1")

    def __init__(
        self, scope: Construct, id_: str, *, settings: Settings, network: Network, access_logs: Bucket
    ) -> None:
        super().__init__(
            scope,
            id_,
            purpose="direct",
            description="Public load balancer",
            settings=settings,
            network=network,
            subnets=network.public,
            internet_facing=True,
            access_logs=access_logs,
        )
        self._name_certificate_header()
        self.group.add_ingress_rule(Peer.any_ipv4(), Port.tcp(HTTPS_PORT), "HTTPS from clients that show a certificate")
        domain = settings.domain
        zone = HostedZone.from_hosted_zone_attributes(
            self, "zone", hosted_zone_id=domain.zone_id, zone_name=domain.zone_name
        )
        ARecord(
            self,
            "name",
            zone=zone,
            record_name=f"{domain.load_balancer_name}.",
            target=RecordTarget.from_alias(LoadBalancerTarget(self.load_balancer)),
        )

    def _name_certificate_header(self) -> None:
        """The header with the client's certificate, by the name that the gateway gives it.

        https://docs.aws.amazon.com/elasticloadbalancing/latest/application/header-modification.html
        """
        listener = self.listener.node.default_child
        assert isinstance(listener, CfnListener)  # noqa: S101  # what CDK says of every listener
        name = "routing.http.request.x_amzn_mtls_clientcert_leaf.header_name"
        listener.listener_attributes = [
            CfnListener.ListenerAttributeProperty(key=name, value=contract.CERTIFICATE_HEADER)
        ]

    def _mutual_authentication(self) -> MutualAuthentication:
        """The same pinned version of the same certificates as at the gateway."""
        gateway: GatewaySettings = self._settings.gateway
        trust_store = TrustStore(
            self,
            "trust-store",
            trust_store_name=self._names.of("clients"),
            bucket=Bucket.from_bucket_name(self, "trust-store-bucket", gateway.trust_store_bucket),
            key=gateway.trust_store_key,
            version=gateway.trust_store_version,
        )
        return MutualAuthentication(
            mutual_authentication_mode=MutualAuthenticationMode.VERIFY,
            trust_store=trust_store,
            ignore_client_certificate_expiry=False,
        )


class GatewayLoadBalancer(ServiceLoadBalancer):
    """The internal one; ``vpc_link_group`` is the security group of its only client beside the smoke test."""

    requirements = ("P2.2",)

    def __init__(
        self, scope: Construct, id_: str, *, settings: Settings, network: Network, access_logs: Bucket
    ) -> None:
        super().__init__(
            scope,
            id_,
            purpose="gateway",
            description="Internal load balancer behind API Gateway",
            settings=settings,
            network=network,
            subnets=network.private,
            internet_facing=False,
            access_logs=access_logs,
        )
        self.vpc_link_group = self._group("vpc-link-group", "gateway-link", "VPC link of API Gateway")
        self.vpc_link_group.connections.allow_to(self.group, Port.tcp(HTTPS_PORT), "HTTPS from API Gateway")
        self._drop_stage_from_path()
        test_listener = self.load_balancer.add_listener(
            "test-listener",
            port=TEST_PORT,
            protocol=ApplicationProtocol.HTTPS,
            open=False,
            certificates=[ListenerCertificate.from_arn(settings.domain.certificate_arn)],
            ssl_policy=SslPolicy.TLS13_12_RES_PQ,
            default_action=ListenerAction.fixed_response(404, content_type="application/json", message_body="{}"),
        )
        self.test_rule = self._rule("test-rule", test_listener, ["/*"])

    def _patterns(self) -> list[str]:
        """With and without the stage: the guide has it in the path, the CDK's test of such an integration has not."""
        return [*contract.path_patterns(), *(f"/{STAGE}{pattern}" for pattern in contract.path_patterns())]

    def _drop_stage_from_path(self) -> None:
        """A path without the stage stays as it is.

        https://docs.aws.amazon.com/elasticloadbalancing/latest/application/rule-transforms.html
        """
        rule = self.rule.node.default_child
        assert isinstance(rule, CfnListenerRule)  # noqa: S101  # what CDK says of every rule
        rule.transforms = [
            CfnListenerRule.TransformProperty(
                type="url-rewrite",
                url_rewrite_config=CfnListenerRule.RewriteConfigObjectProperty(
                    rewrites=[CfnListenerRule.RewriteConfigProperty(regex=f"^/{STAGE}/", replace="/")]
                ),
            )
        ]
