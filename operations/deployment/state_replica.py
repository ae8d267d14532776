"""`make state-replica`: Terraform's state in the recovery region, while the primary one is lost and afterwards (W0.3).

The replica is what S3 has copied. To continue from it, it is copied once to an object of its own in the same bucket,
which the backend uses while `state.in_recovery_region` says so; to return, that object is copied to the state bucket.
So nothing that S3 replicates late ends up above a state that has gone on. Each step refuses what would lose a change.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import boto3
from botocore.config import Config
from botocore.exceptions import ClientError, HTTPClientError
from botocore.exceptions import ConnectionError as NoConnection
from rich.console import Console

from operations.account import aws_errors_in_words, refuse_other_account
from operations.deployment.lock import Lock
from operations.deployment.lock import read as read_lock
from operations.outcome import Failed, Refused
from operations.question import agreed, refuse_silence

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client

    from settings import Settings

RUNBOOK = "docs/runbooks/state.md"
SETTING = "state.in_recovery_region"
BEGINNING = ".begun-from"
"""Beside the continued state: the serial of the replica's that it began from."""
ABSENT = {"NoSuchKey", "NoSuchBucket", "404"}
FORBIDDEN = {"AccessDenied", "403"}
SERVER_ERROR = 500
# Of a region that does not answer: three attempts of ten seconds are enough to know.
PATIENCE = Config(connect_timeout=10, read_timeout=10, retries={"total_max_attempts": 3})


@dataclass(frozen=True, kw_only=True)
class State:
    """A state of Terraform's, as it is in an object."""

    body: bytes
    lineage: str
    serial: int
    """One more with each change."""


class Replica:
    """The replica of an environment's state."""

    def __init__(self, settings: Settings, primary: S3Client, recovery: S3Client, console: Console) -> None:
        """``primary`` and ``recovery`` are clients in these regions; the first one's region may not answer."""
        self._settings = settings
        self._primary, self._recovery = primary, recovery
        self._console = console
        self._beginning = f"{settings.continued_state_key}{BEGINNING}"

    def show(self, *, accept_behind: bool = False) -> None:
        """Say what each region has.

        Raises:
            Refused: with a line for each reason why the replica is not the last state, unless ``accept_behind``.
            Failed: an object is no state.
        """
        settings = self._settings
        replica, own = self._replicated(), self._own()
        self._say(f"primary, {settings.primary.name}", own, "does not answer, or has no state")
        self._say(f"replica, {settings.recovery.name}", replica, "has no state")
        if continued := self._continued():
            self._say("continued there", continued, "")
        elif lines := list(self._reasons(replica, own)):
            if replica is None or not accept_behind:
                raise Refused("\n".join(lines))
            self._console.print("\n".join(lines), style="red", markup=False)

    def continue_(self, *, approve: bool, accept_behind: bool) -> None:
        """Have the state go on from the replica. Asks first, unless ``approve``; raises as ``show`` does."""
        refuse_silence(approve)
        self.show(accept_behind=accept_behind)
        replica = self._replicated()
        if replica and self._continued() is None:
            if not approve and not agreed(f"Continue from serial {replica.serial} of the replica?"):
                raise Refused("nothing was changed")
            self._put(self._beginning, str(replica.serial).encode())
            self._put(self._settings.continued_state_key, replica.body, IfNoneMatch="*")
        self._console.print(
            f"set {SETTING} = true in the environment's file; then every command uses this state: {RUNBOOK}",
            markup=False,
        )

    def return_(self, *, approve: bool) -> None:
        """Copy the state that went on in the recovery region to the state bucket. Asks first, unless ``approve``.

        Raises:
            Refused: there is nothing to return, somebody works on either state, or the primary region's went on too.
            Failed: the primary region does not answer, or an object is no state.
        """
        refuse_silence(approve)
        continued = self._continued()
        if continued is None:
            raise Refused(f"there is no s3://{self._settings.state.replica}/{self._settings.continued_state_key}")
        own = self._own(must_answer=True)
        begun_from = int(self._get(self._recovery, self._settings.state.replica, self._beginning) or b"-1")
        if lines := list(self._conflicts(continued, own, begun_from)):
            raise Refused("\n".join(lines))
        if own is None or own.serial != continued.serial:
            if not approve and not agreed(f"Put serial {continued.serial} into {self._settings.state.bucket}?"):
                raise Refused("nothing was changed")
            self._primary.put_object(
                Bucket=self._settings.state.bucket,
                Key=self._settings.state_key,
                Body=continued.body,
                ExpectedBucketOwner=self._settings.account_id,
            )
        for key in (self._settings.continued_state_key, self._beginning):
            self._recovery.delete_object(
                Bucket=self._settings.state.replica, Key=key, ExpectedBucketOwner=self._settings.account_id
            )
        self._console.print(f"remove {SETTING} from the environment's file, and run make diff: {RUNBOOK}", markup=False)

    def _reasons(self, replica: State | None, own: State | None) -> Iterator[str]:
        """Why the replica is not the last state."""
        settings = self._settings
        place = f"s3://{settings.state.replica}/{settings.state_key}"
        if replica is None:
            yield f"{place}: there is no state; make bootstrap sets replication up while the primary region answers"
            return
        if lock := self._lock(settings.state_key):
            yield (
                f"{place}: it is behind: {lock.operation}, by {lock.who}, began {lock.created:%Y-%m-%d %H:%M} UTC, and "
                "how it ended has not arrived"
            )
        if own and own.lineage != replica.lineage:
            yield f"{place}: it is of another lineage than the state in {settings.primary.name}"
        elif own and own.serial != replica.serial:
            yield (
                f"{place}: it is behind: serial {replica.serial}; {settings.primary.name} answers, and has {own.serial}"
            )

    def _conflicts(self, continued: State, own: State | None, begun_from: int) -> Iterator[str]:
        """Why the continued state must not replace the primary region's."""
        settings = self._settings
        for client, bucket, key in (
            (self._recovery, settings.state.replica, settings.continued_state_key),
            (self._primary, settings.state.bucket, settings.state_key),
        ):
            if lock := read_lock(client, bucket, key):
                yield f"s3://{bucket}/{key}: it is locked: {lock.operation}, by {lock.who}"
        if own and own.lineage != continued.lineage:
            yield f"s3://{settings.state.bucket}/{settings.state_key}: it is of another lineage"
        elif own and own.serial not in {begun_from, continued.serial}:
            yield (
                f"s3://{settings.state.bucket}/{settings.state_key}: it has serial {own.serial}, and what continues "
                f"began from {begun_from}: changes of both must be put together by hand, see {RUNBOOK}"
            )

    def _replicated(self) -> State | None:
        return self._state(self._recovery, self._settings.state.replica, self._settings.state_key)

    def _continued(self) -> State | None:
        return self._state(self._recovery, self._settings.state.replica, self._settings.continued_state_key)

    def _own(self, *, must_answer: bool = False) -> State | None:
        """The primary region's; None also where the region does not answer, unless it must."""
        try:
            return self._state(self._primary, self._settings.state.bucket, self._settings.state_key)
        except (NoConnection, HTTPClientError, ClientError) as error:
            if must_answer or not _does_not_answer(error):
                raise
            return None

    def _lock(self, key: str) -> Lock | None:
        return read_lock(self._recovery, self._settings.state.replica, key)

    def _state(self, client: S3Client, bucket: str, key: str) -> State | None:
        body = self._get(client, bucket, key)
        if body is None:
            return None
        try:
            said = json.loads(body)
            return State(body=body, lineage=said["lineage"], serial=int(said["serial"]))
        except (ValueError, KeyError, TypeError) as error:
            raise Failed(f"s3://{bucket}/{key} is no state of Terraform ({error!r}); look at it") from error

    def _get(self, client: S3Client, bucket: str, key: str) -> bytes | None:
        try:
            answer = client.get_object(Bucket=bucket, Key=key, ExpectedBucketOwner=self._settings.account_id)
            return answer["Body"].read()
        except ClientError as error:
            if error.response["Error"].get("Code") in ABSENT:
                return None
            raise

    def _put(self, key: str, body: bytes, **more: Any) -> None:
        self._recovery.put_object(
            Bucket=self._settings.state.replica,
            Key=key,
            Body=body,
            ExpectedBucketOwner=self._settings.account_id,
            **more,
        )

    def _say(self, where: str, state: State | None, otherwise: str) -> None:
        what = f"serial {state.serial}, lineage {state.lineage}" if state else otherwise
        self._console.print(f"{where}: {what}", markup=False)


