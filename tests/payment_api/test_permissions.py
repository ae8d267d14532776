"""The roles of functions and tasks, held both ways against what their calls.toml says that they call.

What a call implies is there too: a secret or a queue under a key of ours is of no use to who may not use the key.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from fnmatch import fnmatchcase

import pytest

from payment_api.settings import Settings
from settings.common import SETTLEMENT_PREFIX
from tests.payment_api.policies import ACCOUNT, PLACE, REGION, Roles
from tests.payment_api.programs import OF_API, SERVICE, calls_of
from tests.payment_api.support import Template

pytestmark = pytest.mark.requirement("P3.3")

# What a call of a service means for the key under which the thing is.
# https://docs.aws.amazon.com/secretsmanager/latest/userguide/security-encryption.html
# https://docs.aws.amazon.com/AWSSimpleQueueService/latest/SQSDeveloperGuide/sqs-key-management.html
IMPLIED = {
    "secretsmanager:GetSecretValue": {"kms:Decrypt"},
    "secretsmanager:PutSecretValue": {"kms:Decrypt", "kms:GenerateDataKey"},
    "sqs:SendMessage": {"kms:Decrypt", "kms:GenerateDataKey"},
    "sqs:ReceiveMessage": {"kms:Decrypt"},
    "s3:GetObject": {"kms:Decrypt"},
}
# What a request says of itself.
CONTEXTS = {"s3:ListBucket": {"s3:prefix": SETTLEMENT_PREFIX}}
# A hook of ECS that calls the load balancer, and an authorizer that calls nothing.
WITHOUT_A_CALL = {"smoke_test", "show_certificate"}
# What Lambda does with a function's role, beside what the function itself calls.
# https://docs.aws.amazon.com/lambda/latest/dg/configuration-vpc.html#configuration-vpc-permissions
BY_LAMBDA = {
    *("logs:CreateLogStream", "logs:PutLogEvents", "xray:PutTraceSegments", "xray:PutTelemetryRecords"),
    *("ec2:CreateNetworkInterface", "ec2:DescribeNetworkInterfaces", "ec2:DescribeSubnets"),
    *("ec2:DeleteNetworkInterface", "ec2:AssignPrivateIpAddresses", "ec2:UnassignPrivateIpAddresses"),
}


@dataclass(frozen=True)
class Call:
    """A request, and what it is told of."""

    action: str
    resource: str
    context: dict[str, str] = field(default_factory=dict, hash=False)


def things(program: str, api: Template, settings: Settings) -> dict[str, tuple[str, str]]:
    """The things of calls.toml in this template: their ARNs, and those of their keys."""

    def secret(name: str) -> tuple[str, str]:
        return f"arn:aws:secretsmanager:{PLACE}:secret:{name}-A1b2C3", settings.secrets.key_arn

    users = {SERVICE: settings.database.service_user, "administer_merchants": settings.database.administration_user}
    user = users.get(program, settings.database.processing_user)
    cluster = f"{api.id_of('AWS::RDS::DBCluster')}.DBClusterResourceId"
    queue = next(one for id_, one in api.of("AWS::SQS::Queue").items() if "deadletters" not in id_)
    dead_letters = next(one for id_, one in api.of("AWS::SQS::Queue").items() if "deadletters" in id_)
    key = Roles(api).resolve(queue["KmsMasterKeyId"])
    documents = api.one("AWS::S3::Bucket", "documents")
    bucket = f"arn:aws:s3:::{Roles(api).resolve(documents['BucketName'])}"
    (encryption,) = documents["BucketEncryption"]["ServerSideEncryptionConfiguration"]
    documents_key = Roles(api).resolve(encryption["ServerSideEncryptionByDefault"]["KMSMasterKeyID"])
    plan = api.id_of("AWS::ApiGateway::UsagePlan")
    plan_name = api.one("AWS::ApiGateway::UsagePlan").get("UsagePlanName")
    assert plan_name
    gateway = f"arn:aws:apigateway:{REGION}::"
    rotated = settings.secrets.api_key if program == "rotate_api_key" else settings.secrets.database
    return {
        "secret": secret(rotated),
        "master_secret": secret(settings.secrets.database),
        "acquirer_secret": secret(settings.secrets.acquirer),
        "notification_secret": secret(settings.secrets.notifications),
        "pepper_secret": secret(settings.secrets.peppers),
        "database_user": (f"arn:aws:rds-db:{PLACE}:dbuser:{cluster}/{user}", ""),
        "publishing_user": (f"arn:aws:rds-db:{PLACE}:dbuser:{cluster}/{settings.database.publishing_user}", ""),
        "queue": (f"arn:aws:sqs:{PLACE}:{queue['QueueName']}", key),
        "dead_letters": (f"arn:aws:sqs:{PLACE}:{dead_letters['QueueName']}", key),
        "settlement_bucket": (bucket, ""),
        "settlement_files": (f"{bucket}/{SETTLEMENT_PREFIX}2026-11-28.csv", documents_key),
        "api_keys": (f"{gateway}/apikeys", ""),
        "api_key": (f"{gateway}/apikeys/a1b2c3d4e5", ""),
        "usage_plan_keys": (f"{gateway}/usageplans/{plan}/keys", ""),
        "usage_plan_usage": (f"{gateway}/usageplans/{plan}/usage", ""),
        "anything": ("*", ""),
    }


def needed(program: str, api: Template, settings: Settings) -> set[Call]:
    """Every request that the program makes, and those that follow from them."""
    known = things(program, api, settings)
    found = set()
    for thing, actions in calls_of(program).items():
        arn, key = known[thing]
        for action in actions:
            found.add(Call(action, arn, CONTEXTS.get(action, {})))
            via = f"{action.partition(':')[0]}.{REGION}.amazonaws.com"
            found |= {Call(one, key, {"kms:ViaService": via}) for one in IMPLIED.get(action, set())}
    return found


def role_of(program: str, api: Template) -> str:
    return Roles(api).of_task() if program == SERVICE else Roles(api).of_function(program.replace("_", ""))


def test_every_function_of_the_api_may_make_its_calls(api: Template) -> None:
    own = [
        id_ for id_ in api.of("AWS::Lambda::Function") if id_.startswith(("processing", "rotation", "canary", "show"))
    ]
    assert len(own) == len(OF_API) - 1


@pytest.mark.parametrize("program", OF_API)
def test_a_role_allows_every_call_of_its_program_and_the_use_of_keys_that_follows(
    program: str, api: Template, settings: Settings
) -> None:
    calls, role = needed(program, api, settings), role_of(program, api)
    assert calls or program in WITHOUT_A_CALL
    roles = Roles(api)
    refused = [call for call in calls if not roles.allows(role, call.action, call.resource, call.context)]
    assert not refused


@pytest.mark.parametrize("program", OF_API)
def test_a_role_allows_nothing_that_its_program_does_not_call(program: str, api: Template, settings: Settings) -> None:
    calls = needed(program, api, settings)
    unused = {
        (action, resource)
        for action, resource in Roles(api).granted(role_of(program, api))
        if action not in BY_LAMBDA
        and not any(call.action == action and fnmatchcase(call.resource, resource) for call in calls)
    }
    assert not unused


@pytest.mark.parametrize("program", [one for one in OF_API if one != SERVICE])
def test_lambda_may_use_the_role_of_a_function_as_it_does_at_creation(program: str, api: Template) -> None:
    roles, role = Roles(api), role_of(program, api)
    function = api.one("AWS::Lambda::Function", program.replace("_", ""))
    (group,) = [roles.resolve(function["LoggingConfig"]["LogGroup"])]
    log = f"arn:aws:logs:{PLACE}:log-group:{group}:log-stream:2026"
    assert roles.allows(role, "logs:PutLogEvents", log)
    assert roles.allows(role, "xray:PutTraceSegments", "*")
    # Lambda asks when the function is made, of all that there could be.
    interface = f"arn:aws:ec2:{REGION}:{ACCOUNT}:*/*"
    assert roles.allows(role, "ec2:CreateNetworkInterface", interface)
    assert roles.allows(role, "ec2:DeleteNetworkInterface", interface)
