"""Alarms of moto's as :mod:`alarms` has them."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from alarms.definitions import Actions, CompositeAlarm, MetricAlarm, Missing, Query, State, Suppressor
from alarms.metrics import Metric


def metric_alarm(alarm: Any) -> MetricAlarm:
    """A metric alarm, which moto replaces by another object when it is put again."""
    made: MetricAlarm | None = alarm.__dict__.get("definition")
    if made is None:
        made = alarm.definition = _metric_alarm(alarm)
    return made


def composite_alarm(alarm: Any) -> CompositeAlarm:
    """A composite alarm."""
    suppressor = alarm.actions_suppressor
    return CompositeAlarm(
        name=alarm.name,
        rule=alarm.rule,
        suppressor=Suppressor(
            alarm=suppressor.rpartition(":alarm:")[2],
            wait=int(alarm.actions_suppressor_wait_period),
            extension=int(alarm.actions_suppressor_extension_period),
        )
        if suppressor
        else None,
        actions=actions(alarm),
    )


def actions(alarm: Any) -> Actions:
    """The actions of an alarm, as they are now: they can be enabled and disabled by themselves."""
    return Actions(
        alarm=tuple(alarm.alarm_actions or ()),
        ok=tuple(alarm.ok_actions or ()),
        insufficient=tuple(alarm.insufficient_data_actions or ()),
        enabled=bool(alarm.actions_enabled),
    )


def state(alarm: Any) -> State:
    """The state of an alarm."""
    return State(alarm.state_value)


def _metric_alarm(alarm: Any) -> MetricAlarm:
    queries = tuple(_queries(alarm))
    periods = [int(one.metric_stat.period) for one in alarm.metric_data_queries if one.metric_stat]
    periods += [int(one.period) for one in alarm.metric_data_queries if one.period]
    return MetricAlarm(
        name=alarm.name,
        queries=queries,
        comparison=alarm.comparison_operator,
        period=int(alarm.period or periods[0]),
        periods=int(alarm.evaluation_periods),
        datapoints=int(alarm.datapoints_to_alarm or alarm.evaluation_periods),
        threshold=None if alarm.threshold is None else float(alarm.threshold),
        band=alarm.threshold_metric_id or "",
        missing=Missing(alarm.treat_missing_data or Missing.MISSING),
    )


def _queries(alarm: Any) -> Iterator[Query]:
    if not alarm.metric_data_queries:
        metric = Metric.of(alarm.namespace, alarm.metric_name, _dimensions(alarm.dimensions))
        yield Query(identifier="m1", metric=metric, statistic=alarm.statistic or alarm.extended_statistic)
    for one in alarm.metric_data_queries:
        found = one.metric_stat.metric if one.metric_stat else None
        yield Query(
            identifier=one.id,
            metric=Metric.of(found.namespace, found.metric_name, _dimensions(found.dimensions)) if found else None,
            statistic=one.metric_stat.stat if one.metric_stat else "",
            expression=one.expression or "",
            returns=str(one.return_data).lower() != "false",
        )


def _dimensions(dimensions: Any) -> dict[str, str]:
    return {str(one.name): str(one.value) for one in dimensions}
