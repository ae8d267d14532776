"""CloudWatch's composite alarms, bands and dashboards in the local AWS."""

from __future__ import annotations

import json
import uuid
from collections.abc import Callable
from typing import Any

import pytest
from botocore.exceptions import ClientError

from tests.emulator.support import Client

pytestmark = pytest.mark.requirement("W8.2")

Make = Callable[..., Client]
TOPICS = [f"arn:aws:sns:us-east-2:123456789012:{name}" for name in ("one", "two")]


def refused(call: Callable[..., Any], **arguments: Any) -> tuple[str, str]:
    """The code and the message with which a call is refused."""
    with pytest.raises(ClientError) as raised:
        call(**arguments)
    error = raised.value.response["Error"]
    return str(error["Code"]), str(error["Message"])


@pytest.fixture
def name() -> str:
    return f"a{uuid.uuid4().hex}"


@pytest.fixture
def children(client: Make, name: str) -> list[str]:
    """Two metric alarms, both OK."""
    made = [f"payments/{name}/{one}" for one in ("one", "two")]
    for one in made:
        client("cloudwatch").put_metric_alarm(
            AlarmName=one, ComparisonOperator="GreaterThanThreshold", EvaluationPeriods=1, Threshold=1,
            MetricName="m", Namespace="n", Period=60, Statistic="Sum",
        )  # fmt: skip
    return made


def state_of(cloudwatch: Client, name: str) -> str:
    (found,) = cloudwatch.describe_alarms(AlarmNames=[name], AlarmTypes=["CompositeAlarm"])["CompositeAlarms"]
    return str(found["StateValue"])


def test_a_composite_alarm_is_kept_whole_and_changes(client: Make, name: str, children: list[str]) -> None:
    cloudwatch = client("cloudwatch")
    one, two = children
    for topic, wait, rule in (
        (TOPICS[0], 60, f'ALARM("{one}") OR ALARM({two})'),
        (TOPICS[1], 90, f'NOT OK("{one}")'),
    ):
        sent = {
            "AlarmName": name,
            "AlarmDescription": rule,
            "AlarmRule": rule,
            "AlarmActions": [topic],
            "OKActions": [topic],
            "ActionsSuppressor": two,
            "ActionsSuppressorWaitPeriod": wait,
            "ActionsSuppressorExtensionPeriod": wait * 2,
        }
        cloudwatch.put_composite_alarm(**sent, Tags=[{"Key": "topic", "Value": topic}])
        (found,) = cloudwatch.describe_alarms(AlarmNames=[name], AlarmTypes=["CompositeAlarm"])["CompositeAlarms"]
        assert {member: found[member] for member in sent} == sent
    tags = cloudwatch.list_tags_for_resource(ResourceARN=found["AlarmArn"])["Tags"]
    assert tags == [{"Key": "topic", "Value": TOPICS[0]}], "tags of an update are ignored"


@pytest.mark.parametrize(
    ("asked", "is_found"),
    [
        ({}, True),
        ({"StateValue": "ALARM"}, False),
        ({"ActionPrefix": "arn:"}, True),
        ({"ActionPrefix": "other"}, False),
    ],
)
def test_alarms_are_described_by_all_parameters_together(
    client: Make, name: str, asked: dict[str, str], is_found: bool
) -> None:
    cloudwatch = client("cloudwatch")
    cloudwatch.put_metric_alarm(
        AlarmName=name, Namespace="AWS/SQS", MetricName="NumberOfMessagesSent", Statistic="Sum", Period=60,
        EvaluationPeriods=1, Threshold=1, ComparisonOperator="GreaterThanThreshold", AlarmActions=[TOPICS[0]],
    )  # fmt: skip
    cloudwatch.set_alarm_state(AlarmName=name, StateValue="OK", StateReason="a test says so")
    found = cloudwatch.describe_alarms(AlarmNamePrefix=name, **asked)["MetricAlarms"]
    assert [one["AlarmName"] for one in found] == [name] * is_found


