"""The containerized API on Fargate (P3.1): services/payments, on Graviton, in private subnets without internet access.

Creates the cluster, the task definition with its two roles, the service behind the load balancers, and its scaling. A
new version is deployed by canary (payment_api/canary.py). A
task's group reaches the endpoints of AWS's services and the database, and nothing else (P1.3). It logs in to the
database by IAM (P4.2).
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence

from aws_cdk import Duration, Stack
from aws_cdk.aws_cloudwatch import Alarm
from aws_cdk.aws_ec2 import Port, SecurityGroup
from aws_cdk.aws_ecr import Repository
from aws_cdk.aws_ecs import (
    AlarmBehavior,
    AvailabilityZoneRebalancing,
    AwsLogDriverMode,
    Cluster,
    ContainerImage,
    ContainerInsights,
    CpuArchitecture,
    DeploymentCircuitBreaker,
    DeploymentStrategy,
    FargatePlatformVersion,
    FargateService,
    FargateTaskDefinition,
    HealthCheck,
    LogDrivers,
    ManagedStorageConfiguration,
    MountPoint,
    OperatingSystemFamily,
    PortMapping,
    PropagatedTagSource,
    RuntimePlatform,
    Volume,
)
from aws_cdk.aws_logs import ILogGroup
from aws_cdk.aws_secretsmanager import ISecret
from aws_cdk.aws_sqs import Queue
from constructs import Construct, IDependable

from payment_api import grants
from payment_api.canary import Canary
from payment_api.database import Database
from payment_api.encryption import Encryption
from payment_api.endpoints import Endpoints
from payment_api.load_balancer import TASK_PORT, ServiceLoadBalancer
from payment_api.network import Network
from payment_api.settings.runtime import ServiceSettings
from payment_api.settings.sizing import MAX_HEALTHY_PERCENT
from settings.naming import Names

CPU_PERCENT, MEMORY_PERCENT = 70, 80  # P3.1
CONTAINER = "payments"
SCRATCH = "scratch"  # for the task's own certificate, as its root file system is read-only
STOP_SECONDS = 75  # as long as services/payments takes to drain and stop


class ApiService(Construct):
    """The service as ``service``, its group as ``group``, its cluster as ``cluster``."""

    requirements = ("P3.1", "P3.3", "P3.4", "P1.3", "P4.2", "P6.7")

    def __init__(
        self,
        scope: Construct,
        id_: str,
        *,
        names: Names,
        settings: ServiceSettings,
        network: Network,
        endpoints: Endpoints,
        load_balancers: Sequence[ServiceLoadBalancer],
        canary: Canary,
        database: Database,
        database_ready: IDependable,
        queue: Queue,
        peppers: ISecret,
        notifications: ISecret,
        log_group: ILogGroup,
        insights_log: ILogGroup,
        encryption: Encryption,
    ) -> None:
        super().__init__(scope, id_)
        self._names, self._settings = names, settings
        self.cluster = Cluster(
            self,
            "cluster",
            cluster_name=names.of("payments"),
            vpc=network.vpc,
            container_insights_v2=ContainerInsights.ENHANCED,
            # A task's scratch, where its TLS key is for a moment.
            managed_storage_configuration=ManagedStorageConfiguration(
                fargate_ephemeral_storage_kms_key=encryption.computers
            ),
        )
        self.cluster.node.add_dependency(insights_log)
        self.group = SecurityGroup(
            self,
            "group",
            vpc=network.vpc,
            security_group_name=names.of("payments"),
            description="Tasks of the payment API",
            allow_all_outbound=False,
        )
        for one in load_balancers:
            one.group.connections.allow_to(self.group, Port.tcp(TASK_PORT), "Requests to the tasks")
        database.admit(self.group, "Tasks of the payment API to the database")
        secrets = {"API_KEY_PEPPERS_SECRET_ARN": peppers, "ACQUIRER_NOTIFICATION_SECRET_ARN": notifications}
        self.task = self._task(database, queue, secrets, log_group)
        for secret in secrets.values():
            grants.allow_reading(self.task.task_role, secret)
        grants.allow_sending(self.task.task_role, queue)
        grants.allow(self.task.task_role, ["sqs:GetQueueAttributes"], [queue.queue_arn])  # whether it is reached
        for user in (database.settings.service_user, database.settings.publishing_user):
            database.grant_login(self.task.task_role, user)
        self.service = FargateService(
            self,
            "service",
            service_name=names.of("payments"),
            cluster=self.cluster,
            task_definition=self.task,
            platform_version=FargatePlatformVersion.VERSION1_4,
            vpc_subnets=network.private,
            security_groups=[self.group, endpoints.clients],
            assign_public_ip=False,
            min_healthy_percent=100,
            max_healthy_percent=MAX_HEALTHY_PERCENT,
            deployment_strategy=DeploymentStrategy.CANARY,
            canary_configuration=canary.shift,
            bake_time=Duration.minutes(settings.bake_minutes),
            lifecycle_hooks=[canary.hook],
            circuit_breaker=DeploymentCircuitBreaker(enable=True, rollback=True),
            health_check_grace_period=Duration.seconds(60),
            availability_zone_rebalancing=AvailabilityZoneRebalancing.ENABLED,
            enable_ecs_managed_tags=True,
            propagate_tags=PropagatedTagSource.SERVICE,
        )
        for one in load_balancers:
            target = self.service.load_balancer_target(
                container_name=CONTAINER, container_port=TASK_PORT, alternate_target=canary.other_target(one)
            )
            target.attach_to_application_target_group(one.targets)
            self.service.node.add_dependency(one)
        self.service.node.add_dependency(database_ready, database.group, self.group, *endpoints.way)
        self._scale()

    def roll_back_on(self, alarms: Sequence[Alarm]) -> None:
        """Return to the version before when one of these alarms is raised during a deployment."""
        self.service.enable_deployment_alarms(
            [alarm.alarm_name for alarm in alarms], behavior=AlarmBehavior.ROLLBACK_ON_ALARM
        )
        self.service.node.add_dependency(*alarms)

    def _task(
        self, database: Database, queue: Queue, secrets: Mapping[str, ISecret], log_group: ILogGroup
    ) -> FargateTaskDefinition:
        task = FargateTaskDefinition(
            self,
            "task",
            family=self._names.of("payments"),
            cpu=self._settings.cpu_units,
            memory_limit_mib=self._settings.memory_mib,
            runtime_platform=RuntimePlatform(
                cpu_architecture=CpuArchitecture.ARM64, operating_system_family=OperatingSystemFamily.LINUX
            ),
            volumes=[Volume(name=SCRATCH)],
        )
        container = task.add_container(
            CONTAINER,
            container_name=CONTAINER,
            image=self._image(),
            essential=True,
            user="1000",
            readonly_root_filesystem=True,
            stop_timeout=Duration.seconds(STOP_SECONDS),
            port_mappings=[PortMapping(container_port=TASK_PORT)],
            environment={
                **database.variables(database.settings.service_user, database.settings.publishing_user),
                "DATABASE_CONNECTIONS": str(self._settings.connections_per_task),
                "WAITING_REQUESTS": str(
                    self._settings.requests_in_flight_per_task - self._settings.connections_per_task
                ),
                "AWS_REGION": Stack.of(self).region,
                "ENVIRONMENT_SUFFIX": self._names.suffix,
                **{variable: secret.secret_arn for variable, secret in secrets.items()},
                "API_KEY_MODE": self._settings.api_key_mode,
                "AUDIT_MONTHS": str(self._settings.audit_months),  # its publisher drops what is older
                "CLIENT_CERTIFICATES": "required",  # of the key's merchant; both doors verify them, and hand them on
                "QUEUE_URL": queue.queue_url,
                "HTTPS_PORT": str(TASK_PORT),
            },
            health_check=HealthCheck(
                command=["CMD", "python", "-m", "payments", "healthy"],
                interval=Duration.seconds(15),
                timeout=Duration.seconds(5),
                retries=3,
                start_period=Duration.seconds(30),
            ),
            # A log that cannot be written must not stop payments.
            logging=LogDrivers.aws_logs(
                stream_prefix="payments", log_group=log_group, mode=AwsLogDriverMode.NON_BLOCKING
            ),
        )
        container.add_mount_points(MountPoint(container_path="/tmp", source_volume=SCRATCH, read_only=False))  # noqa: S108
        return task

    def _image(self) -> ContainerImage:
        """The image of the settings, by digest; CDK lets the execution role pull from its repository, and no other."""
        match = re.fullmatch(
            r"(\d+)\.dkr\.ecr\.([a-z0-9-]+)\.amazonaws\.com/([^@]+)@(sha256:[0-9a-f]+)", self._settings.image
        )
        assert match is not None  # noqa: S101  # what the settings allow
        account, region, name, digest = match.groups()
        repository = Repository.from_repository_attributes(
            self,
            "repository",
            repository_arn=f"arn:aws:ecr:{region}:{account}:repository/{name}",
            repository_name=name,
        )
        return ContainerImage.from_ecr_repository(repository, digest)

    def _scale(self) -> None:
        """By processor and by memory; in more slowly than out, as a peak seldom comes alone."""
        scaling = self.service.auto_scale_task_count(
            min_capacity=self._settings.min_tasks, max_capacity=self._settings.max_tasks
        )
        scale_in, scale_out = Duration.seconds(300), Duration.seconds(30)
        scaling.scale_on_cpu_utilization(
            "cpu",
            policy_name=self._names.of("cpu"),
            target_utilization_percent=CPU_PERCENT,
            scale_in_cooldown=scale_in,
            scale_out_cooldown=scale_out,
        )
        scaling.scale_on_memory_utilization(
            "memory",
            policy_name=self._names.of("memory"),
            target_utilization_percent=MEMORY_PERCENT,
            scale_in_cooldown=scale_in,
            scale_out_cooldown=scale_out,
        )
