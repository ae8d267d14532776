"""Authorization in the local AWS: what policies allow a role's session, and how AWS refuses the rest."""

from __future__ import annotations

import http.client
import json
from collections.abc import Callable
from typing import Any
from urllib.parse import urlsplit

import botocore.session
import pytest
from botocore.config import Config
from botocore.exceptions import ClientError

from emulator.process import Server, role_environment
from emulator.record import RecordedRefusal, read_refusals
from tests.emulator.network_support import interface_endpoint
from tests.emulator.release_support import zipped
from tests.emulator.roles import document, make_role
from tests.emulator.support import Client, client_for, error_of

pytestmark = pytest.mark.requirement("W8.4")

ACCOUNT = "123456789012"
KEY_OF_NOBODY = "ASIAIOSFODNN7NOBODY0"


def allow(action: str, resource: str = "*", **elements: Any) -> dict[str, Any]:
    return {"Effect": "Allow", "Action": action, "Resource": resource, **elements}


class As:
    """Clients with a session of a role that has these statements and nothing else."""

    def __init__(self, aws: Server, name: str, *statements: dict[str, Any]) -> None:
        self._aws = aws
        make = client_for(aws)
        self.role = make_role(make, "lambda.amazonaws.com", name, *statements)
        self._session = make("sts").assume_role(RoleArn=self.role, RoleSessionName="test")["Credentials"]

    def __call__(self, service: str, region: str = "us-east-2") -> Client:
        return client_with(self._aws, service, region, *(self._session[one] for one in PARTS))


PARTS = ("AccessKeyId", "SecretAccessKey", "SessionToken")


def client_with(aws: Server, service: str, region: str, key_id: str, secret: str, token: str | None = None) -> Client:
    session = botocore.session.get_session()
    session.set_credentials(key_id, secret, token)
    config = Config(proxies={}, retries={"total_max_attempts": 1})
    return session.create_client(service, region, endpoint_url=aws.url, config=config)


def last_refusal(aws: Server) -> RecordedRefusal:
    return read_refusals(aws.directory)[-1]


@pytest.mark.parametrize(
    ("service", "operation", "parameters", "code", "status"),
    [
        ("kms", "list_keys", {}, "AccessDeniedException", 400),
        ("ec2", "describe_vpcs", {}, "UnauthorizedOperation", 403),
        ("s3", "list_objects_v2", {"Bucket": "a-bucket"}, "AccessDenied", 403),
        ("iam", "list_roles", {}, "AccessDenied", 403),
        ("lambda", "list_functions", {}, "AccessDeniedException", 403),
        ("sns", "list_topics", {}, "AuthorizationError", 403),
    ],
)
def test_a_request_that_no_policy_allows_is_refused_as_its_service_refuses(
    aws: Server, service: str, operation: str, parameters: dict[str, Any], code: str, status: int
) -> None:
    nothing = As(aws, "nothing", allow("sqs:ListQueues"))

    with pytest.raises(ClientError) as refused:
        getattr(nothing(service), operation)(**parameters)

    assert refused.value.response["Error"]["Code"] == code
    assert refused.value.response["ResponseMetadata"]["HTTPStatusCode"] == status
    assert "because no identity-based policy allows" in refused.value.response["Error"]["Message"]
    assert last_refusal(aws).refused_by == "identity-based policy"
    assert last_refusal(aws).principal == f"arn:aws:sts::{ACCOUNT}:assumed-role/nothing/test"


def test_the_log_names_the_missing_statement(aws: Server) -> None:
    secret = client_for(aws)("secretsmanager").create_secret(Name="login", SecretString="hunter22")["ARN"]

    code = error_of(lambda: As(aws, "reader", allow("sqs:*"))("secretsmanager").get_secret_value(SecretId="login"))

    assert code == "AccessDeniedException"
    assert f"Allow secretsmanager:GetSecretValue on {secret}" in last_refusal(aws).missing
    assert last_refusal(aws).missing in (aws.directory / "server.log").read_text()


