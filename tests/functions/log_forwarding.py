"""A world for lambda/forward_load_balancer_logs: files as a load balancer writes them, and a CloudWatch Logs.

`make test-log-forwarding` measures with files of a million lines; the tests beside this file use smaller ones.
"""

from __future__ import annotations

import gzip
import json
import os
import signal
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import quote_plus

import boto3

REPOSITORY = Path(__file__).parents[2]
FUNCTION = REPOSITORY / "lambda" / "forward_load_balancer_logs"
BUCKET = "logs-of-the-test"
PREFIX = "load-balancer/AWSLogs/123456789012/elasticloadbalancing/us-east-2/2026/11/22"
ACCESS, CONNECTIONS = "/test/access", "/test/connections"
DAY = 24 * 3600 * 1000
LARGEST_BATCH, MOST_EVENTS, BESIDE_A_MESSAGE, LARGEST_EVENT = 1_048_576, 10_000, 26, 2**20

# Runs as Lambda does, in a process of its own, and says how much memory it took at most.
# Linux lets a process begin with the peak of the one that started it (getrusage), but for what /proc says.
RUNNER = """
import json, pathlib, re, resource, sys
sys.path.insert(0, sys.argv[1])
import handler
answer = handler.handler(json.load(sys.stdin), None)
status = pathlib.Path("/proc/self/status")
peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
peak = int(re.search(r"VmHWM:\\s+(\\d+)", status.read_text())[1]) if status.exists() else peak
print("\\n" + json.dumps({"answer": answer, "peak_kib": peak}))
"""


@dataclass
class CloudWatchLogs:
    """A CloudWatch Logs on loopback that keeps what it takes, and enforces the limits that AWS publishes."""

    streams: dict[tuple[str, str], list[dict[str, Any]]] = field(default_factory=dict)
    broken_limits: list[str] = field(default_factory=list)
    calls: int = 0
    throttled: int = 0
    throttle_every: int = 0
    """Each so-manyth call is throttled; 0 throttles none."""
    before_storing: Callable[[int], None] = lambda _call: None
    after_storing: Callable[[int], None] = lambda _call: None
    url: str = ""

    @property
    def messages(self) -> list[str]:
        """All messages of all streams."""
        return [event["message"] for events in self.streams.values() for event in events]

    def answer(self, operation: str, sent: dict[str, Any]) -> tuple[int, dict[str, Any]]:
        """What an operation answers: an HTTP status and a document."""
        stream = (sent["logGroupName"], sent["logStreamName"])
        if operation == "CreateLogStream":
            if stream in self.streams:
                return 400, {"__type": "ResourceAlreadyExistsException"}
            self.streams[stream] = []
            return 200, {}
        self.calls += 1
        if self.throttle_every and self.calls % self.throttle_every == 0:
            self.throttled += 1
            return 400, {"__type": "ThrottlingException", "message": "Rate exceeded"}
        return self._put(stream, sent["logEvents"])

    def _put(self, stream: tuple[str, str], events: list[dict[str, Any]]) -> tuple[int, dict[str, Any]]:
        if broken := _broken_limit(events):
            self.broken_limits.append(broken)
            return 400, {"__type": "InvalidParameterException", "message": broken}
        now = int(time.time() * 1000)
        taken = [one for one in events if now - 14 * DAY <= one["timestamp"] <= now + 2 * 3600 * 1000]
        self.before_storing(self.calls)
        self.streams[stream] += taken
        self.after_storing(self.calls)
        old = sum(one["timestamp"] < now - 14 * DAY for one in events)
        if len(taken) == len(events):
            return 200, {}
        refused = {"tooOldLogEventEndIndex": old} if old else {"tooNewLogEventStartIndex": old + len(taken)}
        return 200, {"rejectedLogEventsInfo": refused}


def _broken_limit(events: list[dict[str, Any]]) -> str | None:
    sizes = [len(one["message"].encode()) for one in events]
    times = [one["timestamp"] for one in events]
    broken = {
        "number": not 1 <= len(events) <= MOST_EVENTS,
        "size": sum(sizes) + BESIDE_A_MESSAGE * len(events) > LARGEST_BATCH,
        "size of an event": any(not 1 <= size <= LARGEST_EVENT for size in sizes),
        "order": times != sorted(times),
        "span": times[-1] - times[0] > DAY,
    }
    return next((name for name, is_broken in broken.items() if is_broken), None)


