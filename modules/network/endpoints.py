"""VPC endpoints (W6.2): traffic of the private tier to AWS services does not cross the internet.

Creates a gateway endpoint for S3, an interface endpoint for every other service that the private tier calls, their
security group, and the security group of their clients (``clients``). Each interface endpoint costs by the hour:
`make test-ways` finds those that nobody calls. Endpoint policies allow this account's principals on this account's
resources only, so that another account's credentials cannot exfiltrate data through them; S3's also allows to read the
layers of ECR images.
"""

from __future__ import annotations

from cdktf import ITerraformDependable
from cdktf_cdktf_provider_aws.vpc_endpoint import VpcEndpoint
from constructs import Construct

from modules.network.security_groups import HTTPS_PORT, End, Flow, Group, PrefixList
from modules.network.vpc import Network
from modules.policy_documents import PolicyDocument, Statement, anyone, when
from modules.region import Region
from settings.naming import Names

# The services that the private tier calls, and why. Fargate asks ECS by a way of its own:
# https://docs.aws.amazon.com/AmazonECS/latest/developerguide/vpc-endpoints.html
# https://docs.aws.amazon.com/vpc/latest/privatelink/aws-services-privatelink-support.html
INTERFACE_SERVICES = {
    "codedeploy": "the smoke test judges releases",
    "ec2": "the smoke test finds the load balancer's addresses",
    "ecr.api": "Fargate asks for the image manifest and a login",
    "ecr.dkr": "Fargate pulls the image (its layers come from S3)",
    "kms": "tasks and functions decrypt what they read",
    "logs": "tasks and functions write logs",
    "secretsmanager": "tasks read secrets, the rotation function writes them",
    "ssmmessages": "operators open sessions in tasks (ECS Exec)",
    "sqs": "tasks and functions exchange messages",
    "xray": "tasks and functions write traces",
}


class Endpoints(Construct):
    """The endpoints of one region's VPC."""

    requirements = ("W6.2", "W9.1")

    def __init__(self, scope: Construct, id_: str, *, names: Names, network: Network, zone_count: int) -> None:
        """``zone_count`` is the number of zones with interface endpoints; each costs by the hour."""
        super().__init__(scope, id_)
        self._names = names
        self._network = network
        self._region = Region.of(self).name
        self._subnet_ids = network.private.subnet_ids[:zone_count]
        self._group = self._security_group("vpc-endpoints", "Interface endpoints of AWS services")
        self.clients = self._security_group("vpc-endpoint-clients", "May call AWS services through the VPC endpoints")

        own_account_only = PolicyDocument(self, "own-account-only", statement=[self._within_own_account()])
        with_image_layers = PolicyDocument(
            self, "own-account-and-image-layers", statement=[self._within_own_account(), self._image_layers()]
        )
        self.s3 = self._gateway("s3", with_image_layers)
        self.interfaces = {service: self._interface(service, own_account_only) for service in INTERFACE_SERVICES}
        self._allow_clients()

    @property
    def prerequisites(self) -> list[ITerraformDependable]:
        """Dependencies of a client's first AWS call: the endpoints, and both rules of its flows to them."""
        return [self.s3, *self.interfaces.values(), *self.clients.rules]

    def _security_group(self, purpose: str, description: str) -> Group:
        return Group(
            self,
            purpose,
            names=self._names,
            purpose=purpose,
            network=self._network,
            tier=self._network.private,
            description=description,
        )

    def _gateway(self, service: str, policy: PolicyDocument) -> VpcEndpoint:
        return VpcEndpoint(
            self,
            service,
            vpc_id=self._network.vpc.id,
            vpc_endpoint_type="Gateway",
            service_name=f"com.amazonaws.{self._region}.{service}",
            route_table_ids=[table.id for table in self._network.private.route_tables],
            policy=policy.json,
            tags={"Name": self._names.of(service)},
        )

    def _interface(self, service: str, policy: PolicyDocument) -> VpcEndpoint:
        return VpcEndpoint(
            self,
            service,
            vpc_id=self._network.vpc.id,
            vpc_endpoint_type="Interface",
            service_name=f"com.amazonaws.{self._region}.{service}",
            subnet_ids=self._subnet_ids,
            security_group_ids=[self._group.security_group.id],
            private_dns_enabled=True,
            policy=policy.json,
            tags={"Name": self._names.of(service.replace(".", "-"))},
        )

    def _allow_clients(self) -> None:
        ends: dict[str, tuple[End, str]] = {
            "interface-endpoints": (self._group, "Call AWS services through interface endpoints"),
            "s3": (PrefixList(self.s3.prefix_list_id), "Read and write S3 through its gateway endpoint"),
        }
        for id_, (destination, reason) in ends.items():
            Flow(self, id_ + "-flow", source=self.clients, destination=destination, port=HTTPS_PORT, reason=reason)

    def _within_own_account(self) -> Statement:
        """The form of AWS's data perimeter examples: https://github.com/aws-samples/data-perimeter-policy-examples."""
        return Statement(
            sid="OwnPrincipalsToOwnResources",
            actions=["*"],
            resources=["*"],
            principals=[anyone()],
            condition=[
                when("StringEquals", "aws:PrincipalAccount", self._names.account_id),
                when("StringEquals", "aws:ResourceAccount", self._names.account_id),
            ],
        )

    def _image_layers(self) -> Statement:
        """The layers of ECR images are in a bucket of AWS's, one a region.

        https://docs.aws.amazon.com/AmazonECR/latest/userguide/vpc-endpoints.html#ecr-setting-up-s3-gateway
        """
        return Statement(
            sid="ImageLayersOfEcr",
            actions=["s3:GetObject"],
            resources=[f"arn:aws:s3:::prod-{self._region}-starport-layer-bucket/*"],
            principals=[anyone()],
        )
