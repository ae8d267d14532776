"""EC2: what is in use is not deleted (DependencyViolation), and what goes with a subnet or a gateway does.

moto deletes subnets, groups and interfaces whatever uses them, and an address that is mapped; it keeps the interfaces
of terminated instances.

https://docs.aws.amazon.com/AWSEC2/latest/APIReference/errors-overview.html
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

from moto.ec2.exceptions import DependencyViolationError, EC2ClientError
from moto.ec2.models import EC2Backend
from moto.ec2.models.elastic_network_interfaces import Attachment, NetworkInterface
from moto.ec2.models.instances import Instance
from moto.elbv2.models import elbv2_backends

from emulator.moto.extend import Method, override, override_property
from emulator.runtime.attached_interfaces import OWNER_OF_FUNCTIONS, settle

DEFAULT = "default"
GONE = ("deleted", "rejected", "expired", "failed")


@override(EC2Backend)
def get_all_network_interfaces(original: Method, self: Any, *arguments: Any, **keywords: Any) -> Any:
    """Those of services as they are now."""
    settle(self)
    return original(self, *arguments, **keywords)


@override(EC2Backend)
def delete_subnet(original: Method, self: Any, subnet_id: str) -> Any:
    """Only one without network interfaces; its associations with a route table and a network ACL go with it."""
    if any(one.subnet.id == subnet_id for one in _interfaces(self)):
        raise DependencyViolationError(f"The subnet '{subnet_id}' has dependencies and cannot be deleted.")
    deleted = original(self, subnet_id)
    for table in self.route_tables.values():
        _forget(table._associations, lambda target: target == subnet_id)  # noqa: SLF001 (moto offers no other way)
    for acl in self.network_acls.values():
        _forget(acl._associations, lambda one: one.subnet_id == subnet_id)  # noqa: SLF001
    return deleted


@override(EC2Backend)
def delete_security_group(original: Method, self: Any, name: str | None = None, group_id: str | None = None) -> Any:
    """Only one that no network interface has, and no rule of another group in the VPC names (DeleteSecurityGroup)."""
    group = self.get_security_group_from_id(group_id) if group_id else self.get_security_group_by_name_or_id(name)
    if group and (_is_worn(self, group) or group.id in set(_named_by_others(self, group))):
        raise DependencyViolationError(f"resource {group.id} has a dependent object")
    return original(self, name, group_id)


@override_property(NetworkInterface)
def attachment(self: Any) -> Any:
    """Of a function's interface, too: it has no instance, but the owner by whom Terraform's provider waits for it."""
    if not self.attachment_id or self.instance:
        return Attachment(self) if self.attachment_id else None
    return {
        "AttachmentId": self.attachment_id,
        "DeleteOnTermination": False,
        "DeviceIndex": 1,
        "InstanceOwnerId": OWNER_OF_FUNCTIONS,
        "Status": "attached",
    }


@override(EC2Backend)
def detach_network_interface(original: Method, self: Any, attachment_id: str) -> None:
    """Only from an instance: what a service has attached nobody else detaches."""
    if any(one.attachment_id == attachment_id and not one.instance for one in _interfaces(self)):
        message = "You are not allowed to manage 'ela-attach' attachments."
        raise EC2ClientError("OperationNotPermitted", message)
    original(self, attachment_id)


@override(EC2Backend)
def delete_network_interface(original: Method, self: Any, eni_id: str) -> None:
    """Only one that is free: the error's page names this code for it, too, and it is what EC2 answers."""
    for one in _interfaces(self):
        if one.id == eni_id and (one.requester_managed or one.attachment_id or one.status == "in-use"):
            message = f"Network interface '{eni_id}' is currently in use."
            raise EC2ClientError("InvalidParameterValue", message)
    original(self, eni_id)


@override(Instance)
def prep_nics(original: Method, self: Any, nic_spec: list[dict[str, Any]], *arguments: Any, **keywords: Any) -> None:
    """What is made with an instance is deleted with it, unless it is told otherwise.

    https://docs.aws.amazon.com/AWSEC2/latest/UserGuide/network-interface-attachments.html
    """
    kept = {
        int(one["DeviceIndex"])
        for one in nic_spec
        if one.get("NetworkInterfaceId") or one.get("DeleteOnTermination") is False
    }
    original(self, nic_spec, *arguments, **keywords)
    for index, interface in self.nics.items():
        interface.delete_on_termination = index not in kept


