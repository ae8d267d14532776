"""What the contract costs: ``make bench-contract``.

Two servers run side by side, one with the contract and one without. The same calls go to both, in turns and in random
order of the two, so that whatever else the machine does meets both alike. Printed is the ratio of the times, for a mix
of calls like that of a deployment: few creations, many descriptions. The server without the contract still finds out
which operation a request is for: the record needs it too.
"""

from __future__ import annotations

import random
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Annotated, Any

import botocore.session
import typer
from botocore.config import Config
from rich.console import Console

from emulator import process
from emulator.address import environment, identity

REGION = "us-east-2"
TRUST = '{"Version": "2012-10-17", "Statement": []}'

Clients = Callable[[str], Any]


def main(
    rounds: Annotated[int, typer.Option(min=3, help="How often the mix is sent to each of the two servers.")] = 60,
    seed: Annotated[int, typer.Option(help="Of the order in which the two take turns.")] = 1,
) -> None:
    """Measure what holding every request against AWS's models costs."""
    console = Console(highlight=False)
    order = random.Random(seed)  # noqa: S311 (no secret)
    with tempfile.TemporaryDirectory() as directory, process.running(Path(directory) / "with") as checked:
        unchecked = _start_without_contract(Path(directory) / "without")
        try:
            servers = {"with": _clients(checked.url), "without": _clients(unchecked.url)}
            calls = {name: _mix(clients, 0) for name, clients in servers.items()}  # the first also loads the models
            seconds: dict[str, list[float]] = {name: [] for name in servers}
            for number in range(1, rounds + 1):
                for name in order.sample(sorted(servers), k=len(servers)):
                    began = time.perf_counter()
                    calls[name] += _mix(servers[name], number)
                    seconds[name].append(time.perf_counter() - began)
        finally:
            process.stop(unchecked)
    ratios = sorted(one / other for one, other in zip(seconds["with"], seconds["without"], strict=True))
    quartiles = statistics.quantiles(ratios, n=4)
    console.print(f"{calls['with']} calls to each of the two servers, {rounds} rounds")
    for name, times in seconds.items():
        console.print(f"{name} the contract: {statistics.median(times) * 1000:.0f} ms a round (median)")
    console.print(f"ratio: {statistics.median(ratios):.3f} (median of the rounds)")
    console.print(f"quartiles of the ratio: {quartiles[0]:.3f} and {quartiles[2]:.3f}")


def _start_without_contract(directory: Path) -> process.Server:
    port = process.free_port()
    command = [sys.executable, "-m", "emulator", "serve", "--no-contract", "--port", str(port)]
    subprocess.Popen([*command, "--directory", str(directory)], stdout=subprocess.DEVNULL)
    deadline = time.monotonic() + process.SECONDS_TO_START
    while (server := process.find(directory)) is None or identity(server.url) is None:
        if time.monotonic() > deadline:
            raise process.EmulatorError("the server without the contract did not start")
        time.sleep(0.1)
    return server


def _clients(url: str) -> Clients:
    variables = environment(url)
    session = botocore.session.get_session()
    session.set_credentials(variables["AWS_ACCESS_KEY_ID"], variables["AWS_SECRET_ACCESS_KEY"])
    config = Config(proxies={}, retries={"total_max_attempts": 1})
    services = ("ec2", "iam", "kms", "s3", "logs", "cloudwatch", "sns")
    made = {name: session.create_client(name, REGION, endpoint_url=url, config=config) for name in services}
    return lambda service: made[service]


def _mix(clients: Clients, number: int) -> int:
    """Send the mix once; returns how many calls it is."""
    calls = [*_network(clients, number), *_storage(clients, number)]
    for call in calls:
        call()
    return len(calls)


def _network(clients: Clients, number: int) -> list[Callable[[], Any]]:
    ec2 = clients("ec2")
    tags = [{"ResourceType": "vpc", "Tags": [{"Key": "Name", "Value": f"network {number}"}]}]
    vpc_id = ec2.create_vpc(CidrBlock="10.0.0.0/16", TagSpecifications=tags)["Vpc"]["VpcId"]
    group_id = ec2.create_security_group(VpcId=vpc_id, GroupName="service", Description="Service")["GroupId"]
    ranges = [{"CidrIp": f"10.0.{n}.0/24", "Description": f"Subnet {n}"} for n in range(8)]
    permissions = [{"IpProtocol": "tcp", "FromPort": 443, "ToPort": 443, "IpRanges": ranges}]
    filters = [{"Name": "vpc-id", "Values": [vpc_id]}]
    return [
        lambda: ec2.authorize_security_group_ingress(GroupId=group_id, IpPermissions=permissions),
        *[lambda: ec2.describe_vpcs(VpcIds=[vpc_id])] * 8,
        *[lambda: ec2.describe_security_groups(GroupIds=[group_id])] * 4,
        *[lambda: ec2.describe_route_tables(Filters=filters)] * 4,
        *[lambda: ec2.describe_vpc_attribute(VpcId=vpc_id, Attribute="enableDnsSupport")] * 4,
        lambda: ec2.delete_security_group(GroupId=group_id),
        lambda: ec2.delete_vpc(VpcId=vpc_id),
    ]


def _storage(clients: Clients, number: int) -> list[Callable[[], Any]]:
    s3, iam, kms = clients("s3"), clients("iam"), clients("kms")
    bucket, role = f"measured-bucket-{number}", f"role-{number}"
    key_id = kms.create_key(Description=f"Key {number}")["KeyMetadata"]["KeyId"]
    place = {"LocationConstraint": REGION}
    return [
        lambda: s3.create_bucket(Bucket=bucket, CreateBucketConfiguration=place),
        lambda: s3.put_bucket_versioning(Bucket=bucket, VersioningConfiguration={"Status": "Enabled"}),
        *[lambda: s3.get_bucket_versioning(Bucket=bucket)] * 4,
        *[lambda: s3.head_bucket(Bucket=bucket)] * 4,
        lambda: s3.delete_bucket(Bucket=bucket),
        lambda: iam.create_role(RoleName=role, AssumeRolePolicyDocument=TRUST, Tags=[{"Key": "k", "Value": "v"}]),
        *[lambda: iam.get_role(RoleName=role)] * 6,
        lambda: iam.delete_role(RoleName=role),
        *[lambda: kms.describe_key(KeyId=key_id)] * 6,
        lambda: kms.schedule_key_deletion(KeyId=key_id, PendingWindowInDays=7),
        lambda: clients("logs").create_log_group(logGroupName=f"group-{number}"),
        *[lambda: clients("logs").describe_log_groups(logGroupNamePrefix=f"group-{number}")] * 4,
        *[lambda: clients("cloudwatch").describe_alarms(AlarmNames=["a"])] * 4,
        *[lambda: clients("sns").list_topics()] * 2,
    ]


if __name__ == "__main__":
    typer.run(main)