def test_only_metric_alarms_are_described_by_default(client: Make, name: str, children: list[str]) -> None:
    cloudwatch = client("cloudwatch")
    cloudwatch.put_composite_alarm(AlarmName=name, AlarmRule=f'ALARM("{children[0]}")')
    answers = {
        types: cloudwatch.describe_alarms(AlarmNames=[name, children[0]], AlarmTypes=list(types))
        for types in ((), ("MetricAlarm",), ("CompositeAlarm",), ("MetricAlarm", "CompositeAlarm"))
    }
    assert {types: (len(one["MetricAlarms"]), len(one["CompositeAlarms"])) for types, one in answers.items()} == {
        (): (1, 0),
        ("MetricAlarm",): (1, 0),
        ("CompositeAlarm",): (0, 1),
        ("MetricAlarm", "CompositeAlarm"): (1, 1),
    }


@pytest.mark.parametrize(
    ("rule", "states"),
    [
        ('ALARM("{0}") OR ALARM("{1}")', {"OK OK": "OK", "ALARM OK": "ALARM", "OK ALARM": "ALARM"}),
        ('ALARM("{0}") AND ALARM("{1}")', {"ALARM OK": "OK", "ALARM ALARM": "ALARM"}),
        ('ALARM({0}) AND NOT ALARM("{1}")', {"ALARM OK": "ALARM", "ALARM ALARM": "OK"}),
        # AND binds closer than OR.
        ("FALSE AND ALARM({0}) OR OK({1})", {"OK OK": "ALARM", "OK ALARM": "OK"}),
        ("INSUFFICIENT_DATA({0}) OR (TRUE AND ALARM({1}))", {"INSUFFICIENT_DATA OK": "ALARM", "OK OK": "OK"}),
        ("ALARM(arn:aws:cloudwatch:us-east-2:123456789012:alarm:{0})", {"ALARM OK": "ALARM", "OK OK": "OK"}),
    ],
)
def test_its_state_follows_its_children(
    client: Make, name: str, children: list[str], rule: str, states: dict[str, str]
) -> None:
    cloudwatch = client("cloudwatch")
    cloudwatch.put_composite_alarm(AlarmName=name, AlarmRule=rule.format(*children))
    cloudwatch.put_composite_alarm(AlarmName=f"{name}-above", AlarmRule=f"ALARM({name})")
    for of_children, expected in states.items():
        for child, state in zip(children, of_children.split(), strict=True):
            cloudwatch.set_alarm_state(AlarmName=child, StateValue=state, StateReason="a test")
        assert state_of(cloudwatch, name) == expected, of_children
        assert state_of(cloudwatch, f"{name}-above") == expected


def test_alarms_of_a_composite_rule_must_exist_and_cannot_be_deleted(
    client: Make, name: str, children: list[str]
) -> None:
    cloudwatch = client("cloudwatch")
    code, message = refused(cloudwatch.put_composite_alarm, AlarmName=name, AlarmRule=f'ALARM("{name}-other")')
    assert code == "ValidationError"
    assert message == f"Could not save the composite alarm as alarms [{name}-other] in the alarm rule do not exist"
    cloudwatch.put_composite_alarm(AlarmName=name, AlarmRule=f'ALARM("{children[0]}")')
    code, message = refused(cloudwatch.delete_alarms, AlarmNames=[children[0]])
    assert code == "ValidationError"
    assert message == f"Cannot delete {children[0]} as there are composite alarm(s) depending on them."
    cloudwatch.put_composite_alarm(AlarmName=name, AlarmRule=f'ALARM("{children[1]}")')
    cloudwatch.delete_alarms(AlarmNames=[children[0]])
    cloudwatch.delete_alarms(AlarmNames=[name, children[1]])


def test_a_suppressor_must_exist_and_needs_its_times(client: Make, name: str, children: list[str]) -> None:
    cloudwatch = client("cloudwatch")
    sent = {"AlarmName": name, "AlarmRule": f"ALARM({children[0]})"}
    assert refused(cloudwatch.put_composite_alarm, **sent, ActionsSuppressor=children[1])[0] == "ValidationError"
    times = {"ActionsSuppressorWaitPeriod": 1, "ActionsSuppressorExtensionPeriod": 1}
    unknown = refused(cloudwatch.put_composite_alarm, **sent, **times, ActionsSuppressor=f"{name}-none")
    assert unknown[0] == "ValidationError"


def test_composite_alarms_are_deleted_one_at_a_time(client: Make, name: str, children: list[str]) -> None:
    cloudwatch = client("cloudwatch")
    both = [f"{name}-1", f"{name}-2"]
    for one in both:
        cloudwatch.put_composite_alarm(AlarmName=one, AlarmRule=f"ALARM({children[0]})")
    assert refused(cloudwatch.delete_alarms, AlarmNames=both)[0] == "ValidationError"
    for one in both:
        cloudwatch.delete_alarms(AlarmNames=[one])


