"""A CloudWatch dashboard (W5.2), as sections of rows of widgets; positions and widths follow from that.

Creates one dashboard. Dashboards are global; each widget shows the metrics of one region.
https://docs.aws.amazon.com/AmazonCloudWatch/latest/APIReference/CloudWatch-Dashboard-Body-Structure.html
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

from cdktf import Fn
from cdktf_cdktf_provider_aws.cloudwatch_dashboard import CloudwatchDashboard
from constructs import Construct

from modules.monitoring.alarms import Alarm
from modules.monitoring.metrics import Metric

COLUMNS = 24
Widget = dict[str, Any]

BLUE, ORANGE, GREEN, RED, GREY = "#1f77b4", "#ff7f0e", "#2ca02c", "#d62728", "#7f7f7f"  # CloudWatch's own


@dataclass(frozen=True)
class Series:
    """A line: one metric, or an expression over several hidden ones.

    Ids in expressions are shared by the lines of a graph: the same id is the same metric.
    """

    label: str
    metrics: Mapping[str, Metric]
    expression: str = ""
    colour: str = ""
    right: bool = False
    """Whether it uses the right axis."""


class Shown(Protocol):
    """A widget of a row."""

    @property
    def height(self) -> int:
        """Height in units of the dashboard's grid."""

    def widget(self, region: str) -> tuple[str, Widget]:
        """The widget's type and properties."""


@dataclass(frozen=True, kw_only=True)
class Graph:
    """Lines over time, or a number for each; ``unit`` is the label of the left axis."""

    title: str
    unit: str
    series: Sequence[Series]
    right_unit: str = ""
    bound: float | None = None
    """The threshold of the alarm, as an annotation."""
    below: bool = False
    most: float | None = None
    """The maximum of the axis, if known."""
    numbers: bool = False
    height: int = 6

    def widget(self, region: str) -> tuple[str, Widget]:
        """The widget's type and properties."""
        properties: Widget = {
            "title": self.title,
            "region": region,
            "view": "singleValue" if self.numbers else "timeSeries",
            "metrics": self._metrics(),
        }
        if self.numbers:
            return "metric", properties | {"setPeriodToTimeRange": True}
        left = {"label": self.unit, "min": 0, "showUnits": False} | ({"max": self.most} if self.most else {})
        axes = {"left": left}
        if self.right_unit:
            axes["right"] = {"label": self.right_unit, "min": 0, "showUnits": False}
        properties |= {"yAxis": axes, "legend": {"position": "bottom"}}
        if self.bound:  # with a threshold of zero the whole graph would be red
            line = {"label": "alarm", "value": self.bound, "color": RED, "fill": "below" if self.below else "above"}
            properties["annotations"] = {"horizontal": [line]}
        return "metric", properties

    def _metrics(self) -> list[list[Any]]:
        shown: list[list[Any]] = []
        hidden: dict[str, Metric] = {}
        for number, one in enumerate(self.series):
            chosen = {"label": one.label, "color": one.colour, "yAxis": "right" if one.right else ""}
            look = {name: value for name, value in chosen.items() if value}  # a search names its lines itself
            if one.expression:
                shown.append([{"id": f"line{number}", "expression": one.expression, **look}])
                for id_, metric in one.metrics.items():
                    if hidden.setdefault(id_, metric) != metric:
                        raise ValueError(f"{self.title}: {id_} is the id of two metrics")
            else:
                (metric,) = one.metrics.values()
                shown.append(_of(metric, look))
        return [*shown, *(_of(metric, {"id": id_, "visible": False}) for id_, metric in hidden.items())]


def _of(metric: Metric, look: Mapping[str, Any]) -> list[Any]:
    dimensions = [part for pair in metric.dimensions.items() for part in pair]
    return [
        metric.namespace,
        metric.name,
        *dimensions,
        {"stat": metric.statistic, "period": metric.period_seconds, **look},
    ]


@dataclass(frozen=True, kw_only=True)
class Text:
    """Markdown, such as a heading."""

    markdown: str
    height: int = 1

    def widget(self, region: str) -> tuple[str, Widget]:  # noqa: ARG002 - it has none
        """The widget's type and properties."""
        return "text", {"markdown": self.markdown, "background": "transparent"}


@dataclass(frozen=True, kw_only=True)
class States:
    """The states of alarms."""

    title: str
    arns: Sequence[str]
    height: int = 6

    def widget(self, region: str) -> tuple[str, Widget]:  # noqa: ARG002 - the ARNs say it
        """The widget's type and properties."""
        return "alarm", {"title": self.title, "alarms": list(self.arns), "sortBy": "stateUpdatedTimestamp"}


@dataclass(frozen=True, kw_only=True)
class Section:
    """Rows of a region, top to bottom; widgets of a row have the same width."""

    region: str
    rows: Sequence[Sequence[Shown]]


class Dashboard(Construct):
    """A dashboard of one environment."""

    requirements = ("W5.2",)

    def __init__(self, scope: Construct, id_: str, *, name: str, sections: Sequence[Section]) -> None:
        super().__init__(scope, id_)
        self.widgets = laid_out(sections)
        self.dashboard = CloudwatchDashboard(
            self,
            "dashboard",
            dashboard_name=name,
            dashboard_body=Fn.jsonencode({"start": "-PT3H", "periodOverride": "auto", "widgets": self.widgets}),
        )


def laid_out(sections: Sequence[Section]) -> list[Widget]:
    """All widgets with their positions: none overlaps, none exceeds the dashboard's 24 columns."""
    placed: list[Widget] = []
    y = 0
    for section in sections:
        for row in section.rows:
            width = COLUMNS // len(row)
            height = max(one.height for one in row)
            for number, one in enumerate(row):
                type_, properties = one.widget(section.region)
                place = {"x": number * width, "y": y, "width": width, "height": height}
                placed.append({"type": type_, **place, "properties": properties})
            y += height
    return placed


def line(label: str, metric: Metric, colour: str = "", *, right: bool = False) -> Series:
    """A line of one metric."""
    return Series(label, {"metric": metric}, colour=colour, right=right)


def graph_of(alarms: Sequence[Alarm], *, title: str, unit: str, scale: float = 1, most: float | None = None) -> Graph:
    """The metrics of alarms, a line each, and their threshold if all have the same. Divided by ``scale``."""
    series, bounds = [], set()
    for number, alarm in enumerate(alarms):
        series.append(_scaled(alarm.subject, alarm, number, scale))
        bounds.add((None if alarm.bound is None else alarm.bound / scale, alarm.below))
    bound, below = bounds.pop() if len(bounds) == 1 else (None, False)
    return Graph(title=title, unit=unit, series=series, bound=bound, below=below, most=most)


def _scaled(label: str, alarm: Alarm, number: int, scale: float) -> Series:
    if not alarm.expression and scale == 1:
        return Series(label, alarm.metrics)
    # Ids are unique in an alarm; a graph has several alarms.
    ids = {id_: f"{id_}_{number}" for id_ in alarm.metrics}
    expression = alarm.expression or next(iter(ids))
    for id_, unique in ids.items():
        expression = _renamed(expression, id_, unique)
    if scale != 1:
        expression = f"({expression}) / {scale:g}"
    return Series(label, {ids[id_]: metric for id_, metric in alarm.metrics.items()}, expression)


def _renamed(expression: str, id_: str, unique: str) -> str:
    return re.sub(rf"\b{id_}\b", unique, expression)