def test_unknown_access_key_is_refused(aws: Server) -> None:
    ec2 = client_with(aws, "ec2", "us-east-2", KEY_OF_NOBODY, "secret")
    assert error_of(ec2.describe_vpcs) == "AuthFailure"
    sqs = client_with(aws, "sqs", "us-east-2", KEY_OF_NOBODY, "secret")
    assert error_of(sqs.list_queues) in {"InvalidClientTokenId", "UnrecognizedClientException"}


def test_a_secret_under_a_key_is_read_only_with_the_key(aws: Server) -> None:
    make = client_for(aws)
    key = make("kms").create_key()["KeyMetadata"]["Arn"]
    secret = make("secretsmanager").create_secret(Name="keyed", SecretString="hunter22", KmsKeyId=key)["ARN"]
    reads, via = allow("secretsmanager:GetSecretValue", secret), "secretsmanager.us-east-2.amazonaws.com"
    uses = allow("kms:Decrypt", key, Condition={"StringEquals": {"kms:ViaService": via}})

    without = As(aws, "without-the-key", reads)
    assert error_of(lambda: without("secretsmanager").get_secret_value(SecretId=secret)) == "AccessDeniedException"
    assert last_refusal(aws).action == "kms:Decrypt"
    with_key = As(aws, "with-the-key", reads, uses)
    assert with_key("secretsmanager").get_secret_value(SecretId=secret)["SecretString"] == "hunter22"

    make("kms").put_key_policy(KeyId=key, PolicyName="default", Policy=document(of_root("kms:DescribeKey")))
    assert error_of(lambda: with_key("secretsmanager").get_secret_value(SecretId=secret)) == "AccessDeniedException"
    assert last_refusal(aws).refused_by == "resource-based policy"


def test_key_of_a_bucket_is_asked_for_in_the_region_and_for_the_bucket_where_it_has_a_bucket_key(aws: Server) -> None:
    make = client_for(aws)
    key, s3 = make("kms").create_key()["KeyMetadata"]["Arn"], make("s3")
    s3.create_bucket(Bucket="with-a-bucket-key", CreateBucketConfiguration={"LocationConstraint": "us-east-2"})
    encryption = {"ApplyServerSideEncryptionByDefault": {"SSEAlgorithm": "aws:kms", "KMSMasterKeyID": key}}
    rules = [{**encryption, "BucketKeyEnabled": True}]
    s3.put_bucket_encryption(Bucket="with-a-bucket-key", ServerSideEncryptionConfiguration={"Rules": rules})
    elsewhere = {"Condition": {"StringNotEquals": {"aws:RequestedRegion": "us-east-2"}}, "Resource": "*"}
    nowhere_else = {"Effect": "Deny", "Action": "*", **elsewhere}
    writes = allow("s3:PutObject", "arn:aws:s3:::with-a-bucket-key/*")

    def uses(resource: str) -> dict[str, Any]:
        context = {"StringEquals": {"kms:EncryptionContext:aws:s3:arn": resource}}
        return allow("kms:GenerateDataKey", key, Condition=context)

    of_bucket = As(aws, "of-the-bucket", writes, uses("arn:aws:s3:::with-a-bucket-key"), nowhere_else)
    of_bucket("s3").put_object(Bucket="with-a-bucket-key", Key="file", Body=b"text")
    of_object = As(aws, "of-the-object", writes, uses("arn:aws:s3:::with-a-bucket-key/file"), nowhere_else)
    refused = error_of(lambda: of_object("s3").put_object(Bucket="with-a-bucket-key", Key="file", Body=b"text"))
    assert refused == "AccessDenied"


def of_root(action: str) -> dict[str, Any]:
    return allow(action, Principal={"AWS": f"arn:aws:iam::{ACCOUNT}:root"})


def test_boundary_limits_the_policies_of_a_role(aws: Server) -> None:
    make = client_for(aws)
    bounded = As(aws, "bounded", allow("*"))
    boundary = make("iam").create_policy(PolicyName="boundary", PolicyDocument=document(allow("kms:*")))["Policy"][
        "Arn"
    ]
    bounded("sqs").list_queues()

    make("iam").put_role_permissions_boundary(RoleName="bounded", PermissionsBoundary=boundary)

    bounded("kms").list_keys()
    with pytest.raises(ClientError, match="no permissions boundary allows the sqs:ListQueues action"):
        bounded("sqs").list_queues()