@pytest.mark.parametrize(
    "rule",
    ["ALARM(", "ALARM(a) OR", "(TRUE", "TRUE)", "LOUD(a)", "ALARM(a) ALARM(b)", "AND", 'ALARM("a', "ALARM()",
     " OR ".join(["TRUE"] * 501)],
)  # fmt: skip
def test_invalid_alarm_rule_is_refused(client: Make, name: str, rule: str) -> None:
    assert refused(client("cloudwatch").put_composite_alarm, AlarmName=name, AlarmRule=rule)[0] == "ValidationError"


def test_a_band_must_be_there_for_a_comparison_with_it(client: Make, name: str) -> None:
    cloudwatch = client("cloudwatch")
    stat = {"Metric": {"Namespace": "n", "MetricName": "m"}, "Period": 300, "Stat": "Sum"}
    metric = {"Id": "m", "ReturnData": True, "MetricStat": stat}
    sent = {"AlarmName": name, "EvaluationPeriods": 1, "ComparisonOperator": "LessThanLowerOrGreaterThanUpperThreshold"}
    code, message = refused(cloudwatch.put_metric_alarm, **sent, Metrics=[metric])
    assert (code, "ThresholdMetricId" in message) == ("ValidationError", True)
    assert refused(cloudwatch.put_metric_alarm, **sent, Metrics=[metric], ThresholdMetricId="m")[0] == "ValidationError"
    for width in (2, 3):
        band = {"Id": "b", "ReturnData": True, "Expression": f"ANOMALY_DETECTION_BAND(m, {width})"}
        cloudwatch.put_metric_alarm(**sent, Metrics=[metric, band], ThresholdMetricId="b")
        (found,) = cloudwatch.describe_alarms(AlarmNames=[name])["MetricAlarms"]
        assert found["ThresholdMetricId"] == "b"
        assert found["Metrics"][1]["Expression"] == band["Expression"]
        assert "Threshold" not in found


def test_a_dashboard_is_the_same_in_every_region(client: Make, name: str) -> None:
    there, here = client("cloudwatch", "us-west-2"), client("cloudwatch", "us-east-2")
    for text in ("# One", "# Two"):
        body = json.dumps({"widgets": [{"type": "text", "properties": {"markdown": text}}]})
        there.put_dashboard(DashboardName=name, DashboardBody=body)
        found = here.get_dashboard(DashboardName=name)
        assert found["DashboardBody"] == body
        assert found["DashboardArn"] == f"arn:aws:cloudwatch::123456789012:dashboard/{name}"
    assert [one["DashboardName"] for one in here.list_dashboards(DashboardNamePrefix=name)["DashboardEntries"]] == [
        name
    ]
    here.delete_dashboards(DashboardNames=[name])
    assert refused(there.get_dashboard, DashboardName=name)[0] == "ResourceNotFound"
    assert refused(there.delete_dashboards, DashboardNames=[name])[0] == "ResourceNotFound"


@pytest.mark.parametrize(
    "body",
    [
        {},
        {"widgets": [{"type": "poem", "properties": {}}]},
        {"widgets": [{"type": "text"}]},
        {"widgets": [{"type": "text", "properties": {}}]},
        {"widgets": [{"type": "metric", "properties": {"metrics": []}}]},
        {"widgets": [{"type": "text", "properties": {"markdown": ""}, "width": 25}]},
        {"widgets": [{"type": "text", "properties": {"markdown": ""}, "x": 24}]},
        {"widgets": [{"type": "text", "properties": {"markdown": ""}, "y": -1}]},
        {"widgets": [{"type": "text", "properties": {"markdown": ""}}] * 501},
    ],
)
def test_a_dashboard_of_another_structure_is_refused(client: Make, name: str, body: dict[str, Any]) -> None:
    cloudwatch = client("cloudwatch")
    refusal = refused(cloudwatch.put_dashboard, DashboardName=name, DashboardBody=json.dumps(body))
    assert refusal[0] == "InvalidParameterInput"
    assert refused(cloudwatch.get_dashboard, DashboardName=name)[0] == "ResourceNotFound"
