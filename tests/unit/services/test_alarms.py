"""Alarms of services (W5.2)."""

from __future__ import annotations

import pytest

from tests.synthesized import Synthesized


@pytest.mark.requirement("W2.3")
def test_error_share_is_of_twenty_requests_at_least_and_quiet_without_traffic(platform: Synthesized) -> None:
    alarm = platform.resource("aws_cloudwatch_metric_alarm", "primary/services/web-release/green-server-errors")
    (result,) = [query for query in alarm["metric_query"] if query["return_data"]]
    failures = "errors + unreachable + untrusted"
    assert result["expression"] == f"100 * ({failures}) / IF(requests < 20, 20, requests)"
    assert alarm["treat_missing_data"] == "notBreaching"
