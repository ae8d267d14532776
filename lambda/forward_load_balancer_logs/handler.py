"""Forwards the load balancer's logs, which AWS delivers to S3 alone, to CloudWatch Logs (W5.3).

Called with messages of the queue that S3 tells of new files. A file that was forwarded whole is done; one that was not,
for whatever reason, is reported as failed, comes again, and ends in the dead-letter queue, from where it can be sent
again. So each line arrives at least once, and some twice where a file was forwarded in part before.

Files are read as a stream, whatever their size: what is held at once is a batch of PutLogEvents. Its limits are in
https://docs.aws.amazon.com/AmazonCloudWatchLogs/latest/APIReference/API_PutLogEvents.html

Lines keep the time that stands in them. One without a time has that of the line before it. CloudWatch Logs refuses
times that are too old or too new: such a line is sent with the time of its forwarding, as its own stands in it.

The environment says where to: ACCESS_LOG_GROUP and CONNECTION_LOG_GROUP, the names of log groups. Each file becomes a
stream that is named after it.
"""

from __future__ import annotations

import gzip
import json
import os
import time
import zlib
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any
from urllib.parse import unquote_plus

import boto3
from botocore.config import Config
from botocore.exceptions import BotoCoreError, ClientError

LARGEST_BATCH_BYTES = 1_048_576
MOST_EVENTS = 10_000
BYTES_BESIDE_A_MESSAGE = 26
LONGEST_SPAN_MILLISECONDS = 24 * 3600 * 1000
# A longer line is sent in parts. CloudWatch Logs takes up to 1 MB today, and took a quarter of it before.
LONGEST_LINE_BYTES = 256 * 1024 - BYTES_BESIDE_A_MESSAGE
OLDEST_MILLISECONDS = 13 * 24 * 3600 * 1000  # 14 days are allowed; a day is kept for retries
NEWEST_MILLISECONDS = 3600 * 1000  # 2 hours are allowed
# https://docs.aws.amazon.com/elasticloadbalancing/latest/application/load-balancer-access-logs.html#access-log-file-format
CONNECTION_LOG = "conn_log"
TEST_FILES = ("ELBAccessLogTestFile", "ELBConnectionLogTestFile")
LONGEST_STREAM_NAME = 512
# Throttled calls are repeated, more slowly each time; the queue repeats what that does not mend.
CONFIG = Config(retries={"mode": "adaptive", "total_max_attempts": 10}, connect_timeout=5, read_timeout=30)


class Unreadable(Exception):
    """A file that is not what a load balancer writes. The message names it."""


@dataclass(frozen=True)
class File:
    """A file that a load balancer wrote."""

    bucket: str
    key: str
    version: str | None

    @property
    def name(self) -> str:
        """The last part of the key."""
        return self.key.rpartition("/")[2]

    @property
    def is_test(self) -> bool:
        """Whether it is what AWS writes when logs are switched on, to see whether it may."""
        return self.name in TEST_FILES

    @property
    def log_group(self) -> str:
        """Where its lines go."""
        kind = "CONNECTION_LOG_GROUP" if self.name.startswith(CONNECTION_LOG) else "ACCESS_LOG_GROUP"
        return os.environ[kind]

    @property
    def stream(self) -> str:
        """The name of its stream: the same at each attempt."""
        name = self.name.removesuffix(".gz").removesuffix(".log")
        return name.replace(":", "-").replace("*", "-")[:LONGEST_STREAM_NAME]


@dataclass(frozen=True)
class Event:
    """A line, as CloudWatch Logs takes it."""

    milliseconds: int
    message: str
    size: int

    @property
    def as_sent(self) -> dict[str, Any]:
        """In the form of PutLogEvents."""
        return {"timestamp": self.milliseconds, "message": self.message}


def handler(event: dict[str, Any], _context: object) -> dict[str, Any]:
    """Forward the files that the messages tell of; returns those that failed, which the queue then keeps.

    https://docs.aws.amazon.com/lambda/latest/dg/services-sqs-errorhandling.html#services-sqs-batchfailurereporting
    """
    failed = [record["messageId"] for record in event["Records"] if not _done(record)]
    return {"batchItemFailures": [{"itemIdentifier": id_} for id_ in failed]}


def _done(record: dict[str, Any]) -> bool:
    try:
        for file in files(record["body"]):
            if not file.is_test:
                _say("forwarded", file=file.key, lines=forward(file))
    except (BotoCoreError, ClientError, Unreadable, OSError) as error:
        _say("failed", message_id=record["messageId"], error=f"{type(error).__name__}: {error}")
        return False
    return True


def files(body: str) -> Iterator[File]:
    """The files that a notification of S3 tells of; none if S3 only tries whether it can notify.

    Raises:
        Unreadable: it is no notification of S3.
    """
    try:
        notification = json.loads(body)
        if notification.get("Event") == "s3:TestEvent":
            return
        for record in notification["Records"]:
            of = record["s3"]
            yield File(of["bucket"]["name"], unquote_plus(of["object"]["key"]), of["object"].get("versionId"))
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise Unreadable(f"no notification of S3: {body[:200]!r}") from error


