"""Deployments of the service by canary (P6.7): a smoke test, a share of the traffic, all of it; alarms roll it back.

Creates the function of the smoke test (lambda/smoke_test), which ECS invokes when the new tasks get the traffic of the
test listener, and the roles by which ECS invokes it and shifts traffic. docs/decisions/0036-canary-by-ecs.md compares
it with CodeDeploy.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence

from aws_cdk import Duration
from aws_cdk.aws_ec2 import Port, SecurityGroup
from aws_cdk.aws_ecs import (
    AlternateTarget,
    DeploymentLifecycleLambdaTarget,
    DeploymentLifecycleStage,
    ListenerRuleConfiguration,
    TrafficShiftConfig,
)
from aws_cdk.aws_iam import Role, ServicePrincipal
from constructs import Construct

from payment_api import contract, grants
from payment_api.encryption import Encryption
from payment_api.endpoints import Endpoints
from payment_api.functions import ManagedFunction
from payment_api.load_balancer import TEST_PORT, GatewayLoadBalancer, ServiceLoadBalancer
from payment_api.network import Network
from payment_api.settings import Settings

TIMEOUT_SECONDS = 120
ATTEMPTS = 5
UNAUTHORIZED = 401
ROLLBACK_ALARMS = ("gateway-errors", "load-balancer-errors", "gateway-load-balancer-errors", "service-errors")
"""Alarms during a deployment by which ECS returns to the version before."""


class Canary(Construct):
    """What ECS needs for a canary deployment: the smoke test as ``smoke_test``, and its roles."""

    requirements = ("P6.7", "P3.3")

    def __init__(
        self,
        scope: Construct,
        id_: str,
        *,
        settings: Settings,
        network: Network,
        endpoints: Endpoints,
        encryption: Encryption,
        load_balancers: Sequence[ServiceLoadBalancer],
        tested: GatewayLoadBalancer,
    ) -> None:
        super().__init__(scope, id_)
        self._settings = settings
        group = SecurityGroup(
            self,
            "group",
            vpc=network.vpc,
            security_group_name=settings.names.of("smoke-test"),
            description="The smoke test of deployments",
            allow_all_outbound=False,
        )
        group.connections.allow_to(tested.group, Port.tcp(TEST_PORT), "Smoke test of new tasks")
        self.smoke_test = ManagedFunction(
            self,
            "smoke-test",
            name="smoke_test",
            names=settings.names,
            network=network,
            endpoints=endpoints,
            logs_key=encryption.logs,
            environment_key=encryption.messages,
            log_days=settings.observability.log_retention_days,
            timeout_seconds=TIMEOUT_SECONDS,
            memory_mib=256,
            environment={
                "CHECKS": json.dumps({"payments": checks()}),
                "TEST_LISTENER_URL": f"https://{tested.load_balancer.load_balancer_dns_name}:{TEST_PORT}",
                "HOST_NAME": settings.domain.load_balancer_name,
            },
            groups=[group],
        )
        self._shifts = self._shifting_role(load_balancers)

    @property
    def hook(self) -> DeploymentLifecycleLambdaTarget:
        """The smoke test, once the new tasks have the test listener's traffic."""
        role = self._role("hook-role", "deployment-hook")
        grants.allow(role, ["lambda:InvokeFunction"], [self.smoke_test.function_arn])
        return DeploymentLifecycleLambdaTarget(
            self.smoke_test,
            "smoke-test",
            lifecycle_stages=[DeploymentLifecycleStage.POST_TEST_TRAFFIC_SHIFT],
            role=role,
        )

    @property
    def shift(self) -> TrafficShiftConfig:
        """The share and the duration of the canary."""
        service = self._settings.service
        return TrafficShiftConfig(
            step_percent=service.canary_percent, step_bake_time=Duration.minutes(service.canary_minutes)
        )

    def other_target(self, load_balancer: ServiceLoadBalancer) -> AlternateTarget:
        """The target group that a load balancer's traffic is shifted to, and the rules that shift it."""
        test = load_balancer.test_rule
        return AlternateTarget(
            f"{load_balancer.node.id}-other",
            alternate_target_group=load_balancer.other_targets,
            production_listener=ListenerRuleConfiguration.application_listener_rule(load_balancer.rule),
            test_listener=ListenerRuleConfiguration.application_listener_rule(test) if test else None,
            role=self._shifts,
        )

    def _role(self, id_: str, purpose: str) -> Role:
        return Role(
            self,
            id_,
            role_name=self._settings.names.of(purpose),
            assumed_by=ServicePrincipal(
                "ecs.amazonaws.com", conditions={"StringEquals": {"aws:SourceAccount": self._settings.account_id}}
            ),
        )

    def _shifting_role(self, load_balancers: Sequence[ServiceLoadBalancer]) -> Role:
        """Permissions of AWS's policy for it, for these rules and target groups; descriptions take no resource.

        https://docs.aws.amazon.com/AmazonECS/latest/developerguide/AmazonECSInfrastructureRolePolicyForLoadBalancers.html
        """
        role = self._role("shifting-role", "deployment-traffic")
        rules = [one.rule for one in load_balancers] + [one.test_rule for one in load_balancers if one.test_rule]
        groups = [group for one in load_balancers for group in (one.targets, one.other_targets)]
        described = ("Listeners", "Rules", "TargetGroups", "TargetHealth")
        grants.allow(role, [f"elasticloadbalancing:Describe{one}" for one in described], ["*"])
        grants.allow(role, ["elasticloadbalancing:ModifyRule"], [one.listener_rule_arn for one in rules])
        change = ["elasticloadbalancing:RegisterTargets", "elasticloadbalancing:DeregisterTargets"]
        grants.allow(role, change, [one.target_group_arn for one in groups])
        return role


def checks() -> list[Mapping[str, object]]:
    """A new version lives, reaches what it depends on, and lets nobody in without a credential."""
    listed = next(one.path for one in contract.operations() if one.method == "GET" and not one.path_parameters)
    wanted = {contract.health_path(): 200, contract.ready_path(): 200, listed: UNAUTHORIZED}
    return [{"path": path, "status": status, "attempts": ATTEMPTS} for path, status in wanted.items()]
