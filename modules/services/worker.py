"""Worker: an ECS service on Fargate Spot that consumes a queue (W1.3, W1.4).

Creates the ECS service and its scaling. Before a Spot interruption a task has two minutes to finish its work; the
base that settings name runs on demand. The deployment circuit breaker rolls back a deployment whose tasks do not start.
Scaling keeps the visible messages per running task near the target of the settings.
"""

from __future__ import annotations

from collections.abc import Sequence

from cdktf import ITerraformDependable, TerraformResourceLifecycle
from cdktf_cdktf_provider_aws.ecs_service import (
    EcsService,
    EcsServiceCapacityProviderStrategy,
    EcsServiceDeploymentCircuitBreaker,
    EcsServiceNetworkConfiguration,
)
from constructs import Construct

from modules.monitoring.metrics import Metric, where_present
from modules.network.security_groups import Group
from modules.network.vpc import Network
from modules.queues.queue import Queue
from modules.services.cluster import ON_DEMAND, SPOT, Cluster
from modules.services.scaling import Scaling
from modules.services.task import Task
from settings.naming import Names
from settings.services import ServiceSettings


class WorkerService(Construct):
    """ECS service of a worker, and its scaling."""

    requirements = ("W1.4",)

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
        queue: Queue,
        endpoint_clients: Group,
        after: Sequence[ITerraformDependable] = (),
    ) -> None:
        """``endpoint_clients`` is the security group that the VPC endpoints accept; the tasks are members of it.

        Tasks start ``after`` what they need of the network.
        """
        super().__init__(scope, id_)
        task.grant("queue", queue.consume_statements)
        self.service = EcsService(
            self,
            "service",
            name=names.of(task.name),
            cluster=cluster.cluster.arn,
            task_definition=task.definition.arn,
            desired_count=settings.min_tasks,
            capacity_provider_strategy=_strategy(settings),
            # Without it the provider replaces the service, and with it its tasks, when the strategy changes.
            # https://registry.terraform.io/providers/hashicorp/aws/5.100.0/docs/resources/ecs_service#capacity_provider_strategy
            force_new_deployment=True,
            network_configuration=EcsServiceNetworkConfiguration(
                subnets=network.private.subnet_ids,
                security_groups=[task.group.security_group.id, endpoint_clients.security_group.id],
                assign_public_ip=False,
            ),
            deployment_circuit_breaker=EcsServiceDeploymentCircuitBreaker(enable=True, rollback=True),
            deployment_minimum_healthy_percent=100,
            deployment_maximum_percent=200,
            enable_execute_command=True,
            enable_ecs_managed_tags=True,
            propagate_tags="SERVICE",
            # Terraform must not revert auto scaling.
            lifecycle=TerraformResourceLifecycle(ignore_changes=["desired_count"]),
            depends_on=[cluster.capacity_providers, *task.prerequisites, *after],
        )
        self._scale(names, settings, task, queue)

    def _scale(self, names: Names, settings: ServiceSettings, task: Task, queue: Queue) -> None:
        self.scaling = Scaling(
            self, "scaling", names=names, name=task.name, settings=settings, ecs_service=self.service
        )
        self.scaling.track(
            "messages-per-task",
            target=settings.messages_per_task,
            expression=where_present(_messages_per_task(settings), "waiting"),
            metrics={
                "waiting": Metric(
                    "AWS/SQS", "ApproximateNumberOfMessagesVisible", "Sum", {"QueueName": queue.queue.name}
                ),
                "running": self.scaling.running_tasks,
            },
        )


def _messages_per_task(settings: ServiceSettings) -> str:
    """A service that may have no task counts as one at least, so that a message scales it out."""
    return "waiting / running" if settings.min_tasks else "waiting / IF(running < 1, 1, running)"


def _strategy(settings: ServiceSettings) -> list[EcsServiceCapacityProviderStrategy]:
    """Capacity providers: the base on demand, and beyond it ``spot_weight`` of a hundred tasks on Spot."""
    on_demand_weight = 100 - settings.spot_weight
    strategy = [EcsServiceCapacityProviderStrategy(capacity_provider=SPOT, weight=settings.spot_weight)]
    if on_demand_weight or settings.on_demand_base:
        strategy.append(
            EcsServiceCapacityProviderStrategy(
                capacity_provider=ON_DEMAND, weight=on_demand_weight, base=settings.on_demand_base
            )
        )
    return strategy
