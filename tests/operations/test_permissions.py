"""Which step used which statement, and why the others are there (W8.4)."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from typing import Any

import pytest

from emulator.process import Statement
from emulator.record import RecordedRefusal, RecordedUse
from operations.deployment import administrators
from operations.permissions import life
from operations.permissions.sample import Missed, Sample
from operations.permissions.table import REASONS, Row, idle, rows, unexplained
from operations.reasons import Reason, read_reasons
from operations.rehearsal.course import Event
from settings import Settings
from tests.synthesized import Synthesized

pytestmark = pytest.mark.requirement("W8.4")

KIND, OWNER = "identity-based policy", "permissions of payments-web-task-us-east-2-local"


def statement(name: str, effect: str = "Allow") -> Statement:
    return Statement(kind=KIND, owner=OWNER, statement=name, effect=effect, document=OWNER)


def use(name: str, step: str, *, needed: bool = True) -> RecordedUse:
    return RecordedUse(
        time="2026-01-01T00:00:00Z",
        step=step,
        kind=KIND,
        document=OWNER,
        statement=name,
        principal="arn:aws:iam::123456789012:role/payments-web-task-us-east-2-local",
        action="sqs:SendMessage",
        resource="*",
        needed=needed,
    )


COVERING = Reason(patterns={"owner": "permissions of payments-web-*", "statement": "Sends"}, reason="nobody sends here")


def test_a_statement_has_the_steps_that_used_it_and_those_that_needed_it() -> None:
    uses = [use("Sends", ""), use("Sends", "pay", needed=False), use("Sends", "pay")]
    (row,) = rows([statement("Sends"), statement("Nobody", "Deny")], uses, [COVERING])
    assert (row.used, row.needed, row.reason) == (("deploy", "pay"), ("deploy", "pay"), "")
    (row,) = rows([statement("Sends")], [use("Sends", "pay", needed=False)], [])
    assert (row.used, row.needed) == (("pay",), ())


def test_an_unused_statement_without_a_reason_is_unexplained() -> None:
    table = rows([statement("Sends"), statement("Reads")], [], [COVERING])
    assert unexplained(table) == [f"no step uses, and no reason covers: {OWNER}: Reads ({KIND})"]


def test_a_reason_that_covers_only_what_is_used_is_a_problem() -> None:
    table = rows([statement("Sends")], [use("Sends", "pay")], [COVERING])
    assert idle(table, [COVERING]) == ["covers no unused statement: permissions of payments-web-*: Sends"]


def test_each_reason_in_the_tree_says_why() -> None:
    reasons = read_reasons(REASONS)
    assert reasons
    assert all(len(one.reason) > 20 for one in reasons)


@pytest.mark.requirement("W8.1")
def test_an_administrator_deploys_delivery_the_audit_and_who_reads_what_is_kept(
    platform: Synthesized, local_settings: Settings
) -> None:
    found = administrators.addresses(platform.configuration, local_settings.names)
    resources = platform.configuration["resource"]
    roles = {
        resources["aws_iam_role"][one.partition(".")[2]]["name"] for one in found if one.startswith("aws_iam_role.")
    }
    assert roles == {
        *(f"payments-delivery-{one}-local" for one in ("plan", "deploy", "drift")),
        *(f"payments-configuration-{one}-local" for one in ("us-east-2", "us-west-2")),
        *(f"payments-{one}-replication-local" for one in ("backups", "logs", "static-assets")),
        "payments-audit-trail-local",
        "payments-snapshot-export-local",
    }
    types = {one.partition(".")[0] for one in found}
    assert types >= {"aws_cloudtrail", "aws_config_config_rule", "aws_guardduty_detector", "aws_securityhub_account"}
    policies = {one for one in found if one.startswith("aws_s3_bucket_policy.")}
    assert len(policies) == 3  # of the audit's bucket, and of the backups in both regions
    assert "aws_sqs_queue" not in types


def row(name: str, *needed: str) -> Row:
    return Row(statement=statement(name), used=("deploy", *needed), needed=needed)


def test_a_sample_is_of_what_a_step_needs_that_can_be_taken_again() -> None:
    table = [row("OnlyAtFirst"), row("Sends", "release", "pay"), row("Reads", "failover")]
    every = {(one.statement.statement, step.name) for one, step in Sample(share=1, seed=3).of(table)}
    assert every == {("Sends", "pay"), ("Reads", "failover")}
    half = [list(Sample(share=0.5, seed=3).of(table)) for _ in range(2)]
    assert len(half[0]) == 1
    assert half[0] == half[1]


def refusal(by: str) -> RecordedRefusal:
    return RecordedRefusal(
        time="2026-01-01T00:00:00Z",
        principal="somebody",
        action="sqs:SendMessage",
        resource="*",
        refused_by=by,
        message="",
        missing=f"a statement in the {by}: Allow sqs:SendMessage on *",
    )


def test_a_deleted_statement_that_no_refusal_of_its_kind_names_is_a_problem() -> None:
    of_other = Missed(statement=statement("Sends"), step="pay", failed=True, refusals=(refusal("VPC endpoint policy"),))
    assert of_other.problem == f"nobody missed Sends of {OWNER} in 'pay'"
    named = Missed(statement=statement("Sends"), step="pay", failed=True, refusals=(refusal(KIND),))
    assert named.problem == ""
    assert "Allow sqs:SendMessage" in named.text


def test_customers_pay_while_a_release_is_rolled_back_and_in_no_other_step(monkeypatch: pytest.MonkeyPatch) -> None:
    """The canary's alarm is on what customers are answered."""
    said: list[str] = []

    @contextlib.contextmanager
    def paying(*_arguments: object) -> Iterator[None]:
        said.append("customers come")
        yield
        said.append("customers go")

    monkeypatch.setattr(life, "_paying", paying)
    monkeypatch.setattr(life.Life, "operator", lambda _self: None)
    anybody: Any = life.Life(settings=None, deployment=None, console=None)  # type: ignore[arg-type]
    for name in ("release", "rollback"):
        event: Event[Any] = Event(name=name, meaning="", happen=lambda _operator, name=name: said.append(name))  # type: ignore[misc]
        life._operate(event, anybody)
    assert said == ["release", "customers come", "rollback", "customers go"]
    assert {one.name for one in life.STEPS} >= {"release", life.ROLLBACK}
