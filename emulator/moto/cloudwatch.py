"""CloudWatch: composite alarms, alarms with an anomaly detection band, published metrics, and global dashboards.

A composite alarm's state follows those of its children at once, and its children cannot be deleted. Alarms are
evaluated where they ring (:mod:`emulator.runtime.monitoring`); else they keep the state that they are set to. Metrics
that are published here are answered with the times of the clock (:mod:`emulator.clock`).

Sources of AWS's errors: for a rule with unknown alarms
https://github.com/awsdocs/aws-cloudformation-user-guide/issues/911, for the deletion of a child
https://github.com/cloud-custodian/cloud-custodian/issues/7763, for a comparison with a missing band
https://github.com/hashicorp/terraform-provider-aws/issues/10987.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Iterator, Mapping
from datetime import UTC, datetime
from typing import Any

from moto.cloudwatch.exceptions import DashboardInvalidInputError, ValidationError
from moto.cloudwatch.models import Alarm, CloudWatchBackend, Dashboard, MetricAggregatedDatum, cloudwatch_backends
from moto.cloudwatch.responses import CloudWatchResponse
from moto.core.responses import ActionResult, EmptyResult

from alarms.composites import Rule, RuleError, rule
from alarms.definitions import State
from alarms.metrics import Metric
from emulator.moto.extend import Method, add, override
from emulator.runtime.metering import METERING
from emulator.runtime.monitoring.ringing import RINGER

METRIC, COMPOSITE = "MetricAlarm", "CompositeAlarm"
MOST_CHILDREN, MOST_ELEMENTS = 100, 500
BANDS = re.compile(r"(Less|Greater)Than\w*(Lower|Upper)\w*Threshold")
# https://docs.aws.amazon.com/AmazonCloudWatch/latest/APIReference/CloudWatch-Dashboard-Body-Structure.html
WIDGETS = {"metric", "text", "log", "alarm", "explorer", "chart", "custom"}
COLUMNS, TALLEST, MOST_WIDGETS = 24, 1000, 500
GLOBAL = "us-east-1"


def _parsed(text: str) -> Rule:
    try:
        return rule(text)
    except RuleError as flaw:
        raise ValidationError(str(flaw)) from None


@add(CloudWatchResponse)
def put_composite_alarm(self: Any) -> ActionResult:
    """Store it, if all that its rule and its suppressor name exists; the state follows."""
    backend, sent = self.cloudwatch_backend, self._get_params()
    parsed = _parsed(sent["AlarmRule"])
    if len(set(parsed.children)) > MOST_CHILDREN or parsed.elements > MOST_ELEMENTS:
        raise ValidationError(f"AlarmRule may have {MOST_CHILDREN} alarms and {MOST_ELEMENTS} elements at most")
    suppressor = sent.get("ActionsSuppressor")
    _refuse_unknown(backend, [*parsed.children, *([suppressor] if suppressor else [])])
    if suppressor and not {"ActionsSuppressorWaitPeriod", "ActionsSuppressorExtensionPeriod"} <= sent.keys():
        raise ValidationError("ActionsSuppressor requires WaitPeriod and ExtensionPeriod")
    before = backend.alarms.get(sent["AlarmName"])
    alarm = backend.put_metric_alarm(
        name=sent["AlarmName"],
        namespace=None,
        metric_name=None,
        comparison_operator=None,
        evaluation_periods=None,
        period=None,
        threshold=None,
        statistic=None,
        description=sent.get("AlarmDescription"),
        dimensions=[],
        alarm_actions=sent.get("AlarmActions", []),
        ok_actions=sent.get("OKActions"),
        insufficient_data_actions=sent.get("InsufficientDataActions"),
        actions_enabled=sent.get("ActionsEnabled", True),
        rule=sent["AlarmRule"],
        tags=None if before else sent.get("Tags"),  # those of an alarm that exists are changed by TagResource
    )
    alarm.actions_suppressor = suppressor
    alarm.actions_suppressor_wait_period = sent.get("ActionsSuppressorWaitPeriod")
    alarm.actions_suppressor_extension_period = sent.get("ActionsSuppressorExtensionPeriod")
    alarm.state_value = before.state_value if before else "INSUFFICIENT_DATA"
    RINGER.follow(backend.region_name)
    return EmptyResult()


def _refuse_unknown(backend: Any, names: Iterable[str]) -> None:
    unknown = sorted({name for name in names if name.rpartition(":alarm:")[2] not in backend.alarms})
    if unknown:
        listed = ", ".join(unknown)
        raise ValidationError(f"Could not save the composite alarm as alarms [{listed}] in the alarm rule do not exist")


def _composites(backend: Any) -> dict[str, Rule]:
    return {name: _parsed(alarm.rule) for name, alarm in backend.alarms.items() if alarm.rule is not None}


@override(CloudWatchBackend)
def put_metric_alarm(original: Method, self: Any, **parameters: Any) -> Any:
    """Refuse a comparison with a band that is not there; the state of an alarm that exists stays; composites follow.

    Where alarms ring, a new one begins without data, as on AWS.
    """
    band = parameters.get("threshold_metric_id")
    if BANDS.fullmatch(parameters.get("comparison_operator") or "") and not band:
        raise ValidationError("ComparisonOperators for ranges require ThresholdMetricId to be set")
    queries = {query.id: query.expression or "" for query in parameters.get("metric_data_queries") or ()}
    if band and not queries.get(band, "").startswith("ANOMALY_DETECTION_BAND("):
        raise ValidationError(f"ThresholdMetricId {band} is not the id of an ANOMALY_DETECTION_BAND")
    before = self.alarms.get(parameters["name"])
    alarm = original(self, **parameters)
    if alarm.rule is None:
        if before is not None:
            _keep_state(alarm, before)
        elif METERING.is_on:
            alarm.state_value = State.INSUFFICIENT_DATA.value
        RINGER.follow(self.region_name)
    return alarm


def _keep_state(alarm: Any, before: Any) -> None:
    for name in ("state_value", "state_reason", "state_reason_data", "state_updated_timestamp", "history"):
        setattr(alarm, name, getattr(before, name))


@override(CloudWatchBackend)
def put_metric_data(original: Method, self: Any, namespace: str, metric_data: list[dict[str, Any]]) -> None:
    """Where alarms ring, publish the values, too: as measured now, whatever their time."""
    original(self, namespace, metric_data)
    if METERING.is_on:
        METERING.publish(self.region_name, list(_sent(namespace, metric_data)))


def _sent(namespace: str, metric_data: list[dict[str, Any]]) -> Iterator[tuple[Metric, float]]:
    for one in metric_data:
        metric = Metric.of(
            namespace, one["MetricName"], {sent["Name"]: sent["Value"] for sent in one.get("Dimensions", [])}
        )
        if "StatisticValues" in one:
            raise ValidationError("the local AWS publishes no StatisticValues")
        values = one.get("Values") or [one.get("Value", 0)]
        counts = one.get("Counts") or [1] * len(values)
        for value, count in zip(values, counts, strict=True):
            yield from [(metric, float(value))] * int(float(count))


@override(CloudWatchBackend)
def get_all_metrics(original: Method, self: Any) -> list[Any]:
    """With those that are published here."""
    with METERING.of(self.region_name) as metrics:
        published = [
            MetricAggregatedDatum(
                namespace=metric.namespace,
                name=metric.name,
                min_stat=one.least,
                max_stat=one.most,
                sample_count=one.count,
                sum_stat=one.total,
                dimensions=[{"Name": name, "Value": value} for name, value in sorted(metric.dimensions)],
                timestamp=datetime.fromtimestamp(minute, UTC).replace(tzinfo=None),
            )
            for metric, minute, one in metrics.minutes()
        ]
    return [*original(self), *published]


@override(CloudWatchBackend)
def set_alarm_state(original: Method, self: Any, alarm_name: str, *arguments: Any, **keywords: Any) -> None:
    """Its actions are performed where alarms ring, and composite alarms follow."""
    before = State(self.alarms[alarm_name].state_value) if alarm_name in self.alarms else State.OK
    original(self, alarm_name, *arguments, **keywords)
    RINGER.set_by_hand(self.alarms[alarm_name], before)
    RINGER.follow(self.region_name)


@override(CloudWatchBackend)
def delete_alarms(original: Method, self: Any, alarm_names: list[str]) -> None:
    """Refuse alarms that a remaining composite alarm references, and two composite alarms at once."""
    going = set(alarm_names)
    if sum(1 for name, alarm in self.alarms.items() if name in going and alarm.rule is not None) > 1:
        raise ValidationError("Only one composite alarm can be deleted at a time")
    held = {child for name, parsed in _composites(self).items() if name not in going for child in parsed.children}
    held |= {
        alarm.actions_suppressor
        for name, alarm in self.alarms.items()
        if name not in going and getattr(alarm, "actions_suppressor", None)
    }
    if kept := sorted(going & held):
        raise ValidationError(f"Cannot delete {','.join(kept)} as there are composite alarm(s) depending on them.")
    original(self, alarm_names)


@override(CloudWatchResponse)
def describe_alarms(original: Method, self: Any) -> ActionResult:
    """Only those that match every parameter, of which moto reads one, and of the requested types."""
    answer = original(self)
    types = self._get_param("AlarmTypes") or [METRIC]
    found = {kind: [one for one in alarms if _matches(self, one)] for kind, alarms in answer.result.items()}
    return ActionResult(
        {
            "MetricAlarms": found["MetricAlarms"] if METRIC in types else [],
            "CompositeAlarms": found["CompositeAlarms"] if COMPOSITE in types else [],
        }
    )


def _matches(self: Any, alarm: Any) -> bool:
    names, state = self._get_param("AlarmNames"), self._get_param("StateValue")
    actions = self._get_param("ActionPrefix") or ""
    return (
        str(alarm.name).startswith(self._get_param("AlarmNamePrefix") or "")
        and (not names or alarm.name in names)
        and (not state or alarm.state_value == state)
        and (not actions or any(str(one).startswith(actions) for one in alarm.alarm_actions))
    )


@override(Alarm)
def __init__(original: Method, self: Any, *arguments: Any, **keywords: Any) -> None:  # noqa: N807 (of moto's class)
    """With the members that DescribeAlarms answers of a composite alarm."""
    original(self, *arguments, **keywords)
    self.alarm_rule = self.rule
    self.actions_suppressor = None
    self.actions_suppressor_wait_period = None
    self.actions_suppressor_extension_period = None


# Dashboards are global: every region returns all of them.


def _dashboards(self: Any) -> dict[str, Dashboard]:
    found: dict[str, Dashboard] = cloudwatch_backends[self.account_id][GLOBAL].dashboards
    return found


@override(CloudWatchBackend)
def put_dashboard(original: Method, self: Any, name: str, body: str) -> Dashboard:
    """Refuse properties that the documented structure does not have."""
    if wrong := list(_wrong_in(json.loads(body))):
        raise DashboardInvalidInputError(f"The dashboard body is invalid, there are validation errors: {wrong}")
    home = cloudwatch_backends[self.account_id][GLOBAL]
    made: Dashboard = original(home, name, body)
    return made


@override(CloudWatchBackend)
def get_dashboard(_original: Method, self: Any, dashboard: str) -> Dashboard | None:
    """From any region."""
    return _dashboards(self).get(dashboard)


@override(CloudWatchBackend)
def list_dashboards(_original: Method, self: Any, prefix: str = "") -> list[Dashboard]:
    """From any region."""
    return [one for name, one in _dashboards(self).items() if name.startswith(prefix)]


@override(CloudWatchBackend)
def delete_dashboards(original: Method, self: Any, dashboards: list[str]) -> str | None:
    """From any region."""
    failed: str | None = original(cloudwatch_backends[self.account_id][GLOBAL], dashboards)
    return failed


def _wrong_in(body: Any) -> Iterator[str]:
    widgets = body.get("widgets") if isinstance(body, dict) else None
    if not isinstance(widgets, list) or len(widgets) > MOST_WIDGETS:
        yield f"/widgets: a list of up to {MOST_WIDGETS} is required"
        return
    for number, widget in enumerate(widgets):
        yield from (f"/widgets/{number}{wrong}" for wrong in _wrong_in_widget(widget))


def _wrong_in_widget(widget: Mapping[str, Any]) -> Iterator[str]:
    if widget.get("type") not in WIDGETS:
        yield f"/type: {widget.get('type')} is none of {', '.join(sorted(WIDGETS))}"
    properties = widget.get("properties")
    if not isinstance(properties, dict):
        yield "/properties: is required"
        return
    for name, first, last in (("x", 0, COLUMNS - 1), ("y", 0, None), ("width", 1, COLUMNS), ("height", 1, TALLEST)):
        value = widget.get(name, first)
        if not isinstance(value, int) or value < first or (last is not None and value > last):
            yield f"/{name}: {value} is not allowed"
    needed = {"metric": "region", "text": "markdown", "alarm": "alarms"}.get(str(widget.get("type")))
    if needed and needed not in properties:
        yield f"/properties/{needed}: is required"
