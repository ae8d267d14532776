"""Forks of a local AWS: all that the first holds, and from then on a world of their own."""

from __future__ import annotations

import concurrent.futures
import json
from collections.abc import Iterator
from pathlib import Path

import pytest
from botocore.exceptions import ClientError

from emulator import process
from emulator.address import identity
from emulator.process import EmulatorError, Server
from emulator.record import read_calls
from tests.emulator.release_support import eventually, make_function
from tests.emulator.support import Client, client_for

pytestmark = pytest.mark.requirement("W8.2")

WAITS = """
import time
from pathlib import Path
def handle(event, context):
    Path(event["begun"]).touch()
    while not Path(event["go"]).exists():
        time.sleep(0.05)
"""
WRITES = """
import boto3
def handle(event, context):
    boto3.client("s3").put_object(Bucket="shared", Key=event, Body=b"by the function")
"""
LARGE = 20 * 1024 * 1024  # bytes: what moto keeps in a file


@pytest.fixture
def fork(own_aws: Server, tmp_path: Path) -> Iterator[Server]:
    client_for(own_aws)("s3", "us-east-1").create_bucket(Bucket="shared")
    with process.forked(own_aws, tmp_path / "fork") as copy:
        yield copy


def keys(server: Server) -> list[str]:
    s3: Client = client_for(server)("s3", "us-east-1")
    return [one["Key"] for one in s3.list_objects_v2(Bucket="shared").get("Contents", [])]


def test_fork_has_the_state_of_its_base_and_changes_of_one_do_not_reach_the_other(
    own_aws: Server, fork: Server
) -> None:
    for server, key in ((own_aws, "first"), (fork, "second")):
        client_for(server)("s3", "us-east-1").put_object(Bucket="shared", Key=key, Body=b"x")
    assert (keys(own_aws), keys(fork)) == (["first"], ["second"])
    client_for(fork)("s3", "us-east-1").delete_object(Bucket="shared", Key="second")
    client_for(fork)("s3", "us-east-1").delete_bucket(Bucket="shared")
    assert keys(own_aws) == ["first"]


def test_fork_has_its_own_record_from_its_start(own_aws: Server, fork: Server) -> None:
    before = read_calls(own_aws.directory)
    assert [call.operation for call in before] == ["CreateBucket"]
    assert read_calls(fork.directory) == []
    keys(fork)
    assert [call.operation for call in read_calls(fork.directory)] == ["ListObjectsV2"]
    assert read_calls(own_aws.directory) == before


def test_a_fork_is_found_and_outlives_the_first_whose_directory_is_free_again(
    own_aws: Server, fork: Server, tmp_path: Path
) -> None:
    assert identity(fork.url) == {"pid": fork.pid, "directory": str(fork.directory)}
    assert process.find(fork.directory) == fork
    assert fork.pid != own_aws.pid
    process.stop(own_aws)
    assert process.find(own_aws.directory) is None
    assert keys(fork) == []
    with process.forked(fork, own_aws.directory) as third:  # also of a fork
        assert keys(third) == []
    process.stop(fork)
    assert process.find(fork.directory) is None


def test_a_fork_that_ends_leaves_the_first_as_it_was(own_aws: Server, fork: Server) -> None:
    process.stop(fork)
    assert process.find(own_aws.directory) == own_aws
    assert keys(own_aws) == []


def test_a_function_of_a_fork_calls_the_fork(own_aws: Server, tmp_path: Path) -> None:
    client = client_for(own_aws)
    client("s3", "us-east-1").create_bucket(Bucket="shared")
    make_function(client, "writes", WRITES)
    client("lambda").invoke(FunctionName="writes", Payload=json.dumps("before"))  # its environment waits for the next
    with process.forked(own_aws, tmp_path / "fork") as copy:
        client_for(copy)("lambda").invoke(FunctionName="writes", Payload=json.dumps("there"))
        client("lambda").invoke(FunctionName="writes", Payload=json.dumps("here"))
        assert (keys(own_aws), keys(copy)) == (["before", "here"], ["before", "there"])


