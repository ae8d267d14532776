"""The network: a VPC of three tiers over three zones, each subnet with its own route table (P1.1).

Creates the VPC, nine subnets, the internet gateway, the flow log, and closes the default security group. The tiers are
`public` (load balancer, NAT instances), `private` (tasks, functions, endpoints) and `database`. The VPC's private
tier has no egress; payment_api/nat.py adds it.
"""

from __future__ import annotations

from aws_cdk.aws_ec2 import (
    FlowLogDestination,
    FlowLogTrafficType,
    IpAddresses,
    SubnetConfiguration,
    SubnetSelection,
    SubnetType,
    Vpc,
)
from aws_cdk.aws_kms import IKey
from constructs import Construct

from payment_api.logs import AuditLog
from payment_api.settings.network import NetworkSettings
from settings.naming import Names

PUBLIC, PRIVATE, DATABASE = "public", "private", "database"
SUBNET_PREFIX_LENGTHS = {PUBLIC: 24, PRIVATE: 22, DATABASE: 24}  # of a VPC of /16 to /20


class Network(Construct):
    """The VPC and its tiers."""

    requirements = ("P1.1", "P1.3")

    def __init__(
        self, scope: Construct, id_: str, *, names: Names, settings: NetworkSettings, logs_key: IKey, protected: bool
    ) -> None:
        super().__init__(scope, id_)
        self.vpc = Vpc(
            self,
            "vpc",
            vpc_name=names.of("network"),
            ip_addresses=IpAddresses.cidr(settings.cidr),
            availability_zones=settings.zones,
            nat_gateways=0,
            subnet_configuration=[
                SubnetConfiguration(name=name, subnet_type=type_, cidr_mask=SUBNET_PREFIX_LENGTHS[name], **more)
                for name, type_, more in (
                    # A load balancer and NAT instances are given addresses; nothing else that starts here gets one.
                    (PUBLIC, SubnetType.PUBLIC, {"map_public_ip_on_launch": False}),
                    (PRIVATE, SubnetType.PRIVATE_ISOLATED, {}),
                    (DATABASE, SubnetType.PRIVATE_ISOLATED, {}),
                )
            ],
            restrict_default_security_group=True,
        )
        self.public, self.private, self.database = (
            SubnetSelection(subnet_group_name=name) for name in (PUBLIC, PRIVATE, DATABASE)
        )
        self.flow_log_group = AuditLog(
            self, "flow-log-group", name=names.log_group("network-flows"), key=logs_key, protected=protected
        )
        self.vpc.add_flow_log(
            "flow-log",
            destination=FlowLogDestination.to_cloud_watch_logs(self.flow_log_group),
            traffic_type=FlowLogTrafficType.ALL,
        )
