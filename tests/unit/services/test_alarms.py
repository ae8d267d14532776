"""Alarms of services (W5.2)."""

from __future__ import annotations

import pytest

from tests.synthesized import Synthesized


@pytest.mark.requirement("W2.3")
def test_error_share_is_quiet_without_traffic(platform: Synthesized) -> None:
    alarm = platform.resource("aws_cloudwatch_metric_alarm", "primary/services/web-release/green-server-errors")
    (result,) = [query for query in alarm["metric_query"] if query["return_data"]]
    assert result["expression"].startswith("IF(requests >= 20, ")
    assert result["expression"].endswith(", 0)")
    assert alarm["treat_missing_data"] == "notBreaching"
