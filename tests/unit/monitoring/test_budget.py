"""The budget (W9.1): what it is of, and who is told when."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from iam.evaluation import Decision, Request, evaluate
from iam.synthesized import policies
from settings import Settings, load
from tests.synthesized import Block, Synthesized, synthesize

pytestmark = pytest.mark.requirement("W9.1")


ACCOUNT = "123456789012"


def budget_of(platform: Synthesized) -> Block:
    (found,) = platform.resources("aws_budgets_budget").values()
    return found


def changed(**budget: object) -> Synthesized:
    return synthesize(Settings.model_validate(load("local").model_dump() | {"budget": budget}))


def test_budget_is_monthly_for_the_environments_tag(platform: Synthesized) -> None:
    budget = budget_of(platform)
    assert (budget["budget_type"], budget["time_unit"], budget["limit_unit"]) == ("COST", "MONTHLY", "USD")
    assert budget["limit_amount"] == str(load("local").budget.monthly_usd)
    assert budget["cost_filter"] == [{"name": "TagKeyValue", "values": ["user:environment_suffix$local"]}]
    (tags,) = {json.dumps(one["default_tags"][0]["tags"]) for one in platform.configuration["provider"]["aws"]}
    assert json.loads(tags)["environment_suffix"] == "local"  # what the filter looks for is on everything


def test_budget_notifies_at_a_share_at_the_limit_and_on_the_forecast() -> None:
    told = budget_of(changed(monthly_usd=1000, first_alert_percent=70, email_addresses=("a@example.com",)))[
        "notification"
    ]
    assert [(one["notification_type"], one["threshold"]) for one in told] == [
        ("ACTUAL", 70),
        ("ACTUAL", 100),
        ("FORECASTED", 100),
    ]
    for one in told:
        assert one["comparison_operator"] == "GREATER_THAN"
        assert one["threshold_type"] == "PERCENTAGE"
        assert one["subscriber_email_addresses"] == ["a@example.com"]
        assert "primary_alarms_topic" in one["subscriber_sns_topic_arns"][0]


@pytest.mark.parametrize(("account", "allowed"), [(ACCOUNT, Decision.ALLOW), ("999999999999", Decision.SILENT)])
def test_budgets_of_this_account_alone_publish_to_the_topic(
    platform: Synthesized, account: str, allowed: Decision
) -> None:
    (document,) = [
        one.document
        for one in policies(platform.configuration, account_id=ACCOUNT)
        if one.owner.startswith("aws_sns_topic_policy.primary_alarms_")
    ]
    request = Request(
        action="sns:Publish",
        resource=document["Statement"][0]["Resource"][0],
        principal="budgets.amazonaws.com",
        context={
            "aws:SourceAccount": account,
            "aws:SourceArn": f"arn:aws:budgets::{account}:budget/b",
            "aws:SecureTransport": "true",
        },
    )
    assert evaluate(document, request) is allowed


def test_without_an_amount_there_is_no_budget_and_no_grant() -> None:
    without = changed()
    assert without.resources("aws_budgets_budget", none_is_right=True) == {}
    text = json.dumps(without.configuration["data"]["aws_iam_policy_document"])
    assert "budgets.amazonaws.com" not in text


def test_bad_settings_are_one_line(tmp_path: Path) -> None:
    for line, message in (
        ("monthly_usd = 0", "budget.monthly_usd: 0"),
        ("first_alert_percent = 100", "budget.first_alert_percent: 100"),
        ('email_addresses = ["nobody"]', "an e-mail address is allowed"),
    ):
        file = tmp_path / "bad.toml"
        file.write_text(f'extends = "local"\n[budget]\n{line}\n')
        with pytest.raises(Exception) as refused:  # noqa: PT011
            load(str(file))
        assert message in str(refused.value)