@contextmanager
def cloudwatch_logs() -> Iterator[CloudWatchLogs]:
    """A CloudWatch Logs that listens."""
    logs = CloudWatchLogs()
    lock = threading.Lock()

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_POST(self) -> None:
            sent = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
            with lock:
                status, document = logs.answer(self.headers["X-Amz-Target"].rpartition(".")[2], sent)
            body = json.dumps(document).encode()
            self.send_response(status)
            self.send_header("Content-Type", "application/x-amz-json-1.1")
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_: object) -> None:
            pass

    class Server(ThreadingHTTPServer):
        def handle_error(self, *_: object) -> None:
            pass  # the function was killed while it waited for its answer

    server = Server(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    logs.url = f"http://127.0.0.1:{server.server_address[1]}"
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    try:
        yield logs
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


@dataclass(frozen=True, kw_only=True)
class Run:
    """How the function ended."""

    failed: list[str]
    """The messages that it reported as failed."""
    peak_kib: int
    output: str


class Killed(Exception):
    """The function was ended from outside, as Lambda ends one that takes too long."""


@dataclass
class World:
    """The function, with an S3 and a CloudWatch Logs."""

    logs: CloudWatchLogs
    variables: dict[str, str]
    s3: Any
    process: subprocess.Popen[str] | None = None

    def put(self, lines: Iterable[str], name: str = "123_elasticloadbalancing_app.log.gz") -> str:
        """Write a file as a load balancer does; returns its key."""
        key = f"{PREFIX}/{name}"
        with tempfile.TemporaryFile() as file:
            with gzip.open(file, "wt", compresslevel=1, encoding="utf-8") as compressed:
                compressed.writelines(lines)
            file.seek(0)
            self.s3.put_object(Bucket=BUCKET, Key=key, Body=file)
        return key

    def forward(self, *keys: str) -> Run:
        """Call the function with a message for each file.

        Raises:
            Killed: it did not come to its end.
        """
        event = {"Records": [{"messageId": key, "body": notification(key)} for key in keys]}
        return self.call(event)

    def call(self, event: dict[str, Any]) -> Run:
        """Call the function. Raises as ``forward`` does."""
        command = [sys.executable, "-c", RUNNER, str(FUNCTION)]
        self.process = subprocess.Popen(
            command,
            env=self.variables,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        output, errors = self.process.communicate(json.dumps(event))
        if self.process.returncode == -signal.SIGKILL:
            raise Killed
        assert self.process.returncode == 0, errors
        said = json.loads(output.rstrip().rpartition("\n")[2])
        failed = [one["itemIdentifier"] for one in said["answer"]["batchItemFailures"]]
        return Run(failed=failed, peak_kib=said["peak_kib"], output=output)

    def kill(self) -> None:
        """End the function that is running, at once."""
        assert self.process is not None
        self.process.kill()
        self.process.wait()


def notification(key: str) -> str:
    """What S3 tells the queue of a file."""
    of = {"bucket": {"name": BUCKET}, "object": {"key": quote_plus(key, safe="/"), "size": 1}}
    return json.dumps({"Records": [{"eventSource": "aws:s3", "eventName": "ObjectCreated:Put", "s3": of}]})


def access_lines(count: int, *, began: datetime | None = None) -> Iterator[str]:
    """Lines of an access log, numbered, and like a load balancer's not quite in the order of time."""
    began = began or datetime.now(UTC) - timedelta(minutes=10)
    for number in range(count):
        moment = began + timedelta(milliseconds=number // 10 - 40 * (number % 7))
        yield (
            f"https {moment:%Y-%m-%dT%H:%M:%S.%f}Z app/payments-web/0123456789abcdef 192.0.2.7:{number % 60000} "
            "10.10.1.9:8443 0.000 0.012 0.000 200 200 431 366 "
            f'"GET https://pay.example.com:443/api/payments/{number} HTTP/2.0" "Mozilla/5.0" '
            "TLS_AES_128_GCM_SHA256 TLSv1.3 arn:aws:elasticloadbalancing:us-east-2:123456789012:targetgroup/green/1 "
            f'"Root=1-58337262-{number:024x}" "pay.example.com" "session-reused" 1000 {moment:%Y-%m-%dT%H:%M:%S.%f}Z '
            '"forward" "-" "-" "10.10.1.9:8443" "200" "-" "-" TID_dc57cebe1d8a\n'
        )


def connection_lines(count: int) -> Iterator[str]:
    """Lines of a connection log, numbered."""
    began = datetime.now(UTC) - timedelta(minutes=10)
    for number in range(count):
        moment = began + timedelta(milliseconds=number)
        yield (
            f"{moment:%Y-%m-%dT%H:%M:%S.%f}Z 192.0.2.7 {number} 443 TLSv1.3 TLS_AES_128_GCM_SHA256 0.006 "
            '"-" - - - Success\n'
        )


@contextmanager
def world_with(s3_url: str) -> Iterator[World]:
    """A world whose S3 listens at ``s3_url``."""
    with cloudwatch_logs() as logs:
        variables = environment(logs, s3_url)
        s3 = boto3.client(
            "s3",
            region_name="us-east-2",
            endpoint_url=s3_url,
            aws_access_key_id=variables["AWS_ACCESS_KEY_ID"],
            aws_secret_access_key=variables["AWS_SECRET_ACCESS_KEY"],
        )
        if BUCKET not in [bucket["Name"] for bucket in s3.list_buckets()["Buckets"]]:
            s3.create_bucket(Bucket=BUCKET, CreateBucketConfiguration={"LocationConstraint": "us-east-2"})
        yield World(logs, variables, s3)


def environment(logs: CloudWatchLogs, s3_url: str) -> dict[str, str]:
    """What the function's process is started with."""
    return {
        "PATH": os.environ["PATH"],
        "AWS_ACCESS_KEY_ID": "AKIAIOSFODNN7EXAMPLE",
        "AWS_SECRET_ACCESS_KEY": "local-aws",
        "AWS_DEFAULT_REGION": "us-east-2",
        "AWS_ENDPOINT_URL_CLOUDWATCH_LOGS": logs.url,
        "AWS_ENDPOINT_URL_S3": s3_url,
        "AWS_REQUEST_CHECKSUM_CALCULATION": "when_required",
        "ACCESS_LOG_GROUP": ACCESS,
        "CONNECTION_LOG_GROUP": CONNECTIONS,
    }
