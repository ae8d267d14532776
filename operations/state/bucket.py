"""Creates, or verifies, the bucket of Terraform's state, or its replica in the recovery region (W0.3).

Versioned, encrypted with its own rotating KMS key, closed to the public and to other accounts, reached over TLS only,
old versions deleted after a while. The whole bucket is read before anything is changed; one that cannot be corrected is
refused. An existing bucket is never weakened: a stricter policy, a longer retention or its own key are kept. It is
idempotent.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING, Any

from botocore.exceptions import ClientError

from operations.outcome import Refused
from operations.state import key as state_key
from operations.state import lifecycle, policy
from operations.state.eventual import be_patient
from operations.state.key import StateKey

if TYPE_CHECKING:
    from mypy_boto3_kms import KMSClient
    from mypy_boto3_s3 import S3Client

    from settings import Settings

SSE_KMS, SSE_KMS_TWO_LAYERS = "aws:kms", "aws:kms:dsse"
PUBLIC_ACCESS_BLOCK = ("BlockPublicAcls", "IgnorePublicAcls", "BlockPublicPolicy", "RestrictPublicBuckets")
OWNER_ENFORCED = "BucketOwnerEnforced"


class Outcome(StrEnum):
    """Result for one property of the bucket."""

    CREATED = "created"
    CHANGED = "changed"
    RIGHT = "found right"


@dataclass(frozen=True)
class Finding:
    """One property of the bucket: its value, and the change that was made."""

    item: str
    outcome: Outcome
    detail: str


@dataclass(frozen=True)
class Inspection:
    """One property as it was found: ``problem`` if it cannot be corrected, ``mend`` if it must be."""

    item: str
    detail: str
    problem: str | None = None
    mend: Callable[[], object] | None = None


@dataclass(frozen=True, kw_only=True)
class Place:
    """Where a state bucket is."""

    name: str
    region: str
    which: str
    """Of the environment's regions: primary or recovery."""

    @classmethod
    def of_bucket(cls, settings: Settings) -> Place:
        """Where the state is written while all is well."""
        return cls(name=settings.state.bucket, region=settings.primary.name, which="primary")

    @classmethod
    def of_replica(cls, settings: Settings) -> Place:
        """Where S3 replicates it."""
        return cls(name=settings.state.replica, region=settings.recovery.name, which="recovery")


