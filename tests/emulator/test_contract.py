"""Requests that AWS's published models do not allow, in every protocol: refused as the service would, and recorded."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import urlencode

import pytest
from botocore.exceptions import ClientError

from emulator.contract import Constraint
from emulator.process import Server
from emulator.record import RecordedViolation, read_calls, read_violations
from tests.emulator.support import Client, send

pytestmark = pytest.mark.requirement("W8.2")

FORM = {"Content-Type": "application/x-www-form-urlencoded; charset=utf-8"}
S3_NAMESPACE = "http://s3.amazonaws.com/doc/2006-03-01/"
ROUTE53_NAMESPACE = "https://route53.amazonaws.com/doc/2013-04-01/"


@dataclass(frozen=True)
class Case:
    """A request, and the violation that it is."""

    signing_name: str
    member: str
    constraint: Constraint
    code: str
    body: str = ""
    method: str = "POST"
    path: str = "/"
    headers: dict[str, str] = field(default_factory=dict)

    def __str__(self) -> str:
        return f"{self.signing_name}-{self.constraint}-{self.member}"


def iam(member: str, constraint: Constraint, **parameters: str) -> Case:
    role = {"Action": "CreateRole", "Version": "2010-05-08", "RoleName": "role", "AssumeRolePolicyDocument": "{}"}
    form = {name: value for name, value in {**role, **parameters}.items() if value != "absent"}
    return Case("iam", member, constraint, "ValidationError", urlencode(form), headers=FORM)


def ec2(member: str, constraint: Constraint, code: str, **parameters: str) -> Case:
    form = {"Version": "2016-11-15", **parameters}
    return Case("ec2", member, constraint, code, urlencode(form), headers=FORM)


def launch_template(constraint: Constraint, name: str) -> Case:
    parameters = {"Action": "DescribeLaunchTemplateVersions", "LaunchTemplateName": name}
    return ec2("LaunchTemplateName", constraint, "InvalidParameterValue", **parameters)


def kms(member: str, constraint: Constraint, operation: str, parameters: Any) -> Case:
    headers = {"Content-Type": "application/x-amz-json-1.1", "X-Amz-Target": f"TrentService.{operation}"}
    body = parameters if isinstance(parameters, str) else json.dumps(parameters)
    return Case("kms", member, constraint, "ValidationException", body, headers=headers)


def rotation(constraint: Constraint, days: Any) -> Case:
    return kms("RotationPeriodInDays", constraint, "EnableKeyRotation", {"KeyId": "k", "RotationPeriodInDays": days})


def backup(member: str, constraint: Constraint, path: str = "/backup/plans/", body: Any = "", **other: str) -> Case:
    text = body if isinstance(body, str) else json.dumps(body)
    headers = {"Content-Type": "application/json"}
    return Case("backup", member, constraint, "InvalidParameterValueException", text, "PUT", path, headers, **other)


def plan(**rule: Any) -> dict[str, Any]:
    whole = {"RuleName": "daily", "TargetBackupVaultName": "vault", **rule}
    return {"BackupPlan": {"BackupPlanName": "plan", "Rules": [whole]}}


def s3(member: str, constraint: Constraint, code: str, subresource: str, body: str = "", **headers: str) -> Case:
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    return Case("s3", member, constraint, code, body, "PUT", f"/some-bucket{subresource}", named)


def replication(rule: str, *, role: str = "<Role>arn</Role>", root: str = "ReplicationConfiguration") -> str:
    return f'<{root} xmlns="{S3_NAMESPACE}">{role}<Rule>{rule}</Rule></{root}>'


RULE = "<Status>Enabled</Status><Destination><Bucket>arn:aws:s3:::b</Bucket></Destination>"


def route53(member: str, constraint: Constraint, content: str) -> Case:
    body = f'<CreateHealthCheckRequest xmlns="{ROUTE53_NAMESPACE}">{content}</CreateHealthCheckRequest>'
    return Case("route53", member, constraint, "InvalidInput", body, "POST", "/2013-04-01/healthcheck")


def health_check(content: str) -> str:
    return f"<CallerReference>r</CallerReference><HealthCheckConfig><Type>HTTP</Type>{content}</HealthCheckConfig>"


QUERY = [
    iam("Colour", Constraint.UNKNOWN_MEMBER, Colour="red"),
    iam("Tags[0].Colour", Constraint.UNKNOWN_MEMBER, **{
        "Tags.member.1.Key": "k", "Tags.member.1.Value": "v", "Tags.member.1.Colour": "red",
    }),
    iam("AssumeRolePolicyDocument", Constraint.MISSING, AssumeRolePolicyDocument="absent"),
    iam("Tags[1].Value", Constraint.MISSING, **{
        "Tags.member.1.Key": "k", "Tags.member.1.Value": "v", "Tags.member.2.Key": "k",
    }),
    iam("MaxSessionDuration", Constraint.TYPE, MaxSessionDuration="an hour"),
    iam("RoleName", Constraint.TYPE, **{"RoleName": "absent", "RoleName.member.1": "role"}),
    iam("Tags", Constraint.TYPE, **{"Tags.1.Key": "k"}),
    iam("RoleName", Constraint.PATTERN, RoleName="a role"),
    iam("Path", Constraint.PATTERN, Path="no-slash"),
    iam("RoleName", Constraint.LENGTH_MAXIMUM, RoleName="r" * 65),
    iam("RoleName", Constraint.LENGTH_MINIMUM, RoleName=""),
    iam("MaxSessionDuration", Constraint.RANGE_MINIMUM, MaxSessionDuration="3599"),
    iam("MaxSessionDuration", Constraint.RANGE_MAXIMUM, MaxSessionDuration="43201"),
    iam("Tags", Constraint.LENGTH_MAXIMUM, **{
        f"Tags.member.{n}.{part}": "x" for n in range(1, 52) for part in ("Key", "Value")
    }),
    iam("Status", Constraint.ENUM, Action="UpdateAccessKey", AccessKeyId="A" * 16, Status="Maybe",
        RoleName="absent", AssumeRolePolicyDocument="absent"),
]  # fmt: skip
EC2 = [
    ec2("Colour", Constraint.UNKNOWN_MEMBER, "UnknownParameter", Action="CreateVpc", Colour="red"),
    ec2("TagSpecifications[0].Tags[0].Colour", Constraint.UNKNOWN_MEMBER, "UnknownParameter", **{
        "Action": "CreateVpc", "TagSpecification.1.Tag.1.Colour": "red",
    }),
    ec2("VpcId", Constraint.MISSING, "MissingParameter", Action="CreateSubnet", CidrBlock="10.0.0.0/24"),
    ec2("DryRun", Constraint.TYPE, "InvalidParameterValue", Action="DescribeVpcs", DryRun="perhaps"),
    ec2("VpcIds", Constraint.TYPE, "InvalidParameterValue", **{"Action": "DescribeVpcs", "VpcId.first": "vpc-1"}),
    ec2("InstanceTenancy", Constraint.ENUM, "InvalidParameterValue", Action="CreateVpc", InstanceTenancy="mine"),
    ec2("MaxResults", Constraint.RANGE_MINIMUM, "InvalidParameterValue", Action="DescribeVpcs", MaxResults="4"),
    ec2("MaxResults", Constraint.RANGE_MAXIMUM, "InvalidParameterValue", Action="DescribeVpcs", MaxResults="1001"),
    launch_template(Constraint.PATTERN, "a b c"),
    launch_template(Constraint.LENGTH_MINIMUM, "ab"),
    launch_template(Constraint.LENGTH_MAXIMUM, "a" * 129),
]  # fmt: skip
JSON = [
    kms("Colour", Constraint.UNKNOWN_MEMBER, "CreateKey", {"Colour": "red"}),
    kms("Tags[0].Colour", Constraint.UNKNOWN_MEMBER, "CreateKey", {
        "Tags": [{"TagKey": "k", "TagValue": "v", "Colour": 1}],
    }),
    kms("KeyId", Constraint.MISSING, "DescribeKey", {}),
    kms("KeyId", Constraint.MISSING, "DescribeKey", {"KeyId": None}),
    kms("KeyId", Constraint.TYPE, "DescribeKey", {"KeyId": 5}),
    kms("Tags", Constraint.TYPE, "CreateKey", {"Tags": {"TagKey": "k"}}),
    kms("Tags[0]", Constraint.TYPE, "CreateKey", {"Tags": ["k"]}),
    kms("MultiRegion", Constraint.TYPE, "CreateKey", {"MultiRegion": "true"}),
    rotation(Constraint.TYPE, "90"),
    rotation(Constraint.TYPE, True),
    kms("CiphertextBlob", Constraint.TYPE, "Decrypt", {"CiphertextBlob": "AAAA!"}),
    kms("CiphertextBlob", Constraint.LENGTH_MAXIMUM, "Decrypt", {"CiphertextBlob": "AAAA" * 2049}),
    kms("KeySpec", Constraint.ENUM, "CreateKey", {"KeySpec": "RSA_1"}),
    kms("AliasName", Constraint.PATTERN, "CreateAlias", {"AliasName": "alias/a b", "TargetKeyId": "k"}),
    kms("Description", Constraint.LENGTH_MAXIMUM, "CreateKey", {"Description": "d" * 8193}),
    kms("KeyId", Constraint.LENGTH_MINIMUM, "DescribeKey", {"KeyId": ""}),
    rotation(Constraint.RANGE_MINIMUM, 89),
    rotation(Constraint.RANGE_MAXIMUM, 2561),
    kms("", Constraint.TYPE, "CreateKey", "{"),
    kms("", Constraint.TYPE, "CreateKey", "[]"),
]  # fmt: skip
REST_JSON = [
    backup("Colour", Constraint.UNKNOWN_MEMBER, body={**plan(), "Colour": "red"}),
    backup("BackupPlan.Rules[0].Colour", Constraint.UNKNOWN_MEMBER, body=plan(Colour="red")),
    backup("colour", Constraint.UNKNOWN_MEMBER, path="/backup/plans/?colour=red", body=plan()),
    backup("BackupPlan", Constraint.MISSING, body={}),
    backup("BackupPlan", Constraint.MISSING),
    backup("BackupPlan.Rules[0].TargetBackupVaultName", Constraint.MISSING, body=plan(TargetBackupVaultName=None)),
    backup("BackupPlan.Rules[0].StartWindowMinutes", Constraint.TYPE, body=plan(StartWindowMinutes="60")),
    backup("BackupPlan.Rules[0].EnableContinuousBackup", Constraint.TYPE, body=plan(EnableContinuousBackup="true")),
    backup("BackupPlanTags", Constraint.TYPE, body={**plan(), "BackupPlanTags": ["a"]}),
    backup("BackupPlan.Rules[0].RuleName", Constraint.PATTERN, body=plan(RuleName="every day")),
    backup("BackupVaultName", Constraint.PATTERN, path="/backup-vaults/a%20vault", body={}),
    backup("", Constraint.TYPE, body="{"),
    Case("backup", "MaxResults", Constraint.RANGE_MAXIMUM, "InvalidParameterValueException",
         method="GET", path="/backup/plans/?maxResults=1001"),
    Case("backup", "MaxResults", Constraint.RANGE_MINIMUM, "InvalidParameterValueException",
         method="GET", path="/backup/plans/?maxResults=0"),
    Case("backup", "MaxResults", Constraint.TYPE, "InvalidParameterValueException",
         method="GET", path="/backup/plans/?maxResults=many"),
    Case("backup", "ByState", Constraint.ENUM, "InvalidParameterValueException",
         method="GET", path="/backup-jobs/?state=DONE"),
    Case("xray", "TraceIds[0]", Constraint.LENGTH_MAXIMUM, "InvalidRequestException",
         json.dumps({"TraceIds": ["t" * 36]}), path="/Traces"),
]  # fmt: skip
REST_XML = [
    s3("ReplicationConfiguration.Rules[0].Colour", Constraint.UNKNOWN_MEMBER, "MalformedXML", "?replication",
       replication(f"{RULE}<Colour>red</Colour>")),
    s3("ReplicationConfiguration.{http://example.com}colour", Constraint.UNKNOWN_MEMBER, "MalformedXML", "?replication",
       replication(RULE, root='ReplicationConfiguration').replace(
           "<ReplicationConfiguration ", '<ReplicationConfiguration xmlns:x="http://example.com" x:colour="red" ')),
    s3("ReplicationConfiguration.Role", Constraint.MISSING, "MalformedXML", "?replication", replication(RULE, role="")),
    s3("ReplicationConfiguration.Rules[0].Destination", Constraint.MISSING, "MalformedXML", "?replication",
       replication("<Status>Enabled</Status>")),
    s3("ReplicationConfiguration.Rules[0].Status", Constraint.ENUM, "MalformedXML", "?replication",
       replication(RULE.replace("Enabled", "On"))),
    s3("ReplicationConfiguration.Rules[0].Priority", Constraint.TYPE, "MalformedXML", "?replication",
       replication(f"{RULE}<Priority>high</Priority>")),
    s3("ReplicationConfiguration.Role", Constraint.TYPE, "MalformedXML", "?replication",
       replication(RULE, role="<Role>a</Role><Role>b</Role>")),
    s3("ReplicationConfiguration.Role", Constraint.TYPE, "MalformedXML", "?replication",
       replication(RULE, role="<Role><Name>a</Name></Role>")),
    s3("", Constraint.TYPE, "MalformedXML", "?replication", replication(RULE).replace("</Rule>", "")),
    s3("", Constraint.TYPE, "MalformedXML", "?replication", replication(RULE, root="Replication")),
    s3("ReplicationConfiguration", Constraint.MISSING, "MalformedXML", "?replication"),
    s3("ACL", Constraint.ENUM, "MalformedXML", "?acl", x_amz_acl="mine"),
    s3("x-amz-colour", Constraint.UNKNOWN_MEMBER, "MalformedXML", "?acl", x_amz_colour="red"),
    s3("colour", Constraint.UNKNOWN_MEMBER, "MalformedXML", "/key?colour=red", "content"),
    s3("BucketKeyEnabled", Constraint.TYPE, "MalformedXML", "/key", "content",
       x_amz_server_side_encryption_bucket_key_enabled="perhaps"),
    route53("HealthCheckConfig.Colour", Constraint.UNKNOWN_MEMBER, health_check("<Colour>red</Colour>")),
    route53("HealthCheckConfig", Constraint.MISSING, "<CallerReference>r</CallerReference>"),
    route53("HealthCheckConfig.Port", Constraint.RANGE_MAXIMUM, health_check("<Port>65536</Port>")),
    route53("HealthCheckConfig.Port", Constraint.RANGE_MINIMUM, health_check("<Port>0</Port>")),
    route53("HealthCheckConfig.Port", Constraint.TYPE, health_check("<Port>http</Port>")),
    route53("HealthCheckConfig.IPAddress", Constraint.PATTERN, health_check("<IPAddress>here</IPAddress>")),
    route53("HealthCheckConfig.SearchString", Constraint.LENGTH_MAXIMUM,
            health_check(f"<SearchString>{'s' * 256}</SearchString>")),
    route53("HealthCheckConfig.Regions", Constraint.TYPE, health_check("<Regions><Place>us-east-1</Place></Regions>")),
    route53("CallerReference", Constraint.LENGTH_MINIMUM, health_check("").replace(">r<", "><")),
]  # fmt: skip
CASES = [*QUERY, *EC2, *JSON, *REST_JSON, *REST_XML]


@pytest.mark.parametrize("case", CASES, ids=str)
def test_a_request_that_the_model_does_not_allow_is_refused_and_recorded(case: Case, aws: Server) -> None:
    before = len(read_violations(aws.directory))
    answer = send(aws, case.signing_name, case.method, case.path, headers=case.headers, body=case.body)
    assert 400 <= answer.status < 500
    assert case.code in answer.text
    found = read_violations(aws.directory)[before:]
    assert (case.member, case.constraint) in [(entry.member, entry.constraint) for entry in found]
    call = read_calls(aws.directory)[-1]
    assert (call.status, call.error) == (answer.status, case.code)


def test_every_constraint_is_enforced_in_every_protocol_that_has_it() -> None:
    everything = set(Constraint) - {Constraint.UNKNOWN_OPERATION, Constraint.UNION}
    assert {case.constraint for case in QUERY} == everything
    assert {case.constraint for case in EC2} == everything
    assert {case.constraint for case in JSON} == everything
    assert {case.constraint for case in REST_JSON} == everything - {Constraint.LENGTH_MINIMUM}
    assert {case.constraint for case in REST_XML} == everything


def test_a_union_takes_exactly_one_member(client: Callable[..., Client], aws: Server) -> None:
    analyzers = client("accessanalyzer", checked=False)
    both: dict[str, Any] = {"unusedAccess": {}, "internalAccess": {}}
    for configuration in (both, {}):
        with pytest.raises(ClientError, match="Exactly one of unusedAccess, internalAccess"):
            analyzers.create_analyzer(analyzerName="a", type="ACCOUNT", configuration=configuration)
        last = read_violations(aws.directory)[-1]
        assert (last.member, last.constraint) == ("configuration", Constraint.UNION)


@pytest.mark.parametrize(
    ("signing_name", "headers", "body", "path"),
    [
        ("iam", FORM, "Action=CreateCastle&Version=2010-05-08", "/"),
        ("ec2", FORM, "Action=CreateCastle&Version=2016-11-15", "/"),
        ("ec2", FORM, "Action=CreateVpc&Version=1999-01-01", "/"),
        ("kms", {"Content-Type": "application/x-amz-json-1.1", "X-Amz-Target": "TrentService.CreateCastle"}, "{}", "/"),
        ("kms", {"Content-Type": "application/x-amz-json-1.1", "X-Amz-Target": "Other.CreateKey"}, "{}", "/"),
        ("backup", {"Content-Type": "application/json"}, "{}", "/castles"),
        ("route53", {}, "", "/2013-04-01/castle"),
        ("castles", {}, "", "/"),
    ],
)
def test_an_operation_that_no_service_has_is_refused_and_recorded(
    signing_name: str, headers: dict[str, str], body: str, path: str, aws: Server
) -> None:
    answer = send(aws, signing_name, "POST", path, headers=headers, body=body)
    assert 400 <= answer.status < 500
    last = read_violations(aws.directory)[-1]
    assert (last.service, last.operation, last.constraint) == (signing_name, "", Constraint.UNKNOWN_OPERATION)
    call = read_calls(aws.directory)[-1]
    assert (call.service, call.operation, call.action) == (signing_name, "", "")
    assert call.error


def test_a_refused_request_changes_nothing(client: Callable[..., Client]) -> None:
    iam_client = client("iam", checked=False)
    with pytest.raises(ClientError, match="MaxSessionDuration"):
        iam_client.create_role(RoleName="too-long", AssumeRolePolicyDocument="{}", MaxSessionDuration=50_000)
    with pytest.raises(ClientError, match="too-long"):
        iam_client.get_role(RoleName="too-long")


def test_sensitive_members_are_not_recorded(aws: Server) -> None:
    secret = "hunter2" * 10_000
    headers = {"Content-Type": "application/x-amz-json-1.1", "X-Amz-Target": "secretsmanager.CreateSecret"}
    answer = send(aws, "secretsmanager", headers=headers, body=json.dumps({"Name": "x", "SecretString": secret}))
    assert answer.status == 400
    assert "hunter2" not in answer.text
    assert read_violations(aws.directory)[-1].member == "SecretString"
    for name in ("calls.jsonl", "violations.jsonl", "server.log"):
        assert "hunter2" not in (aws.directory / name).read_text()


def test_only_the_last_part_of_a_json_target_is_needed(aws: Server) -> None:
    headers = {"Content-Type": "application/x-amz-json-1.1", "X-Amz-Target": "CloudTrail_20131101.DescribeTrails"}
    assert send(aws, "cloudtrail", headers=headers, body="{}").status == 200


def test_recorded_violation_has_the_value_and_the_allowed_ones(aws: Server) -> None:
    send(aws, "iam", headers=FORM, body=iam("", Constraint.PATTERN, RoleName="a role").body)
    last: RecordedViolation = read_violations(aws.directory)[-1]
    assert "'a role' at 'RoleName'" in last.message
    assert r"[\w+=,.@-]+" in last.message
