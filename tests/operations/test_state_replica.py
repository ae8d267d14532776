"""The replica of the state in the recovery region: made with the state bucket, and never weakened either (W0.3)."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import pytest

from operations.outcome import Refused
from operations.state.bootstrap import bootstrap
from operations.state.bucket import Finding, Outcome
from operations.state.replication import RULE_ID
from tests.operations.state_bucket import ACCOUNT, OTHER_REGION, REGION, World

pytestmark = pytest.mark.requirement("W0.3")


class Pair(World):
    """A state bucket with its replica, in the shared local AWS."""

    @property
    def replica(self) -> str:
        return self.settings.state.replica

    def both(self) -> dict[str, dict[str, Finding]]:
        def client(service: str, *, region_name: str) -> Any:
            return self.client(service, region_name)

        found = bootstrap(self.settings, client)
        return {title: {one.item: one for one in findings} for title, findings in found.items()}

    def outcomes(self) -> set[Outcome]:
        return {one.outcome for findings in self.both().values() for one in findings.values()}

    def there(self, service: str = "s3") -> Any:
        return self.client(service, OTHER_REGION)

    def rule(self) -> Any:
        (rule,) = self.replication()["Rules"]
        return rule

    def replication(self) -> Any:
        return self.s3.get_bucket_replication(Bucket=self.name)["ReplicationConfiguration"]

    def replicate(self, role: str, *rules: Any) -> None:
        configuration: Any = {"Role": role, "Rules": list(rules)}
        self.s3.put_bucket_replication(Bucket=self.name, ReplicationConfiguration=configuration)

    def role_policy(self) -> dict[str, Any]:
        document = self.client("iam").get_role_policy(RoleName=self.replica, PolicyName="replicate")["PolicyDocument"]
        return {one["Sid"]: one for one in document["Statement"]}


@pytest.fixture
def pair(world: World) -> Pair:
    return Pair(world.server, world.settings)


def test_replica_is_in_the_recovery_region_versioned_and_under_a_key_of_its_own(pair: Pair) -> None:
    assert pair.outcomes() == {Outcome.CREATED}
    s3 = pair.there()
    assert s3.head_bucket(Bucket=pair.replica)["BucketRegion"] == OTHER_REGION
    assert s3.get_bucket_versioning(Bucket=pair.replica)["Status"] == "Enabled"
    assert set(s3.get_public_access_block(Bucket=pair.replica)["PublicAccessBlockConfiguration"].values()) == {True}
    (rule,) = s3.get_bucket_encryption(Bucket=pair.replica)["ServerSideEncryptionConfiguration"]["Rules"]
    key = rule["ApplyServerSideEncryptionByDefault"]["KMSMasterKeyID"]
    assert key.startswith(f"arn:aws:kms:{OTHER_REGION}:")
    assert pair.there("kms").get_key_rotation_status(KeyId=key)["KeyRotationEnabled"] is True
    statements = json.loads(s3.get_bucket_policy(Bucket=pair.replica)["Policy"])["Statement"]
    assert {one["Sid"] for one in statements} == {"DenyRequestsWithoutTls", "DenyOtherEncryption", "DenyOtherKeys"}
    destination = pair.rule()["Destination"]
    assert destination["Bucket"] == f"arn:aws:s3:::{pair.replica}"
    assert destination["EncryptionConfiguration"] == {"ReplicaKmsKeyID": key}


def test_everything_encrypted_and_every_deletion_is_replicated(pair: Pair) -> None:
    """A lock is deleted when its run ends: without deletions the replica would always look locked."""
    pair.both()
    rule = pair.rule()
    assert rule["Status"] == rule["DeleteMarkerReplication"]["Status"] == "Enabled"
    assert rule["SourceSelectionCriteria"] == {"SseKmsEncryptedObjects": {"Status": "Enabled"}}
    assert rule["Filter"] == {"Prefix": ""}


def test_role_reads_the_state_and_writes_the_replica_and_nothing_else(pair: Pair) -> None:
    pair.both()
    role = pair.client("iam").get_role(RoleName=pair.replica)["Role"]
    assert pair.replication()["Role"] == role["Arn"]
    (trusted,) = role["AssumeRolePolicyDocument"]["Statement"]
    assert trusted["Principal"] == {"Service": "s3.amazonaws.com"}
    own, replica = f"arn:aws:s3:::{pair.name}", f"arn:aws:s3:::{pair.replica}"
    key = pair.rule()["Destination"]["EncryptionConfiguration"]["ReplicaKmsKeyID"]
    assert {sid: (one["Action"], one["Resource"]) for sid, one in pair.role_policy().items()} == {
        "ReadTheRule": (["s3:GetReplicationConfiguration", "s3:ListBucket"], own),
        "ReadObjects": (
            ["s3:GetObjectVersionForReplication", "s3:GetObjectVersionAcl", "s3:GetObjectVersionTagging"],
            f"{own}/*",
        ),
        "WriteReplicas": (["s3:ReplicateObject", "s3:ReplicateDelete", "s3:ReplicateTags"], f"{replica}/*"),
        "DecryptState": (["kms:Decrypt"], pair.key_arn()),
        "EncryptReplica": (["kms:Encrypt", "kms:GenerateDataKey"], key),
    }
    for sid, region, bucket in (("DecryptState", REGION, own), ("EncryptReplica", OTHER_REGION, replica)):
        assert pair.role_policy()[sid]["Condition"] == {
            "StringEquals": {"kms:ViaService": f"s3.{region}.amazonaws.com"},
            "StringLike": {"kms:EncryptionContext:aws:s3:arn": [bucket, f"{bucket}/*"]},
        }


def test_a_second_run_finds_everything_right_and_writes_nothing(pair: Pair) -> None:
    pair.both()
    before = pair.writes()
    assert pair.outcomes() == {Outcome.RIGHT}
    assert pair.writes() == before


def test_states_that_were_there_before_are_copied_once_and_none_is_overwritten(pair: Pair) -> None:
    pair.bootstrap()
    for key, body in (
        ("a/terraform.tfstate", b"1"),
        ("b/terraform.tfstate", b"2"),
        ("b/terraform.tfstate.tflock", b"3"),
    ):
        pair.s3.put_object(Bucket=pair.name, Key=key, Body=body)
    s3 = pair.there()
    found = pair.both()["replication"]["what was there before"]
    assert found == Finding("what was there before", Outcome.CREATED, "a/terraform.tfstate, b/terraform.tfstate copied")
    s3.put_object(Bucket=pair.replica, Key="b/terraform.tfstate", Body=b"replicated")
    assert pair.outcomes() == {Outcome.RIGHT}
    kept = {key: s3.get_object(Bucket=pair.replica, Key=f"{key}/terraform.tfstate")["Body"].read() for key in "ab"}
    assert kept == {"a": b"1", "b": b"replicated"}


@pytest.mark.parametrize(
    ("title", "item", "weaken"),
    [
        ("its replica", "versioning", lambda p: p.there().put_bucket_versioning(
            Bucket=p.replica, VersioningConfiguration={"Status": "Suspended"})),
        ("its replica", "policy", lambda p: p.there().delete_bucket_policy(Bucket=p.replica)),
        ("its replica", "encryption", lambda p: p.there().delete_bucket_encryption(Bucket=p.replica)),
        ("replication", "replication", lambda p: p.s3.delete_bucket_replication(Bucket=p.name)),
        ("replication", "replication", lambda p: p.replicate(
            p.replication()["Role"], p.rule() | {"Status": "Disabled"})),
        ("replication", "role of replication", lambda p: p.client("iam").delete_role_policy(
            RoleName=p.replica, PolicyName="replicate")),
    ],
)  # fmt: skip
def test_weakened_replica_is_corrected(pair: Pair, title: str, item: str, weaken: Callable[[Pair], object]) -> None:
    pair.both()
    weaken(pair)
    found = pair.both()
    changed = [
        (of, name) for of, all_ in found.items() for name, one in all_.items() if one.outcome is not Outcome.RIGHT
    ]
    assert changed == [(title, item)]
    assert pair.outcomes() == {Outcome.RIGHT}


def test_others_rules_and_a_stricter_rule_of_ours_are_kept(pair: Pair) -> None:
    pair.both()
    control = {"Status": "Enabled", "Time": {"Minutes": 15}}
    ours = pair.rule()
    ours["Destination"] |= {
        "ReplicationTime": control,
        "Metrics": {"Status": "Enabled", "EventThreshold": {"Minutes": 15}},
    }
    theirs = ours | {"ID": "theirs", "Priority": 7, "Filter": {"Prefix": "of-them/"}}
    pair.replicate(pair.replication()["Role"], theirs, ours | {"DeleteMarkerReplication": {"Status": "Disabled"}})
    assert Outcome.CHANGED in pair.outcomes()
    kept = {rule["ID"]: rule for rule in pair.replication()["Rules"]}
    assert kept == {"theirs": theirs, RULE_ID: ours}


def test_replication_by_another_role_is_refused_and_nothing_is_changed(pair: Pair) -> None:
    pair.both()
    other = f"arn:aws:iam::{ACCOUNT}:role/of-another"
    pair.replicate(other, pair.rule())
    assert _refusal(pair) == (
        f"{pair.name}: it is replicated by the role {other}; arn:aws:iam::{ACCOUNT}:role/{pair.replica} is needed"
    )


def test_replica_that_cannot_be_corrected_is_refused_before_the_state_bucket_is_made(pair: Pair) -> None:
    place: Any = {"LocationConstraint": REGION}
    pair.s3.create_bucket(Bucket=pair.replica, CreateBucketConfiguration=place)
    assert _refusal(pair) == f"{pair.replica}: it lies in {REGION}; the recovery region, {OTHER_REGION}, is needed"
    assert pair.name not in {one["Name"] for one in pair.s3.list_buckets()["Buckets"]}


def _refusal(pair: Pair) -> str:
    before = pair.writes()
    with pytest.raises(Refused) as refused:
        pair.both()
    assert pair.writes() == before
    return str(refused.value)
