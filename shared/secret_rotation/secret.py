"""A secret in the middle of a rotation: its versions, and which of them is what."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from functools import cached_property
from typing import Any

from botocore.exceptions import ClientError

NOT_FOUND = "ResourceNotFoundException"
CURRENT, PENDING, PREVIOUS = "AWSCURRENT", "AWSPENDING", "AWSPREVIOUS"


class Refused(Exception):
    """A rotation that must not be made, or not on. The message says why, and holds nothing that is secret."""


class Secret:
    """One secret, and the version that a rotation makes: the pending one."""

    def __init__(self, client: Any, arn: str, token: str) -> None:
        """``client`` is of Secrets Manager; ``token`` becomes the id of the pending version."""
        self._client = client
        self.arn = arn
        self.token = token

    @cached_property
    def metadata(self) -> Mapping[str, Any]:
        """What DescribeSecret says, once: nobody but this rotation changes it."""
        described: Mapping[str, Any] = self._client.describe_secret(SecretId=self.arn)
        return described

    @property
    def stages(self) -> Mapping[str, list[str]]:
        """The stages of each version that has one."""
        found: Mapping[str, list[str]] = self.metadata.get("VersionIdsToStages", {})
        return found

    def check(self) -> None:
        """Refuse a version that nothing is to be done with.

        Raises:
            Refused: rotation is off, or the version is neither pending nor current.
        """
        if not self.metadata.get("RotationEnabled"):
            raise Refused("the rotation of this secret is off")
        if not {PENDING, CURRENT} & set(self.stages.get(self.token, [])):
            raise Refused(f"version {self.token} is not {PENDING}")

    def check_replicas(self) -> None:
        """Refuse to go on while a replica has not got what was put: it would keep what opens nothing any more.

        https://docs.aws.amazon.com/secretsmanager/latest/userguide/replicate-secrets-troubleshoot.html

        Raises:
            Refused: replication to a region has failed.
        """
        for replica in self.metadata.get("ReplicationStatus", []):
            if replica.get("Status") == "Failed":
                raise Refused(
                    f"the replica in {replica['Region']} has failed: {replica.get('StatusMessage', 'no word')}"
                )

    @property
    def is_current(self) -> bool:
        """Whether the version of this rotation is the current one already."""
        return CURRENT in self.stages.get(self.token, [])

    def current(self) -> str:
        """The value that everybody uses."""
        return self._value(VersionStage=CURRENT)

    def previous(self) -> str | None:
        """The value that was the current one before, if there was one."""
        return self.of_another(self.arn, PREVIOUS)

    def pending(self) -> str:
        """The value that this rotation brings, also when it is the current one by now.

        Raises:
            Refused: it was not made yet.
        """
        found = self.pending_if_made()
        if found is None:
            raise Refused(f"version {self.token} has no value: createSecret comes first")
        return found

    def pending_if_made(self) -> str | None:
        """The value that this rotation brings, if an earlier call has made it."""
        try:
            return self._value(VersionId=self.token)
        except ClientError as error:
            if _code(error) != NOT_FOUND:
                raise
            return None

    def staged_no_more(self) -> Iterator[str]:
        """The values of the versions that have no stage any more and are not yet gone, the newest first."""
        found: list[Mapping[str, Any]] = []
        asked = {"SecretId": self.arn, "IncludeDeprecated": True}
        while True:  # boto3 has no paginator for it
            page = self._client.list_secret_version_ids(**asked)
            found += page["Versions"]
            if not page.get("NextToken"):
                break
            asked["NextToken"] = page["NextToken"]
        for version in sorted(found, key=lambda one: one["CreatedDate"], reverse=True):
            if version.get("VersionStages"):
                continue
            try:
                yield self._value(VersionId=version["VersionId"])
            except ClientError as error:
                if _code(error) != NOT_FOUND:  # without a value, or gone
                    raise

    def of_another(self, arn: str, stage: str) -> str | None:
        """The value of another secret in a stage, if it has one."""
        try:
            return self._value(arn, VersionStage=stage)
        except ClientError as error:
            if _code(error) != NOT_FOUND:
                raise
            return None

    def put_pending(self, value: str) -> None:
        """Keep the value that this rotation brings, unless there is one already."""
        try:
            self._client.put_secret_value(
                SecretId=self.arn, ClientRequestToken=self.token, SecretString=value, VersionStages=[PENDING]
            )
        except ClientError as error:
            # Another call has made one, which is as good: https://docs.aws.amazon.com/secretsmanager/latest/apireference/API_PutSecretValue.html
            if _code(error) != "ResourceExistsException":
                raise

    def promote(self) -> None:
        """Make the pending version the current one. AWSPENDING stays with it, as Secrets Manager expects it to."""
        if self.is_current:
            return
        before = next((version for version, stages in self.stages.items() if CURRENT in stages), None)
        moved = {"MoveToVersionId": self.token} | ({"RemoveFromVersionId": before} if before else {})
        self._client.update_secret_version_stage(SecretId=self.arn, VersionStage=CURRENT, **moved)

    def reread(self) -> Secret:
        """The same secret, as it is now."""
        return Secret(self._client, self.arn, self.token)

    def random_password(self, length: int, *, excluded: str = "", punctuation: bool = True) -> str:
        """A new password of letters, digits and, if it may have any, punctuation, without the ``excluded``."""
        made: str = self._client.get_random_password(
            PasswordLength=length,
            ExcludeCharacters=excluded,
            ExcludePunctuation=not punctuation,
            RequireEachIncludedType=True,
        )["RandomPassword"]
        return made

    def _value(self, arn: str | None = None, **which: str) -> str:
        answer = self._client.get_secret_value(SecretId=arn or self.arn, **which)
        if "SecretString" not in answer:
            raise Refused("the secret is binary; a string is expected")
        value: str = answer["SecretString"]
        return value


def _code(error: ClientError) -> str:
    return str(error.response["Error"].get("Code", ""))
