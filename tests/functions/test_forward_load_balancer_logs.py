"""Forwarding the load balancer's logs: the function in a process of its own, with an S3 and a CloudWatch Logs."""

from __future__ import annotations

import gzip
import time
from collections import Counter
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta

import pytest

from tests.functions.log_forwarding import (
    ACCESS,
    BUCKET,
    CONNECTIONS,
    PREFIX,
    Killed,
    World,
    access_lines,
    connection_lines,
    world_with,
)
from tests.warm_aws import LocalAws

pytestmark = [pytest.mark.requirement("W5.3"), pytest.mark.requirement("Q2")]


@pytest.fixture(scope="module")
def s3_url(empty_aws: LocalAws, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    with empty_aws(tmp_path_factory.mktemp("local-aws")) as server:
        yield server.url


@pytest.fixture
def world(s3_url: str) -> Iterator[World]:
    with world_with(s3_url) as made:
        yield made


def without_ends(lines: list[str]) -> list[str]:
    return [line.rstrip("\r\n") for line in lines]


def test_every_line_arrives_once_and_within_the_limits(world: World) -> None:
    lines = list(access_lines(25_000))  # more than the events and the bytes of a batch
    run = world.forward(world.put(lines))
    assert run.failed == []
    assert Counter(world.logs.messages) == Counter(without_ends(lines))
    assert world.logs.broken_limits == []
    assert world.logs.calls > 2


def test_lines_keep_their_times(world: World) -> None:
    began = datetime.now(UTC).replace(microsecond=0) - timedelta(days=2)
    world.forward(world.put(access_lines(1, began=began)))
    ((event,),) = world.logs.streams.values()
    assert event["timestamp"] == began.timestamp() * 1000


def test_each_kind_has_a_group_and_each_file_a_stream(world: World) -> None:
    name = "123_elasticloadbalancing_us-east-2_app.web.1_20261122T1000Z_192.0.2.1_abc"
    access = world.put(access_lines(3), f"{name}.log.gz")
    connections = world.put(connection_lines(4), f"conn_log.{name}.log.gz")
    assert world.forward(access, connections).failed == []
    counts = {stream: len(events) for stream, events in world.logs.streams.items()}
    assert counts == {(ACCESS, name): 3, (CONNECTIONS, f"conn_log.{name}"): 4}


def test_malformed_lines_arrive_too(world: World) -> None:
    (before, after) = access_lines(2)
    malformed = ["no time at all\n", '"\n', "https 2026-99-99T99:99:99Z broken\n", "\x00\ttabs\n", "ünïcode ✓ 🙂\n"]
    undecodable = "".join([before, *malformed, after]).encode() + b"\xff\xfe bytes\n" + b"x" * 2_000_000
    key = f"{PREFIX}/malformed.log.gz"
    world.s3.put_object(Bucket=BUCKET, Key=key, Body=gzip.compress(undecodable))
    assert world.forward(key).failed == []
    assert world.logs.broken_limits == []
    messages = world.logs.messages
    assert set(without_ends([before, *malformed, after])) < set(messages)
    assert r"\xff\xfe bytes" in messages
    assert sum(message.count("x") for message in messages if set(message) == {"x"}) == 2_000_000


def test_empty_lines_and_empty_files_are_no_failure(world: World) -> None:
    assert world.forward(world.put(["\n", "  \n", "one\n"]), world.put([], "empty.log.gz")).failed == []
    assert world.logs.messages == ["one"]


@pytest.mark.parametrize("age", [timedelta(days=20), timedelta(days=-2), timedelta(days=4000)])
def test_lines_with_a_rejected_timestamp_get_the_current_time(world: World, age: timedelta) -> None:
    lines = list(access_lines(50, began=datetime.now(UTC) - age)) + list(access_lines(50))
    assert world.forward(world.put(lines)).failed == []
    assert Counter(world.logs.messages) == Counter(without_ends(lines))
    moved = [
        one
        for events in world.logs.streams.values()
        for one in events
        if time.time() * 1000 - one["timestamp"] < 60_000
    ]
    assert len(moved) == 50


def test_a_file_of_several_days_is_sent_day_by_day(world: World) -> None:
    days = [datetime.now(UTC) - timedelta(days=days) for days in (5, 3, 4, 1)]
    lines = [line for began in days for line in access_lines(20, began=began)]
    assert world.forward(world.put(lines)).failed == []
    assert Counter(world.logs.messages) == Counter(without_ends(lines))
    assert world.logs.broken_limits == []


def test_throttling_loses_nothing(world: World) -> None:
    world.logs.throttle_every = 2
    lines = list(access_lines(12_000))
    assert world.forward(world.put(lines)).failed == []
    assert Counter(world.logs.messages) == Counter(without_ends(lines))


@pytest.mark.parametrize("moment", ["before_storing", "after_storing"])
def test_a_crash_in_the_middle_loses_nothing(world: World, moment: str) -> None:
    lines = list(access_lines(12_000))
    key = world.put(lines)
    setattr(world.logs, moment, lambda call: world.kill() if call == 3 else None)
    with pytest.raises(Killed):
        world.forward(key)
    assert 0 < len(world.logs.messages) < len(lines)
    assert world.forward(key).failed == []
    arrived = Counter(world.logs.messages)
    assert arrived.keys() == set(without_ends(lines))
    assert max(arrived.values()) <= 2


def test_only_failed_notifications_are_redelivered(world: World) -> None:
    """A file cut short, one that is gone, no gzip and no notification fail; the good one beside them does not."""
    good = world.put(access_lines(10))
    cut = f"{PREFIX}/cut.log.gz"
    world.s3.put_object(Bucket=BUCKET, Key=cut, Body=gzip.compress("".join(access_lines(2000)).encode())[:-40])
    plain = f"{PREFIX}/plain.log.gz"
    world.s3.put_object(Bucket=BUCKET, Key=plain, Body=b"not compressed")
    run = world.forward(cut, good, plain, f"{PREFIX}/gone.log.gz")
    assert run.failed == [cut, plain, f"{PREFIX}/gone.log.gz"]
    assert world.call({"Records": [{"messageId": "m", "body": "no JSON"}]}).failed == ["m"]


def test_s3_test_notification_is_ignored(world: World) -> None:
    world.s3.put_object(Bucket=BUCKET, Key=f"{PREFIX}/ELBAccessLogTestFile", Body=b"Enable AccessLog")
    assert world.forward(f"{PREFIX}/ELBAccessLogTestFile").failed == []
    assert world.call({"Records": [{"messageId": "m", "body": '{"Event": "s3:TestEvent"}'}]}).failed == []
    assert world.logs.streams == {}


def test_a_key_is_decoded_as_s3_encodes_it(world: World) -> None:
    assert world.forward(world.put(access_lines(1), "with+plus, and space.log.gz")).failed == []
    assert len(world.logs.messages) == 1


def test_memory_does_not_grow_with_the_file(world: World) -> None:
    small, large = world.forward(world.put(access_lines(5_000))), world.forward(world.put(access_lines(50_000)))
    assert large.peak_kib < 1.1 * small.peak_kib
