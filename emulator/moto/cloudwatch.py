"""CloudWatch: composite alarms, alarms with an anomaly detection band, and global dashboards.

A composite alarm's state follows those of its children at once, and its children cannot be deleted. Sources of AWS's
errors: for a rule with unknown alarms https://github.com/awsdocs/aws-cloudformation-user-guide/issues/911, for the
deletion of a child https://github.com/cloud-custodian/cloud-custodian/issues/7763, for a comparison with a missing band
https://github.com/hashicorp/terraform-provider-aws/issues/10987.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Any

from moto.cloudwatch.exceptions import DashboardInvalidInputError, ValidationError
from moto.cloudwatch.models import Alarm, CloudWatchBackend, Dashboard, cloudwatch_backends
from moto.cloudwatch.responses import CloudWatchResponse
from moto.core.responses import ActionResult, EmptyResult

from emulator.moto.extend import Method, add, override

METRIC, COMPOSITE = "MetricAlarm", "CompositeAlarm"
MOST_CHILDREN, MOST_ELEMENTS = 100, 500
BANDS = re.compile(r"(Less|Greater)Than\w*(Lower|Upper)\w*Threshold")
# https://docs.aws.amazon.com/AmazonCloudWatch/latest/APIReference/CloudWatch-Dashboard-Body-Structure.html
WIDGETS = {"metric", "text", "log", "alarm", "explorer", "chart", "custom"}
COLUMNS, TALLEST, MOST_WIDGETS = 24, 1000, 500
GLOBAL = "us-east-1"

TOKEN = re.compile(r'\s*(?:(?P<name>"(?:[^"\\]|\\.)*")|(?P<mark>[()])|(?P<word>[^\s()"]+))')
STATES = {"ALARM": "ALARM", "OK": "OK", "INSUFFICIENT_DATA": "INSUFFICIENT_DATA"}
State = Callable[[str], str]
Rule = Callable[[State], bool]


class Parser:
    """A rule of a composite alarm: ALARM("a") AND (OK(b) OR NOT TRUE)."""

    def __init__(self, text: str) -> None:
        """Raises ValidationError where it is no rule."""
        self._tokens = list(self._read(text))
        self._at = 0
        self.children: list[str] = []
        self.rule = self._either()
        if self._at != len(self._tokens):
            raise self._wrong()

    @staticmethod
    def _read(text: str) -> Iterator[str]:
        at = 0
        while text[at:].strip():
            match = TOKEN.match(text, at)
            if match is None:
                raise ValidationError(f"Error in AlarmRule: {text[at:]!r} is not understood")
            yield match["name"] or match["mark"] or match["word"]
            at = match.end()

    def _wrong(self) -> ValidationError:
        found = self._tokens[self._at] if self._at < len(self._tokens) else "the end"
        return ValidationError(f"Error in AlarmRule: {found} is not expected here")

    def _next(self) -> str:
        if self._at == len(self._tokens):
            raise self._wrong()
        self._at += 1
        return self._tokens[self._at - 1]

    def _take(self, *wanted: str) -> bool:
        if self._at < len(self._tokens) and self._tokens[self._at] in wanted:
            self._at += 1
            return True
        return False

    def _expect(self, wanted: str) -> None:
        if not self._take(wanted):
            raise self._wrong()

    def _either(self) -> Rule:
        parts = [self._both()]
        while self._take("OR"):
            parts.append(self._both())
        return lambda state: any(part(state) for part in parts)

    def _both(self) -> Rule:
        parts = [self._one()]
        while self._take("AND"):
            parts.append(self._one())
        return lambda state: all(part(state) for part in parts)

    def _one(self) -> Rule:
        if self._take("NOT"):
            inner = self._one()
            return lambda state: not inner(state)
        if self._take("("):
            inner = self._either()
            self._expect(")")
            return inner
        if self._take("TRUE"):
            return lambda _state: True
        if self._take("FALSE"):
            return lambda _state: False
        return self._child()

    def _child(self) -> Rule:
        at = self._at
        wanted = STATES.get(self._next())
        if wanted is None:
            self._at = at
            raise self._wrong()
        self._expect("(")
        name = self._next().strip('"').rpartition(":alarm:")[2]
        self._expect(")")
        self.children.append(name)
        return lambda state: state(name) == wanted

    @property
    def elements(self) -> int:
        """Children, TRUE, FALSE and parentheses that group, as AWS counts them."""
        grouping = self._tokens.count("(") + self._tokens.count(")") - 2 * len(self.children)
        return len(self.children) + grouping + self._tokens.count("TRUE") + self._tokens.count("FALSE")


@add(CloudWatchResponse)
def put_composite_alarm(self: Any) -> ActionResult:
    """Store it, if all that its rule and its suppressor name exists; the state follows."""
    backend, sent = self.cloudwatch_backend, self._get_params()
    parsed = Parser(sent["AlarmRule"])
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
    _follow(backend)
    return EmptyResult()


def _refuse_unknown(backend: Any, names: Iterable[str]) -> None:
    unknown = sorted({name for name in names if name.rpartition(":alarm:")[2] not in backend.alarms})
    if unknown:
        listed = ", ".join(unknown)
        raise ValidationError(f"Could not save the composite alarm as alarms [{listed}] in the alarm rule do not exist")


def _composites(backend: Any) -> dict[str, Parser]:
    return {name: Parser(alarm.rule) for name, alarm in backend.alarms.items() if alarm.rule is not None}


def _follow(backend: Any) -> None:
    """Set the state of composite alarms by their rules, children before parents."""
    rules = _composites(backend)
    for _ in rules:  # as deep as they can lie; where they go in circles it ends as well
        for name, parsed in rules.items():
            alarm = backend.alarms[name]
            state = "ALARM" if parsed.rule(lambda child: str(backend.alarms[child].state_value)) else "OK"
            if alarm.state_value != state:
                alarm.update_state(f"The rule {alarm.rule} is {str(state == 'ALARM').lower()}", "{}", state)


@override(CloudWatchBackend)
def put_metric_alarm(original: Method, self: Any, **parameters: Any) -> Any:
    """Refuse a comparison with a band that is not there; composite alarms follow."""
    band = parameters.get("threshold_metric_id")
    if BANDS.fullmatch(parameters.get("comparison_operator") or "") and not band:
        raise ValidationError("ComparisonOperators for ranges require ThresholdMetricId to be set")
    queries = {query.id: query.expression or "" for query in parameters.get("metric_data_queries") or ()}
    if band and not queries.get(band, "").startswith("ANOMALY_DETECTION_BAND("):
        raise ValidationError(f"ThresholdMetricId {band} is not the id of an ANOMALY_DETECTION_BAND")
    alarm = original(self, **parameters)
    if alarm.rule is None:
        _follow(self)
    return alarm


@override(CloudWatchBackend)
def set_alarm_state(original: Method, self: Any, *arguments: Any, **keywords: Any) -> None:
    """Composite alarms follow."""
    original(self, *arguments, **keywords)
    _follow(self)


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