class StateBucket:
    """The state bucket of an environment, or its replica, reached by clients in the bucket's region."""

    def __init__(self, settings: Settings, s3: S3Client, kms: KMSClient, *, place: Place | None = None) -> None:
        """``settings`` name the bucket, its account and the retention; ``place`` is the bucket's own by default."""
        self._settings = settings
        self.place = place or Place.of_bucket(settings)
        self._name = self.place.name
        self._there = False
        self._key: StateKey | None = None
        self._alias = f"alias/{self._name}"
        self._s3 = s3
        self._kms = kms
        for client in (s3, kms):
            be_patient(client)
        # On every call: a bucket of this name in another account is neither read nor changed.
        # https://docs.aws.amazon.com/AmazonS3/latest/userguide/bucket-owner-condition.html
        self._bucket: dict[str, Any] = {"Bucket": self._name, "ExpectedBucketOwner": settings.account_id}

    def bootstrap(self) -> list[Finding]:
        """Create the bucket and its key, or correct deviations.

        Raises:
            Refused: with a line for each property that cannot be corrected; then nothing has been changed.
            botocore.exceptions.ClientError: AWS did not allow a call, or it failed.
        """
        if lines := self.problems():
            raise Refused("\n".join(lines))
        return self.ready()

    def problems(self) -> list[str]:
        """Read the whole bucket: a line for each property that cannot be corrected. Raises as ``bootstrap`` does."""
        self._there = self._exists()
        key = self._key = self._find_key(self._there)
        found = [key.problem(self._settings.account_id) if key else None]
        if self._there:
            found += [one.problem for one in self._inspect(key.arn if key else "")]
        return [f"{self._name}: {problem}" for problem in found if problem]

    def ready(self) -> list[Finding]:
        """Create or correct what ``problems`` has read and found none of. Raises as ``bootstrap`` does."""
        findings = [Finding("bucket", Outcome.RIGHT if self._there else Outcome.CREATED, self._name)]
        if not self._there:
            self._create()
        self._key, key_findings = self._ready_key(self._key)
        return [*findings, *key_findings, *self._mend(self._inspect(self._key.arn), new=not self._there)]

    @property
    def is_there(self) -> bool:
        """Whether ``problems`` has found the bucket."""
        return self._there

    @property
    def key_arn(self) -> str:
        """The ARN of its key, once it is ``ready``."""
        return self._key.arn if self._key else ""

    def _exists(self) -> bool:
        try:
            region = self._s3.head_bucket(**self._bucket).get("BucketRegion")
        except ClientError as error:
            status = error.response["ResponseMetadata"]["HTTPStatusCode"]
            if status == 404:  # noqa: PLR2004 - HTTP's own number
                return False
            if status == 403:  # noqa: PLR2004
                raise Refused(
                    f"{self._name}: it belongs to another account than {self._settings.account_id}, or these "
                    "credentials may not look at it"
                ) from error
            raise
        wanted = self.place.region
        if region and region != wanted:
            raise Refused(f"{self._name}: it lies in {region}; the {self.place.which} region, {wanted}, is needed")
        return True

    def _create(self) -> None:
        region = self.place.region
        place: dict[str, Any] = {"CreateBucketConfiguration": {"LocationConstraint": region}}
        # us-east-1 is named by naming none: https://docs.aws.amazon.com/AmazonS3/latest/API/API_CreateBucket.html
        self._s3.create_bucket(
            Bucket=self._name, ObjectOwnership="BucketOwnerEnforced", **(place if region != "us-east-1" else {})
        )

    def _find_key(self, exists: bool) -> StateKey | None:
        """The bucket's own key, or the one that an earlier run created for it."""
        named = self._encryption_rule().get("ApplyServerSideEncryptionByDefault", {}) if exists else {}
        if named.get("SSEAlgorithm") in {SSE_KMS, SSE_KMS_TWO_LAYERS} and "KMSMasterKeyID" in named:
            found = state_key.describe(self._kms, named["KMSMasterKeyID"])
            if found is None:
                raise Refused(
                    f"{self._name}: its key {named['KMSMasterKeyID']} does not exist; the state cannot be read"
                )
            if not found.managed_by_aws:
                return found
        return state_key.describe(self._kms, self._alias)

    def _ready_key(self, key: StateKey | None) -> tuple[StateKey, list[Finding]]:
        outcome = Outcome.RIGHT if key else Outcome.CREATED
        if key is None:
            key = state_key.create(self._kms, self._alias, self._settings.account_id, self._settings.tags)
        rotation = Outcome.RIGHT if key.rotates else outcome if outcome is Outcome.CREATED else Outcome.CHANGED
        if not key.rotates:
            self._kms.enable_key_rotation(KeyId=key.arn)
        return key, [Finding("key", outcome, key.arn), Finding("key rotation", rotation, "every year")]

    def _inspect(self, key_arn: str) -> list[Inspection]:
        return [
            self._ownership(),
            self._public_access(),
            self._versioning(),
            self._encryption(key_arn),
            self._policy(key_arn),
            self._lifecycle(),
            self._tags(),
        ]

    @staticmethod
    def _mend(inspections: list[Inspection], *, new: bool) -> list[Finding]:
        findings = []
        for one in inspections:
            if one.mend:
                one.mend()
            outcome = Outcome.CREATED if new else Outcome.CHANGED if one.mend else Outcome.RIGHT
            findings.append(Finding(one.item, outcome, one.detail))
        return findings

    def _ownership(self) -> Inspection:
        # https://docs.aws.amazon.com/AmazonS3/latest/userguide/about-object-ownership.html
        item, detail = "object ownership", "the bucket's owner, without access control lists"
        rules = self._read(self._s3.get_bucket_ownership_controls, "OwnershipControls", {}).get("Rules", [])
        if any(rule["ObjectOwnership"] == OWNER_ENFORCED for rule in rules):
            return Inspection(item, detail)
        acl = self._s3.get_bucket_acl(**self._bucket)
        others = [one for one in acl["Grants"] if one.get("Grantee", {}).get("ID") != acl["Owner"].get("ID")]
        if others:
            return Inspection(item, detail, "its access control list grants to others; remove those grants first")
        wanted: Any = {"Rules": [{"ObjectOwnership": OWNER_ENFORCED}]}
        return Inspection(
            item,
            detail,
            mend=lambda: self._s3.put_bucket_ownership_controls(OwnershipControls=wanted, **self._bucket),
        )

    def _public_access(self) -> Inspection:
        found = self._read(self._s3.get_public_access_block, "PublicAccessBlockConfiguration", {})
        wanted: Any = dict.fromkeys(PUBLIC_ACCESS_BLOCK, True)
        return Inspection(
            "public access",
            "all blocked",
            mend=None
            if found == wanted
            else lambda: self._s3.put_public_access_block(PublicAccessBlockConfiguration=wanted, **self._bucket),
        )

    def _versioning(self) -> Inspection:
        item, detail = "versioning", "enabled"
        found = self._s3.get_bucket_versioning(**self._bucket)
        # https://docs.aws.amazon.com/AmazonS3/latest/userguide/MultiFactorAuthenticationDelete.html
        if found.get("MFADelete") == "Enabled":
            return Inspection(item, detail, "MFA delete is on, with which S3 takes no lifecycle; turn it off first")
        if found.get("Status") == "Enabled":
            return Inspection(item, detail)
        wanted: Any = {"Status": "Enabled"}
        return Inspection(
            item, detail, mend=lambda: self._s3.put_bucket_versioning(VersioningConfiguration=wanted, **self._bucket)
        )

    def _encryption_rule(self) -> Mapping[str, Any]:
        found = self._read(self._s3.get_bucket_encryption, "ServerSideEncryptionConfiguration", {})
        return next(iter(found.get("Rules", [])), {})

    def _encryption(self, key_arn: str) -> Inspection:
        """Two layers of encryption are kept where they are found; a bucket key is for the single layer only.

        https://docs.aws.amazon.com/AmazonS3/latest/userguide/bucket-key.html
        """
        found = self._encryption_rule()
        before = found.get("ApplyServerSideEncryptionByDefault", {})
        two_layers = before.get("SSEAlgorithm") == SSE_KMS_TWO_LAYERS
        algorithm = SSE_KMS_TWO_LAYERS if two_layers else SSE_KMS
        default = {"SSEAlgorithm": algorithm, "KMSMasterKeyID": before.get("KMSMasterKeyID", "")}
        if not self._is_key(default["KMSMasterKeyID"], key_arn):
            default["KMSMasterKeyID"] = key_arn
        wanted: Any = {**found, "ApplyServerSideEncryptionByDefault": default}
        if not two_layers:
            wanted["BucketKeyEnabled"] = True
        return Inspection(
            "encryption",
            f"{algorithm}, with the key above",
            mend=None
            if found == wanted
            else lambda: self._s3.put_bucket_encryption(
                ServerSideEncryptionConfiguration={"Rules": [wanted]}, **self._bucket
            ),
        )

    def _is_key(self, reference: str, key_arn: str) -> bool:
        if not reference or reference == key_arn:
            return reference == key_arn
        found = state_key.describe(self._kms, reference)
        return found is not None and found.arn == key_arn

    def _policy(self, key_arn: str) -> Inspection:
        item, detail = "policy", "TLS only, this key only, nobody outside the account"
        document = json.loads(self._read(self._s3.get_bucket_policy, "Policy", "{}"))
        existing = document.get("Statement", [])
        existing = existing if isinstance(existing, list) else [existing]
        if others := list(policy.grants_to_others(existing, self._settings.account_id)):
            return Inspection(
                item, detail, f"its policy grants to others than {self._settings.account_id}: {', '.join(others)}"
            )
        wanted = policy.merged(existing, policy.statements(self._name, key_arn))
        text = json.dumps({"Version": policy.VERSION, **document, "Statement": wanted})
        return Inspection(
            item,
            detail,
            mend=None if wanted == existing else lambda: self._s3.put_bucket_policy(Policy=text, **self._bucket),
        )

    def _lifecycle(self) -> Inspection:
        item = "lifecycle"
        existing = self._read(self._s3.get_bucket_lifecycle_configuration, "Rules", [])
        if rules := list(lifecycle.removes_state(existing)):
            return Inspection(item, "", f"its lifecycle would remove the state itself: {', '.join(rules)}")
        wanted: Any = lifecycle.merged(existing, self._settings.state.noncurrent_version_days)
        kept = next(one for one in wanted if one.get("ID") == lifecycle.RULE_ID)["NoncurrentVersionExpiration"]
        return Inspection(
            item,
            f"old versions kept for {kept['NoncurrentDays']} days",
            mend=None
            if wanted == existing
            else lambda: self._s3.put_bucket_lifecycle_configuration(
                LifecycleConfiguration={"Rules": wanted}, **self._bucket
            ),
        )

    def _tags(self) -> Inspection:
        """Tags that are there stay as they are: several environments share the bucket."""
        existing = {one["Key"]: one["Value"] for one in self._read(self._s3.get_bucket_tagging, "TagSet", [])}
        wanted = {**self._settings.tags, **existing}
        tag_set: Any = [{"Key": key, "Value": value} for key, value in wanted.items()]
        return Inspection(
            "tags",
            ", ".join(f"{key}={value}" for key, value in wanted.items()) or "none",
            mend=None
            if wanted == existing
            else lambda: self._s3.put_bucket_tagging(Tagging={"TagSet": tag_set}, **self._bucket),
        )

    def _read(self, call: Callable[..., Any], member: str, absent: Any) -> Any:
        """One member of a call's response; ``absent`` where the bucket has no such configuration."""
        try:
            return call(**self._bucket).get(member, absent)
        except ClientError as error:
            # NoSuchBucketPolicy, NoSuchLifecycleConfiguration, NoSuchTagSet, ...ConfigurationNotFoundError:
            # https://docs.aws.amazon.com/AmazonS3/latest/API/ErrorResponses.html
            code = error.response["Error"]["Code"]
            if code.startswith("NoSuch") or code.endswith("NotFoundError"):
                return absent
            raise
