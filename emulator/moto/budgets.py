"""Budgets: updates, subscribers of notifications, tags.

moto's budgets cannot be updated. Nothing is spent here, so no notification is sent.
"""

from __future__ import annotations

import json
from typing import Any

from moto.budgets.exceptions import DuplicateRecordException, NotFoundException
from moto.budgets.models import Budget
from moto.budgets.responses import BudgetsResponse
from moto.core.utils import unix_time

from emulator.moto.extend import Method, add, override


@override(BudgetsResponse)
def create_budget(original: Method, self: Any) -> str:
    """Keep the tags that come with it."""
    answer: str = original(self)
    budget = self.backend.budgets[self._get_param("AccountId")][self._get_param("Budget")["BudgetName"]]
    budget.tags = {one["Key"]: one["Value"] for one in self._get_param("ResourceTags", [])}
    return answer


@add(BudgetsResponse)
def update_budget(self: Any) -> str:
    """Replace the budget; its notifications stay."""
    sent = self._get_param("NewBudget")
    budget = _budget(self, sent["BudgetName"])
    kept = {name: budget.budget[name] for name in ("TimePeriod",) if name not in sent}
    budget.budget = {**kept, **sent, "LastUpdatedTime": unix_time()}
    return "{}"


@override(BudgetsResponse)
def create_notification(original: Method, self: Any) -> str:
    """Each once."""
    sent = _identity(self._get_param("Notification"))
    if any(_identity(one.details) == sent for one in _budget(self).notifications):
        raise DuplicateRecordException("notification", sent[0])
    return str(original(self))


@override(BudgetsResponse)
def delete_notification(_original: Method, self: Any) -> str:
    """Delete one that there is, with its subscribers."""
    _budget(self).notifications.remove(_notification(self))
    return "{}"


@override(BudgetsResponse)
def describe_notifications_for_budget(original: Method, self: Any) -> str:
    """Answer those of a budget that there is."""
    _budget(self)
    return str(original(self))


@add(BudgetsResponse)
def describe_subscribers_for_notification(self: Any) -> str:
    """Return the subscribers as they were sent."""
    return json.dumps({"Subscribers": _notification(self).subscribers})


@add(BudgetsResponse)
def list_tags_for_resource(self: Any) -> str:
    """Answer the tags."""
    return json.dumps({"ResourceTags": [{"Key": key, "Value": value} for key, value in _tagged(self).tags.items()]})


@add(BudgetsResponse)
def tag_resource(self: Any) -> str:
    """Add to the tags."""
    _tagged(self).tags.update({one["Key"]: one["Value"] for one in self._get_param("ResourceTags")})
    return "{}"


@add(BudgetsResponse)
def untag_resource(self: Any) -> str:
    """Take from the tags."""
    tags = _tagged(self).tags
    for key in self._get_param("ResourceTagKeys"):
        tags.pop(key, None)
    return "{}"


def _budget(self: Any, name: str | None = None) -> Budget:
    asked = name or self._get_param("BudgetName")
    found: dict[str, Budget] = self.backend.budgets[self._get_param("AccountId") or self.current_account]
    if asked not in found:
        raise NotFoundException(f"Unable to get budget: {asked} - the budget doesn't exist.")
    return found[asked]


def _tagged(self: Any) -> Any:
    return _budget(self, self._get_param("ResourceARN").partition(":budget/")[2])


def _identity(notification: dict[str, Any]) -> tuple[str, str, float, str]:
    """The key of a notification, which has no id. The default threshold type is a percentage."""
    return (
        notification["NotificationType"],
        notification["ComparisonOperator"],
        float(notification["Threshold"]),
        notification.get("ThresholdType", "PERCENTAGE"),
    )


def _notification(self: Any) -> Any:
    asked = _identity(self._get_param("Notification"))
    for one in _budget(self).notifications:
        if _identity(one.details) == asked:
            return one
    raise NotFoundException("Unable to get notification - the notification doesn't exist.")