@pytest.mark.parametrize(("how", "under_way"), [("RequestResponse", "1 requests"), ("Event", r"Thread-\d+ \(run\)")])
def test_fork_is_refused_while_background_work_runs(own_aws: Server, tmp_path: Path, how: str, under_way: str) -> None:
    client = client_for(own_aws)
    make_function(client, "waits", WAITS, Timeout=60)
    event = {name: str(tmp_path / name) for name in ("begun", "go")}
    with concurrent.futures.ThreadPoolExecutor() as others:
        invoked = others.submit(
            client("lambda").invoke, FunctionName="waits", Payload=json.dumps(event), InvocationType=how
        )
        eventually((tmp_path / "begun").exists)
        with pytest.raises(EmulatorError, match=f"something is under way: {under_way}"):
            process.fork(own_aws, tmp_path / "fork")
        (tmp_path / "go").touch()
        invoked.result()
    copy = eventually(lambda: forked_if_nothing_is_under_way(own_aws, tmp_path / "fork"))
    try:
        assert client_for(copy)("lambda").get_function(FunctionName="waits")
    finally:
        process.stop(copy)


def forked_if_nothing_is_under_way(server: Server, directory: Path) -> Server | None:
    try:
        return process.fork(server, directory)
    except EmulatorError as refused:
        if "something is under way" not in str(refused):
            raise
        return None


def test_large_objects_are_read_by_both_at_the_same_time(own_aws: Server, tmp_path: Path) -> None:
    client = client_for(own_aws)("s3", "us-east-1")
    client.create_bucket(Bucket="shared")
    content = bytes(range(256)) * (LARGE // 256)
    client.put_object(Bucket="shared", Key="large", Body=content)

    def read(server: Server) -> bytes:
        found: bytes = client_for(server)("s3", "us-east-1").get_object(Bucket="shared", Key="large")["Body"].read()
        return found

    with process.forked(own_aws, tmp_path / "fork") as copy, concurrent.futures.ThreadPoolExecutor() as readers:
        reads = [readers.submit(read, server) for server in (own_aws, copy) * 3]
        assert all(one.result() == content for one in reads)


def test_deleted_versions_of_a_bucket_stay_deleted_in_a_fork(own_aws: Server, tmp_path: Path) -> None:
    client = client_for(own_aws)("s3", "us-east-1")
    client.create_bucket(Bucket="shared")
    client.put_bucket_versioning(Bucket="shared", VersioningConfiguration={"Status": "Enabled"})
    client.put_object(Bucket="shared", Key="lock", Body=b"x")
    client.delete_object(Bucket="shared", Key="lock")
    with process.forked(own_aws, tmp_path / "fork") as copy:
        versions = client_for(copy)("s3", "us-east-1").list_object_versions(Bucket="shared")
    assert [(one["Key"], one["IsLatest"]) for one in versions["DeleteMarkers"]] == [("lock", True)]
    assert [(one["Key"], one["IsLatest"]) for one in versions["Versions"]] == [("lock", False)]


def test_a_directory_of_a_local_aws_is_refused_in_one_line(own_aws: Server, fork: Server) -> None:
    for directory in (own_aws.directory, fork.directory):
        with pytest.raises(EmulatorError, match="a local AWS already runs in"):
            process.fork(own_aws, directory)
    assert keys(own_aws) == keys(fork) == []


def test_invalid_fork_request_is_refused(own_aws: Server) -> None:
    with pytest.raises(EmulatorError, match="directory"):
        process.control(own_aws, "fork", {})


def test_fork_enforces_the_permissions_of_its_base(fork: Server) -> None:
    with pytest.raises(ClientError, match="BucketAlready"):
        client_for(fork)("s3", "us-east-2").create_bucket(
            Bucket="shared", CreateBucketConfiguration={"LocationConstraint": "us-east-2"}
        )