@override(Instance)
def terminate(original: Method, self: Any) -> Any:
    """Free its interfaces, of which it deletes those that were made with it, and its Elastic IP addresses.

    The instance goes on knowing them: moto describes by them the addresses that it had.
    """
    for address in self.ec2_backend.addresses:
        if address.instance is self or address.eni in self.nics.values():
            address.instance = address.eni = address.association_id = None
    for interface in self.nics.values():
        if interface.instance is self:
            interface.instance = interface.attachment_id = interface.attach_time = None
            interface.status = "available"
        else:
            interface.delete_on_termination = False  # it was terminated before
    return original(self)


@override(EC2Backend)
def delete_vpc(original: Method, self: Any, vpc_id: str) -> Any:
    """Only one with nothing in it but what it was made with.

    https://repost.aws/knowledge-center/troubleshoot-dependency-error-delete-vpc
    """
    if vpc_id in self.vpcs and any(_contents(self, vpc_id)):
        raise DependencyViolationError(f"The vpc '{vpc_id}' has dependencies and cannot be deleted.")
    return original(self, vpc_id)


@override(EC2Backend)
def detach_internet_gateway(original: Method, self: Any, internet_gateway_id: str, vpc_id: str) -> None:
    """Not while the VPC has public addresses: of NAT gateways, of public load balancers, or Elastic IPs."""
    mapped = {one.eni.subnet.vpc_id for one in self.addresses if one.eni}
    balancers = elbv2_backends[self.account_id][self.region_name].load_balancers.values()
    mapped |= {one.vpc_id for one in balancers if one.scheme != "internal"}
    if vpc_id in mapped and getattr(self.get_internet_gateway(internet_gateway_id).vpc, "id", None) == vpc_id:
        raise DependencyViolationError(
            f"Network {vpc_id} has some mapped public address(es). "
            "Please unmap those public address(es) before detaching the gateway."
        )
    original(self, internet_gateway_id, vpc_id)


@override(EC2Backend)
def release_address(original: Method, self: Any, address: str | None = None, allocation_id: str | None = None) -> None:
    """Only one that is not associated (ReleaseAddress, API reference, of a VPC that is not the default one)."""
    for one in self.addresses:
        asked = one.allocation_id == allocation_id if allocation_id else one.public_ip == address
        if asked and (one.eni or one.instance):
            message = f"The address '{one.allocation_id}' is in use and cannot be released."
            raise EC2ClientError("InvalidIPAddress.InUse", message)
    original(self, address, allocation_id)


def _forget(associations: dict[str, Any], is_over: Callable[[Any], bool]) -> None:
    for association, target in list(associations.items()):
        if is_over(target):
            del associations[association]


def _interfaces(self: Any) -> list[Any]:
    settle(self)
    return list(self.enis.values())


def _is_worn(self: Any, group: Any) -> bool:
    if group.name == DEFAULT:
        return False  # goes with its VPC, which no interface is in by then
    return any(group.id in {one.id for one in interface.group_set} for interface in _interfaces(self))


def _named_by_others(self: Any, group: Any) -> Iterator[str]:
    for other in self.groups[group.vpc_id].values():
        if other.id != group.id:
            for rule in (*other.ingress_rules, *other.egress_rules):
                yield str(rule.source_group.get("GroupId"))


def _contents(self: Any, vpc_id: str) -> Iterator[Any]:
    yield from (one for zone in self.subnets.values() for one in zone.values() if one.vpc_id == vpc_id)
    yield from (one for one in self.groups[vpc_id].values() if one.name != DEFAULT)
    yield from (one for one in self.network_acls.values() if one.vpc_id == vpc_id and not one.default)
    yield from (one for one in self.internet_gateways.values() if one.vpc and one.vpc.id == vpc_id)
    yield from (one for one in self.vpc_end_points.values() if one.vpc_id == vpc_id and one.state not in GONE)
    yield from (
        one
        for one in self.vpc_pcxs.values()
        if vpc_id in {one.vpc.id, one.peer_vpc.id} and one._status.code not in GONE  # noqa: SLF001
    )
