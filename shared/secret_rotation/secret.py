"""A secret under rotation: its versions by their staging labels."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from functools import cached_property
from typing import Any

from botocore.exceptions import ClientError

NOT_FOUND = "ResourceNotFoundException"
CURRENT, PENDING, PREVIOUS = "AWSCURRENT", "AWSPENDING", "AWSPREVIOUS"


class RotationRefused(Exception):
    """A rotation that must not be started or continued. The message has the reason, and no secret."""


class Secret:
    """A secret, and the version that a rotation creates."""

    def __init__(self, client: Any, arn: str, token: str) -> None:
        """``client`` is of Secrets Manager; ``token`` is the id of the version that the rotation creates."""
        self._client = client
        self.arn = arn
        self.token = token

    @cached_property
    def metadata(self) -> Mapping[str, Any]:
        """The response of DescribeSecret, read once."""
        described: Mapping[str, Any] = self._client.describe_secret(SecretId=self.arn)
        return described

    @property
    def stages(self) -> Mapping[str, list[str]]:
        """The staging labels of each version that has any, by version id."""
        found: Mapping[str, list[str]] = self.metadata.get("VersionIdsToStages", {})
        return found

    def check(self) -> None:
        """Check that the rotation is under way.

        Raises:
            RotationRefused: rotation is off, or the version is neither pending nor current.
        """
        if not self.metadata.get("RotationEnabled"):
            raise RotationRefused("the rotation of this secret is off")
        if not {PENDING, CURRENT} & set(self.stages.get(self.token, [])):
            raise RotationRefused(f"version {self.token} is not {PENDING}")

    def check_replicas(self) -> None:
        """Refuse to continue while a replica lacks the new value: it would keep one that is no longer valid.

        https://docs.aws.amazon.com/secretsmanager/latest/userguide/replicate-secrets-troubleshoot.html

        Raises:
            RotationRefused: replication to a region has failed.
        """
        for replica in self.metadata.get("ReplicationStatus", []):
            if replica.get("Status") == "Failed":
                raise RotationRefused(
                    f"the replica in {replica['Region']} has failed: {replica.get('StatusMessage', 'no word')}"
                )

    @property
    def is_current(self) -> bool:
        """Whether the rotation's version is the current one already."""
        return CURRENT in self.stages.get(self.token, [])

    def current(self) -> str:
        """The value of AWSCURRENT."""
        return self._value(VersionStage=CURRENT)

    def previous(self) -> str | None:
        """The value of AWSPREVIOUS, if there is one."""
        return self.value_of(self.arn, PREVIOUS)

    def pending(self) -> str:
        """The value of the rotation's version, even where that is current by now.

        Raises:
            RotationRefused: the version has no value yet.
        """
        found = self.pending_or_none()
        if found is None:
            raise RotationRefused(f"version {self.token} has no value: createSecret comes first")
        return found

    def pending_or_none(self) -> str | None:
        """The value of the rotation's version; None where an earlier call has not created it."""
        return self._optional(self.arn, VersionId=self.token)

    def unstaged_values(self) -> Iterator[str]:
        """The values of versions that have no staging label any more and are not deleted yet, newest first."""
        found: list[Mapping[str, Any]] = []
        query = {"SecretId": self.arn, "IncludeDeprecated": True}
        while True:  # boto3 has no paginator for it
            page = self._client.list_secret_version_ids(**query)
            found += page["Versions"]
            if not page.get("NextToken"):
                break
            query["NextToken"] = page["NextToken"]
        for version in sorted(found, key=lambda one: one["CreatedDate"], reverse=True):
            if version.get("VersionStages"):
                continue
            value = self._optional(self.arn, VersionId=version["VersionId"])
            if value is not None:
                yield value

    def value_of(self, arn: str, stage: str) -> str | None:
        """The value of any secret under a staging label; None where it has none."""
        return self._optional(arn, VersionStage=stage)

    def put_pending(self, value: str) -> None:
        """Store the value of the rotation's version, unless it has one already."""
        try:
            self._client.put_secret_value(
                SecretId=self.arn, ClientRequestToken=self.token, SecretString=value, VersionStages=[PENDING]
            )
        except ClientError as error:
            # A concurrent call has stored one, which will do.
            # https://docs.aws.amazon.com/secretsmanager/latest/apireference/API_PutSecretValue.html
            if _code(error) != "ResourceExistsException":
                raise

    def promote(self) -> None:
        """Move AWSCURRENT to the rotation's version. AWSPENDING stays on it, as Secrets Manager expects."""
        if self.is_current:
            return
        before = next((version for version, stages in self.stages.items() if CURRENT in stages), None)
        moved = {"MoveToVersionId": self.token} | ({"RemoveFromVersionId": before} if before else {})
        self._client.update_secret_version_stage(SecretId=self.arn, VersionStage=CURRENT, **moved)

    def refreshed(self) -> Secret:
        """The same secret, with its metadata to be read again."""
        return Secret(self._client, self.arn, self.token)

    def random_password(self, length: int, *, excluded: str = "", punctuation: bool = True) -> str:
        """A new password of letters, digits and, if allowed, punctuation, without the ``excluded`` characters."""
        made: str = self._client.get_random_password(
            PasswordLength=length,
            ExcludeCharacters=excluded,
            ExcludePunctuation=not punctuation,
            RequireEachIncludedType=True,
        )["RandomPassword"]
        return made

    def _optional(self, arn: str, **version: str) -> str | None:
        try:
            return self._value(arn, **version)
        except ClientError as error:
            if _code(error) != NOT_FOUND:
                raise
            return None

    def _value(self, arn: str | None = None, **version: str) -> str:
        response = self._client.get_secret_value(SecretId=arn or self.arn, **version)
        if "SecretString" not in response:
            raise RotationRefused("the secret is binary; a string is expected")
        value: str = response["SecretString"]
        return value


def _code(error: ClientError) -> str:
    return str(error.response["Error"].get("Code", ""))
