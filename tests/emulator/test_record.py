"""The record: what called what, as whom, and how it ended; never what a request said beyond names."""

from __future__ import annotations

import json
import threading
from collections.abc import Callable
from pathlib import Path

import pytest
from botocore.exceptions import ClientError

from emulator.process import Server
from emulator.record import CALLS_FILE, VIOLATIONS_FILE, Call, Recorder, read_calls, read_violations
from tests.emulator.support import Client, Terraform, client_for, send

pytestmark = pytest.mark.requirement("W8.2")

CALL = Call(
    time="2026-01-02T03:04:05.678+00:00",
    service="kms",
    operation="CreateKey",
    action="kms:CreateKey",
    region="us-east-2",
    caller="AKIAIOSFODNN7EXAMPLE",
    user_agent="",
    status=200,
    seconds=0.1,
)


def last(server: Server) -> Call:
    return read_calls(server.directory)[-1]


@pytest.mark.parametrize(
    ("service", "region", "operation", "parameters", "action", "resource"),
    [
        ("kms", "us-west-2", "create_alias", {"AliasName": "alias/a", "TargetKeyId": "k"}, "kms:CreateAlias",
         {"AliasName": "alias/a", "TargetKeyId": "k"}),
        ("ec2", "us-east-2", "describe_vpcs", {"VpcIds": ["vpc-1", "vpc-2"]}, "ec2:DescribeVpcs",
         {"VpcIds": ["vpc-1", "vpc-2"]}),
        ("s3", "us-east-1", "put_object", {"Bucket": "a-bucket", "Key": "a/key", "Body": b"x"}, "s3:PutObject",
         {"Bucket": "a-bucket", "Key": "a/key"}),
        ("cloudwatch", "us-east-2", "delete_alarms", {"AlarmNames": ["a"]}, "cloudwatch:DeleteAlarms",
         {"AlarmNames": ["a"]}),
        ("elbv2", "us-east-2", "delete_rule", {"RuleArn": "arn:aws:x"}, "elasticloadbalancing:DeleteRule",
         {"RuleArn": "arn:aws:x"}),
        ("s3control", "us-east-2", "delete_public_access_block", {"AccountId": "123456789012"},
         "s3:DeletePublicAccessBlock", {"AccountId": "123456789012"}),
        ("backup", "us-east-2", "delete_backup_vault", {"BackupVaultName": "some-vault"}, "backup:DeleteBackupVault",
         {"BackupVaultName": "some-vault"}),
    ],
)  # fmt: skip
def test_a_call_is_recorded_with_its_action_region_and_resource(
    service: str,
    region: str,
    operation: str,
    parameters: dict[str, object],
    action: str,
    resource: dict[str, object],
    client: Callable[..., Client],
    aws: Server,
) -> None:
    try:
        getattr(client(service, region), operation)(**parameters)
        expected = (200, "")
    except ClientError as error:
        expected = (error.response["ResponseMetadata"]["HTTPStatusCode"], error.response["Error"]["Code"])
    call = last(aws)
    assert (call.action, call.operation, call.service) == (action, action.partition(":")[2], service)
    assert (call.region, call.resource) == (region, resource)
    assert (call.status if expected != (200, "") else 200, call.error) == expected
    assert (call.caller, call.assumed_role, call.attempt) == ("AKIAIOSFODNN7EXAMPLE", "", 1)
    assert call.user_agent.startswith("Boto")
    assert call.seconds >= 0


def test_an_assumed_role_is_recorded(aws: Server) -> None:
    make = client_for(aws)
    role = make("iam").create_role(RoleName="deployer", AssumeRolePolicyDocument='{"Version": "2012-10-17"}')["Role"]
    listing = {"Effect": "Allow", "Action": "kms:ListKeys", "Resource": "*"}
    make("iam").put_role_policy(
        RoleName="deployer",
        PolicyName="listing",
        PolicyDocument=json.dumps({"Version": "2012-10-17", "Statement": listing}),
    )
    session = make("sts").assume_role(RoleArn=role["Arn"], RoleSessionName="of-a-test")["Credentials"]
    assert last(aws).resource == {"RoleArn": role["Arn"], "RoleSessionName": "of-a-test"}
    kms = make("kms")
    kms._request_signer._credentials = type(kms._request_signer._credentials)(
        session["AccessKeyId"], session["SecretAccessKey"], session["SessionToken"]
    )
    kms.list_keys()
    call = last(aws)
    assert (call.action, call.caller) == ("kms:ListKeys", session["AccessKeyId"])
    assert call.assumed_role == "arn:aws:sts::123456789012:assumed-role/deployer/of-a-test"
    for name in (CALLS_FILE, VIOLATIONS_FILE, "server.log"):
        text = (aws.directory / name).read_text()
        assert session["SecretAccessKey"] not in text
        assert session["SessionToken"] not in text


