"""Alarms of payments (W5.2): on the metrics that the service writes."""

from __future__ import annotations

import pytest

from shared import payment_metrics as metrics
from tests.platform.support import alarms, looked_at
from tests.synthesized import Synthesized

pytestmark = pytest.mark.requirement("W5.2")


def test_payment_alarms_use_the_metrics_that_the_service_writes(platform: Synthesized) -> None:
    written = {metric.name for metric in (*metrics.METRICS, *metrics.HEARTBEATS)}
    found = [
        (name, dimensions)
        for alarm in alarms(platform)
        for namespace, name, dimensions in looked_at(alarm)
        if namespace == metrics.NAMESPACE
    ]
    assert {name for name, _ in found} <= written
    assert {metrics.STARTED.name, metrics.SUCCEEDED.name, metrics.FAILED.name, metrics.PROCESSING_TIME.name} <= {
        name for name, _ in found
    }
    assert all(dimensions == {metrics.ENVIRONMENT_DIMENSION: "local"} for _, dimensions in found)
