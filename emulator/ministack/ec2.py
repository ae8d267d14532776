"""EC2: instances, addresses, single rules of security groups and flow logs, which CloudFormation lacks in ministack."""

from __future__ import annotations

import contextlib
import re
from collections.abc import Mapping, Sequence
from typing import Any

from ministack.services import ec2
from ministack.services.cloudformation import provisioners

from emulator.ministack.registry import Created, Properties, RefusedError, add_type, ask, complete_type, is_true


def install() -> None:
    """Register these additions with ministack."""
    add_type("AWS::EC2::Instance", create=_create_instance, delete=_delete_instance)
    add_type("AWS::EC2::EIP", create=_create_address, delete=_delete_address)
    for side, far in (("Ingress", "Source"), ("Egress", "Destination")):
        _add_rules(side, far)
    add_type("AWS::EC2::FlowLog", create=_create_flow_log, delete=_delete_flow_log)
    complete_type("AWS::EC2::VPC", lambda _, properties: {"CidrBlock": properties["CidrBlock"]})


def call(action: str, parameters: Mapping[str, Any]) -> str:
    """An action of EC2's query protocol."""
    return str(ask(ec2._ACTION_MAP[action], {"Action": [action], **_flat(parameters)}))


def _flat(parameters: Mapping[str, Any] | Sequence[Any], prefix: str = "") -> dict[str, list[str]]:
    """Nested parameters as EC2 has them: ``IpPermissions.1.FromPort``."""
    pairs = parameters.items() if isinstance(parameters, Mapping) else enumerate(parameters, start=1)
    flat: dict[str, list[str]] = {}
    for key, value in pairs:
        name = f"{prefix}.{key}" if prefix else str(key)
        if isinstance(value, (Mapping, list)):
            flat |= _flat(value, name)
        elif value is not None:
            flat[name] = [str(value).lower() if isinstance(value, bool) else str(value)]
    return flat


def _found(pattern: str, text: str) -> str:
    match = re.search(pattern, text)
    if match is None:
        raise RefusedError(text)
    return match.group(1)


def _create_instance(_logical_id: str, properties: Properties, _stack: str) -> Created:
    answer = call(
        "RunInstances",
        {
            "ImageId": properties["ImageId"],
            "InstanceType": properties["InstanceType"],
            "SubnetId": properties["SubnetId"],
            "SecurityGroupId": properties["SecurityGroupIds"],
            "IamInstanceProfile": {"Name": properties["IamInstanceProfile"]},
            "UserData": properties.get("UserData"),
            "MinCount": 1,
            "MaxCount": 1,
        },
    )
    id_ = _found(r"<instanceId>(i-\w+)<", answer)
    instance = ec2._instances[id_]
    instance["SourceDestCheck"] = is_true(properties.get("SourceDestCheck", True))
    instance["Monitoring"] = {"State": "enabled" if is_true(properties.get("Monitoring", False)) else "disabled"}
    instance["Placement"]["AvailabilityZone"] = properties["AvailabilityZone"]
    _keep_disk(instance, properties)
    provisioners._ec2_apply_tags(id_, properties)
    return id_, {
        "InstanceId": id_,
        "PrivateIp": instance.get("PrivateIpAddress", ""),
        "AvailabilityZone": properties["AvailabilityZone"],
    }


def _keep_disk(instance: dict[str, Any], properties: Properties) -> None:
    """The root disk, which ministack makes of one kind for all."""
    disks = properties.get("BlockDeviceMappings") or [{}]
    wanted = disks[0].get("Ebs", {})
    volume = ec2._volumes[instance["BlockDeviceMappings"][0]["Ebs"]["VolumeId"]]
    volume["Encrypted"] = is_true(wanted.get("Encrypted", False))
    volume["AvailabilityZone"] = properties["AvailabilityZone"]
    if "VolumeSize" in wanted:
        volume["Size"] = int(wanted["VolumeSize"])
    if "KmsKeyId" in wanted:
        volume["KmsKeyId"] = wanted["KmsKeyId"]


def _delete_instance(id_: str, _properties: Properties) -> None:
    call("TerminateInstances", {"InstanceId": [id_]})


def _create_address(_logical_id: str, properties: Properties, _stack: str) -> Created:
    answer = call("AllocateAddress", {"Domain": properties.get("Domain", "vpc")})
    allocation = _found(r"<allocationId>(eipalloc-\w+)<", answer)
    if "InstanceId" in properties:
        call("AssociateAddress", {"AllocationId": allocation, "InstanceId": properties["InstanceId"]})
    provisioners._ec2_apply_tags(allocation, properties)
    return _found(r"<publicIp>([\d.]+)<", answer), {"AllocationId": allocation}


def _delete_address(public_ip: str, _properties: Properties) -> None:
    allocation = next((key for key, value in ec2._addresses.items() if value["PublicIp"] == public_ip), None)
    if allocation is not None:
        if association := ec2._addresses[allocation].get("AssociationId"):
            call("DisassociateAddress", {"AssociationId": association})
        call("ReleaseAddress", {"AllocationId": allocation})


def _add_rules(side: str, far: str) -> None:
    """A security group rule as a resource of its own."""

    def permission(properties: Properties) -> dict[str, Any]:
        ports = {name: properties.get(name) for name in ("FromPort", "ToPort")}
        described = {"Description": properties.get("Description")}
        peers = {
            "IpRanges": {"CidrIp": properties.get("CidrIp")},
            "UserIdGroupPairs": {"GroupId": properties.get(f"{far}SecurityGroupId")},
            "PrefixListIds": {"PrefixListId": properties.get(f"{far}PrefixListId")},
        }
        given = {name: [{**peer, **described}] for name, peer in peers.items() if any(peer.values())}
        names = {"UserIdGroupPairs": "Groups"}
        inner = {names.get(name, name): value for name, value in given.items()}
        return {
            "GroupId": properties["GroupId"],
            "IpPermissions": [{"IpProtocol": properties["IpProtocol"], **ports, **inner}],
        }

    def create(_logical_id: str, properties: Properties, _stack: str) -> Created:
        answer = call(f"AuthorizeSecurityGroup{side}", permission(properties))
        return _found(r"<securityGroupRuleId>([^<]+)<", answer), {}

    def delete(_id: str, properties: Properties) -> None:
        call(f"RevokeSecurityGroup{side}", permission(properties))

    add_type(f"AWS::EC2::SecurityGroup{side}", create=create, delete=delete)


def _create_flow_log(_logical_id: str, properties: Properties, _stack: str) -> Created:
    names = ("ResourceType", "TrafficType", "LogGroupName", "LogDestinationType", "LogDestination")
    given = {name: properties.get(name) for name in (*names, "DeliverLogsPermissionArn")}
    answer = call("CreateFlowLogs", {"ResourceId": [properties["ResourceId"]], **given})
    return _found(r"(fl-\w+)", answer), {}


def _delete_flow_log(id_: str, _properties: Properties) -> None:
    with contextlib.suppress(RefusedError):
        call("DeleteFlowLogs", {"FlowLogId": [id_]})
