"""ECS task definition of a service, with its roles, log group and security group (W1.5).

Creates the task definition, the task role, the execution role, the log group and the security group of one service. The
container runs as an unprivileged user on a read-only root file system, drops all capabilities, and writes to scratch
volumes only; logging is non-blocking.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from types import MappingProxyType
from typing import Any

from cdktf import Fn, ITerraformDependable
from cdktf_cdktf_provider_aws.cloudwatch_log_group import CloudwatchLogGroup
from cdktf_cdktf_provider_aws.ecr_repository import EcrRepository
from cdktf_cdktf_provider_aws.ecs_task_definition import (
    EcsTaskDefinition,
    EcsTaskDefinitionRuntimePlatform,
    EcsTaskDefinitionVolume,
)
from cdktf_cdktf_provider_aws.iam_role import IamRole
from cdktf_cdktf_provider_aws.iam_role_policy import IamRolePolicy
from cdktf_cdktf_provider_aws.kms_key import KmsKey
from constructs import Construct

from modules.database.access import DatabaseAccess
from modules.logs import RETENTION_DAYS
from modules.network.security_groups import Group
from modules.network.vpc import Network
from modules.policy_documents import PolicyDocument, Statement, on_behalf_of, open_session_channels, trust
from modules.region import Region
from modules.services.cluster import Cluster
from settings.naming import MADE_BY, SETTINGS, Names
from settings.services import ServiceSettings, image_in

# Scratch space of the container's user. Fargate mounts a volume as root's, unless the image declares the same path as a
# VOLUME, whose permissions it then has. https://docs.aws.amazon.com/AmazonECS/latest/developerguide/bind-mounts.html
SCRATCH = {"tmp": "/tmp"}  # noqa: S108
# Paths that the ECS Exec agent, which runs as root, writes on a read-only root file system.
EXEC_AGENT = {"ssm-state": "/var/lib/amazon", "ssm-logs": "/var/log/amazon"}
WRITABLE = SCRATCH | EXEC_AGENT
# Fargate's maximum, and the time between a Spot interruption notice and the stop.
# https://docs.aws.amazon.com/AmazonECS/latest/developerguide/fargate-capacity-providers.html
STOP_TIMEOUT_SECONDS = 120


class Task(Construct):
    """The task definition of one service with its roles, log group and security group."""

    requirements = ("W1.5",)

    def __init__(
        self,
        scope: Construct,
        id_: str,
        *,
        names: Names,
        name: str,
        settings: ServiceSettings,
        network: Network,
        cluster: Cluster,
        repository: EcrRepository,
        key: KmsKey,
        database: DatabaseAccess | None = None,
        variables: Mapping[str, str] = MappingProxyType({}),
    ) -> None:
        """``name`` is the service's; ``key`` encrypts its log group and the sessions of ECS Exec.

        ``database`` is the cluster that it connects to, where it holds connections and its region has one;
        ``variables`` name the queues and secrets that it uses; the caller grants their use.
        """
        super().__init__(scope, id_)
        self._names = names
        self._region = Region.of(self).name
        self.name = name
        self.group = Group(
            self,
            "group",
            names=names,
            purpose=name,
            network=network,
            tier=network.private,
            description=f"Tasks of {name}",
        )
        self.policies: list[IamRolePolicy] = []
        self.log_group = CloudwatchLogGroup(
            self, "log-group", name=names.log_group(name), retention_in_days=RETENTION_DAYS, kms_key_id=key.arn
        )
        self.role = self._role("task", f"What {name} may do")
        self.execution_role = self._role("execution", f"Lets Fargate start {name}")
        self.grant("sessions", self._hold_sessions(cluster, key))
        self._grant("execution", self.execution_role, self._start(repository))
        if database:
            self.grant("database", database.statements)
        variables = self._variables(settings, database, variables)
        self.definition = EcsTaskDefinition(
            self,
            "definition",
            family=names.of(name),
            requires_compatibilities=["FARGATE"],
            network_mode="awsvpc",
            cpu=str(settings.cpu_units),
            memory=str(settings.memory_mib),
            runtime_platform=EcsTaskDefinitionRuntimePlatform(
                operating_system_family="LINUX", cpu_architecture=settings.architecture.value
            ),
            task_role_arn=self.role.arn,
            execution_role_arn=self.execution_role.arn,
            volume=[EcsTaskDefinitionVolume(name=volume) for volume in WRITABLE],
            # Not json.dumps: CDKTF writes a string with both quotes and references wrongly in HCL.
            container_definitions=Fn.jsonencode([self._container(settings, variables)]),
            tags={MADE_BY: SETTINGS},
            depends_on=[self.log_group],
        )

    def _variables(
        self, settings: ServiceSettings, database: DatabaseAccess | None, more: Mapping[str, str]
    ) -> dict[str, str]:
        """Environment variables of the container, by the names that services/payments reads."""
        return {
            **settings.variables,
            "AWS_REGION": self._region,
            "ENVIRONMENT_SUFFIX": self._names.suffix,
            "HTTPS_PORT": str(settings.port),
            **more,
            **(database.variables(settings.connections_per_task) if database else {}),
        }

    @property
    def prerequisites(self) -> list[ITerraformDependable]:
        """Dependencies of a service of this task: the roles' policies and the group's rules."""
        return [*self.policies, *self.group.rules]

    def grant(self, purpose: str, statements: Sequence[Statement]) -> None:
        """Add a policy with ``statements`` to the task role; ``purpose`` names it."""
        self._grant(purpose, self.role, statements)

    def _grant(self, purpose: str, role: IamRole, statements: Sequence[Statement]) -> None:
        permissions = PolicyDocument(self, f"{purpose}-permissions", statement=list(statements))
        self.policies.append(
            IamRolePolicy(self, f"{purpose}-policy", name=purpose, role=role.id, policy=permissions.json)
        )

    def _role(self, purpose: str, description: str) -> IamRole:
        """https://docs.aws.amazon.com/AmazonECS/latest/developerguide/task-iam-roles.html."""
        conditions = on_behalf_of(self._names.account_id, f"arn:aws:ecs:{self._region}:{self._names.account_id}:*")
        assume = trust(self, f"{purpose}-trust", service_name="ecs-tasks.amazonaws.com", conditions=conditions)
        return IamRole(
            self,
            f"{purpose}-role",
            name=self._names.of(f"{self.name}-{purpose}-{self._region}"),
            description=description,
            assume_role_policy=assume.json,
        )

    def _container(self, settings: ServiceSettings, variables: Mapping[str, str]) -> dict[str, Any]:
        """https://docs.aws.amazon.com/AmazonECS/latest/APIReference/API_ContainerDefinition.html."""
        return {
            "name": self.name,
            "image": image_in(self._region, settings.image),
            "essential": True,
            "user": str(settings.user),
            "readonlyRootFilesystem": True,
            "privileged": False,
            "linuxParameters": {"initProcessEnabled": True, "capabilities": {"drop": ["ALL"]}},
            "portMappings": [{"containerPort": settings.port, "hostPort": settings.port, "protocol": "tcp"}],
            "mountPoints": [
                {"sourceVolume": volume, "containerPath": path, "readOnly": False} for volume, path in WRITABLE.items()
            ],
            "stopTimeout": STOP_TIMEOUT_SECONDS,
            **_health_check(settings),
            "environment": [{"name": name, "value": value} for name, value in variables.items()],
            "logConfiguration": {
                "logDriver": "awslogs",
                "options": {
                    "awslogs-group": self._names.log_group(self.name),
                    "awslogs-region": self._region,
                    "awslogs-stream-prefix": self.name,
                    "mode": "non-blocking",
                    "max-buffer-size": "4m",
                },
            },
        }

    def _start(self, repository: EcrRepository) -> list[Statement]:
        return [
            Statement(
                sid="LogInToTheRegistry",
                actions=["ecr:GetAuthorizationToken"],  # knows no resource
                resources=["*"],
            ),
            Statement(
                sid="PullOwnImages",
                actions=["ecr:BatchCheckLayerAvailability", "ecr:BatchGetImage", "ecr:GetDownloadUrlForLayer"],
                resources=[repository.arn],
            ),
            Statement(
                sid="WriteOwnLogs",
                actions=["logs:CreateLogStream", "logs:PutLogEvents"],
                resources=[f"{self.log_group.arn}:*"],
            ),
        ]

    def _hold_sessions(self, cluster: Cluster, key: KmsKey) -> list[Statement]:
        """https://docs.aws.amazon.com/AmazonECS/latest/developerguide/ecs-exec.html#ecs-exec-required-iam-permissions."""
        return [
            open_session_channels(),
            Statement(sid="FindTheSessionLog", actions=["logs:DescribeLogGroups"], resources=["*"]),  # it knows none
            Statement(
                sid="WriteTheSessionLog",
                actions=["logs:CreateLogStream", "logs:DescribeLogStreams", "logs:PutLogEvents"],
                resources=[f"{cluster.session_log_group.arn}:*"],
            ),
            Statement(sid="DecryptTheSession", actions=["kms:Decrypt"], resources=[key.arn]),
        ]


def _health_check(settings: ServiceSettings) -> dict[str, Any]:
    """https://docs.aws.amazon.com/AmazonECS/latest/APIReference/API_HealthCheck.html."""
    if not settings.container_check:
        return {}
    command = ["CMD", *settings.container_check]
    return {"healthCheck": {"command": command, "interval": 15, "timeout": 5, "retries": 3, "startPeriod": 30}}