def forward(file: File) -> int:
    """Send all lines of a file; returns how many.

    Raises:
        Unreadable: the file is no whole gzip file.
        ClientError, BotoCoreError: AWS refused, or could not be reached.
    """
    logs = boto3.client("logs", config=CONFIG)
    body = _opened(file)
    _make_stream(logs, file)
    count = 0
    try:
        with gzip.GzipFile(fileobj=body) as lines:
            for batch in batches(events(lines, now=_now())):
                _send(logs, file, batch)
                count += len(batch)
    except (EOFError, gzip.BadGzipFile, zlib.error) as error:
        raise Unreadable(f"{file.key}: no whole gzip file after {count} lines: {error}") from error
    return count


def _opened(file: File) -> Any:
    s3 = boto3.client("s3", config=CONFIG)
    if file.version:
        return s3.get_object(Bucket=file.bucket, Key=file.key, VersionId=file.version)["Body"]
    return s3.get_object(Bucket=file.bucket, Key=file.key)["Body"]


def events(lines: gzip.GzipFile, *, now: int) -> Iterator[Event]:
    """The lines of a file with their times, in milliseconds; empty ones, which CloudWatch refuses, are left out."""
    before = now
    while line := lines.readline(LONGEST_LINE_BYTES):
        message = line.rstrip(b"\r\n").decode("utf-8", errors="backslashreplace")
        if not message.strip():
            continue
        before = _time_in(message, otherwise=before)
        timestamp = before if now - OLDEST_MILLISECONDS < before < now + NEWEST_MILLISECONDS else now
        yield from _parts(timestamp, message)


def _parts(timestamp: int, message: str) -> Iterator[Event]:
    """One event, or several where undecodable bytes have made the line longer than is allowed."""
    encoded = message.encode()
    if len(encoded) <= LONGEST_LINE_BYTES:
        yield Event(timestamp, message, len(encoded) + BYTES_BESIDE_A_MESSAGE)
        return
    characters = LONGEST_LINE_BYTES // 4  # of which none is longer than four bytes
    for start in range(0, len(message), characters):
        part = message[start : start + characters]
        yield Event(timestamp, part, len(part.encode()) + BYTES_BESIDE_A_MESSAGE)


def _time_in(line: str, *, otherwise: int) -> int:
    """The time of a line: the first field of a connection log, the second of an access log."""
    for field in line.split(" ", 2)[:2]:
        if field[4:5] == "-" and "T" in field:
            try:
                moment = datetime.fromisoformat(field)
                return int((moment if moment.tzinfo else moment.replace(tzinfo=UTC)).timestamp() * 1000)
            except (ValueError, OverflowError):
                continue
    return otherwise


def batches(of: Iterable[Event]) -> Iterator[list[Event]]:
    """What PutLogEvents takes at once: in the order of time, and within its limits of number, size and span."""
    batch: list[Event] = []
    size = first = last = 0
    for event in of:
        earliest = min(first, event.milliseconds) if batch else event.milliseconds
        latest = max(last, event.milliseconds) if batch else event.milliseconds
        full = len(batch) == MOST_EVENTS or size + event.size > LARGEST_BATCH_BYTES
        if batch and (full or latest - earliest >= LONGEST_SPAN_MILLISECONDS):
            yield sorted(batch, key=lambda one: one.milliseconds)
            batch, size, earliest, latest = [], 0, event.milliseconds, event.milliseconds
        batch.append(event)
        size, first, last = size + event.size, earliest, latest
    if batch:
        yield sorted(batch, key=lambda one: one.milliseconds)


def _make_stream(logs: Any, file: File) -> None:
    try:
        logs.create_log_stream(logGroupName=file.log_group, logStreamName=file.stream)
    except logs.exceptions.ResourceAlreadyExistsException:
        return  # an earlier attempt made it


def _send(logs: Any, file: File, batch: list[Event]) -> None:
    """Send a batch; what CloudWatch Logs refuses for its time is sent again with the time of now."""
    for _ in range(2):
        answer = logs.put_log_events(
            logGroupName=file.log_group, logStreamName=file.stream, logEvents=[event.as_sent for event in batch]
        )
        now = _now()
        batch = [Event(now, one.message, one.size) for one in _refused(batch, answer.get("rejectedLogEventsInfo", {}))]
        if not batch:
            return
    raise Unreadable(f"{file.key}: CloudWatch Logs refuses {len(batch)} lines with the time of now")


def _refused(batch: list[Event], refusals: dict[str, int]) -> list[Event]:
    """The events that were not taken: those before an index for their age, and those from an index on as too new."""
    old = max(refusals.get("tooOldLogEventEndIndex", 0), refusals.get("expiredLogEventEndIndex", 0))
    new = refusals.get("tooNewLogEventStartIndex", len(batch))
    return [*batch[:old], *batch[max(old, new) :]]


def _now() -> int:
    return int(time.time() * 1000)


def _say(what: str, **about: object) -> None:
    print(json.dumps({"what": what, **about}))  # to the function's own log group
