"""A state bucket that cannot be mended without a loss is refused, and nothing is changed (W0.3)."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from tests.operations.state_bucket import ACCOUNT, OTHER_ACCOUNT, OTHER_REGION, REGION, World, statement

pytestmark = pytest.mark.requirement("W0.3")


@pytest.mark.parametrize(
    "principal",
    [
        "*",
        {"AWS": "*"},
        {"AWS": f"arn:aws:iam::{OTHER_ACCOUNT}:root"},
        {"AWS": [f"arn:aws:iam::{ACCOUNT}:root", OTHER_ACCOUNT]},
        {"Service": "logging.s3.amazonaws.com"},
        {"AWS": f"arn:aws:iam::{ACCOUNT}:root", "Service": "logging.s3.amazonaws.com"},
    ],
)
def test_refuses_a_policy_that_grants_to_others(world: World, principal: object) -> None:
    world.create_bucket()
    world.set_policy(statement("Theirs", "Allow", principal, Resource=f"arn:aws:s3:::{world.name}/*"))

    assert world.refusal() == f"{world.name}: its policy grants to others than {ACCOUNT}: Theirs"


@pytest.mark.parametrize("expiration", [{"Days": 30}, {"Date": "2030-01-01T00:00:00Z"}])
def test_refuses_a_lifecycle_that_removes_the_state_itself(world: World, expiration: dict[str, Any]) -> None:
    world.create_bucket()
    world.set_lifecycle({"ID": "tidy", "Status": "Enabled", "Filter": {"Prefix": ""}, "Expiration": expiration})

    assert world.refusal() == f"{world.name}: its lifecycle would remove the state itself: tidy"


def test_refuses_a_key_that_is_disabled_or_awaits_its_deletion(world: World) -> None:
    world.bootstrap()
    arn = world.key_arn()
    key_id = arn.rpartition("/")[2]

    world.kms.disable_key(KeyId=key_id)
    assert world.refusal().startswith(f"{world.name}: {arn} is Disabled; an enabled key is needed")
    world.kms.schedule_key_deletion(KeyId=key_id, PendingWindowInDays=7)
    assert world.refusal().startswith(f"{world.name}: {arn} is PendingDeletion; an enabled key is needed")


def test_refuses_a_disabled_key_of_an_earlier_run_before_it_creates_a_bucket(world: World) -> None:
    key = world.kms.create_key()["KeyMetadata"]
    world.kms.create_alias(AliasName=f"alias/{world.name}", TargetKeyId=key["KeyId"])
    world.kms.disable_key(KeyId=key["KeyId"])

    assert "is Disabled" in world.refusal()
    assert world.name not in {one["Name"] for one in world.s3.list_buckets()["Buckets"]}


def test_refuses_a_bucket_whose_key_does_not_exist(world: World) -> None:
    world.create_bucket()
    gone = f"arn:aws:kms:{REGION}:{ACCOUNT}:key/00000000-0000-0000-0000-000000000000"
    world.encrypt_with(gone)

    assert world.refusal() == f"{world.name}: its key {gone} does not exist; the state cannot be read"


def test_refuses_a_key_of_another_account(world: World, intercepted: Callable[..., None]) -> None:
    world.bootstrap()

    def belongs_to_another(parsed: dict[str, Any], **_: object) -> None:
        parsed["KeyMetadata"]["AWSAccountId"] = OTHER_ACCOUNT

    intercepted(world.kms, "after-call.kms.DescribeKey", belongs_to_another)
    assert f"belongs to another account; a key of {ACCOUNT} is needed" in world.refusal()


def test_refuses_key_material_that_cannot_rotate(world: World, intercepted: Callable[..., None]) -> None:
    world.bootstrap()
    arn = world.key_arn()
    world.kms.disable_key_rotation(KeyId=arn)

    def imported(parsed: dict[str, Any], **_: object) -> None:
        parsed["KeyMetadata"]["Origin"] = "EXTERNAL"

    intercepted(world.kms, "after-call.kms.DescribeKey", imported)
    assert "which cannot rotate by itself" in world.refusal()


def test_refuses_a_bucket_in_another_region(world: World) -> None:
    world.create_bucket(OTHER_REGION)

    assert world.refusal() == f"{world.name}: it lies in {OTHER_REGION}; the primary region, {REGION}, is needed"


def test_refuses_a_bucket_of_another_account(world: World, intercepted: Callable[..., None]) -> None:
    world.create_bucket()

    # What S3 answers where ExpectedBucketOwner is not the owner:
    # https://docs.aws.amazon.com/AmazonS3/latest/userguide/bucket-owner-condition.html
    def forbidden(http_response: Any, parsed: dict[str, Any], **_: object) -> None:
        http_response.status_code = 403
        parsed["Error"] = {"Code": "403", "Message": "Forbidden"}
        parsed["ResponseMetadata"]["HTTPStatusCode"] = 403

    intercepted(world.s3, "after-call.s3.HeadBucket", forbidden)
    assert world.refusal().startswith(f"{world.name}: it belongs to another account than {ACCOUNT}")


def test_every_call_names_the_owner_that_it_expects(world: World, intercepted: Callable[..., None]) -> None:
    asked: dict[str, Any] = {}

    def remember(params: dict[str, Any], model: Any, **_: object) -> None:
        asked.setdefault(model.name, params.get("ExpectedBucketOwner"))

    intercepted(world.s3, "provide-client-params.s3", remember)
    world.create_bucket(ObjectOwnership="ObjectWriter")
    world.bootstrap()

    assert len(asked) > 10
    assert {name for name, owner in asked.items() if owner != ACCOUNT} <= {"CreateBucket"}


def test_refuses_access_control_lists_that_grant_to_others(world: World) -> None:
    world.create_bucket(ObjectOwnership="ObjectWriter", ACL="public-read")

    assert "its access control list grants to others" in world.refusal()


def test_refuses_mfa_delete(world: World, intercepted: Callable[..., None]) -> None:
    world.bootstrap()

    def mfa_delete(parsed: dict[str, Any], **_: object) -> None:
        parsed["MFADelete"] = "Enabled"

    intercepted(world.s3, "after-call.s3.GetBucketVersioning", mfa_delete)
    assert "MFA delete is on" in world.refusal()


def test_all_uncorrectable_properties_are_reported_at_once(world: World) -> None:
    world.create_bucket()
    world.set_policy(statement("Theirs", "Allow", "*", Resource=f"arn:aws:s3:::{world.name}/*"))
    world.set_lifecycle({"ID": "tidy", "Status": "Enabled", "Filter": {"Prefix": ""}, "Expiration": {"Days": 1}})

    assert len(world.refusal().splitlines()) == 2
