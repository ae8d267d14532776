"""The usage of a plan's keys (API Gateway's GetUsage), as the gateway here has counted it.

https://docs.aws.amazon.com/apigateway/latest/api/API_GetUsage.html
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from datetime import date, timedelta
from typing import Any

from emulator.answer import Answer
from emulator.runtime.gateway import deployed
from emulator.runtime.gateway.throttling import LIMITS


def get_usage(region: str, asked: Mapping[str, Any]) -> Answer:
    """Of each day and key, how many requests there were, and how many are left of the quota."""
    gateway, plan_id = deployed.client("apigateway", region), str(asked["usagePlanId"])
    limit = int((gateway.get_usage_plan(usagePlanId=plan_id).get("quota") or {}).get("limit") or 0)
    keys = [one["id"] for one in gateway.get_usage_plan_keys(usagePlanId=plan_id, limit=deployed.PAGE)["items"]]
    first, last = date.fromisoformat(asked["startDate"]), date.fromisoformat(asked["endDate"])
    days = [first + timedelta(days=number) for number in range((last - first).days + 1)]
    values = {
        key: [[used, max(limit - used, 0)] for used in (LIMITS.used(key, day) for day in days)]
        for key in keys
        if asked.get("keyId") in {None, key}
    }
    said = {
        "usagePlanId": plan_id,
        "startDate": first.isoformat(),
        "endDate": last.isoformat(),
        "values": {key: counts for key, counts in values.items() if any(used for used, _ in counts)},
    }
    body = json.dumps(said).encode()
    headers = [("Content-Type", "application/json"), ("Content-Length", str(len(body)))]
    return Answer(200, headers, body)
