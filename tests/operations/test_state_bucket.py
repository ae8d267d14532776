"""The state bucket against a local AWS: made, verified, mended, refused, and never weakened (W0.3)."""

from __future__ import annotations

import itertools
import json
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import boto3
import pytest
from botocore.config import Config
from botocore.exceptions import ClientError
from hypothesis import HealthCheck, given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st

from emulator import process
from emulator.record import read_calls
from operations.outcome import Refused
from operations.state.bucket import Finding, Outcome, StateBucket
from settings import Settings
from settings.platform import StateSettings

if TYPE_CHECKING:
    from mypy_boto3_kms import KMSClient
    from mypy_boto3_s3 import S3Client

pytestmark = pytest.mark.requirement("W0.3")

REGION, OTHER_REGION = "us-east-2", "us-west-2"
ACCOUNT, OTHER_ACCOUNT = "123456789012", "444455556666"
NUMBERS = itertools.count()


class World:
    """A state bucket of its own in the shared local AWS, and the clients that reach it."""

    def __init__(self, server: process.Server, settings: Settings) -> None:
        self.name = f"state-{next(NUMBERS)}"
        self.settings = settings.model_copy(update={"state": StateSettings(bucket=self.name)})
        self.server = server
        self.s3: S3Client = self.client("s3")
        self.kms: KMSClient = self.client("kms")

    def client(self, service: Any, region: str = REGION) -> Any:
        return boto3.client(
            service,
            region_name=region,
            endpoint_url=self.server.url,
            aws_access_key_id="AKIAIOSFODNN7EXAMPLE",
            aws_secret_access_key="local-aws",
            config=Config(proxies={}),
        )

    def bootstrap(self) -> dict[str, Finding]:
        return {one.item: one for one in StateBucket(self.settings, self.s3, self.kms).bootstrap()}

    def create_bucket(self, region: str = REGION, **parameters: Any) -> None:
        place: Any = {"LocationConstraint": region}
        more: Any = {"ObjectOwnership": "BucketOwnerEnforced", **parameters}
        self.client("s3", region).create_bucket(Bucket=self.name, CreateBucketConfiguration=place, **more)

    def encrypt_with(self, key: str, algorithm: Any = "aws:kms") -> None:
        default: Any = {"SSEAlgorithm": algorithm, "KMSMasterKeyID": key}
        self.s3.put_bucket_encryption(
            Bucket=self.name,
            ServerSideEncryptionConfiguration={"Rules": [{"ApplyServerSideEncryptionByDefault": default}]},
        )

    def set_policy(self, *statements: dict[str, Any]) -> None:
        document = {"Version": "2012-10-17", "Statement": list(statements)}
        self.s3.put_bucket_policy(Bucket=self.name, Policy=json.dumps(document))

    def set_lifecycle(self, *rules: Any) -> None:
        self.s3.put_bucket_lifecycle_configuration(Bucket=self.name, LifecycleConfiguration={"Rules": list(rules)})

    def statements(self) -> dict[str, dict[str, Any]]:
        document = json.loads(self.s3.get_bucket_policy(Bucket=self.name)["Policy"])
        return {one["Sid"]: one for one in document["Statement"]}

    def rules(self) -> dict[str, Any]:
        found = self.s3.get_bucket_lifecycle_configuration(Bucket=self.name)["Rules"]
        return {one["ID"]: one for one in found}

    def encryption(self) -> Any:
        found = self.s3.get_bucket_encryption(Bucket=self.name)
        return found["ServerSideEncryptionConfiguration"]["Rules"][0]

    def key_arn(self) -> str:
        arn: str = self.encryption()["ApplyServerSideEncryptionByDefault"]["KMSMasterKeyID"]
        return arn

    def suspend_versioning(self) -> None:
        self.s3.put_bucket_versioning(Bucket=self.name, VersioningConfiguration={"Status": "Suspended"})

    def writes(self) -> list[str]:
        reads = ("Get", "Head", "Describe", "List")
        calls = read_calls(self.server.directory)
        return [call.operation for call in calls if not call.operation.startswith(reads)]

    def refusal(self) -> str:
        """The lines of a refusal, before which nothing was changed."""
        before = self.writes()
        with pytest.raises(Refused) as refused:
            self.bootstrap()
        assert self.writes() == before
        return str(refused.value)


@pytest.fixture
def world(local_aws: process.Server, local_settings: Settings) -> World:
    return World(local_aws, local_settings)


@pytest.fixture
def intercepted() -> Callable[..., None]:
    """Puts a function into a client's calls, to stand for what the local AWS cannot be brought to do."""

    def at(client: Any, event: str, react: Callable[..., object]) -> None:
        client.meta.events.register(event, react)

    return at


def statement(sid: str, effect: str, principal: object, **more: object) -> dict[str, Any]:
    return {
        "Sid": sid,
        "Effect": effect,
        "Principal": principal,
        "Action": "s3:GetObject",
        "Resource": "arn:aws:s3:::placeholder/*",
        **more,
    }


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
def test_mends_what_has_become_weaker_and_nothing_else(
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


def test_all_that_cannot_be_mended_is_said_at_once(world: World) -> None:
    world.create_bucket()
    world.set_policy(statement("Theirs", "Allow", "*", Resource=f"arn:aws:s3:::{world.name}/*"))
    world.set_lifecycle({"ID": "tidy", "Status": "Enabled", "Filter": {"Prefix": ""}, "Expiration": {"Days": 1}})

    assert len(world.refusal().splitlines()) == 2


def test_a_key_that_gets_no_alias_is_not_left_behind(world: World, intercepted: Callable[..., None]) -> None:
    made: list[str] = []

    def interrupted(**_: object) -> None:
        raise KeyboardInterrupt

    intercepted(world.kms, "after-call.kms.CreateKey", lambda parsed, **_: made.append(parsed["KeyMetadata"]["KeyId"]))
    intercepted(world.kms, "before-call.kms.CreateAlias", interrupted)
    with pytest.raises(KeyboardInterrupt):
        world.bootstrap()

    assert world.kms.describe_key(KeyId=made[0])["KeyMetadata"]["KeyState"] == "PendingDeletion"


def test_a_run_after_one_that_was_interrupted_goes_on_with_the_same_key(
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


def test_an_error_of_aws_that_says_nothing_about_the_bucket_is_not_taken_for_an_absent_one(
    world: World, intercepted: Callable[..., None]
) -> None:
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
