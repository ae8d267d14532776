"""The state bucket on a local AWS: made, verified, mended, and never weakened (W0.3)."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import pytest
from botocore.exceptions import ClientError
from hypothesis import HealthCheck, given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st

from emulator import process
from operations.state.bucket import Outcome
from settings import Settings
from tests.operations.state_bucket import ACCOUNT, REGION, World, statement

pytestmark = pytest.mark.requirement("W0.3")


def test_creates_a_bucket_with_everything_it_should_have(world: World) -> None:
    findings = world.bootstrap()

    assert {one.outcome for one in findings.values()} == {Outcome.CREATED}
    assert world.s3.get_bucket_versioning(Bucket=world.name)["Status"] == "Enabled"
    assert set(world.s3.get_public_access_block(Bucket=world.name)["PublicAccessBlockConfiguration"].values()) == {True}
    ownership = world.s3.get_bucket_ownership_controls(Bucket=world.name)["OwnershipControls"]["Rules"]
    assert ownership == [{"ObjectOwnership": "BucketOwnerEnforced"}]
    key_arn = world.key_arn()
    assert world.encryption()["ApplyServerSideEncryptionByDefault"]["SSEAlgorithm"] == "aws:kms"
    assert world.encryption()["BucketKeyEnabled"] is True
    assert world.kms.get_key_rotation_status(KeyId=key_arn)["KeyRotationEnabled"] is True
    assert world.kms.describe_key(KeyId=f"alias/{world.name}")["KeyMetadata"]["Arn"] == key_arn
    tags = world.s3.get_bucket_tagging(Bucket=world.name)["TagSet"]
    assert {one["Key"]: one["Value"] for one in tags} == world.settings.tags
    assert world.client("s3").head_bucket(Bucket=world.name)["BucketRegion"] == REGION


def test_its_policy_denies_plain_http_other_encryption_and_other_keys(world: World) -> None:
    world.bootstrap()
    key_arn = world.key_arn()
    found = world.statements()

    assert {one["Effect"] for one in found.values()} == {"Deny"}
    assert {one["Principal"] for one in found.values()} == {"*"}
    without_tls = found["DenyRequestsWithoutTls"]
    assert without_tls["Condition"] == {"Bool": {"aws:SecureTransport": "false"}}
    assert without_tls["Action"] == "s3:*"
    assert set(without_tls["Resource"]) == {f"arn:aws:s3:::{world.name}", f"arn:aws:s3:::{world.name}/*"}
    other_keys = found["DenyOtherKeys"]["Condition"]
    assert other_keys["StringNotEquals"] == {"s3:x-amz-server-side-encryption-aws-kms-key-id": key_arn}
    assert other_keys["Null"] == {"s3:x-amz-server-side-encryption-aws-kms-key-id": "false"}
    other_encryption = found["DenyOtherEncryption"]["Condition"]
    assert other_encryption["StringNotLike"] == {"s3:x-amz-server-side-encryption": "aws:kms*"}


def test_its_lifecycle_removes_old_versions_and_unfinished_uploads_and_never_the_state(world: World) -> None:
    world.bootstrap()
    (rule,) = world.rules().values()

    assert rule["NoncurrentVersionExpiration"] == {"NoncurrentDays": world.settings.state.noncurrent_version_days}
    assert rule["Expiration"] == {"ExpiredObjectDeleteMarker": True}
    assert rule["AbortIncompleteMultipartUpload"] == {"DaysAfterInitiation": 7}
    assert rule["Status"] == "Enabled"
    assert rule["Filter"] == {"Prefix": ""}


def test_a_second_run_finds_everything_right_and_changes_nothing(world: World) -> None:
    world.bootstrap()
    before = world.writes()

    findings = world.bootstrap()

    assert {one.outcome for one in findings.values()} == {Outcome.RIGHT}
    assert world.writes() == before


@pytest.mark.parametrize(
    ("item", "weaken"),
    [
        ("versioning", lambda w: w.suspend_versioning()),
        ("public access", lambda w: w.s3.delete_public_access_block(Bucket=w.name)),
        ("encryption", lambda w: w.s3.delete_bucket_encryption(Bucket=w.name)),
        ("encryption", lambda w: w.encrypt_with(w.key_arn())),
        ("policy", lambda w: w.s3.delete_bucket_policy(Bucket=w.name)),
        ("lifecycle", lambda w: w.s3.delete_bucket_lifecycle(Bucket=w.name)),
        ("tags", lambda w: w.s3.delete_bucket_tagging(Bucket=w.name)),
        ("object ownership", lambda w: w.s3.delete_bucket_ownership_controls(Bucket=w.name)),
        ("key rotation", lambda w: w.kms.disable_key_rotation(KeyId=w.key_arn())),
    ],
)
def test_weakened_properties_are_corrected_and_no_others(
    world: World, item: str, weaken: Callable[[World], object]
) -> None:
    world.bootstrap()
    key_before = world.kms.describe_key(KeyId=f"alias/{world.name}")["KeyMetadata"]["Arn"]
    weaken(world)

    findings = world.bootstrap()

    assert [one.item for one in findings.values() if one.outcome is not Outcome.RIGHT] == [item]
    assert findings[item].outcome is Outcome.CHANGED
    assert {one.outcome for one in world.bootstrap().values()} == {Outcome.RIGHT}
    assert world.key_arn() == key_before
    assert world.encryption()["BucketKeyEnabled"] is True


def test_takes_over_an_unprotected_bucket(world: World) -> None:
    world.create_bucket(ObjectOwnership="ObjectWriter")

    findings = world.bootstrap()

    assert findings["bucket"].outcome is Outcome.RIGHT
    assert findings["key"].outcome is Outcome.CREATED
    assert findings["versioning"].outcome is Outcome.CHANGED
    assert {one.outcome for one in world.bootstrap().values()} == {Outcome.RIGHT}


def test_keeps_a_customer_managed_key_that_the_bucket_has_and_makes_it_rotate(world: World) -> None:
    own = world.kms.create_key()["KeyMetadata"]["Arn"]
    world.create_bucket()
    world.encrypt_with(own)

    findings = world.bootstrap()

    assert world.key_arn() == own
    assert findings["key"].outcome is Outcome.RIGHT
    assert findings["key rotation"].outcome is Outcome.CHANGED
    assert world.kms.get_key_rotation_status(KeyId=own)["KeyRotationEnabled"] is True
    assert own in json.dumps(world.statements())


def test_replaces_the_key_that_aws_manages(world: World, intercepted: Callable[..., None]) -> None:
    managed = world.kms.create_key()["KeyMetadata"]["Arn"]
    world.create_bucket()
    world.encrypt_with(managed)

    def managed_by_aws(parsed: dict[str, Any], **_: object) -> None:
        if parsed.get("KeyMetadata", {}).get("Arn") == managed:
            parsed["KeyMetadata"]["KeyManager"] = "AWS"

    intercepted(world.kms, "after-call.kms.DescribeKey", managed_by_aws)
    world.bootstrap()

    assert world.key_arn() != managed
    assert world.kms.get_key_rotation_status(KeyId=world.key_arn())["KeyRotationEnabled"] is True


def test_keeps_two_layers_of_encryption(world: World) -> None:
    own = world.kms.create_key()["KeyMetadata"]["Arn"]
    world.create_bucket()
    world.encrypt_with(own, "aws:kms:dsse")

    findings = world.bootstrap()

    assert findings["encryption"].outcome is Outcome.RIGHT
    assert world.encryption()["ApplyServerSideEncryptionByDefault"]["SSEAlgorithm"] == "aws:kms:dsse"


def test_keeps_every_denial_of_an_existing_policy_also_one_under_our_name(world: World) -> None:
    world.create_bucket()
    resource = {"Resource": f"arn:aws:s3:::{world.name}/*"}
    stricter = statement("DenyRequestsWithoutTls", "Deny", "*", **resource)
    other = statement("Others", "Deny", {"AWS": "*"}, **resource)
    own_account = statement("Own", "Allow", {"AWS": f"arn:aws:iam::{ACCOUNT}:root"}, **resource)
    world.set_policy(stricter, other, own_account)

    world.bootstrap()

    found = world.statements()
    kept = [{key: value for key, value in one.items() if key != "Sid"} for one in found.values()]
    for one in (stricter, other, own_account):
        assert {key: value for key, value in one.items() if key != "Sid"} in kept
    assert found["DenyRequestsWithoutTls"]["Condition"] == {"Bool": {"aws:SecureTransport": "false"}}
    assert {one.outcome for one in world.bootstrap().values()} == {Outcome.RIGHT}


def test_keeps_old_versions_for_as_long_as_any_existing_rule_does(world: World) -> None:
    world.create_bucket()
    kept: Any = {"NoncurrentDays": 400, "NewerNoncurrentVersions": 10}
    world.set_lifecycle(
        {"ID": "longer", "Status": "Enabled", "Filter": {"Prefix": "payments/"}, "NoncurrentVersionExpiration": kept},
        {
            "ID": "shorter",
            "Status": "Enabled",
            "Filter": {"Prefix": ""},
            "NoncurrentVersionExpiration": {"NoncurrentDays": 3},
        },
    )

    world.bootstrap()

    found = world.rules()
    assert found["longer"]["NoncurrentVersionExpiration"] == kept
    assert found["shorter"]["NoncurrentVersionExpiration"]["NoncurrentDays"] == 90
    assert found["remove-what-state-leaves-behind"]["NoncurrentVersionExpiration"] == kept


def test_keeps_tags_that_are_there(world: World) -> None:
    world.create_bucket()
    world.s3.put_bucket_tagging(Bucket=world.name, Tagging={"TagSet": [{"Key": "owner", "Value": "somebody"}]})

    world.bootstrap()

    assert world.s3.get_bucket_tagging(Bucket=world.name)["TagSet"] == [{"Key": "owner", "Value": "somebody"}]


def test_a_key_that_gets_no_alias_is_not_left_behind(world: World, intercepted: Callable[..., None]) -> None:
    made: list[str] = []

    def interrupted(**_: object) -> None:
        raise KeyboardInterrupt

    intercepted(world.kms, "after-call.kms.CreateKey", lambda parsed, **_: made.append(parsed["KeyMetadata"]["KeyId"]))
    intercepted(world.kms, "before-call.kms.CreateAlias", interrupted)
    with pytest.raises(KeyboardInterrupt):
        world.bootstrap()

    assert world.kms.describe_key(KeyId=made[0])["KeyMetadata"]["KeyState"] == "PendingDeletion"


def test_run_after_an_interrupted_one_continues_with_the_same_key(
    world: World, intercepted: Callable[..., None]
) -> None:
    def interrupted(**_: object) -> None:
        raise KeyboardInterrupt

    intercepted(world.s3, "before-call.s3.PutBucketEncryption", interrupted)
    with pytest.raises(KeyboardInterrupt):
        world.bootstrap()
    world.s3 = world.client("s3")
    key = world.kms.describe_key(KeyId=f"alias/{world.name}")["KeyMetadata"]["Arn"]

    world.bootstrap()

    assert world.key_arn() == key


def test_other_aws_errors_are_not_taken_for_a_missing_bucket(world: World, intercepted: Callable[..., None]) -> None:
    def unavailable(http_response: Any, parsed: dict[str, Any], **_: object) -> None:
        http_response.status_code = 503
        parsed["Error"] = {"Code": "503", "Message": "Slow Down"}
        parsed["ResponseMetadata"]["HTTPStatusCode"] = 503

    intercepted(world.s3, "after-call.s3.HeadBucket", unavailable)
    with pytest.raises(ClientError):
        world.bootstrap()


DENIALS = st.lists(
    st.sampled_from(["DenyRequestsWithoutTls", "DenyOtherKeys", "Mine", "Another"]), unique=True, max_size=3
)
EXPIRATIONS = st.lists(st.tuples(st.integers(1, 400), st.integers(1, 20) | st.none()), max_size=3)


@given(
    versioned=st.booleans(),
    public_access_blocked=st.booleans(),
    own_key=st.booleans(),
    ownership=st.sampled_from(["BucketOwnerEnforced", "BucketOwnerPreferred", "ObjectWriter"]),
    denials=DENIALS,
    expirations=EXPIRATIONS,
)
@hypothesis_settings(
    max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow]
)
def test_whatever_the_bucket_was_it_is_never_weaker_and_a_second_run_changes_nothing(
    local_aws: process.Server,
    local_settings: Settings,
    versioned: bool,
    public_access_blocked: bool,
    own_key: bool,
    ownership: str,
    denials: list[str],
    expirations: list[tuple[int, int | None]],
) -> None:
    world = World(local_aws, local_settings)
    world.create_bucket(ObjectOwnership=ownership)
    if versioned:
        world.s3.put_bucket_versioning(Bucket=world.name, VersioningConfiguration={"Status": "Enabled"})
    if not public_access_blocked:
        world.s3.delete_public_access_block(Bucket=world.name)
    if own_key:
        world.encrypt_with(world.kms.create_key()["KeyMetadata"]["Arn"])
    key_before = world.key_arn() if own_key else None
    before = [statement(sid, "Deny", "*", Resource=f"arn:aws:s3:::{world.name}/secret/*") for sid in denials]
    if before:
        world.set_policy(*before)
    if expirations:
        world.set_lifecycle(*(_expiring(number, *one) for number, one in enumerate(expirations)))

    world.bootstrap()

    kept = [{key: value for key, value in one.items() if key != "Sid"} for one in world.statements().values()]
    assert all({key: value for key, value in one.items() if key != "Sid"} in kept for one in before)
    days = max([world.settings.state.noncurrent_version_days, *(days for days, _ in expirations)])
    newer = max((newer or 0 for _, newer in expirations), default=0)
    ours = world.rules()["remove-what-state-leaves-behind"]["NoncurrentVersionExpiration"]
    assert ours["NoncurrentDays"] == days
    assert ours.get("NewerNoncurrentVersions", 0) == newer
    if key_before:
        assert world.key_arn() == key_before
    assert {one.outcome for one in world.bootstrap().values()} == {Outcome.RIGHT}


def _expiring(number: int, days: int, newer: int | None) -> dict[str, Any]:
    versions = {"NoncurrentDays": days} | ({"NewerNoncurrentVersions": newer} if newer else {})
    return {
        "ID": f"rule-{number}",
        "Status": "Enabled",
        "Filter": {"Prefix": f"part-{number}/"},
        "NoncurrentVersionExpiration": versions,
    }
