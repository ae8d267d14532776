"""CloudWatch's and SNS's types: alarms, dashboards, topics, their policies and subscriptions."""

from __future__ import annotations

from emulator.cloudformation.calls import Created, Properties, _text, call, generated, gone, only, without
from emulator.cloudformation.types import made_by

NAME_LENGTH = 255
ATTRIBUTES = ("DisplayName", "KmsMasterKeyId", "TracingConfig", "SignatureVersion")
"""Attributes of a topic that are properties of the same name."""


def install() -> None:
    """Register these types."""
    made_by("AWS::CloudWatch::Alarm", create=_create_alarm, update=_update_alarm, delete=_delete_alarm)
    made_by("AWS::CloudWatch::Dashboard", create=_create_dashboard, update=_update_dashboard, delete=_delete_dashboard)
    made_by("AWS::SNS::Topic", create=_create_topic, update=_update_topic, delete=_delete_topic)
    made_by("AWS::SNS::TopicPolicy", create=_create_policy, update=_update_policy, delete=_delete_policy)
    made_by("AWS::SNS::Subscription", create=_subscribe, delete=_unsubscribe)


def _create_alarm(logical_id: str, properties: Properties, stack: str) -> Created:
    return _put_alarm(properties.get("AlarmName") or generated(stack, logical_id, NAME_LENGTH), properties)


def _put_alarm(name: str, properties: Properties) -> Created:
    call("cloudwatch", "PutMetricAlarm", {**properties, "AlarmName": name})
    (made,) = call("cloudwatch", "DescribeAlarms", {"AlarmNames": [name]})["MetricAlarms"]
    return name, {"Arn": made["AlarmArn"]}


def _update_alarm(name: str, old: Properties, new: Properties, stack: str) -> Created:
    if old.get("AlarmName") != new.get("AlarmName"):
        made = _create_alarm("alarm", new, stack)
        _delete_alarm(name, old)
        return made
    # PutMetricAlarm ignores the tags of an alarm that exists; the stack's do not change.
    return _put_alarm(name, without(new, "Tags"))


def _delete_alarm(name: str, _properties: Properties) -> None:
    gone("cloudwatch", "DeleteAlarms", AlarmNames=[name])


def _create_dashboard(logical_id: str, properties: Properties, stack: str) -> Created:
    return _put_dashboard(properties.get("DashboardName") or generated(stack, logical_id, NAME_LENGTH), properties)


def _put_dashboard(name: str, properties: Properties) -> Created:
    call("cloudwatch", "PutDashboard", {"DashboardName": name, **only(properties, "DashboardBody")})
    return name, {}


def _update_dashboard(name: str, old: Properties, new: Properties, stack: str) -> Created:
    if old.get("DashboardName") != new.get("DashboardName"):
        made = _create_dashboard("dashboard", new, stack)
        _delete_dashboard(name, old)
        return made
    return _put_dashboard(name, new)


def _delete_dashboard(name: str, _properties: Properties) -> None:
    gone("cloudwatch", "DeleteDashboards", DashboardNames=[name])


def _create_topic(logical_id: str, properties: Properties, stack: str) -> Created:
    name = properties.get("TopicName") or generated(stack, logical_id, NAME_LENGTH)
    attributes = {key: _text(value) for key, value in only(properties, *ATTRIBUTES).items()}
    sent = {**without(properties, "TopicName", *ATTRIBUTES), "Name": name, "Attributes": attributes}
    arn = str(call("sns", "CreateTopic", sent)["TopicArn"])
    return arn, {"TopicArn": arn, "TopicName": name}


def _update_topic(arn: str, old: Properties, new: Properties, stack: str) -> Created:
    if old.get("TopicName") != new.get("TopicName"):
        made = _create_topic("topic", new, stack)
        _delete_topic(arn, old)
        return made
    for name in ATTRIBUTES:
        if old.get(name) != new.get(name):
            changed = {"AttributeName": name, "AttributeValue": _text(new.get(name, ""))}
            call("sns", "SetTopicAttributes", {"TopicArn": arn, **changed})
    return arn, {"TopicArn": arn, "TopicName": arn.rpartition(":")[2]}


def _delete_topic(arn: str, _properties: Properties) -> None:
    gone("sns", "DeleteTopic", TopicArn=arn)


def _create_policy(logical_id: str, properties: Properties, stack: str) -> Created:
    return _put_policy(generated(stack, logical_id, NAME_LENGTH), properties)


def _put_policy(id_: str, properties: Properties) -> Created:
    """It takes the place of the default policy, by which the account's own alarms may publish."""
    for topic in properties["Topics"]:
        policy = {"AttributeName": "Policy", "AttributeValue": _text(properties["PolicyDocument"])}
        call("sns", "SetTopicAttributes", {"TopicArn": topic, **policy})
    return id_, {"Id": id_}


def _update_policy(id_: str, _old: Properties, new: Properties, _stack: str) -> Created:
    return _put_policy(id_, new)


def _delete_policy(_id: str, _properties: Properties) -> None:
    """The topics go with the stack."""


def _subscribe(_logical_id: str, properties: Properties, _stack: str) -> Created:
    sent = {**only(properties, "TopicArn", "Protocol", "Endpoint"), "ReturnSubscriptionArn": True}
    if others := without(properties, "TopicArn", "Protocol", "Endpoint"):
        raise NotImplementedError(f"the local AWS makes no subscription with {sorted(others)}")
    arn = str(call("sns", "Subscribe", sent)["SubscriptionArn"])
    return arn, {"Arn": arn}


def _unsubscribe(arn: str, _properties: Properties) -> None:
    gone("sns", "Unsubscribe", SubscriptionArn=arn)
