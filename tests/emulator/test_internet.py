"""What stands on the internet of a rehearsal: reached by TLS, and by those alone whose security groups let them out."""

from __future__ import annotations

import json
import threading
from pathlib import Path
from typing import Any

import pytest

from emulator import running
from emulator.record import read_passages
from emulator.runtime.stand_in import StandIn
from tests.emulator.network_support import subnet_behind_nat
from tests.emulator.release_support import make_function
from tests.emulator.support import client_for
from tests.warm_aws import LocalAws

pytestmark = [pytest.mark.requirement("W8.3"), pytest.mark.requirement("W8.4")]

# As the payments service calls its acquirer: without the environment, by certifi's authorities.
CALLER = """
import asyncio
import httpx

async def call():
    async with httpx.AsyncClient(trust_env=False, timeout=5) as client:
        try:
            return (await client.get("https://acquirer.example.com/v1/operations")).text
        except httpx.TransportError as error:
            return type(error).__name__

def handle(event, context):
    return asyncio.run(call())
"""
NOWHERE = {"ConnectError", "ConnectTimeout"}


def test_function_reaches_a_name_of_the_internet_through_nat_where_its_security_group_lets_it_out(
    empty_aws: LocalAws, tmp_path: Path
) -> None:
    with empty_aws(tmp_path / "aws") as server:
        client = client_for(server)
        ec2 = client("ec2")
        vpc, public = (ec2.describe_subnets()["Subnets"][0][name] for name in ("VpcId", "SubnetId"))
        group = ec2.create_security_group(GroupName="caller", Description="caller", VpcId=vpc)["GroupId"]
        for name, subnet in (("caller", subnet_behind_nat(ec2, public, "172.31.200.0/24")), ("public", public)):
            make_function(client, name, CALLER, VpcConfig={"SubnetIds": [subnet], "SecurityGroupIds": [group]})

        def called(name: str = "caller") -> Any:
            return json.loads(client("lambda").invoke(FunctionName=name)["Payload"].read())

        standing = StandIn(200, b"answered")
        with standing:
            threading.Thread(target=standing.serve_forever, daemon=True).start()
            running.stand_on_the_internet(server, "acquirer.example.com", standing.url)
            assert called() == "answered"
            assert called("public") in NOWHERE
            (everything,) = ec2.describe_security_groups(GroupIds=[group])["SecurityGroups"]
            ec2.revoke_security_group_egress(GroupId=group, IpPermissions=everything["IpPermissionsEgress"])
            assert called() in NOWHERE
            standing.shutdown()
        connections = [one for one in read_passages(server.directory) if one.kind == "connection"]
        said = [(one.who, one.what, one.outcome, one.way) for one in connections]
        assert [one[:3] for one in said] == [
            ("caller", "tcp to acquirer.example.com", "admitted"),
            ("public", "tcp to acquirer.example.com", "refused"),
            ("caller", "tcp to acquirer.example.com", "refused"),
        ]
        assert "-> nat-" in said[0][3]
        assert "0.0.0.0/0 leads to igw-" in said[1][3]
        assert f"{group}: no egress rule admits tcp 443" in said[2][3]
        passed = [one for one in read_passages(server.directory) if one.kind == "internet"]
        assert [(one.who, one.what, one.outcome) for one in passed] == [
            ("acquirer.example.com", "GET /v1/operations", "200")
        ]
