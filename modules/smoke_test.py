"""The smoke test of releases (W2.3, Q2): the function that CodeDeploy asks before any customer reaches a new version.

Creates the function from lambda/smoke_test, in the private tier, with its role, log group and security group. It calls
the new version through the load balancer's test listener, which nobody else reaches, and checks what settings say.
"""

from __future__ import annotations

import base64
import hashlib
import json
from collections.abc import Mapping

from cdktf import AssetType, TerraformAsset
from cdktf_cdktf_provider_aws.cloudwatch_log_group import CloudwatchLogGroup
from cdktf_cdktf_provider_aws.iam_role import IamRole
from cdktf_cdktf_provider_aws.iam_role_policy import IamRolePolicy
from cdktf_cdktf_provider_aws.kms_key import KmsKey
from cdktf_cdktf_provider_aws.lambda_function import (
    LambdaFunction,
    LambdaFunctionEnvironment,
    LambdaFunctionLoggingConfig,
    LambdaFunctionTracingConfig,
    LambdaFunctionVpcConfig,
)
from constructs import Construct

from modules.load_balancer import TEST_PORT, LoadBalancer
from modules.logs import RETENTION_DAYS
from modules.network import Network
from modules.policy_documents import PolicyDocument, Statement, trust
from modules.region import Region
from modules.security_groups import Flow, Group
from operations.packaging import CACHE, FUNCTIONS, package
from settings.naming import Names
from settings.services import ReleaseSettings, ServiceSettings

PURPOSE = "smoke-test"
TIMEOUT_SECONDS = 120
MEMORY_MIB = 256


class SmokeTest(Construct):
    """The function and who it is."""

    requirements = ("W2.3", "Q2")

    def __init__(
        self,
        scope: Construct,
        id_: str,
        *,
        names: Names,
        services: Mapping[str, ServiceSettings],
        release: ReleaseSettings,
        network: Network,
        load_balancer: LoadBalancer,
        endpoint_clients: Group,
        key: KmsKey,
    ) -> None:
        """``services`` are the critical ones, by name; ``key`` encrypts the function's log."""
        super().__init__(scope, id_)
        self._names = names
        self._place = f"{Region.of(self).name}:{names.account_id}"
        self.group = Group(
            self,
            "group",
            names=names,
            purpose=PURPOSE,
            network=network,
            tier=network.private,
            description="Smoke test of releases",
        )
        Flow(
            self,
            "smoke-test-flow",
            source=self.group,
            destination=load_balancer.group,
            port=TEST_PORT,
            reason="The smoke test asks the new version through the test listener",
        )
        self.log_group = CloudwatchLogGroup(
            self, "log-group", name=names.log_group(PURPOSE), retention_in_days=RETENTION_DAYS, kms_key_id=key.arn
        )
        self.role = self._role(network, services)
        self.function = self._function(
            network,
            [self.group, endpoint_clients],
            {
                "CHECKS": json.dumps({names.of(name): _checks(service, release) for name, service in services.items()}),
                "TEST_LISTENER_URL": f"https://{load_balancer.domain_name}:{TEST_PORT}",
                "LOAD_BALANCER_ARN": load_balancer.load_balancer.arn,
            },
        )

    def _function(self, network: Network, groups: list[Group], variables: Mapping[str, str]) -> LambdaFunction:
        archive = package(FUNCTIONS / "smoke_test", CACHE / "smoke_test.zip")
        code = TerraformAsset(self, "code", path=str(archive), type=AssetType.FILE)
        return LambdaFunction(
            self,
            "function",
            function_name=self._names.of(PURPOSE),
            description="Asks a new version for what settings say, before any customer reaches it",
            filename=code.path,
            source_code_hash=base64.b64encode(hashlib.sha256(archive.read_bytes()).digest()).decode(),
            handler="handler.handler",
            runtime="python3.13",
            architectures=["arm64"],
            role=self.role.arn,
            timeout=TIMEOUT_SECONDS,
            memory_size=MEMORY_MIB,
            environment=LambdaFunctionEnvironment(variables=dict(variables)),
            logging_config=LambdaFunctionLoggingConfig(log_format="JSON", log_group=self.log_group.name),
            tracing_config=LambdaFunctionTracingConfig(mode="PassThrough"),
            vpc_config=LambdaFunctionVpcConfig(
                subnet_ids=network.private.subnet_ids,
                security_group_ids=[group.security_group.id for group in groups],
            ),
        )

    def _role(self, network: Network, services: Mapping[str, ServiceSettings]) -> IamRole:
        role = IamRole(
            self,
            "role",
            name=self._names.of(f"{PURPOSE}-{Region.of(self).name}"),
            description="What the smoke test of releases may do",
            assume_role_policy=trust(self, "trust", service_name="lambda.amazonaws.com").json,
        )
        permissions = PolicyDocument(self, "permissions", statement=self._permissions(network, services))
        IamRolePolicy(self, "policy", name="smoke-test", role=role.id, policy=permissions.json)
        return role

    def _permissions(self, network: Network, services: Mapping[str, ServiceSettings]) -> list[Statement]:
        groups = [
            f"arn:aws:codedeploy:{self._place}:deploymentgroup:{self._names.of(name)}/{self._names.of(name)}"
            for name in services
        ]
        return [
            Statement(sid="ReadReleases", actions=["codedeploy:GetDeployment"], resources=groups),
            Statement(
                sid="JudgeReleases",
                actions=["codedeploy:PutLifecycleEventHookExecutionStatus"],
                resources=["*"],  # it knows no resource; it needs the id of a hook under way, which CodeDeploy gives
            ),
            Statement(
                sid="WriteOwnLogs",
                actions=["logs:CreateLogStream", "logs:PutLogEvents"],
                resources=[f"{self.log_group.arn}:*"],
            ),
            # https://docs.aws.amazon.com/lambda/latest/dg/configuration-vpc.html#configuration-vpc-permissions
            Statement(
                sid="StandInTheNetwork",
                actions=["ec2:CreateNetworkInterface", "ec2:DeleteNetworkInterface"],
                resources=[
                    f"arn:aws:ec2:{self._place}:network-interface/*",
                    f"arn:aws:ec2:{self._place}:security-group/*",
                    *(subnet.arn for subnet in network.private.subnets),
                ],
            ),
            Statement(
                sid="LookAtNetworkInterfaces",
                actions=["ec2:DescribeNetworkInterfaces", "ec2:DescribeSubnets"],
                resources=["*"],  # they know no resource
            ),
        ]


def _checks(service: ServiceSettings, release: ReleaseSettings) -> list[dict[str, object]]:
    """What a service must answer; the first status of its health check's matcher is the one that is expected."""
    status = int(service.health_check.matcher.partition("-")[0])
    return [{"path": service.health_check.path, "status": status, "attempts": release.smoke_test_attempts}]
