"""Metrics in the log: metric filters of log groups, and lines in the embedded metric format.

A filter that is put again is replaced, and all of a group go with it; moto adds a second one of the same name.
"""

from __future__ import annotations

from typing import Any

from moto.logs.exceptions import ResourceNotFoundException
from moto.logs.models import LogsBackend

from alarms.embedded import data_of
from alarms.filter_patterns import PatternError, matches
from alarms.metrics import Data, Metric
from emulator.moto.extend import Method, override
from emulator.runtime.metering import METERING


@override(LogsBackend)
def put_metric_filter(
    original: Method, self: Any, filter_name: str, filter_pattern: str, log_group_name: str, *arguments: Any
) -> None:
    """Replace the filter of this name, if the group has one."""
    if log_group_name not in self.groups:
        raise ResourceNotFoundException
    self.delete_metric_filter(filter_name, log_group_name)
    original(self, filter_name, filter_pattern, log_group_name, *arguments)


@override(LogsBackend)
def delete_log_group(original: Method, self: Any, log_group_name: str) -> None:
    """Delete the group with its filters."""
    original(self, log_group_name)
    for one in self.describe_metric_filters(log_group_name=log_group_name):
        self.delete_metric_filter(one["filterName"], log_group_name)


@override(LogsBackend)
def put_log_events(
    original: Method, self: Any, log_group_name: str, log_stream_name: str, log_events: list[dict[str, Any]]
) -> Any:
    """Publish the metrics of the lines, too."""
    answer = original(self, log_group_name, log_stream_name, log_events)
    if METERING.is_on:
        lines = [str(event["message"]) for event in log_events]
        METERING.publish(self.region_name, _data(self, log_group_name, lines))
    return answer


def _data(self: Any, group: str, lines: list[str]) -> Data:
    filters = self.describe_metric_filters(log_group_name=group)
    for line in lines:
        yield from data_of(line)
        for one in filters:
            yield from _filtered(one, line)


def _filtered(one: dict[str, Any], line: str) -> Data:
    """What a filter counts in a line. Values other than numbers, and dimensions, are not played."""
    try:
        is_match = matches(one["filterPattern"], line)
    except PatternError:
        return
    for counted in one["metricTransformations"] if is_match else ():
        yield Metric.of(counted["metricNamespace"], counted["metricName"]), float(counted["metricValue"])
