"""EC2's types of instances: NAT instances and their addresses. None runs, and nothing is forwarded by them."""

from __future__ import annotations

from emulator.cloudformation.calls import Created, Properties, call, gone, without
from emulator.cloudformation.network import tagged
from emulator.cloudformation.types import made_by


def install() -> None:
    """Register these types."""
    made_by("AWS::EC2::Instance", create=_create, delete=_delete)
    made_by("AWS::EC2::EIP", create=_allocate, delete=_release)


def _create(_logical_id: str, properties: Properties, _stack: str) -> Created:
    own = without(
        properties, "Tags", "SourceDestCheck", "AvailabilityZone", "IamInstanceProfile", "Monitoring",
        "DisableApiTermination",
    )  # fmt: skip
    sent = {
        **own,
        **tagged("instance", properties),
        "MinCount": 1,
        "MaxCount": 1,
        "Placement": {"AvailabilityZone": properties["AvailabilityZone"]},
        "IamInstanceProfile": {"Name": properties["IamInstanceProfile"]},
        "Monitoring": {"Enabled": properties.get("Monitoring", False)},
        "DisableApiTermination": properties.get("DisableApiTermination", False),
    }
    (instance,) = call("ec2", "RunInstances", sent)["Instances"]
    id_ = instance["InstanceId"]
    if "SourceDestCheck" in properties:
        check = {"Value": properties["SourceDestCheck"]}
        call("ec2", "ModifyInstanceAttribute", {"InstanceId": id_, "SourceDestCheck": check})
    return id_, {"InstanceId": id_, "PrivateIp": instance.get("PrivateIpAddress", "")}


def _delete(id_: str, _properties: Properties) -> None:
    gone("ec2", "TerminateInstances", InstanceIds=[id_])


def _allocate(_logical_id: str, properties: Properties, _stack: str) -> Created:
    sent = {"Domain": properties.get("Domain", "vpc"), **tagged("elastic-ip", properties)}
    made = call("ec2", "AllocateAddress", sent)
    if "InstanceId" in properties:
        where = {"AllocationId": made["AllocationId"], "InstanceId": properties["InstanceId"]}
        call("ec2", "AssociateAddress", where)
    return made["PublicIp"], {"AllocationId": made["AllocationId"], "PublicIp": made["PublicIp"]}


def _release(address: str, _properties: Properties) -> None:
    found = call("ec2", "DescribeAddresses", {"PublicIps": [address]})["Addresses"]
    for one in found:
        if one.get("AssociationId"):
            gone("ec2", "DisassociateAddress", AssociationId=one["AssociationId"])
        gone("ec2", "ReleaseAddress", AllocationId=one["AllocationId"])
