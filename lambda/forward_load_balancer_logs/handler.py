"""Forwards the load balancer's logs to CloudWatch Logs (W5.3), as AWS delivers them to S3 alone.

SQS invokes it with messages, each a notification of S3 that a log file was written. A file that was forwarded whole is
done. Any other is reported as failed: its message is redelivered, and goes to the dead-letter queue in the end, from
where it can be sent again. So every line arrives at least once; lines of a file that failed half-way arrive twice.

Files are streamed, whatever their size: what is in memory is one batch of PutLogEvents. Its limits are in
https://docs.aws.amazon.com/AmazonCloudWatchLogs/latest/APIReference/API_PutLogEvents.html

Each line keeps its own timestamp; one without a timestamp gets that of the line before. CloudWatch Logs rejects events
that are too old or too new: such a line gets the time of its forwarding, as its own is in its text.

Environment variables: ACCESS_LOG_GROUP and CONNECTION_LOG_GROUP, the names of log groups. Each file becomes a log
stream of its name.
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

MAX_BATCH_BYTES = 1_048_576
MAX_BATCH_EVENTS = 10_000
OVERHEAD_BYTES = 26
MAX_BATCH_SPAN_MILLISECONDS = 24 * 3600 * 1000
# A longer line is split. CloudWatch Logs accepts events of up to 1 MB today, and of a quarter of that before.
MAX_LINE_BYTES = 256 * 1024 - OVERHEAD_BYTES
MAX_AGE_MILLISECONDS = 13 * 24 * 3600 * 1000  # 14 days are allowed; a day is kept for retries
MAX_AHEAD_MILLISECONDS = 3600 * 1000  # 2 hours are allowed
# https://docs.aws.amazon.com/elasticloadbalancing/latest/application/load-balancer-access-logs.html#access-log-file-format
CONNECTION_LOG = "conn_log"
TEST_FILES = ("ELBAccessLogTestFile", "ELBConnectionLogTestFile")
MAX_STREAM_NAME = 512
# Throttled calls are retried with backoff; what still fails is retried by the queue.
CONFIG = Config(retries={"mode": "adaptive", "total_max_attempts": 10}, connect_timeout=5, read_timeout=30)


class Unreadable(Exception):
    """A file or notification that cannot be read. The message names it."""


@dataclass(frozen=True)
class File:
    """A log file of a load balancer."""

    bucket: str
    key: str
    version: str | None

    @property
    def name(self) -> str:
        """The file's name: the last part of its key."""
        return self.key.rpartition("/")[2]

    @property
    def is_test(self) -> bool:
        """Whether it is the file by which AWS tests its permissions when logging is enabled."""
        return self.name in TEST_FILES

    @property
    def log_group(self) -> str:
        """The log group of its lines."""
        kind = "CONNECTION_LOG_GROUP" if self.name.startswith(CONNECTION_LOG) else "ACCESS_LOG_GROUP"
        return os.environ[kind]

    @property
    def stream(self) -> str:
        """The name of its log stream: the same at each attempt."""
        name = self.name.removesuffix(".gz").removesuffix(".log")
        return name.replace(":", "-").replace("*", "-")[:MAX_STREAM_NAME]


@dataclass(frozen=True)
class Event:
    """A log event. Its size is as PutLogEvents counts it, in bytes."""

    milliseconds: int
    message: str
    size: int

    @property
    def parameters(self) -> dict[str, Any]:
        """The event as PutLogEvents takes it."""
        return {"timestamp": self.milliseconds, "message": self.message}


def handler(event: dict[str, Any], _context: object) -> dict[str, Any]:
    """Forward the files of a batch of messages; returns the messages that failed, as batchItemFailures.

    https://docs.aws.amazon.com/lambda/latest/dg/services-sqs-errorhandling.html#services-sqs-batchfailurereporting
    """
    failed = [record["messageId"] for record in event["Records"] if not _forwarded(record)]
    return {"batchItemFailures": [{"itemIdentifier": id_} for id_ in failed]}


def _forwarded(record: dict[str, Any]) -> bool:
    try:
        for file in files(record["body"]):
            if not file.is_test:
                _log("forwarded", file=file.key, lines=forward(file))
    except (BotoCoreError, ClientError, Unreadable, OSError) as error:
        _log("failed", message_id=record["messageId"], error=f"{type(error).__name__}: {error}")
        return False
    return True


def files(body: str) -> Iterator[File]:
    """The files of a notification of S3; none for the one by which S3 tests its permissions.

    Raises:
        Unreadable: the body is no notification of S3.
    """
    try:
        notification = json.loads(body)
        if notification.get("Event") == "s3:TestEvent":
            return
        for record in notification["Records"]:
            bucket, object_ = record["s3"]["bucket"], record["s3"]["object"]
            yield File(bucket["name"], unquote_plus(object_["key"]), object_.get("versionId"))
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise Unreadable(f"no notification of S3: {body[:200]!r}") from error


