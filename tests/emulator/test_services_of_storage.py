"""S3: what is sent is what is answered, with two different values; unknown ids are errors."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from tests.emulator.support import Client, error_of

pytestmark = pytest.mark.requirement("W8.2")

Make = Callable[..., Client]


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


def test_bucket_with_delete_markers_is_emptied_after_versioning_is_suspended(client: Client) -> None:
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


def test_eventbridge_notification_coexists_with_others_and_is_removed(client: Make, buckets: tuple[str, str]) -> None:
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