def test_a_role_is_passed_only_to_the_service_that_a_policy_names(aws: Server) -> None:
    make = client_for(aws)
    role = make_role(make, "lambda.amazonaws.com", "of-a-function")
    parameters = {
        "FunctionName": "passed",
        "Runtime": "python3.13",
        "Handler": "handler.handle",
        "Role": role,
        "Code": {"ZipFile": zipped("def handle(event, context): pass")},
    }
    creates = allow("lambda:*")

    def passing_to(service: str) -> dict[str, Any]:
        return allow("iam:PassRole", role, Condition={"StringEquals": {"iam:PassedToService": service}})

    to_tasks = As(aws, "passes-to-tasks", creates, passing_to("ecs-tasks.amazonaws.com"))
    assert error_of(lambda: to_tasks("lambda").create_function(**parameters)) == "AccessDeniedException"
    assert last_refusal(aws).action == "iam:PassRole"
    to_functions = As(aws, "passes-to-functions", creates, passing_to("lambda.amazonaws.com"))
    assert to_functions("lambda").create_function(**parameters)["Role"] == role


def test_a_workflows_session_is_allowed_what_its_role_is_and_refused_the_rest(aws: Server) -> None:
    role = make_role(client_for(aws), "lambda.amazonaws.com", "of-a-workflow", allow("sqs:ListQueues"))
    variables = role_environment(aws, role)
    session = [variables[f"AWS_{one}"] for one in ("ACCESS_KEY_ID", "SECRET_ACCESS_KEY", "SESSION_TOKEN")]
    kms = client_with(aws, "kms", "us-east-2", *session)
    assert error_of(kms.list_keys) == "AccessDeniedException"
    assert last_refusal(aws).action == "kms:ListKeys"
    client_with(aws, "sqs", "us-east-2", *session).list_queues()


def test_statement_that_allows_untagged_resources_refuses_those_of_other_environments(aws: Server) -> None:
    own = {"StringEqualsIfExists": {"aws:ResourceTag/environment_suffix": "local"}}
    keeper = As(aws, "by-tags", allow("kms:DescribeKey", Condition=own))
    kms = client_for(aws)("kms")

    def key(*tags: str) -> str:
        sent = [{"TagKey": "environment_suffix", "TagValue": one} for one in tags]
        return str(kms.create_key(Tags=sent)["KeyMetadata"]["Arn"])

    keeper("kms").describe_key(KeyId=key())
    keeper("kms").describe_key(KeyId=key("local"))
    anothers = key("pr-7")
    assert error_of(lambda: keeper("kms").describe_key(KeyId=anothers)) == "AccessDeniedException"


def test_an_unsigned_request_to_s3_needs_a_policy_that_grants_it_to_everybody(aws: Server) -> None:
    s3 = client_for(aws)("s3")
    s3.create_bucket(Bucket="unsigned", CreateBucketConfiguration={"LocationConstraint": "us-east-2"})
    s3.put_object(Bucket="unsigned", Key="file", Body=b"text")

    def status() -> int:
        connection = http.client.HTTPConnection(urlsplit(aws.url).netloc, timeout=10)
        connection.request("GET", "/unsigned/file")
        return connection.getresponse().status

    assert status() == 403
    everybody = allow("s3:GetObject", "arn:aws:s3:::unsigned/*", Principal="*")
    s3.put_bucket_policy(Bucket="unsigned", Policy=document(everybody))
    assert status() == 200


CALLS = """
import boto3, json
from botocore.exceptions import ClientError
def handle(event, context):
    try:
        return boto3.client("sqs").list_queues().get("QueueUrls", [])
    except ClientError as error:
        return error.response["Error"]["Message"]
"""


def invoke(client: Callable[..., Client], name: str, role: str, **parameters: Any) -> Any:
    functions = client("lambda")
    functions.create_function(
        FunctionName=name,
        Runtime="python3.13",
        Handler="handler.handle",
        Role=role,
        Timeout=30,
        Code={"ZipFile": zipped(CALLS)},
        **parameters,
    )
    return json.loads(functions.invoke(FunctionName=name)["Payload"].read())


