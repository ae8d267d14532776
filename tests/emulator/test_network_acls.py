"""An entry of a network ACL keeps the ICMP type and code that it was sent."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from tests.emulator.support import Client

pytestmark = pytest.mark.requirement("W8.2")


@pytest.fixture
def acl(client: Callable[..., Client]) -> tuple[Client, str]:
    ec2 = client("ec2")
    vpc = ec2.create_vpc(CidrBlock="10.77.0.0/16")["Vpc"]["VpcId"]
    return ec2, ec2.create_network_acl(VpcId=vpc)["NetworkAcl"]["NetworkAclId"]


def entry(ec2: Client, acl: str, *, egress: bool) -> dict[str, Any]:
    (found,) = ec2.describe_network_acls(NetworkAclIds=[acl])["NetworkAcls"]
    (own,) = [one for one in found["Entries"] if one["RuleNumber"] == 100 and one["Egress"] is egress]
    return dict(own)


def rule(acl: str, *, egress: bool, **icmp: int) -> dict[str, Any]:
    return {
        "NetworkAclId": acl,
        "RuleNumber": 100,
        "Protocol": "1",
        "RuleAction": "allow",
        "Egress": egress,
        "CidrBlock": "0.0.0.0/0",
        "IcmpTypeCode": icmp,
    }


@pytest.mark.parametrize("egress", [True, False])
def test_type_and_code_come_back_as_sent(acl: tuple[Client, str], egress: bool) -> None:
    ec2, acl_id = acl
    ec2.create_network_acl_entry(**rule(acl_id, egress=not egress, Type=8, Code=0))
    ec2.create_network_acl_entry(**rule(acl_id, egress=egress, Type=3, Code=4))
    assert entry(ec2, acl_id, egress=egress)["IcmpTypeCode"] == {"Type": 3, "Code": 4}
    assert entry(ec2, acl_id, egress=not egress)["IcmpTypeCode"] == {"Type": 8, "Code": 0}
    ec2.replace_network_acl_entry(**rule(acl_id, egress=egress, Type=11, Code=0))
    assert entry(ec2, acl_id, egress=egress)["IcmpTypeCode"] == {"Type": 11, "Code": 0}
