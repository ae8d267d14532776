"""The monthly cost budget of an environment (W9.1).

Creates a budget of the costs with the environment's tag. It notifies the alarm topic and addresses of its own at a
share of the limit, at the limit, and when the forecast exceeds it. AWS attributes costs to a tag once it is activated
as a cost allocation tag (docs/cost.md).
https://docs.aws.amazon.com/cost-management/latest/userguide/budgets-sns-policy.html
"""

from __future__ import annotations

from cdktf_cdktf_provider_aws.budgets_budget import (
    BudgetsBudget,
    BudgetsBudgetCostFilter,
    BudgetsBudgetNotification,
)
from constructs import Construct

from modules.monitoring.alarm_topic import AlarmTopic
from modules.policy_documents import Statement, on_behalf_of, service
from settings.budget import BudgetSettings
from settings.naming import Names

BUDGETS = "budgets.amazonaws.com"
TAG = "environment_suffix"


class Budget(Construct):
    """The budget of an environment."""

    requirements = ("W9.1",)

    def __init__(
        self, scope: Construct, id_: str, *, names: Names, settings: BudgetSettings, usd: int, topic: AlarmTopic
    ) -> None:
        """``usd`` is the monthly limit; the policy of the topic's key has ``use_of_key``."""
        super().__init__(scope, id_)
        topic.grant_publish("PublishByBudgets", BUDGETS, on_behalf_of(names.account_id, _budgets(names)))
        subscribers = {"subscriber_sns_topic_arns": [topic.topic.arn]}
        if settings.email_addresses:
            subscribers["subscriber_email_addresses"] = list(settings.email_addresses)
        self.budget = BudgetsBudget(
            self,
            "budget",
            name=names.of("monthly"),
            budget_type="COST",
            time_unit="MONTHLY",
            limit_amount=str(usd),
            limit_unit="USD",
            cost_filter=[BudgetsBudgetCostFilter(name="TagKeyValue", values=[f"user:{TAG}${names.suffix}"])],
            notification=[
                BudgetsBudgetNotification(
                    notification_type=kind,
                    comparison_operator="GREATER_THAN",
                    threshold=percent,
                    threshold_type="PERCENTAGE",
                    **subscribers,
                )
                for kind, percent in (("ACTUAL", settings.first_alert_percent), ("ACTUAL", 100), ("FORECASTED", 100))
            ],
            tags={"Name": names.of("monthly")},
            depends_on=[topic.policy],  # not inferable: until the topic policy exists, Budgets cannot publish
        )

    @staticmethod
    def use_of_key(names: Names) -> Statement:
        """https://docs.aws.amazon.com/cost-management/latest/userguide/budgets-sns-policy.html."""
        return Statement(
            sid="UseByBudgets",
            actions=["kms:Decrypt", "kms:GenerateDataKey*"],
            resources=["*"],  # in a key policy the key itself
            principals=[service(BUDGETS)],
            condition=on_behalf_of(names.account_id, _budgets(names)),
        )


def _budgets(names: Names) -> str:
    return f"arn:aws:budgets::{names.account_id}:*"
