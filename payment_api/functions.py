"""Common parts of all functions: packaged from lambda/NAME, on Graviton, with log group, role and security group."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from pathlib import Path

from aws_cdk import Duration, Stack
from aws_cdk.aws_ec2 import SecurityGroup
from aws_cdk.aws_iam import Effect, PolicyStatement, Role, ServicePrincipal
from aws_cdk.aws_kms import IKey
from aws_cdk.aws_lambda import Architecture, Code, Function, LoggingFormat, Runtime, Tracing
from constructs import Construct

from payment_api.endpoints import Endpoints
from payment_api.logs import ServiceLog
from payment_api.network import Network
from settings.naming import Names
from synthesis.packaging import CACHE, FUNCTIONS, package


def packaged(name: str) -> Path:
    """The zip of lambda/NAME, identical on every machine, so that it changes no deployment."""
    return package(FUNCTIONS / name, CACHE / "zips" / f"payment-api-{name}.zip")


class ManagedFunction(Function):
    """A function in the private tier. Permissions other than logging are granted where both ends are known."""

    requirements = ("P3.3", "P4.4")

    def __init__(
        self,
        scope: Construct,
        id_: str,
        *,
        name: str,
        names: Names,
        network: Network,
        endpoints: Endpoints,
        logs_key: IKey,
        environment_key: IKey,
        log_days: int,
        timeout_seconds: int,
        memory_mib: int,
        environment: Mapping[str, str],
        groups: Sequence[SecurityGroup] = (),
        reserved_concurrency: int | None = None,
    ) -> None:
        purpose = name.replace("_", "-")
        archive = packaged(name)
        log = ServiceLog(scope, f"{id_}-log", name=names.log_group(purpose), key=logs_key, days=log_days)
        role = Role(
            scope, f"{id_}-role", role_name=names.of(purpose), assumed_by=ServicePrincipal("lambda.amazonaws.com")
        )
        log.grant_write(role)
        for statement in network_interfaces(names, Stack.of(scope).region, purpose):
            role.add_to_policy(statement)
        super().__init__(
            scope,
            id_,
            function_name=names.of(purpose),
            description=f"lambda/{name}",
            code=Code.from_asset(str(archive), asset_hash=hashlib.sha256(archive.read_bytes()).hexdigest()),
            handler="handler.handler",
            runtime=Runtime.PYTHON_3_13,
            architecture=Architecture.ARM_64,
            role=role,
            timeout=Duration.seconds(timeout_seconds),
            memory_size=memory_mib,
            environment=dict(environment),
            environment_encryption=environment_key,
            log_group=log,
            logging_format=LoggingFormat.JSON,
            tracing=Tracing.ACTIVE,
            vpc=network.vpc,
            vpc_subnets=network.private,
            security_groups=[endpoints.clients, *groups],
            reserved_concurrent_executions=reserved_concurrency,
        )
        self.node.add_dependency(*endpoints.way, *groups)


def network_interfaces(names: Names, region: str, function: str) -> list[PolicyStatement]:
    """Permissions that Lambda requires for network interfaces of a function, denied to the function's own code.

    Describing has no resource type. Lambda checks the others at creation, for interfaces with any id.
    https://docs.aws.amazon.com/lambda/latest/dg/configuration-vpc.html#configuration-vpc-permissions
    """
    describe = ["ec2:DescribeNetworkInterfaces", "ec2:DescribeSubnets"]
    change = [
        "ec2:CreateNetworkInterface",
        "ec2:DeleteNetworkInterface",
        "ec2:AssignPrivateIpAddresses",
        "ec2:UnassignPrivateIpAddresses",
    ]
    arn = f"arn:aws:lambda:{region}:{names.account_id}:function:{names.of(function)}"
    return [
        PolicyStatement(actions=describe, resources=["*"]),
        PolicyStatement(actions=change, resources=[f"arn:aws:ec2:{region}:{names.account_id}:*/*"]),
        PolicyStatement(
            sid="NotByTheCodeItself",
            effect=Effect.DENY,
            actions=[*describe, *change],
            resources=["*"],
            conditions={"ArnEquals": {"lambda:SourceFunctionArn": arn}},
        ),
    ]
