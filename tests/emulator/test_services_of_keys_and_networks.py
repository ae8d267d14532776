"""The additions to moto: what is sent is what is answered, with two different values, and unknown ids are errors."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from tests.emulator.support import Client, error_of

pytestmark = pytest.mark.requirement("W8.2")

Make = Callable[..., Client]


# --- KMS -------------------------------------------------------------------------------------------------------------


def test_a_key_keeps_its_rotation_period(client: Make) -> None:
    kms = client("kms")
    periods = {kms.create_key()["KeyMetadata"]["KeyId"]: days for days in (90, 2560)}
    for key_id, days in periods.items():
        kms.enable_key_rotation(KeyId=key_id, RotationPeriodInDays=days)
    for key_id, days in periods.items():
        assert kms.get_key_rotation_status(KeyId=key_id)["RotationPeriodInDays"] == days


def test_a_rotation_period_is_replaced_is_a_year_by_default_and_ends_with_the_rotation(client: Make) -> None:
    kms = client("kms")
    key_id = kms.create_key()["KeyMetadata"]["KeyId"]
    assert "RotationPeriodInDays" not in kms.get_key_rotation_status(KeyId=key_id)
    kms.enable_key_rotation(KeyId=key_id, RotationPeriodInDays=100)
    kms.enable_key_rotation(KeyId=key_id)
    assert kms.get_key_rotation_status(KeyId=key_id)["RotationPeriodInDays"] == 365
    kms.disable_key_rotation(KeyId=key_id)
    assert "RotationPeriodInDays" not in kms.get_key_rotation_status(KeyId=key_id)


def test_the_rotation_of_an_unknown_key_is_kms_own_error(client: Make) -> None:
    kms = client("kms")
    unknown = "00000000-0000-0000-0000-000000000000"
    assert error_of(lambda: kms.enable_key_rotation(KeyId=unknown, RotationPeriodInDays=90)) == "NotFoundException"
    assert error_of(lambda: kms.get_key_rotation_status(KeyId=unknown)) == "NotFoundException"


# --- EC2 -------------------------------------------------------------------------------------------------------------


@pytest.fixture
def security_groups(client: Make) -> list[str]:
    """Two security groups of a network of their own."""
    ec2 = client("ec2")
    vpc_id = ec2.create_vpc(CidrBlock="10.9.0.0/16")["Vpc"]["VpcId"]
    return [
        ec2.create_security_group(GroupName=name, Description=name, VpcId=vpc_id)["GroupId"]
        for name in ("first", "second")
    ]


def other_ends(ec2: Client, group_id: str) -> list[dict[str, list[dict[str, str]]]]:
    """The other end of a rule, of each kind there is."""
    lists = ec2.describe_managed_prefix_lists()["PrefixLists"]
    return [
        {"IpRanges": [{"CidrIp": "10.0.0.0/8"}]},
        {"Ipv6Ranges": [{"CidrIpv6": "2001:db8::/32"}]},
        {"UserIdGroupPairs": [{"GroupId": group_id}]},
        {"PrefixListIds": [{"PrefixListId": lists[0]["PrefixListId"]}]},
    ]


def permission(other_end: dict[str, list[dict[str, str]]], description: str | None, port: int = 443) -> dict[str, Any]:
    said = {} if description is None else {"Description": description}
    ((kind, [end]),) = other_end.items()
    return {"IpProtocol": "tcp", "FromPort": port, "ToPort": port, kind: [{**end, **said}]}


def rule(ec2: Client, rule_id: str) -> dict[str, Any]:
    (found,) = ec2.describe_security_group_rules(SecurityGroupRuleIds=[rule_id])["SecurityGroupRules"]
    return dict(found)


@pytest.mark.parametrize("kind", range(4))
@pytest.mark.parametrize("direction", ["ingress", "egress"])
def test_a_rule_keeps_its_description_whatever_its_other_end(
    kind: int, direction: str, client: Make, security_groups: list[str]
) -> None:
    ec2 = client("ec2")
    authorize = getattr(ec2, f"authorize_security_group_{direction}")
    other_end = other_ends(ec2, security_groups[1])[kind]
    for port, description in ((443, "HTTPS, said once"), (5432, "PostgreSQL"), (80, None)):
        permissions = [permission(other_end, description, port)]
        answer = authorize(GroupId=security_groups[0], IpPermissions=permissions)
        found = rule(ec2, answer["SecurityGroupRules"][0]["SecurityGroupRuleId"])
        assert found.get("Description") == description
        assert found["FromPort"] == port
        assert found["IsEgress"] == (direction == "egress")


@pytest.mark.parametrize("kind", range(4))
def test_a_second_rule_that_differs_by_its_description_only_is_a_duplicate(
    kind: int, client: Make, security_groups: list[str]
) -> None:
    ec2 = client("ec2")
    other_end = other_ends(ec2, security_groups[1])[kind]

    def authorize(description: str | None, port: int = 443) -> None:
        permissions = [permission(other_end, description, port)]
        ec2.authorize_security_group_ingress(GroupId=security_groups[0], IpPermissions=permissions)

    authorize("once")
    assert error_of(lambda: authorize("twice")) == "InvalidPermission.Duplicate"
    assert error_of(lambda: authorize(None)) == "InvalidPermission.Duplicate"
    authorize("once", port=80)
    rules = ec2.describe_security_group_rules(Filters=[{"Name": "group-id", "Values": [security_groups[0]]}])
    described = [found["Description"] for found in rules["SecurityGroupRules"] if not found["IsEgress"]]
    assert described == ["once", "once"]


MODIFIED_KEYS = ("CidrIpv4", "CidrIpv6", "PrefixListId")


def test_rules_of_every_kind_are_modified(client: Make, security_groups: list[str]) -> None:
    ec2 = client("ec2")
    first, second = security_groups
    lists = [entry["PrefixListId"] for entry in ec2.describe_managed_prefix_lists()["PrefixLists"]]
    cidr, _, group, prefix_list = [
        ec2.authorize_security_group_ingress(GroupId=first, IpPermissions=[permission(end, "before")])[
            "SecurityGroupRules"
        ][0]["SecurityGroupRuleId"]
        for end in other_ends(ec2, second)
    ]
    everything: dict[str, Any] = {"IpProtocol": "-1", "Description": "after, everything"}
    https: dict[str, Any] = {"IpProtocol": "tcp", "FromPort": 8443, "ToPort": 8444, "Description": "after"}
    changes: dict[str, dict[str, Any]] = {
        cidr: {**everything, "CidrIpv4": "192.0.2.0/24"},
        group: {**https, "ReferencedGroupId": first},
        prefix_list: {**https, "PrefixListId": lists[1]},
    }
    ec2.modify_security_group_rules(
        GroupId=first,
        SecurityGroupRules=[{"SecurityGroupRuleId": id_, "SecurityGroupRule": to} for id_, to in changes.items()],
    )
    for rule_id, sent in changes.items():
        found = rule(ec2, rule_id)
        assert found["Description"] == sent["Description"]
        assert found["IpProtocol"] == sent["IpProtocol"]
        assert {key: found[key] for key in MODIFIED_KEYS if key in found} == {
            key: sent[key] for key in MODIFIED_KEYS if key in sent
        }
    assert rule(ec2, group)["ReferencedGroupInfo"]["GroupId"] == first
    assert (rule(ec2, group)["FromPort"], rule(ec2, group)["ToPort"]) == (8443, 8444)


def test_an_unknown_rule_or_group_is_ec2s_own_error(client: Make, security_groups: list[str]) -> None:
    ec2 = client("ec2")
    change = {
        "SecurityGroupRuleId": "sgr-00000000000000000",
        "SecurityGroupRule": {"IpProtocol": "-1", "CidrIpv4": "192.0.2.0/24"},
    }

    def modify(group_id: str) -> str:
        return error_of(lambda: ec2.modify_security_group_rules(GroupId=group_id, SecurityGroupRules=[change]))

    assert modify(security_groups[0]) == "InvalidSecurityGroupRuleId.NotFound"
    assert modify("sg-00000000000000000") == "InvalidGroup.NotFound"


def test_network_interface_of_a_nat_gateway_is_deleted_with_it(client: Make) -> None:
    ec2 = client("ec2")
    vpc_id = ec2.create_vpc(CidrBlock="10.8.0.0/16")["Vpc"]["VpcId"]
    subnet_id = ec2.create_subnet(VpcId=vpc_id, CidrBlock="10.8.0.0/24")["Subnet"]["SubnetId"]
    gateways = [
        ec2.create_nat_gateway(SubnetId=subnet_id, AllocationId=ec2.allocate_address(Domain="vpc")["AllocationId"])[
            "NatGateway"
        ]["NatGatewayId"]
        for _ in range(2)
    ]

    def interfaces() -> int:
        filters = [{"Name": "subnet-id", "Values": [subnet_id]}]
        return len(ec2.describe_network_interfaces(Filters=filters)["NetworkInterfaces"])

    assert interfaces() == 2
    ec2.delete_nat_gateway(NatGatewayId=gateways[0])
    assert interfaces() == 1
    assert error_of(lambda: ec2.delete_nat_gateway(NatGatewayId="nat-00000000000000000")) == "NatGatewayNotFound"


# --- S3 --------------------------------------------------------------------------------------------------------------