def run(
    settings: Settings, console: Console, *, go_on: bool, come_back: bool, accept_behind: bool, approve: bool
) -> None:
    """Run the command, with the credentials that boto3 finds; STS is asked in the recovery region.

    Show both states; ``go_on`` from the replica, or ``come_back`` to the state bucket. Raises as ``Replica`` does.
    """
    if go_on and come_back:
        raise Refused("--continue --return: only one of the two is allowed")
    with aws_errors_in_words():
        session = boto3.Session(region_name=settings.recovery.name)
        refuse_other_account(settings, session, settings.recovery.name)
        replica = Replica(
            settings,
            session.client("s3", region_name=settings.primary.name, config=PATIENCE),
            session.client("s3"),
            console,
        )
        if go_on:
            replica.continue_(approve=approve, accept_behind=accept_behind)
        elif come_back:
            replica.return_(approve=approve)
        else:
            replica.show(accept_behind=accept_behind)


def refuse_the_other_state(settings: Settings, recovery: S3Client) -> None:
    """Make sure that the state that settings name is the one that goes on.

    Who may not list the replica, as CI's roles that were made before it, is not told.

    Raises:
        Refused: the state continues in the recovery region and settings say otherwise, or the reverse.
    """
    bucket, key = settings.state.replica, settings.continued_state_key
    try:
        # By a list, for which CI's roles need no right on an object or on the key that encrypts it.
        found = recovery.list_objects_v2(Bucket=bucket, Prefix=key, ExpectedBucketOwner=settings.account_id)
        continues = key in {one["Key"] for one in found.get("Contents", ())}
    except ClientError as error:
        code = error.response["Error"].get("Code")
        if code in FORBIDDEN and not settings.state.in_recovery_region:
            return
        if code not in ABSENT:
            raise
        continues = False
    if continues and not settings.state.in_recovery_region:
        raise Refused(
            f"{SETTING}: false is not allowed; the state continues in s3://{bucket}/{key}: "
            f"make state-replica ARGS=--return brings it back, see {RUNBOOK}"
        )
    if settings.state.in_recovery_region and not continues:
        raise Refused(
            f"{SETTING}: true is not allowed; there is no s3://{bucket}/{key}: make state-replica ARGS=--continue "
            f"begins it, see {RUNBOOK}"
        )


def _does_not_answer(error: Exception) -> bool:
    """Whether a call met no S3 that works: a time-out, no connection, or an error of the server."""
    if isinstance(error, ClientError):
        return error.response["ResponseMetadata"]["HTTPStatusCode"] >= SERVER_ERROR
    return True