def test_a_function_calls_as_its_role(client: Callable[..., Client]) -> None:
    lists = make_role(client, "lambda.amazonaws.com", "lists-queues", allow("sqs:ListQueues"))
    lists_not = make_role(client, "lambda.amazonaws.com", "lists-no-queues", allow("sqs:SendMessage"))

    assert isinstance(invoke(client, "lists-queues", lists), list)
    said = invoke(client, "lists-no-queues", lists_not)
    assert f"arn:aws:sts::{ACCOUNT}:assumed-role/lists-no-queues/lists-no-queues is not authorized" in said


def test_a_function_whose_role_does_not_trust_lambda_does_not_run(client: Callable[..., Client]) -> None:
    role = make_role(client, "ecs-tasks.amazonaws.com", "of-a-task")
    assert "cannot be assumed by Lambda" in invoke(client, "distrusted", role)["errorMessage"]


def test_log_lines_that_the_role_may_not_write_are_lost(client: Callable[..., Client], aws: Server) -> None:
    silent = make_role(client, "lambda.amazonaws.com", "logs-nothing", allow("sqs:ListQueues"))
    invoke(client, "logs-nothing", silent)
    assert client("logs").describe_log_groups(logGroupNamePrefix="/aws/lambda/logs-nothing")["logGroups"] == []
    assert "logs:CreateLogGroup" in {one.action for one in read_refusals(aws.directory)}


def test_in_a_vpc_the_endpoint_of_the_service_must_allow_the_call_too(client: Callable[..., Client]) -> None:
    ec2 = client("ec2")
    vpc = ec2.create_vpc(CidrBlock="10.9.0.0/16")["Vpc"]["VpcId"]
    subnet = ec2.create_subnet(VpcId=vpc, CidrBlock="10.9.0.0/24")["Subnet"]["SubnetId"]
    group = ec2.create_security_group(VpcId=vpc, GroupName="functions", Description="functions")["GroupId"]
    within = {"VpcConfig": {"SubnetIds": [subnet], "SecurityGroupIds": [group]}}
    role = make_role(client, "lambda.amazonaws.com", "in-the-vpc")
    limited = document(allow("sqs:SendMessage", Principal="*"))
    endpoint = interface_endpoint(ec2, subnet, "sqs", PolicyDocument=limited)

    assert "because no VPC endpoint policy allows the sqs:ListQueues action" in invoke(client, "first", role, **within)
    everything = document(allow("*", Principal="*"))
    ec2.modify_vpc_endpoint(VpcEndpointId=endpoint, PolicyDocument=everything)
    assert isinstance(invoke(client, "second", role, **within), list)


def test_function_in_a_vpc_calls_aws_by_a_way_of_its_network_only(client: Callable[..., Client]) -> None:
    """Neither its subnet's routes, nor the endpoint's groups and its own, are passed over."""
    ec2 = client("ec2")
    vpc = ec2.create_vpc(CidrBlock="10.8.0.0/16")["Vpc"]["VpcId"]
    subnet = ec2.create_subnet(VpcId=vpc, CidrBlock="10.8.0.0/24")["Subnet"]["SubnetId"]
    group = ec2.create_security_group(VpcId=vpc, GroupName="functions", Description="functions")["GroupId"]
    role = make_role(client, "lambda.amazonaws.com", "with-a-way")

    def called(name: str) -> Any:
        return invoke(client, name, role, VpcConfig={"SubnetIds": [subnet], "SecurityGroupIds": [group]})

    assert "no route to" in str(called("before"))
    interface_endpoint(ec2, subnet, "sqs")
    assert isinstance(called("after"), list)
    (described,) = ec2.describe_security_groups(GroupIds=[group])["SecurityGroups"]
    ec2.revoke_security_group_egress(GroupId=group, IpPermissions=described["IpPermissionsEgress"])
    assert f"{group}: no egress rule admits tcp 443" in str(called("closed"))
