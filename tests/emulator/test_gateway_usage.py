"""GetUsage of API Gateway, as the gateway of the local AWS has counted."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from emulator.runtime.gateway import deployed
from emulator.runtime.gateway.throttling import LIMITS
from emulator.runtime.gateway.usage import get_usage


class Gateway:
    """A plan with a quota and two keys."""

    def get_usage_plan(self, **_asked: Any) -> dict[str, Any]:
        return {"quota": {"limit": 10, "period": "DAY"}}

    def get_usage_plan_keys(self, **_asked: Any) -> dict[str, Any]:
        return {"items": [{"id": "used-key"}, {"id": "unused-key"}]}


@pytest.mark.requirement("P6.5")
def test_usage_is_what_was_counted_of_each_day_and_an_unused_key_has_none(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(deployed, "client", lambda _service, _region: Gateway())
    today = datetime.now(UTC).date()
    for _ in range(3):
        assert LIMITS.counts("used-key", 10)
    asked = {
        "usagePlanId": "plan",
        "startDate": (today - timedelta(days=1)).isoformat(),
        "endDate": today.isoformat(),
    }
    values = json.loads(get_usage("ap-southeast-1", asked).body)["values"]
    assert values == {"used-key": [[0, 10], [3, 7]]}
    assert json.loads(get_usage("ap-southeast-1", {**asked, "keyId": "unused-key"}).body)["values"] == {}
