"""Smoke test of releases (W2.3, Q2): the Lambda function of CodeDeploy's AfterAllowTestTraffic hook.

Creates the function from lambda/smoke_test in the private tier, with its role, log group and security group. It calls
the new version through the load balancer's test listener, which no customer reaches, and checks the expected status.
"""

from __future__ import annotations

import json
from collections.abc import Mapping

from cdktf_cdktf_provider_aws.kms_key import KmsKey
from constructs import Construct

from modules.function import Function, FunctionSpecification
from modules.ingress.firewall import ORIGIN_VERIFY_HEADER
from modules.ingress.load_balancer import TEST_PORT, LoadBalancer
from modules.ingress.origin_verify import ORIGIN_VERIFY_SECRET
from modules.network.security_groups import Flow, Group
from modules.network.vpc import Network
from modules.policy_documents import Statement, when
from modules.region import Region
from settings.naming import Names
from settings.services import ReleaseSettings, ServiceSettings

PURPOSE = "smoke-test"
TIMEOUT_SECONDS = 120
MEMORY_MIB = 256


class SmokeTest(Function):
    """Function, role, log group and security group."""

    requirements = ("W2.3", "Q2")

    def __init__(
        self,
        scope: Construct,
        id_: str,
        *,
        names: Names,
        services: Mapping[str, ServiceSettings],
        settings: ReleaseSettings,
        network: Network,
        load_balancer: LoadBalancer,
        endpoint_clients: Group,
        key: KmsKey,
        secrets_key: KmsKey,
    ) -> None:
        """``services`` are the critical ones, by name.

        ``key`` encrypts the function's log, and ``secrets_key`` the origin secret, without which the load balancer's
        web ACL would block the function's requests.
        """
        specification = FunctionSpecification(
            purpose=PURPOSE,
            title="smoke test of releases",
            description="Asks a new version for what settings say, before any customer reaches it",
            timeout_seconds=TIMEOUT_SECONDS,
            memory_mib=MEMORY_MIB,
            variables={
                "CHECKS": json.dumps(
                    {names.of(name): _checks(service, settings) for name, service in services.items()}
                ),
                "TEST_LISTENER_URL": f"https://{load_balancer.domain_name}:{TEST_PORT}",
                "LOAD_BALANCER_ARN": load_balancer.load_balancer.arn,
                "ORIGIN_VERIFY_HEADER": ORIGIN_VERIFY_HEADER,
                # By name: each region has its own, and this one's may be a replica.
                "ORIGIN_VERIFY_SECRET_ARN": names.secret(ORIGIN_VERIFY_SECRET),
            },
        )
        region = Region.of(scope).name
        super().__init__(
            scope,
            id_,
            names=names,
            specification=specification,
            key=key,
            statements=[
                *_permissions(f"{region}:{names.account_id}", names, services),
                *_on_the_secret(region, names, secrets_key),
            ],
            network=network,
            groups=[endpoint_clients],
        )
        Flow(
            self,
            "smoke-test-flow",
            source=self.group,
            destination=load_balancer.group,
            port=TEST_PORT,
            reason="The smoke test asks the new version through the test listener",
        )


def _permissions(place: str, names: Names, services: Mapping[str, ServiceSettings]) -> list[Statement]:
    groups = [f"arn:aws:codedeploy:{place}:deploymentgroup:{names.of(name)}/{names.of(name)}" for name in services]
    return [
        Statement(sid="ReadReleases", actions=["codedeploy:GetDeployment"], resources=groups),
        Statement(
            sid="JudgeReleases",
            actions=["codedeploy:PutLifecycleEventHookExecutionStatus"],
            resources=["*"],  # it knows no resource; it needs the id of a hook under way, which CodeDeploy gives
        ),
    ]


def _on_the_secret(region: str, names: Names, key: KmsKey) -> list[Statement]:
    """Reading the origin secret, which the web ACL requires. Secrets Manager appends six characters to a name."""
    name = f"arn:aws:secretsmanager:{region}:{names.account_id}:secret:{names.secret(ORIGIN_VERIFY_SECRET)}-??????"
    return [
        Statement(sid="ReadTheOriginSecret", actions=["secretsmanager:GetSecretValue"], resources=[name]),
        Statement(
            sid="DecryptTheOriginSecret",
            actions=["kms:Decrypt"],
            resources=[key.arn],
            condition=[when("StringEquals", "kms:ViaService", f"secretsmanager.{region}.amazonaws.com")],
        ),
    ]


def _checks(service: ServiceSettings, settings: ReleaseSettings) -> list[dict[str, object]]:
    """The expected response of a service: the first status of its health check's matcher."""
    status = int(service.health_check.matcher.partition("-")[0])
    return [{"path": service.health_check.path, "status": status, "attempts": settings.smoke_test_attempts}]