def test_retry_is_recorded_with_its_attempt(aws: Server) -> None:
    headers = {
        "Content-Type": "application/x-amz-json-1.1",
        "X-Amz-Target": "TrentService.ListKeys",
        "amz-sdk-request": "attempt=2; max=3",
    }
    send(aws, "kms", headers=headers, body="{}")
    assert last(aws).attempt == 2


def test_only_names_of_a_request_are_recorded(client: Callable[..., Client], aws: Server) -> None:
    client("secretsmanager").create_secret(Name="payments/database", SecretString="correct horse battery staple")
    assert last(aws).resource == {"Name": "payments/database"}
    s3 = client("s3", "us-east-1")
    s3.create_bucket(Bucket="recorded-names")
    s3.put_object(Bucket="recorded-names", Key="k", SSEKMSKeyId="battery", ServerSideEncryption="aws:kms", Body=b"x")
    assert last(aws).resource == {"Bucket": "recorded-names", "Key": "k"}  # the model says that the key id is sensitive
    client("ssm").put_parameter(Name="/payments/limit", Type="String", Value="correct horse battery staple")
    client("iam").create_user(UserName="reader")
    client("iam").create_login_profile(UserName="reader", Password="correct horse battery staple")
    assert last(aws).resource == {"UserName": "reader"}
    for name in (CALLS_FILE, VIOLATIONS_FILE, "server.log"):
        assert "battery" not in (aws.directory / name).read_text()


def test_a_gap_of_moto_is_an_error_that_no_sdk_repeats(client: Callable[..., Client], aws: Server) -> None:
    with pytest.raises(ClientError, match="the local AWS lacks codedeploy ListOnPremisesInstances"):
        client("codedeploy").list_on_premises_instances()
    assert (last(aws).status, last(aws).error) == (501, "LocalAwsNotImplemented")
    with pytest.raises(ClientError, match="the local AWS lacks cloudfront ListConnectionFunctions"):
        client("cloudfront").list_connection_functions()
    assert (last(aws).status, last(aws).error) == (501, "LocalAwsNotImplemented")


def test_terraform_and_its_provider_are_named(terraform: Callable[[str, Server], Terraform], own_aws: Server) -> None:
    s3 = client_for(own_aws)("s3")
    s3.create_bucket(Bucket="rehearsal-state", CreateBucketConfiguration={"LocationConstraint": "us-east-2"})
    terraform("backend", own_aws)
    agents = {call.user_agent.split()[1] for call in read_calls(own_aws.directory) if "Boto" not in call.user_agent}
    assert {agent.partition("/")[0] for agent in agents} == {"Terraform"}


def test_motos_own_interface_is_no_call(aws: Server) -> None:
    """Of the calls of this test alone: services that are at work call beside it."""
    headers = {"User-Agent": "Looker/1.0", "Content-Type": "application/x-www-form-urlencoded"}
    assert send(aws, "sts", "GET", "/moto-api/config", headers=headers).status == 201
    identity = "Action=GetCallerIdentity&Version=2011-06-15"
    assert send(aws, "sts", headers=headers, body=identity).status == 200
    calls = [call for call in read_calls(aws.directory) if call.user_agent == headers["User-Agent"]]
    assert [call.operation for call in calls] == ["GetCallerIdentity"]


def test_lines_of_many_threads_stay_whole(tmp_path: Path) -> None:
    recorder = Recorder(tmp_path)

    def write() -> None:
        for _ in range(200):
            recorder.call(CALL)

    threads = [threading.Thread(target=write) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert read_calls(tmp_path) == [CALL] * 1600
    assert read_violations(tmp_path) == []


def test_a_directory_without_a_record_has_no_calls(tmp_path: Path) -> None:
    assert read_calls(tmp_path) == []
    assert read_violations(tmp_path) == []


@pytest.mark.parametrize(
    ("line", "message"),
    [("{", "line 2: not JSON"), ('{"colour": "red"}', "line 2: not a Call"), ("3", "not a JSON object")],
)
def test_a_line_that_is_no_call_is_named(line: str, message: str, tmp_path: Path) -> None:
    Recorder(tmp_path).call(CALL)
    with (tmp_path / CALLS_FILE).open("a") as file:
        file.write(f"{line}\n")
    with pytest.raises(ValueError, match=message):
        read_calls(tmp_path)


def test_a_record_is_continued_by_the_next_server(tmp_path: Path) -> None:
    Recorder(tmp_path).call(CALL)
    Recorder(tmp_path).call(CALL)
    assert read_calls(tmp_path) == [CALL, CALL]
