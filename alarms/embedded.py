"""Metrics in log lines: the embedded metric format.

https://docs.aws.amazon.com/AmazonCloudWatch/latest/monitoring/CloudWatch_Embedded_Metric_Format_Specification.html
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from typing import Any

from alarms.metrics import Data, Metric

_MARK = '"_aws"'


def data_of(line: str) -> Data:
    """The data of a log line; nothing where it has none, or where it is not as the specification says."""
    if _MARK not in line or not line.startswith("{"):
        return
    try:
        content = json.loads(line)
        yield from list(_data(content))
    except (ValueError, KeyError, TypeError, AttributeError):
        return


def _data(content: Mapping[str, Any]) -> Iterator[tuple[Metric, float]]:
    for directive in content["_aws"]["CloudWatchMetrics"]:
        for names in directive["Dimensions"]:
            dimensions = {name: str(content[name]) for name in names}
            for metric in directive["Metrics"]:
                found = content[metric["Name"]]
                for value in found if isinstance(found, list) else [found]:
                    yield Metric.of(directive["Namespace"], metric["Name"], dimensions), float(value)