def forward(file: File) -> int:
    """Send all lines of a file; returns how many events they became.

    Raises:
        Unreadable: the file is no complete gzip file.
        ClientError, BotoCoreError: AWS rejected a call, or could not be reached.
    """
    logs = boto3.client("logs", config=CONFIG)
    body = _open(file)
    _create_stream(logs, file)
    count = 0
    try:
        with gzip.GzipFile(fileobj=body) as lines:
            for batch in batches(events(lines, now=_now())):
                _send(logs, file, batch)
                count += len(batch)
    except (EOFError, gzip.BadGzipFile, zlib.error) as error:
        raise Unreadable(f"{file.key}: no complete gzip file after {count} lines: {error}") from error
    return count


def _open(file: File) -> Any:
    s3 = boto3.client("s3", config=CONFIG)
    if file.version:
        return s3.get_object(Bucket=file.bucket, Key=file.key, VersionId=file.version)["Body"]
    return s3.get_object(Bucket=file.bucket, Key=file.key)["Body"]


def events(lines: gzip.GzipFile, *, now: int) -> Iterator[Event]:
    """The lines of a file as events, without empty ones, which CloudWatch rejects. ``now`` is in milliseconds."""
    before = now
    while line := lines.readline(MAX_LINE_BYTES):
        message = line.rstrip(b"\r\n").decode("utf-8", errors="backslashreplace")
        if not message.strip():
            continue
        before = _time_in(message, otherwise=before)
        timestamp = before if now - MAX_AGE_MILLISECONDS < before < now + MAX_AHEAD_MILLISECONDS else now
        yield from _parts(timestamp, message)


def _parts(timestamp: int, message: str) -> Iterator[Event]:
    """One event, or several where undecodable bytes have made the line longer than the limit."""
    encoded = message.encode()
    if len(encoded) <= MAX_LINE_BYTES:
        yield Event(timestamp, message, len(encoded) + OVERHEAD_BYTES)
        return
    characters = MAX_LINE_BYTES // 4  # a character has at most four bytes
    for start in range(0, len(message), characters):
        part = message[start : start + characters]
        yield Event(timestamp, part, len(part.encode()) + OVERHEAD_BYTES)


def _time_in(line: str, *, otherwise: int) -> int:
    """The timestamp of a line: the first field in a connection log, the second in an access log."""
    for field in line.split(" ", 2)[:2]:
        if field[4:5] == "-" and "T" in field:
            try:
                moment = datetime.fromisoformat(field)
                return int((moment if moment.tzinfo else moment.replace(tzinfo=UTC)).timestamp() * 1000)
            except (ValueError, OverflowError):
                continue
    return otherwise


def batches(stream: Iterable[Event]) -> Iterator[list[Event]]:
    """Batches for PutLogEvents: in order of time, and within its limits of number, size and time span."""
    batch: list[Event] = []
    size = first = last = 0
    for event in stream:
        earliest = min(first, event.milliseconds) if batch else event.milliseconds
        latest = max(last, event.milliseconds) if batch else event.milliseconds
        full = len(batch) == MAX_BATCH_EVENTS or size + event.size > MAX_BATCH_BYTES
        if batch and (full or latest - earliest >= MAX_BATCH_SPAN_MILLISECONDS):
            yield sorted(batch, key=lambda one: one.milliseconds)
            batch, size, earliest, latest = [], 0, event.milliseconds, event.milliseconds
        batch.append(event)
        size, first, last = size + event.size, earliest, latest
    if batch:
        yield sorted(batch, key=lambda one: one.milliseconds)


def _create_stream(logs: Any, file: File) -> None:
    try:
        logs.create_log_stream(logGroupName=file.log_group, logStreamName=file.stream)
    except logs.exceptions.ResourceAlreadyExistsException:
        return  # created by an earlier attempt


def _send(logs: Any, file: File, batch: list[Event]) -> None:
    """Send a batch; events that CloudWatch Logs rejects for their time are sent again with the current time."""
    for _ in range(2):
        response = logs.put_log_events(
            logGroupName=file.log_group, logStreamName=file.stream, logEvents=[event.parameters for event in batch]
        )
        now, rejected = _now(), _rejected(batch, response.get("rejectedLogEventsInfo", {}))
        batch = [Event(now, one.message, one.size) for one in rejected]
        if not batch:
            return
    raise Unreadable(f"{file.key}: CloudWatch Logs rejects {len(batch)} events with the current time")


def _rejected(batch: list[Event], info: dict[str, int]) -> list[Event]:
    """The rejected events: those before an index as too old, and those from an index on as too new."""
    old = max(info.get("tooOldLogEventEndIndex", 0), info.get("expiredLogEventEndIndex", 0))
    new = info.get("tooNewLogEventStartIndex", len(batch))
    return [*batch[:old], *batch[max(old, new) :]]


def _now() -> int:
    return int(time.time() * 1000)


def _log(message: str, **values: object) -> None:
    """Write a JSON line for CloudWatch Logs."""
    print(json.dumps({"message": message, **values}))
