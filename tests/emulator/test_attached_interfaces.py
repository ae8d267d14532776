"""Network interfaces that services keep in subnets: whose they are, where, and for how long."""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial
from typing import Any

import pytest

from emulator.cloudformation import network as of_cloudformation
from emulator.process import Server
from tests.emulator.in_use import networks
from tests.emulator.in_use.refusals import World
from tests.emulator.release_support import eventually, make_function
from tests.emulator.support import error_of

pytestmark = pytest.mark.requirement("W8.2")


@pytest.fixture
def world(aws: Server) -> Iterator[World]:
    made = World(aws)
    yield made
    made.set_back()


@pytest.fixture
def network(world: World) -> networks.Network:
    return networks.Network.make(world)


def interfaces(network: networks.Network) -> list[dict[str, Any]]:
    filters = [{"Name": "vpc-id", "Values": [network.vpc]}]
    found: list[dict[str, Any]] = network.ec2.describe_network_interfaces(Filters=filters)["NetworkInterfaces"]
    return found


def test_functions_share_interfaces_that_outlive_the_last_of_them(world: World, network: networks.Network) -> None:
    place = {"SubnetIds": list(network.subnets), "SecurityGroupIds": [network.group]}
    names = [world.name(), world.name()]
    for name in names:
        make_function(world, name, "", VpcConfig=place)
    first = interfaces(network)
    assert {one["SubnetId"] for one in first} == set(network.subnets)
    assert len(first) == len(network.subnets)
    for one in first:
        assert one["Description"].startswith("AWS Lambda VPC ENI-")  # by which Terraform's provider knows them
        assert (one["InterfaceType"], one["Status"], one["RequesterManaged"]) == ("lambda", "in-use", True)
        assert [group["GroupId"] for group in one["Groups"]] == [network.group]
        assert (one["Attachment"]["InstanceOwnerId"], one["Attachment"]["Status"]) == ("amazon-aws", "attached")
        attached = one["Attachment"]["AttachmentId"]
        assert error_of(partial(network.ec2.detach_network_interface, AttachmentId=attached)) == "OperationNotPermitted"
    for name in names:
        world("lambda").delete_function(FunctionName=name)
    ids = {one["NetworkInterfaceId"] for one in first}
    assert {one["NetworkInterfaceId"] for one in interfaces(network)} == ids
    make_function(world, names[0], "", VpcConfig=place)
    world.let_minutes_pass()
    assert {one["NetworkInterfaceId"] for one in interfaces(network)} == ids
    world("lambda").delete_function(FunctionName=names[0])
    eventually(lambda: not interfaces(network))


def test_another_group_of_a_function_is_another_interface(world: World, network: networks.Network) -> None:
    name = world.name()
    place = {"SubnetIds": [network.subnets[0]], "SecurityGroupIds": [network.group]}
    make_function(world, name, "", VpcConfig=place)
    (before,) = interfaces(network)
    other = network.ec2.create_security_group(VpcId=network.vpc, GroupName="other", Description="other")["GroupId"]
    world("lambda").update_function_configuration(FunctionName=name, VpcConfig={**place, "SecurityGroupIds": [other]})
    world.let_minutes_pass()

    def moved() -> bool:
        found = interfaces(network)
        assert before["NetworkInterfaceId"] in {one["NetworkInterfaceId"] for one in found} or len(found) == 1
        return len(found) == 1 and found[0]["Groups"][0]["GroupId"] == other

    eventually(moved)


def test_tasks_have_interfaces_at_their_addresses_while_they_run(world: World, network: networks.Network) -> None:
    end = networks.tasks(world, network)
    found = interfaces(network)
    assert {one["SubnetId"] for one in found} == set(network.subnets)
    blocks = dict(zip(network.subnets, ("10.7.0.", "10.7.1."), strict=True))
    assert all(one["PrivateIpAddress"].startswith(blocks[one["SubnetId"]]) for one in found)
    end()
    assert interfaces(network) == []


def test_interfaces_of_endpoints_and_gateways_say_whose_they_are(world: World, network: networks.Network) -> None:
    end_of_gateway = networks.nat_gateway(world, network)
    end_of_endpoint = networks.interface_endpoint(world, network)
    found = interfaces(network)
    described = {one["Description"].rpartition(" ")[0]: one for one in found}
    assert described.keys() == {"Interface for NAT Gateway", "VPC Endpoint Interface"}
    assert described["Interface for NAT Gateway"]["Groups"] == []
    assert [one["GroupId"] for one in described["VPC Endpoint Interface"]["Groups"]] == [network.group]
    end_of_gateway()
    end_of_endpoint()
    assert interfaces(network) == []


def test_an_instance_frees_what_it_has_when_it_is_terminated(world: World, network: networks.Network) -> None:
    ec2, (subnet, _) = network.ec2, network.subnets
    kept = ec2.create_network_interface(SubnetId=subnet, Groups=[network.group])["NetworkInterface"]
    specified = [
        {"DeviceIndex": 0, "SubnetId": subnet, "Groups": [network.group]},
        {"DeviceIndex": 1, "NetworkInterfaceId": kept["NetworkInterfaceId"]},
    ]
    own = {"ImageId": "ami-12c6146b", "MinCount": 1, "MaxCount": 1}
    ids = [
        ec2.run_instances(**own, **place)["Instances"][0]["InstanceId"]
        for place in ({"SubnetId": subnet, "SecurityGroupIds": [network.group]}, {"NetworkInterfaces": specified})
    ]
    address = ec2.allocate_address(Domain="vpc")["AllocationId"]
    ec2.associate_address(AllocationId=address, InstanceId=ids[0])
    deleted = {
        one["NetworkInterfaceId"]: one["Attachment"]["DeleteOnTermination"]
        for one in interfaces(network)
        if one["Attachment"]["DeviceIndex"] == 0 or one["NetworkInterfaceId"] == kept["NetworkInterfaceId"]
    }
    assert sorted(deleted.values()) == [False, True, True]
    assert not deleted[kept["NetworkInterfaceId"]]
    for _ in range(2):
        ec2.terminate_instances(InstanceIds=ids)
        (left,) = interfaces(network)
        assert (left["NetworkInterfaceId"], left["Status"]) == (kept["NetworkInterfaceId"], "available")
    assert ec2.describe_instances(InstanceIds=ids)["Reservations"]
    ec2.release_address(AllocationId=address)
    ec2.delete_network_interface(NetworkInterfaceId=kept["NetworkInterfaceId"])


def test_cloudformation_waits_for_the_interfaces_of_functions_that_are_gone(
    world: World, network: networks.Network, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(of_cloudformation, "client", world)
    monkeypatch.setattr(
        of_cloudformation, "gone", lambda service, _, **sent: world(service).delete_security_group(**sent)
    )
    name = world.name()
    place = {"SubnetIds": list(network.subnets), "SecurityGroupIds": [network.group]}
    make_function(world, name, "", VpcConfig=place)
    delete = partial(of_cloudformation._delete_group, network.group, {})  # whole stacks are the lifecycle's
    assert error_of(delete) == "DependencyViolation", "a function that is there is not waited for"
    world("lambda").delete_function(FunctionName=name)
    assert interfaces(network)
    world.let_minutes_pass()
    delete()
    assert interfaces(network) == []
