"""What is approved is approved with all its values: two plans that differ in any have pages that differ (W8.1)."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from operations.outcome import Refused
from operations.review.apply import refuse_another
from operations.review.page import MOST_BYTES_OF_A_SUMMARY, append_to_summary, approved_page, page
from operations.review.plan import read

pytestmark = pytest.mark.requirement("W8.1")

LONG = "a line of a long text, " * 400
# Resource type, and two changes of it: the same before, another after.
PAIRS: dict[str, tuple[str, dict[str, Any], dict[str, Any], dict[str, Any]]] = {
    "tasks of a service": ("aws_ecs_service", {"desired_count": 4}, {"desired_count": 6}, {"desired_count": 0}),
    "version of a database": (
        "aws_rds_cluster",
        {"engine_version": "17.5"},
        {"engine_version": "17.6"},
        {"engine_version": "15.1"},
    ),
    "code of a function": (
        "aws_lambda_function",
        {"source_code_hash": "old"},
        {"source_code_hash": "new"},
        {"source_code_hash": "another"},
    ),
    "end of a long text": ("aws_ssm_document", {"content": LONG}, {"content": LONG + "b"}, {"content": LONG + "c"}),
    "days in a rule": (
        "aws_s3_bucket_lifecycle_configuration",
        {"rule": [{"id": "old", "expiration": [{"days": 2555}]}]},
        {"rule": [{"id": "old", "expiration": [{"days": 2000}]}]},
        {"rule": [{"id": "old", "expiration": [{"days": 1}]}]},
    ),
    "statement of a policy": (
        "aws_iam_policy",
        {"policy": '{"Statement": []}'},
        {"policy": '{"Statement": [{"Effect": "Allow", "Action": "a:b", "Resource": "*"}]}'},
        {"policy": '{"Statement": [{"Effect": "Allow", "Action": "a:b", "Resource": "*", "Sid": "x"}]}'},
    ),
    "a tag": ("aws_vpc", {"tags_all": {"owner": "a"}}, {"tags_all": {"owner": "b"}}, {"tags_all": {"owner": "c"}}),
}


def plan_of(type_: str, before: Any, after: Any, **more: Any) -> str:
    actions = ["create"] if before is None else ["update"]
    change = {"actions": actions, "before": before, "after": after, **more}
    entry = {"address": f"{type_}.one", "type": type_, "mode": "managed", "name": "one", "change": change}
    configured = [{"address": f"{type_}.one", "expressions": {name: {} for name in after}}]
    return json.dumps(
        {
            "format_version": "1.2",
            "planned_values": {},
            "resource_changes": [entry],
            "configuration": {"root_module": {"resources": configured}},
        }
    )


def approved(text: str) -> str:
    return approved_page(read(text, "a plan"), "staging")


@pytest.mark.parametrize("pair", PAIRS)
@pytest.mark.parametrize("created", [False, True], ids=["update", "create"])
def test_plans_that_differ_in_a_value_have_other_pages(pair: str, created: bool) -> None:
    type_, before, one, another = PAIRS[pair]
    pages = [approved(plan_of(type_, None if created else before, after)) for after in (one, another)]

    assert pages[0] != pages[1]
    with pytest.raises(Refused, match="not what was approved"):
        refuse_another(*pages)


@pytest.mark.parametrize(
    "pair", ["tasks of a service", "version of a database", "end of a long text", "days in a rule"]
)
def test_the_approver_sees_both_values_uncut(pair: str) -> None:
    type_, before, after, _ = PAIRS[pair]
    shown = approved(plan_of(type_, before, after))

    for value in (*before.values(), *after.values()):
        assert json.dumps(value, sort_keys=True) in shown


def test_computed_values_are_not_part_of_the_approval() -> None:
    """Of a plan from the state and one that asked AWS the page is the same, though the second knows newer values."""
    pages = []
    for computed in ("yesterday", "today"):
        text = json.loads(plan_of("aws_lambda_function", {"memory_size": 128}, {"memory_size": 256}))
        change = text["resource_changes"][0]["change"]
        change["before"]["last_modified"] = change["after"]["last_modified"] = computed
        pages.append(approved(json.dumps(text)))
    assert pages[0] == pages[1]


@pytest.mark.requirement("W0.5")
def test_no_sensitive_value_is_in_the_page_nor_decides_its_digest() -> None:
    texts = [
        approved(
            plan_of(
                "aws_ssm_parameter",
                {"value": "first-secret", "tier": "a"},
                {"value": secret, "tier": "b"},
                before_sensitive={"value": True},
                after_sensitive={"value": True},
            )
        )
        for secret in ("second-secret", "third-secret")
    ]
    assert texts[0] == texts[1]
    assert "secret" not in texts[0].replace("aws_ssm_parameter", "")


@pytest.mark.parametrize(
    ("type_", "before", "after", "line"),
    [
        (
            "aws_s3_bucket_lifecycle_configuration",
            {"rule": [{"expiration": [{"days": 2555}]}]},
            {"rule": [{"expiration": [{"days": 1}]}]},
            "rule.expiration.days 2555 -> 1",
        ),
        (
            "aws_s3_bucket_versioning",
            {"versioning_configuration": [{"status": "Enabled"}]},
            {"versioning_configuration": [{"status": "Suspended"}]},
            'versioning_configuration.status "Enabled" -> "Suspended"',
        ),
        (
            "aws_dynamodb_table",
            {"point_in_time_recovery": [{"enabled": True}]},
            {"point_in_time_recovery": [{"enabled": False}]},
            "point_in_time_recovery.enabled true -> false",
        ),
        (
            "aws_backup_plan",
            {"rule": [{"lifecycle": [{"delete_after": 35}]}]},
            {"rule": [{"lifecycle": [{"delete_after": 7}]}]},
            "rule.lifecycle.delete_after 35 -> 7",
        ),
    ],
)
def test_lowered_safeguard_inside_a_block_is_shown_prominently(type_: str, before: Any, after: Any, line: str) -> None:
    lowered = page(read(plan_of(type_, before, after), "a plan"), title="staging")
    raised = page(read(plan_of(type_, after, before), "a plan"), title="staging")

    assert f"> - `{type_}.one`: {line}" in lowered
    assert "[!WARNING]" not in raised


def test_summary_has_the_whole_page_or_its_location(tmp_path: Path) -> None:
    summary = tmp_path / "summary.md"
    summary.write_text("before\n", encoding="utf-8")
    whole = "## Plan\n\npart ä\n"
    append_to_summary(whole, summary)
    assert summary.read_text(encoding="utf-8") == f"before\n{whole}"

    append_to_summary("\n".join("ä" * 1000 for _ in range(1000)), summary)
    assert len(summary.read_bytes()) <= MOST_BYTES_OF_A_SUMMARY
    assert "the rest is in the run's artifact" in summary.read_text(encoding="utf-8").splitlines()[-1]


def test_a_page_is_whole_unless_a_length_is_asked_for() -> None:
    text = plan_of("aws_ssm_document", {"content": LONG}, {"content": LONG + "b"})
    assert "do not fit here" not in page(read(text, "a plan"), title="staging")
