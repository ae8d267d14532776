"""Lock of a failover: an object in a bucket of each available region, created only if it does not exist.

S3 decides between two writers (If-None-Match: https://docs.aws.amazon.com/AmazonS3/latest/userguide/conditional-writes.html).
The lock is in both regions, as a lost one cannot be read; the recovery region's is taken first, so that two runs cannot
each have one. Two users who each declare the other region lost have one lock each: RDS then allows one move at a time.
"""

from __future__ import annotations

import contextlib
import getpass
import json
import os
import socket
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from datetime import UTC, datetime
from typing import Any

from botocore.exceptions import BotoCoreError, ClientError

from operations.failover.request import Request
from operations.outcome import Refused
from operations.region import Region

FOLDER = "failover"
# A write that was sent again after its answer was lost finds its own object; two writes at once are a conflict.
TAKEN = {"PreconditionFailed", "ConditionalRequestConflict"}
ORDER = (Region.RECOVERY, Region.PRIMARY)


class Lock:
    """The lock of one environment, in the buckets of the available regions."""

    def __init__(self, buckets: Mapping[Region, tuple[Any, str]], request: Request) -> None:
        """``buckets`` are a client of S3 and the name of the bucket, by region."""
        self._buckets = buckets
        self._request = request
        self._text = json.dumps(
            {
                "who": f"{getpass.getuser()}@{socket.gethostname()}",
                "process": os.getpid(),
                "since": datetime.now(UTC).isoformat(timespec="seconds"),
                "to": str(request.to),
            }
        )

    @contextmanager
    def held(self) -> Iterator[None]:
        """Hold it for the block.

        Raises:
            Refused: another run holds it, and is not to be taken over.
        """
        taken: list[Region] = []
        try:
            for region in (one for one in ORDER if one in self._buckets):
                self._take(region)
                taken.append(region)
            yield
        finally:
            for region in taken:
                client, bucket = self._buckets[region]
                with contextlib.suppress(ClientError, BotoCoreError):  # the next run reports the lock
                    client.delete_object(Bucket=bucket, Key=_key(region))

    def _take(self, region: Region) -> None:
        client, bucket = self._buckets[region]
        where = {"Bucket": bucket, "Key": _key(region)}
        try:
            client.put_object(**where, Body=self._text, IfNoneMatch="*", ContentType="application/json")
        except ClientError as error:
            if error.response["Error"].get("Code") not in TAKEN:
                raise Refused(self._request.silence_of(region, client.meta.region_name, error)) from error
            self._take_from(client, where)
        except BotoCoreError as error:
            raise Refused(self._request.silence_of(region, client.meta.region_name, error)) from error

    def _take_from(self, client: Any, where: dict[str, str]) -> None:
        try:
            found = client.get_object(**where)
        except client.exceptions.NoSuchKey:
            raise Refused("failover: another run has just ended; look again") from None
        text = found["Body"].read().decode()
        if text == self._text:
            return
        if not self._request.take_over:
            raise Refused(_held_by(text, self._request))
        try:
            client.put_object(**where, Body=self._text, IfMatch=found["ETag"], ContentType="application/json")
        except ClientError as error:
            if error.response["Error"].get("Code") not in TAKEN:
                raise
            raise Refused("--take-over: somebody else was quicker; look again") from None


def _key(region: Region) -> str:
    return f"{FOLDER}/{region}.lock"


def _held_by(text: str, request: Request) -> str:
    with contextlib.suppress(ValueError, KeyError):
        held = json.loads(text)
        who = f"{held['who']} (process {held['process']}) since {held['since']}, to {held['to']}"
        return (
            f"failover: another run is at work, by {who}, and one at a time is allowed; if it has ended without a "
            f"word: {request.again('--take-over')}"
        )
    return f"failover: another run is at work: {text}"
