"""The additions to moto: what is sent is what is answered, with two different values, and unknown ids are errors."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import pytest
from botocore.exceptions import ClientError

from emulator.moto import SERVICES, install
from emulator.moto.extend import add, override, override_property
from tests.emulator.support import Client

pytestmark = pytest.mark.requirement("W8.2")

Make = Callable[..., Client]


def error_of(call: Callable[[], Any]) -> str:
    with pytest.raises(ClientError) as raised:
        call()
    return str(raised.value.response["Error"]["Code"])


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


def test_the_network_interface_of_a_nat_gateway_goes_with_it(client: Make) -> None:
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


@pytest.fixture
def buckets(client: Make, request: pytest.FixtureRequest) -> tuple[str, str]:
    """Two versioned buckets, the second in another region."""
    stem = f"bucket-{abs(hash(request.node.name)) % 10**12}"
    for name, region in ((f"{stem}-a", "us-east-2"), (f"{stem}-b", "us-west-2")):
        s3 = client("s3", region)
        s3.create_bucket(Bucket=name, CreateBucketConfiguration={"LocationConstraint": region})
        s3.put_bucket_versioning(Bucket=name, VersioningConfiguration={"Status": "Enabled"})
    return f"{stem}-a", f"{stem}-b"


def replication_rules(target: str) -> list[list[dict[str, Any]]]:
    """Two replication configurations that differ in every member."""
    arn = f"arn:aws:s3:::{target}"
    key = "arn:aws:kms:us-west-2:123456789012:key/00000000-0000-0000-0000-00000000000"
    return [
        [
            {
                "ID": "everything",
                "Priority": 3,
                "Status": "Enabled",
                "Filter": {"Prefix": ""},
                "DeleteMarkerReplication": {"Status": "Enabled"},
                "SourceSelectionCriteria": {"SseKmsEncryptedObjects": {"Status": "Enabled"}},
                "Destination": {
                    "Bucket": arn,
                    "StorageClass": "STANDARD_IA",
                    "EncryptionConfiguration": {"ReplicaKmsKeyID": f"{key}1"},
                    "ReplicationTime": {"Status": "Enabled", "Time": {"Minutes": 15}},
                    "Metrics": {"Status": "Enabled", "EventThreshold": {"Minutes": 15}},
                },
            },
        ],
        [
            {
                "ID": "reports",
                "Priority": 1,
                "Status": "Disabled",
                "Filter": {"And": {"Prefix": "reports/", "Tags": [{"Key": "a", "Value": "b"}]}},
                "DeleteMarkerReplication": {"Status": "Disabled"},
                "SourceSelectionCriteria": {
                    "SseKmsEncryptedObjects": {"Status": "Disabled"},
                    "ReplicaModifications": {"Status": "Enabled"},
                },
                "ExistingObjectReplication": {"Status": "Enabled"},
                "Destination": {
                    "Bucket": arn,
                    "Account": "123456789012",
                    "AccessControlTranslation": {"Owner": "Destination"},
                    "EncryptionConfiguration": {"ReplicaKmsKeyID": f"{key}2"},
                },
            },
            {"ID": "first version", "Prefix": "old/", "Status": "Enabled", "Destination": {"Bucket": arn}},
        ],
    ]


def test_a_replication_configuration_survives_whole(client: Make, buckets: tuple[str, str]) -> None:
    s3 = client("s3")
    source, target = buckets
    for number, rules in enumerate(replication_rules(target)):
        sent = {"Role": f"arn:aws:iam::123456789012:role/replication-{number}", "Rules": rules}
        s3.put_bucket_replication(Bucket=source, ReplicationConfiguration=sent)
        assert s3.get_bucket_replication(Bucket=source)["ReplicationConfiguration"] == sent
    s3.delete_bucket_replication(Bucket=source)
    assert error_of(lambda: s3.get_bucket_replication(Bucket=source)) == "ReplicationConfigurationNotFoundError"


def test_a_replication_rule_without_an_id_is_given_one_of_its_own(client: Make, buckets: tuple[str, str]) -> None:
    s3 = client("s3")
    source, target = buckets
    rules = [{"Prefix": p, "Status": "Enabled", "Destination": {"Bucket": f"arn:aws:s3:::{target}"}} for p in "ab"]
    role = "arn:aws:iam::123456789012:role/replication"
    s3.put_bucket_replication(Bucket=source, ReplicationConfiguration={"Role": role, "Rules": rules})
    answered = s3.get_bucket_replication(Bucket=source)["ReplicationConfiguration"]["Rules"]
    assert len({found.pop("ID") for found in answered}) == 2
    assert answered == rules


def test_replication_needs_versions_at_both_ends_and_a_bucket_that_exists(
    client: Make, buckets: tuple[str, str]
) -> None:
    s3 = client("s3")
    source, target = buckets
    plain = f"{source}-plain"
    s3.create_bucket(Bucket=plain, CreateBucketConfiguration={"LocationConstraint": "us-east-2"})

    def replicate(from_: str, to: str) -> str:
        rules = [{"Prefix": "", "Status": "Enabled", "Destination": {"Bucket": f"arn:aws:s3:::{to}"}}]
        configuration = {"Role": "arn:aws:iam::123456789012:role/r", "Rules": rules}
        return error_of(lambda: s3.put_bucket_replication(Bucket=from_, ReplicationConfiguration=configuration))

    assert replicate(source, plain) == "InvalidRequest"
    assert replicate(plain, target) == "InvalidRequest"
    assert replicate("no-such-bucket", target) == "NoSuchBucket"
    assert replicate(source, "no-such-bucket") == "NoSuchBucket"
    assert error_of(lambda: s3.get_bucket_replication(Bucket=source)) == "ReplicationConfigurationNotFoundError"


def test_what_has_delete_markers_is_emptied_also_once_versions_are_suspended(client: Client) -> None:
    """As Terraform empties a bucket: its versioning goes before it."""
    s3, bucket = client("s3"), "versions-and-markers"
    s3.create_bucket(Bucket=bucket, CreateBucketConfiguration={"LocationConstraint": "us-east-2"})
    s3.put_bucket_versioning(Bucket=bucket, VersioningConfiguration={"Status": "Enabled"})
    for _ in range(2):
        s3.put_object(Bucket=bucket, Key="lock", Body=b"held")
        s3.delete_object(Bucket=bucket, Key="lock")
    found = s3.list_object_versions(Bucket=bucket)
    markers = [{"Key": one["Key"], "VersionId": one["VersionId"]} for one in found["DeleteMarkers"]]
    versions = [{"Key": one["Key"], "VersionId": one["VersionId"]} for one in found["Versions"]]
    assert (len(markers), len(versions)) == (2, 2)
    assert "Errors" not in s3.delete_objects(Bucket=bucket, Delete={"Objects": markers[:1]})
    s3.put_bucket_versioning(Bucket=bucket, VersioningConfiguration={"Status": "Suspended"})
    assert "Errors" not in s3.delete_objects(Bucket=bucket, Delete={"Objects": [*markers[1:], *versions]})
    s3.delete_bucket(Bucket=bucket)


def test_the_notification_of_eventbridge_is_kept_beside_others_and_ends(client: Make, buckets: tuple[str, str]) -> None:
    s3 = client("s3")
    bucket = buckets[0]

    def notify(configuration: dict[str, Any]) -> dict[str, Any]:
        s3.put_bucket_notification_configuration(
            Bucket=bucket, NotificationConfiguration=configuration, SkipDestinationValidation=True
        )
        answer = s3.get_bucket_notification_configuration(Bucket=bucket)
        return {name: value for name, value in answer.items() if name != "ResponseMetadata"}

    topic_arn = client("sns").create_topic(Name=bucket)["TopicArn"]
    topic = {
        "Id": "created",
        "TopicArn": topic_arn,
        "Events": ["s3:ObjectCreated:*"],
        "Filter": {"Key": {"FilterRules": [{"Name": "prefix", "Value": "in/"}]}},
    }
    assert notify({"EventBridgeConfiguration": {}}) == {"EventBridgeConfiguration": {}}
    both = notify({"EventBridgeConfiguration": {}, "TopicConfigurations": [topic]})
    assert both["EventBridgeConfiguration"] == {}
    assert [found["TopicArn"] for found in both["TopicConfigurations"]] == [topic_arn]
    only_topic = notify({"TopicConfigurations": [topic]})
    assert "EventBridgeConfiguration" not in only_topic
    assert len(only_topic["TopicConfigurations"]) == 1
    assert notify({}) == {}


def test_a_lifecycle_configuration_survives_whole(client: Make, buckets: tuple[str, str]) -> None:
    # With Terraform each takes the provider close to a minute, however fast S3 is.
    s3 = client("s3")
    rules: list[dict[str, Any]] = [
        {
            "ID": "age",
            "Status": "Enabled",
            "Filter": {"Prefix": "logs/"},
            "Transitions": [{"Days": 30, "StorageClass": "STANDARD_IA"}, {"Days": 90, "StorageClass": "GLACIER"}],
            "Expiration": {"Days": 365},
            "NoncurrentVersionExpiration": {"NoncurrentDays": 30, "NewerNoncurrentVersions": 3},
        },
        {
            "ID": "abort",
            "Status": "Disabled",
            "Filter": {"Prefix": ""},
            "AbortIncompleteMultipartUpload": {"DaysAfterInitiation": 7},
            "NoncurrentVersionTransitions": [{"NoncurrentDays": 60, "StorageClass": "GLACIER_IR"}],
        },
    ]
    bucket = buckets[0]
    for sent, size in ((rules, "varies_by_storage_class"), (rules[::-1], "all_storage_classes_128K")):
        s3.put_bucket_lifecycle_configuration(
            Bucket=bucket, LifecycleConfiguration={"Rules": sent}, TransitionDefaultMinimumObjectSize=size
        )
        answer = s3.get_bucket_lifecycle_configuration(Bucket=bucket)
        assert (answer["Rules"], answer["TransitionDefaultMinimumObjectSize"]) == (sent, size)
    s3.put_bucket_lifecycle_configuration(Bucket=bucket, LifecycleConfiguration={"Rules": rules[:1]})
    answer = s3.get_bucket_lifecycle_configuration(Bucket=bucket)
    assert (answer["Rules"], answer["TransitionDefaultMinimumObjectSize"]) == (rules[:1], "all_storage_classes_128K")
    s3.delete_bucket_lifecycle(Bucket=bucket)
    assert error_of(lambda: s3.get_bucket_lifecycle_configuration(Bucket=bucket)) == "NoSuchLifecycleConfiguration"
    invalid = {"Rules": [{**rules[0], "Expiration": {"Days": 1, "ExpiredObjectDeleteMarker": True}}]}
    put = s3.put_bucket_lifecycle_configuration
    assert error_of(lambda: put(Bucket=bucket, LifecycleConfiguration=invalid)) == "MalformedXML"


# --- how additions are made ------------------------------------------------------------------------------------------


class Original:
    value = property(lambda _self: "original")

    def greet(self, name: str) -> str:
        return f"hello {name}"


def test_an_override_may_call_the_original_and_must_have_one() -> None:
    @override(Original)
    def greet(original: Callable[..., str], self: Any, name: str) -> str:
        return original(self, name.upper())

    @override_property(Original)
    def value(_self: Any) -> str:
        return "replaced"

    assert Original().greet("b") == "hello B"
    assert Original().value == "replaced"
    with pytest.raises(AttributeError, match="wave"):

        @override(Original)
        def wave(_original: Callable[..., str], _self: Any) -> None: ...

    with pytest.raises(AttributeError, match="greet is no property"):
        override_property(Original)(greet)


def test_an_addition_that_moto_has_by_now_is_noticed() -> None:
    @add(Original)
    def wave(_self: Any) -> str:
        return "waved"

    assert Original().wave() == "waved"  # type: ignore[attr-defined]
    with pytest.raises(AttributeError, match="already has wave"):
        add(Original)(wave)


def test_every_module_of_additions_is_installed() -> None:
    from importlib.resources import files

    modules = {entry.name.removesuffix(".py") for entry in files("emulator.moto").iterdir() if entry.is_file()}
    assert modules - {"__init__", "extend"} == set(SERVICES)
    install()
    install()
    assert json.dumps(sorted(SERVICES)) == json.dumps(list(SERVICES))
