"""The bucket of documents and its replica, in the templates."""

from __future__ import annotations

import pytest

from payment_api.settings import Settings
from tests.payment_api.support import Template, as_list


@pytest.mark.requirement("P4.3")
@pytest.mark.parametrize(("side", "part"), [("api", "documentsbucket"), ("replica", "bucket")])
def test_documents_are_versioned_encrypted_private_and_age(
    side: str, part: str, request: pytest.FixtureRequest
) -> None:
    template: Template = request.getfixturevalue(side)
    bucket = template.one("AWS::S3::Bucket", part)
    (rule,) = bucket["BucketEncryption"]["ServerSideEncryptionConfiguration"]
    assert rule["ServerSideEncryptionByDefault"]["SSEAlgorithm"] == "aws:kms"
    assert "KMSMasterKeyID" in rule["ServerSideEncryptionByDefault"]
    assert rule["BucketKeyEnabled"] is True
    assert bucket["VersioningConfiguration"] == {"Status": "Enabled"}
    assert set(bucket["PublicAccessBlockConfiguration"].values()) == {True}
    (life,) = bucket["LifecycleConfiguration"]["Rules"]
    assert [one["StorageClass"] for one in life["Transitions"]] == ["STANDARD_IA", "GLACIER_IR"]
    assert {"NoncurrentVersionExpiration", "ExpirationInDays", "AbortIncompleteMultipartUpload"} < life.keys()


@pytest.mark.requirement("P4.3")
def test_each_version_and_each_deletion_is_replicated_under_the_replicas_key(
    api: Template, replica: Template, settings: Settings
) -> None:
    (rule,) = api.one("AWS::S3::Bucket", "documentsbucket")["ReplicationConfiguration"]["Rules"]
    name = replica.one("AWS::S3::Bucket", "bucket")["BucketName"]
    alias = replica.one("AWS::KMS::Alias")["AliasName"]
    assert rule["Destination"]["Bucket"] == f"arn:aws:s3:::{name}"
    place = f"arn:aws:kms:{settings.replica_region}:{settings.account_id}"
    assert rule["Destination"]["EncryptionConfiguration"] == {"ReplicaKmsKeyID": f"{place}:{alias}"}
    assert rule["SourceSelectionCriteria"] == {"SseKmsEncryptedObjects": {"Status": "Enabled"}}
    assert rule["DeleteMarkerReplication"] == {"Status": "Enabled"}
    allowed = [one for id_, one in api.statements() if "documentsreplication" in id_]
    actions = {action for one in allowed for action in as_list(one["Action"])}
    assert {"s3:ReplicateObject", "s3:ReplicateDelete", "kms:Decrypt", "kms:Encrypt"} <= actions
    (encrypt,) = [one for one in allowed if "kms:Encrypt" in as_list(one["Action"])]
    assert encrypt["Condition"] == {"ForAnyValue:StringEquals": {"kms:ResourceAliases": alias}}


@pytest.mark.requirement("P4.3")
def test_every_bucket_refuses_requests_without_tls(api: Template, replica: Template) -> None:
    for template in (api, replica):
        policies = template.of("AWS::S3::BucketPolicy").values()
        assert {one["Bucket"]["Ref"] for one in policies} == set(template.of("AWS::S3::Bucket"))
        for policy in policies:
            refused = [one for one in policy["PolicyDocument"]["Statement"] if one["Effect"] == "Deny"]
            assert {"Bool": {"aws:SecureTransport": "false"}} in [one["Condition"] for one in refused]


@pytest.mark.requirement("P4.4")
def test_every_key_is_customer_managed_and_rotates(api: Template, replica: Template) -> None:
    for template in (api, replica):
        keys = template.of("AWS::KMS::Key")
        assert keys
        assert all(one["EnableKeyRotation"] is True and one["RotationPeriodInDays"] <= 365 for one in keys.values())
