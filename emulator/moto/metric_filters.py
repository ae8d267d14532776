"""Metric filters of log groups: one that is put again is replaced, and all of a group go with it.

moto adds a second one of the same name. Nothing is counted here, so a filter's metric has no data.
"""

from __future__ import annotations

from typing import Any

from moto.logs.exceptions import ResourceNotFoundException
from moto.logs.models import LogsBackend

from emulator.moto.extend import Method, override


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
