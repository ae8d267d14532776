"""VPC endpoints for every AWS service that tasks and functions call (P1.2, P1.3).

Creates gateway endpoints for S3 and DynamoDB, interface endpoints for the others, each with a policy that allows only
this account's principals, and a security group for all interface endpoints. ``clients`` is the security group of their
clients: a task or function in this group only reaches AWS's services, and nothing else.
"""

from __future__ import annotations

from aws_cdk import Stack
from aws_cdk.aws_ec2 import (
    GatewayVpcEndpointAwsService,
    InterfaceVpcEndpoint,
    InterfaceVpcEndpointAwsService,
    Peer,
    Port,
    SecurityGroup,
)
from aws_cdk.aws_iam import AnyPrincipal, Effect, PolicyStatement
from constructs import Construct, IDependable

from payment_api.network import PRIVATE, Network
from payment_api.settings.network import NetworkSettings
from settings.naming import Names

HTTPS = 443
# Their callers: Fargate pulls images and writes logs with the task's roles, functions and tasks call the others, and
# Systems Manager manages the NAT instances. Keys are used by the services that hold what is encrypted, a token for the
# database is signed without a call, and metrics are lines of logs: there is no endpoint for KMS, STS, RDS, CloudWatch.
# Functions are traced; whether Lambda sends traces by a function's network is documented nowhere.
# https://docs.aws.amazon.com/AmazonECS/latest/developerguide/vpc-endpoints.html: Fargate needs none of ECS's own.
SERVICES = {
    "ecr-api": InterfaceVpcEndpointAwsService.ECR,
    "ecr-dkr": InterfaceVpcEndpointAwsService.ECR_DOCKER,
    "logs": InterfaceVpcEndpointAwsService.CLOUDWATCH_LOGS,
    "secretsmanager": InterfaceVpcEndpointAwsService.SECRETS_MANAGER,
    "sqs": InterfaceVpcEndpointAwsService.SQS,
    # API Gateway's own API, by which keys rotate; `execute-api`, which CDK calls APIGATEWAY, is for private APIs.
    # https://docs.aws.amazon.com/vpc/latest/privatelink/aws-services-privatelink-support.html
    "apigateway": InterfaceVpcEndpointAwsService("apigateway"),
    "xray": InterfaceVpcEndpointAwsService.XRAY,
    "ssm": InterfaceVpcEndpointAwsService.SSM,
    "ssmmessages": InterfaceVpcEndpointAwsService.SSM_MESSAGES,
    "ec2messages": InterfaceVpcEndpointAwsService.EC2_MESSAGES,
}


class Endpoints(Construct):
    """The endpoints, by service, and the group of their clients."""

    requirements = ("P1.2", "P1.3")

    def __init__(
        self, scope: Construct, id_: str, *, names: Names, network: Network, settings: NetworkSettings
    ) -> None:
        super().__init__(scope, id_)
        self._names = names
        self._subnets = network.vpc.select_subnets(subnet_group_name=PRIVATE).subnets
        self.group = SecurityGroup(
            self,
            "group",
            vpc=network.vpc,
            security_group_name=names.of("endpoints"),
            description="Interface endpoints of AWS services",
            allow_all_outbound=False,
        )
        self.clients = SecurityGroup(
            self,
            "clients",
            vpc=network.vpc,
            security_group_name=names.of("endpoint-clients"),
            description="Tasks and functions that call AWS services through endpoints",
            allow_all_outbound=False,
        )
        self.clients.connections.allow_to(self.group, Port.tcp(HTTPS), "AWS services by interface endpoints")
        for service, id_of_list in (("S3", settings.s3_prefix_list_id), ("DynamoDB", settings.dynamodb_prefix_list_id)):
            self.clients.add_egress_rule(Peer.prefix_list(id_of_list), Port.tcp(HTTPS), f"{service} by its gateway")
        tiers = [network.private, network.public]  # the NAT instances update themselves from S3
        self.s3 = network.vpc.add_gateway_endpoint("s3", service=GatewayVpcEndpointAwsService.S3, subnets=tiers)
        self.dynamodb = network.vpc.add_gateway_endpoint(
            "dynamodb", service=GatewayVpcEndpointAwsService.DYNAMODB, subnets=[network.private]
        )
        self._limit_gateways()
        self.interfaces = {name: self._interface(name, service, network) for name, service in SERVICES.items()}

    @property
    def way(self) -> list[IDependable]:
        """Dependency of a client: callers of an AWS service are created after it, and deleted before it."""
        return [self.clients, self.group, self.s3, self.dynamodb, *self.interfaces.values(), *self._subnets]

    def _interface(self, name: str, service: InterfaceVpcEndpointAwsService, network: Network) -> InterfaceVpcEndpoint:
        endpoint = network.vpc.add_interface_endpoint(
            name,
            service=service,
            subnets=network.private,
            security_groups=[self.group],
            private_dns_enabled=True,
            open=False,
        )
        endpoint.add_to_policy(self._own_principals())
        return endpoint

    def _own_principals(self, *, of_own_resources: bool = False) -> PolicyStatement:
        """Allow principals of this account only: credentials of another one, brought in by an intruder, do not work.

        With ``of_own_resources`` they reach this account's buckets and tables only, so that none takes data to another
        account's. https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_condition-keys.html
        """
        account = self._names.account_id
        resources = {"aws:ResourceAccount": account} if of_own_resources else {}
        return PolicyStatement(
            sid="PrincipalsOfThisAccount",
            effect=Effect.ALLOW,
            principals=[AnyPrincipal()],
            actions=["*"],
            resources=["*"],
            conditions={"StringEquals": {"aws:PrincipalAccount": account, **resources}},
        )

    def _limit_gateways(self) -> None:
        """S3 also holds the layers of ECR's images and the packages of Amazon Linux, in buckets of AWS.

        The bucket of the layers is in ECR's guide:
        https://docs.aws.amazon.com/AmazonECR/latest/userguide/vpc-endpoints.html#ecr-setting-up-s3-gateway
        That of Amazon Linux 2023 is in no guide; its name is that of the mirror list in the /etc/yum.repos.d of its
        instances, with the same ending in every region. Two regions, as instances say it, are in
        https://github.com/amazonlinux/amazon-linux-2023/issues/535 and /issues/1084; how updates get there in
        https://docs.aws.amazon.com/linux/al2023/ug/managing-repos-os-updates.html
        """
        region = Stack.of(self).region
        self.dynamodb.add_to_policy(self._own_principals(of_own_resources=True))
        self.s3.add_to_policy(self._own_principals(of_own_resources=True))
        self.s3.add_to_policy(
            PolicyStatement(
                sid="LayersAndPackages",
                principals=[AnyPrincipal()],
                actions=["s3:GetObject"],
                resources=[
                    f"arn:aws:s3:::prod-{region}-starport-layer-bucket/*",
                    f"arn:aws:s3:::al2023-repos-{region}-de612dc2/*",
                ],
            )
        )
        # CloudFormation takes a custom resource's answer here, by an address that it has signed itself.
        # In this bucket's name the region has no hyphens.
        # https://docs.aws.amazon.com/AWSCloudFormation/latest/UserGuide/vpc-interface-endpoints.html
        self.s3.add_to_policy(
            PolicyStatement(
                sid="AnswersToCloudFormation",
                principals=[AnyPrincipal()],
                actions=["s3:PutObject"],
                resources=[f"arn:aws:s3:::cloudformation-custom-resource-response-{region.replace('-', '')}/*"],
            )
        )
