"""The way of a payment from the records of a local AWS, and what `pay` says where there is none to be had."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from emulator.record import Call, RecordedPassage, RecordedRefusal, Recorder
from operations.outcome import Refused, console
from operations.pay.command import Payer
from operations.pay.way import Place, drawn, hops, stages
from settings import load

pytestmark = pytest.mark.requirement("W8.3")

HOST = "pay.example.com"
PLACE = Place(
    host=HOST,
    task_roles=("task-role", "task-role-of-recovery"),
    function_roles=("function-role",),
    function="process",
    acquirer="acquirer.example.com",
)
SINCE = "2026-11-28T12:00:00.000+00:00"
SESSION = "arn:aws:sts::123456789012:assumed-role"
PASSAGE = RecordedPassage(
    time="2026-11-28T12:00:01.000+00:00",
    kind="load balancer",
    who="payments",
    what="POST /api/v1/payments",
    way="rule 1000 -> blue -> 10.10.0.4",
    outcome="202",
    seconds=0.02,
)
CALL = Call(
    time="2026-11-28T12:00:02.000+00:00",
    service="sqs",
    operation="SendMessageBatch",
    action="sqs:SendMessage",
    region="us-east-2",
    caller="ASIA",
    assumed_role=f"{SESSION}/task-role/1",
    allowed_by=["sqs:SendMessage: identity-based policy queue: statement Send allows"],
    user_agent="Boto3",
    status=200,
    seconds=0.01,
)
DISTRIBUTION = replace(PASSAGE, time="2026-11-28T12:00:00.500+00:00", kind="distribution", who="E1")
FUNCTION = replace(
    PASSAGE, time="2026-11-28T12:00:03.000+00:00", kind="function", who="process", what="1 messages of q"
)
ACQUIRER = replace(PASSAGE, time="2026-11-28T12:00:04.000+00:00", kind="internet", who="acquirer.example.com")


@pytest.fixture
def recorder(tmp_path: Path) -> Recorder:
    return Recorder(tmp_path)


def test_hops_of_the_payment_are_in_order_with_the_statement_that_allowed_each(
    recorder: Recorder, tmp_path: Path
) -> None:
    recorder.passage(replace(FUNCTION, outcome="returned", way=""))
    recorder.call(CALL)
    recorder.passage(PASSAGE)
    name = replace(PASSAGE, time=SINCE, kind="DNS", who="Route 53", what=f"A {HOST}", way="E1", outcome="127.0.0.1")
    recorder.passage(name)
    recorder.passage(replace(name, what="A other.example.com"))
    recorder.passage(DISTRIBUTION)
    recorder.call(replace(CALL, assumed_role=f"{SESSION}/somebody/1"))
    recorder.passage(replace(PASSAGE, what="GET /api/health"))
    recorder.passage(replace(PASSAGE, time="2026-11-28T11:00:00.000+00:00"))
    found = hops(tmp_path, SINCE, PLACE)
    assert [(one.who, one.what) for one in found] == [
        ("DNS Route 53", f"A {HOST}"),
        ("distribution E1", "POST /api/v1/payments"),
        ("load balancer payments", "POST /api/v1/payments"),
        ("task task-role", "sqs:SendMessage"),
        ("function process", "1 messages of q"),
    ]
    assert found[2].said == "rule 1000 -> blue -> 10.10.0.4 -> 202 in 20 ms"
    assert found[3].said == "sqs:SendMessage: identity-based policy queue: statement Send allows"


def test_way_is_drawn_with_each_statement_on_a_line_and_looks_that_are_alike_once(
    recorder: Recorder, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    recorder.call(replace(CALL, allowed_by=["a: policy one: statement First allows", "b: policy two allows"]))
    look = replace(PASSAGE, time="2026-11-28T12:00:03.000+00:00", what="GET /api/v1/payments/1", outcome="200")
    recorder.passage(look)
    recorder.passage(replace(look, time="2026-11-28T12:00:04.000+00:00", seconds=1.5))
    recorder.passage(replace(look, time="2026-11-28T12:00:05.000+00:00", outcome="503"))
    console().print(drawn(hops(tmp_path, SINCE, PLACE)))
    assert [line.strip() for line in capsys.readouterr().out.splitlines()] == [
        "12:00:02.000  task task-role  sqs:SendMessage",
        "a: policy one: statement First allows",
        "b: policy two allows",
        "12:00:03.000  load balancer payments  GET /api/v1/payments/1  (2 times)",
        "rule 1000 -> blue -> 10.10.0.4 -> 200 in 20 ms",
        "12:00:05.000  load balancer payments  GET /api/v1/payments/1",
        "rule 1000 -> blue -> 10.10.0.4 -> 503 in 20 ms",
    ]


@pytest.mark.requirement("W8.4")
def test_refusal_names_the_missing_permission(recorder: Recorder, tmp_path: Path) -> None:
    refusal = RecordedRefusal(
        time=CALL.time,
        principal=f"{SESSION}/function-role/1",
        action="kms:Decrypt",
        resource="key",
        refused_by="identity-based policy",
        message="",
        missing="a statement",
    )
    recorder.refusal(refusal)
    recorder.refusal(replace(refusal, principal=f"{SESSION}/somebody/1"))
    assert [(one.who, one.said) for one in hops(tmp_path, SINCE, PLACE)] == [
        ("function-role/1", "REFUSED: a statement")
    ]


def test_stage_that_is_not_reached_is_known(recorder: Recorder, tmp_path: Path) -> None:
    def reached(status: str = "accepted") -> list[str]:
        return [one.name for one in stages(tmp_path, SINCE, PLACE, status=status) if one.is_reached]

    assert reached() == []
    recorder.passage(replace(DISTRIBUTION, outcome="503"))
    assert reached() == []
    recorder.passage(DISTRIBUTION)
    recorder.passage(replace(PASSAGE, outcome="503"))
    assert reached() == ["CloudFront"]
    recorder.passage(PASSAGE)
    recorder.call(replace(CALL, status=403))
    assert reached() == ["CloudFront", "load balancer and task"]
    recorder.call(CALL)
    recorder.passage(replace(FUNCTION, outcome="failed"))
    assert reached() == ["CloudFront", "load balancer and task", "queue"]
    recorder.passage(replace(FUNCTION, outcome="returned"))
    recorder.passage(replace(ACQUIRER, what="POST /v1/operations", outcome="200"))
    assert reached() == ["CloudFront", "load balancer and task", "queue", "function", "acquirer"]
    assert reached("captured")[-1] == "settled"


def test_task_of_the_recovery_region_is_on_the_way_too(recorder: Recorder, tmp_path: Path) -> None:
    recorder.call(replace(CALL, region="us-west-2", assumed_role=f"{SESSION}/task-role-of-recovery/1"))
    assert [one.who for one in hops(tmp_path, SINCE, PLACE)] == ["task task-role-of-recovery"]
    assert [one.name for one in stages(tmp_path, SINCE, PLACE, status="accepted") if one.is_reached] == ["queue"]


def test_payment_needs_a_deployment(tmp_path: Path) -> None:
    with pytest.raises(Refused, match="run make deploy-local first"):
        Payer(load("local"), tmp_path, console()).pay(1, "USD")
