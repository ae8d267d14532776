"""Alarms as they are defined, from Terraform's blocks; the local AWS makes the same of what PutMetricAlarm sent."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any

from alarms.metrics import Metric


class State(StrEnum):
    """StateValue in CloudWatch's API reference."""

    OK = "OK"
    ALARM = "ALARM"
    INSUFFICIENT_DATA = "INSUFFICIENT_DATA"


class Missing(StrEnum):
    """TreatMissingData in CloudWatch's API reference."""

    MISSING = "missing"
    IGNORE = "ignore"
    BREACHING = "breaching"
    NOT_BREACHING = "notBreaching"


@dataclass(frozen=True, kw_only=True)
class Actions:
    """The ARNs of what happens when an alarm enters a state."""

    alarm: tuple[str, ...] = ()
    ok: tuple[str, ...] = ()
    insufficient: tuple[str, ...] = ()
    enabled: bool = True

    def of(self, state: State) -> tuple[str, ...]:
        """Those of a state; none where they are not enabled."""
        if not self.enabled:
            return ()
        return {State.ALARM: self.alarm, State.OK: self.ok, State.INSUFFICIENT_DATA: self.insufficient}[state]


@dataclass(frozen=True, kw_only=True)
class Query:
    """A metric with a statistic, or an expression, by its id."""

    identifier: str
    metric: Metric | None = None
    statistic: str = ""
    expression: str = ""
    returns: bool = True
    """Whether the alarm looks at it (ReturnData)."""


@dataclass(frozen=True, kw_only=True)
class MetricAlarm:
    """An alarm on a metric, an expression, or a band: PutMetricAlarm."""

    name: str
    queries: tuple[Query, ...]
    comparison: str
    period: int
    """Seconds."""
    periods: int
    """EvaluationPeriods, N."""
    datapoints: int
    """DatapointsToAlarm, M."""
    threshold: float | None = None
    band: str = ""
    """ThresholdMetricId: the id of the ANOMALY_DETECTION_BAND that it is compared with."""
    missing: Missing = Missing.MISSING
    actions: Actions = field(default_factory=Actions)

    @property
    def watched(self) -> Query:
        """What is compared."""
        (found,) = [query for query in self.queries if query.returns and query.identifier != self.band]
        return found

    @property
    def metrics(self) -> list[Metric]:
        """The metrics that it depends on."""
        return [query.metric for query in self.queries if query.metric]


@dataclass(frozen=True, kw_only=True)
class Suppressor:
    """The alarm that suppresses the actions of a composite; both periods are in seconds."""

    alarm: str
    wait: int
    extension: int


@dataclass(frozen=True, kw_only=True)
class CompositeAlarm:
    """An alarm on other alarms: PutCompositeAlarm."""

    name: str
    rule: str
    suppressor: Suppressor | None = None
    actions: Actions = field(default_factory=Actions)


def metric_alarm_of_terraform(block: Mapping[str, Any]) -> MetricAlarm:
    """An ``aws_cloudwatch_metric_alarm``; references stay the text that they are."""
    queries = tuple(_query(one) for one in block.get("metric_query", ())) or (
        Query(
            identifier="m1",
            metric=Metric.of(block["namespace"], block["metric_name"], block.get("dimensions")),
            statistic=block.get("statistic") or block["extended_statistic"],
        ),
    )
    periods = [one["metric"]["period"] for one in block.get("metric_query", ()) if "metric" in one]
    return MetricAlarm(
        name=block["alarm_name"],
        queries=queries,
        comparison=block["comparison_operator"],
        period=int(block.get("period") or periods[0]),
        periods=int(block["evaluation_periods"]),
        datapoints=int(block.get("datapoints_to_alarm") or block["evaluation_periods"]),
        threshold=block.get("threshold"),
        band=block.get("threshold_metric_id", ""),
        missing=Missing(block.get("treat_missing_data", Missing.MISSING)),
        actions=_actions(block),
    )


def composite_alarm_of_terraform(block: Mapping[str, Any]) -> CompositeAlarm:
    """An ``aws_cloudwatch_composite_alarm``."""
    suppressor = block.get("actions_suppressor")
    return CompositeAlarm(
        name=block["alarm_name"],
        rule=block["alarm_rule"],
        suppressor=Suppressor(
            alarm=suppressor["alarm"], wait=suppressor["wait_period"], extension=suppressor["extension_period"]
        )
        if suppressor
        else None,
        actions=_actions(block),
    )


def _query(block: Mapping[str, Any]) -> Query:
    metric = block.get("metric")
    return Query(
        identifier=block["id"],
        metric=Metric.of(metric["namespace"], metric["metric_name"], metric.get("dimensions")) if metric else None,
        statistic=metric["stat"] if metric else "",
        expression=block.get("expression", ""),
        returns=bool(block.get("return_data", False)),
    )


def _actions(block: Mapping[str, Any]) -> Actions:
    return Actions(
        alarm=tuple(block.get("alarm_actions", ())),
        ok=tuple(block.get("ok_actions", ())),
        insufficient=tuple(block.get("insufficient_data_actions", ())),
        enabled=block.get("actions_enabled", True),
    )
