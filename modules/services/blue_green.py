"""Critical service: an ECS service behind the load balancer, deployed blue/green by CodeDeploy (W1.2, W2.2, W2.3).

Creates two target groups, a rule in each listener, the ECS service and its scaling. The deployment group is in
modules/services/release.py.

Terraform ignores what CodeDeploy and Application Auto Scaling change: the service's task definition, load balancer
block and desired count, and the actions of both rules, in which CodeDeploy leaves both target groups with a weight. A
rule is never replaced: while green serves, a new rule would forward to blue.
"""

from __future__ import annotations

from collections.abc import Sequence

from cdktf import ITerraformDependable, TerraformResourceLifecycle
from cdktf_cdktf_provider_aws.ecs_service import (
    EcsService,
    EcsServiceDeploymentController,
    EcsServiceLoadBalancer,
    EcsServiceNetworkConfiguration,
)
from cdktf_cdktf_provider_aws.lb_listener import LbListener
from cdktf_cdktf_provider_aws.lb_listener_rule import (
    LbListenerRule,
    LbListenerRuleAction,
    LbListenerRuleCondition,
    LbListenerRuleConditionPathPattern,
)
from cdktf_cdktf_provider_aws.lb_target_group import LbTargetGroup, LbTargetGroupHealthCheck
from constructs import Construct

from modules.ingress.load_balancer import LoadBalancer
from modules.monitoring.metrics import Metric
from modules.network.security_groups import Flow, Group
from modules.network.vpc import Network
from modules.services.cluster import Cluster
from modules.services.scaling import Scaling
from modules.services.task import Task
from settings.naming import Names
from settings.services import ServiceSettings

BLUE, GREEN = "blue", "green"


class BlueGreenService(Construct):
    """ECS service, its target groups by colour, and its listener rules."""

    requirements = ("W1.2", "W2.2", "W7.1")

    def __init__(
        self,
        scope: Construct,
        id_: str,
        *,
        names: Names,
        settings: ServiceSettings,
        task: Task,
        cluster: Cluster,
        network: Network,
        load_balancer: LoadBalancer,
        endpoint_clients: Group,
        after: Sequence[ITerraformDependable] = (),
    ) -> None:
        """``endpoint_clients`` is the security group that the VPC endpoints accept; the tasks are members of it.

        Tasks start ``after`` what they need of the network.
        """
        super().__init__(scope, id_)
        self._names = names
        self.name = task.name
        self.settings = settings
        self.task = task
        self.target_groups = {colour: self._target_group(colour, network) for colour in (BLUE, GREEN)}
        self.rule = self._rule("rule", load_balancer.listener)
        self.test_rule = self._rule("test-rule", load_balancer.test_listener)
        Flow(
            self,
            f"{task.name}-requests",
            source=load_balancer.group,
            destination=task.group,
            port=settings.port,
            reason=f"Requests and health checks for {task.name}",
        )
        self.service = EcsService(
            self,
            "service",
            name=names.of(task.name),
            cluster=cluster.cluster.arn,
            task_definition=task.definition.arn,
            desired_count=settings.min_tasks,
            launch_type="FARGATE",
            deployment_controller=EcsServiceDeploymentController(type="CODE_DEPLOY"),
            load_balancer=[
                EcsServiceLoadBalancer(
                    container_name=task.name,
                    container_port=settings.port,
                    target_group_arn=self.target_groups[BLUE].arn,
                )
            ],
            network_configuration=EcsServiceNetworkConfiguration(
                subnets=network.private.subnet_ids,
                security_groups=[task.group.security_group.id, endpoint_clients.security_group.id],
                assign_public_ip=False,
            ),
            health_check_grace_period_seconds=settings.health_check.grace_period_seconds,
            enable_execute_command=True,
            enable_ecs_managed_tags=True,
            propagate_tags="SERVICE",
            # With the tasks of its task sets, as AWS deletes such a service in its own tutorial ("Clean up"):
            # https://docs.aws.amazon.com/AmazonECS/latest/developerguide/create-blue-green.html
            force_delete=True,
            lifecycle=TerraformResourceLifecycle(ignore_changes=["task_definition", "load_balancer", "desired_count"]),
            # not inferable: ECS takes a target group once a listener forwards to it; tasks start with what they need
            depends_on=[self.rule, self.test_rule, *task.prerequisites, *after],
        )
        self._scale(load_balancer)

    def _target_group(self, colour: str, network: Network) -> LbTargetGroup:
        check = self.settings.health_check
        return LbTargetGroup(
            self,
            colour,
            name=self._names.target_group(self.name, colour),
            vpc_id=network.vpc.id,
            target_type="ip",
            port=self.settings.port,
            protocol="HTTPS",
            deregistration_delay=str(check.deregistration_delay_seconds),
            slow_start=check.slow_start_seconds,
            health_check=LbTargetGroupHealthCheck(
                protocol="HTTPS",
                path=check.path,
                matcher=check.matcher,
                interval=check.interval_seconds,
                timeout=check.timeout_seconds,
                healthy_threshold=check.healthy_threshold,
                unhealthy_threshold=check.unhealthy_threshold,
            ),
        )

    def _rule(self, id_: str, listener: LbListener) -> LbListenerRule:
        paths = LbListenerRuleConditionPathPattern(values=list(self.settings.path_patterns))
        return LbListenerRule(
            self,
            id_,
            listener_arn=listener.arn,
            priority=self.settings.priority,
            condition=[LbListenerRuleCondition(path_pattern=paths)],
            action=[LbListenerRuleAction(type="forward", target_group_arn=self.target_groups[BLUE].arn)],
            lifecycle=TerraformResourceLifecycle(ignore_changes=["action"]),
            # not inferable: after a release the rule forwards to green, which cannot be deleted before it
            depends_on=[self.target_groups[GREEN]],
            tags={"Name": self._names.of(f"{self.name}-{id_}")},
        )

    def _scale(self, load_balancer: LoadBalancer) -> None:
        """On requests per task of the colour that gets more: in a deployment, half of all tasks serve."""
        self.scaling = Scaling(
            self, "scaling", names=self._names, name=self.name, settings=self.settings, ecs_service=self.service
        )
        requests = {
            colour: Metric(
                "AWS/ApplicationELB",
                "RequestCountPerTarget",
                "Sum",
                {"LoadBalancer": load_balancer.load_balancer.arn_suffix, "TargetGroup": group.arn_suffix},
            )
            for colour, group in self.target_groups.items()
        }
        self.scaling.track(
            "requests-per-task",
            target=self.settings.requests_per_target,
            expression=f"IF({BLUE} > {GREEN}, {BLUE}, {GREEN})",  # a colour without requests publishes nothing: 0
            metrics=requests,
        )
