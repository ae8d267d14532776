"""One NAT instance in each zone (P1.1): the only egress of the private tier, and to the acquirer only.

Creates, for each zone, an instance on Graviton with Amazon Linux 2023 (IMDSv2, encrypted disk, Systems Manager and no
SSH), an Elastic IP address that the acquirer can allow, the default route of the zone's private subnet, and an
alarm that recovers the instance on other hardware. docs/decisions/0021-nat-instances.md has their purpose,
docs/runbooks/nat-instance.md the recovery of a lost one.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import cast

from aws_cdk import Duration, Stack, Tags
from aws_cdk.aws_cloudwatch import ComparisonOperator, Metric, Stats, TreatMissingData
from aws_cdk.aws_cloudwatch_actions import Ec2Action, Ec2InstanceAction
from aws_cdk.aws_ec2 import (
    BlockDevice,
    BlockDeviceVolume,
    CfnEIP,
    EbsDeviceVolumeType,
    HttpTokens,
    Instance,
    InstanceType,
    MachineImage,
    Peer,
    Port,
    PrivateSubnet,
    RouterType,
    SecurityGroup,
    SubnetSelection,
    UserData,
)
from aws_cdk.aws_iam import ManagedPolicy
from aws_cdk.aws_kms import IKey
from constructs import Construct

from payment_api.endpoints import Endpoints
from payment_api.network import Network
from payment_api.settings.network import NetworkSettings
from settings.naming import Names

HTTPS = 443
DISK_GIB = 8
ROOT_DEVICE = "/dev/xvda"  # of Amazon Linux 2023


class Nat(Construct):
    """A NAT instance in each zone, as ``instances``; ``acquirer_clients`` is the security group of their clients."""

    requirements = ("P1.1",)

    def __init__(
        self,
        scope: Construct,
        id_: str,
        *,
        names: Names,
        network: Network,
        settings: NetworkSettings,
        endpoints: Endpoints,
        disk_key: IKey,
    ) -> None:
        super().__init__(scope, id_)
        self._endpoints = endpoints
        self.group = SecurityGroup(
            self,
            "group",
            vpc=network.vpc,
            security_group_name=names.of("nat"),
            description="NAT instances: from the private tier to the acquirer",
            allow_all_outbound=False,
        )
        self._let_through(network, settings.acquirer_networks)
        self.instances = [
            self._instance(number, names=names, network=network, settings=settings, disk_key=disk_key)
            for number in range(len(settings.zones))
        ]

    def _let_through(self, network: Network, acquirers: Sequence[str]) -> None:
        """Ingress from the private subnets and egress to the acquirer, on 443 only.

        An instance's own calls go through endpoints, as one of their clients: Systems Manager, and by S3's gateway
        endpoint the repositories of Amazon Linux.
        https://docs.aws.amazon.com/linux/al2023/ug/managing-repos-os-updates.html
        """
        for subnet in network.vpc.select_subnets(subnet_group_name="private").subnets:
            self.group.add_ingress_rule(
                Peer.ipv4(subnet.ipv4_cidr_block),
                Port.tcp(HTTPS),
                f"HTTPS from the private tier in {subnet.availability_zone}",
            )
        for block in acquirers:
            self.group.add_egress_rule(Peer.ipv4(block), Port.tcp(HTTPS), "HTTPS to the acquirer")

    def _instance(
        self, number: int, *, names: Names, network: Network, settings: NetworkSettings, disk_key: IKey
    ) -> Instance:
        zone = settings.zones[number]
        region = Stack.of(self).region
        instance = Instance(
            self,
            f"instance-{number + 1}",
            instance_name=names.of(f"nat-{zone}"),
            instance_type=InstanceType(settings.nat_instance_class),
            machine_image=MachineImage.generic_linux({region: settings.nat_image_id}, user_data=_user_data()),
            vpc=network.vpc,
            vpc_subnets=SubnetSelection(subnet_group_name="public", availability_zones=[zone]),
            security_group=self.group,
            source_dest_check=False,
            http_tokens=HttpTokens.REQUIRED,
            detailed_monitoring=True,
            ebs_optimized=True,
            block_devices=[
                BlockDevice(
                    device_name=ROOT_DEVICE,
                    volume=BlockDeviceVolume.ebs(
                        DISK_GIB, encrypted=True, kms_key=disk_key, volume_type=EbsDeviceVolumeType.GP3
                    ),
                )
            ],
            disable_api_termination=False,
        )
        instance.add_security_group(self._endpoints.clients)
        # At its first start it installs its NAT software, which needs S3's gateway endpoint.
        instance.node.add_dependency(self._endpoints.s3)
        instance.role.add_managed_policy(ManagedPolicy.from_aws_managed_policy_name("AmazonSSMManagedInstanceCore"))
        address = CfnEIP(self, f"address-{number + 1}", domain="vpc", instance_id=instance.instance_id)
        Tags.of(address).add("Name", names.of(f"nat-{zone}"))
        subnet = network.vpc.select_subnets(subnet_group_name="private").subnets[number]
        cast("PrivateSubnet", subnet).add_route(
            "way-out",
            router_type=RouterType.INSTANCE,
            router_id=instance.instance_id,
            destination_cidr_block="0.0.0.0/0",
        )
        self._recover(instance, number, names.alarm(f"nat-{zone}"))
        return instance

    def _recover(self, instance: Instance, number: int, name: str) -> None:
        """Move the instance to other hardware when AWS finds its host broken; its address and routes stay.

        https://docs.aws.amazon.com/AWSEC2/latest/UserGuide/UsingAlarmActions.html
        """
        failed = Metric(
            namespace="AWS/EC2",
            metric_name="StatusCheckFailed_System",
            dimensions_map={"InstanceId": instance.instance_id},
            period=Duration.minutes(1),
            statistic=Stats.MAXIMUM,
        )
        alarm = failed.create_alarm(
            self,
            f"recovery-{number + 1}",
            alarm_name=name,
            alarm_description="A NAT instance's host fails: AWS recovers it. docs/runbooks/nat-instance.md",
            threshold=1,
            evaluation_periods=2,
            comparison_operator=ComparisonOperator.GREATER_THAN_OR_EQUAL_TO_THRESHOLD,
            treat_missing_data=TreatMissingData.MISSING,
        )
        alarm.add_alarm_action(Ec2Action(Ec2InstanceAction.RECOVER))


def _user_data() -> UserData:
    """Forwarding with masquerade, and nothing else: nftables and the kernel's own settings.

    https://docs.aws.amazon.com/vpc/latest/userguide/work-with-nat-instances.html
    """
    data = UserData.for_linux()
    data.add_commands(
        "set -euo pipefail",
        # At the first boot another dnf may clean its cache at the same time: https://github.com/aws/aws-cdk/issues/36717
        "for attempt in $(seq 30); do rpm -q nftables && break; dnf install -y nftables && break; sleep 10; done",
        "rpm -q nftables",
        "echo net.ipv4.ip_forward=1 > /etc/sysctl.d/90-nat.conf",
        "sysctl --system",
        "interface=$(ip -o -4 route show to default | awk '{print $5}' | head -1)",
        "cat > /etc/sysconfig/nftables.conf <<RULES",
        "table ip nat {",
        "  chain postrouting {",
        "    type nat hook postrouting priority srcnat;",
        "    oifname $interface masquerade",
        "  }",
        "}",
        "RULES",
        "systemctl enable --now nftables",
    )
    return data
