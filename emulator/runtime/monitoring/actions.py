"""What happens when an alarm changes its state: notifications of SNS, and changes of capacity.

A notification has the content that CloudWatch sends, and needs what it needs on AWS: a topic's policy that allows
CloudWatch to publish for this alarm, and a key's policy that lets it encrypt.
https://docs.aws.amazon.com/AmazonCloudWatch/latest/monitoring/AlarmThatSendsEmail.html
"""

from __future__ import annotations

import json
import logging
import threading
from datetime import UTC, datetime
from typing import Any

from moto.core import DEFAULT_ACCOUNT_ID
from moto.kms.models import kms_backends
from moto.sns.models import sns_backends

from alarms.definitions import State
from emulator.authorization import gate
from emulator.authorization.callers import Caller
from emulator.passages import passing
from emulator.turns import turn

CLOUDWATCH = "cloudwatch.amazonaws.com"
TOPIC, SCALING_POLICY = ":sns:", ":scalingPolicy:"
_log = logging.getLogger(__name__)


def perform(alarm: Any, before: State, action: str) -> None:
    """Perform an action of an alarm (one of moto's) that has come from a state. One that is not played is logged."""
    if TOPIC in action:
        _notify(alarm, before, action)
    elif SCALING_POLICY not in action:  # those are performed as long as the alarm is in ALARM: see scaling.py
        _log.warning("the local AWS does not perform %s of the alarm %s", action, alarm.name)


def _notify(alarm: Any, before: State, topic_arn: str) -> None:
    region = alarm.alarm_arn.split(":")[3]
    with passing("notification", alarm.name, f"{before} -> {alarm.state_value}") as passage, turn():
        passage.way = topic_arn
        topic = sns_backends[DEFAULT_ACCOUNT_ID][region].topics.get(topic_arn)
        if topic is None:
            passage.outcome = "there is no such topic"
            return
        if not _may_publish(alarm, topic, region):
            passage.outcome = "refused"
            return
        _publish(topic, f'{alarm.state_value}: "{alarm.name}"', json.dumps(_content(alarm, before, region)))
        passage.outcome = "published"


def _may_publish(alarm: Any, topic: Any, region: str) -> bool:
    """Whether the policies of the topic and of its key let CloudWatch publish for the alarm.

    https://docs.aws.amazon.com/AmazonCloudWatch/latest/monitoring/Notify_Users_Alarm_Changes.html
    """
    context = {"aws:SourceArn": alarm.alarm_arn, "aws:SecureTransport": "true"}
    service = Caller(principal=CLOUDWATCH)
    if not gate.may_act(service, "sns:Publish", topic.arn, context):
        return False
    key = topic.kms_master_key_id
    if not key or key.startswith("alias/aws/"):
        return True
    arn = kms_backends[DEFAULT_ACCOUNT_ID][region].describe_key(key).arn
    return all(gate.may_act(service, f"kms:{one}", arn, context) for one in ("GenerateDataKey", "Decrypt"))


def _publish(topic: Any, subject: str, message: str) -> None:
    """To each subscription; to those over HTTPS by a thread of its own, which waits for nobody."""
    subscriptions, _ = topic.sns_backend.list_subscriptions_by_topic(topic_arn=topic.arn)
    identifier = f"{len(topic.sent_notifications) + 1}"
    for one in subscriptions:
        arguments = {"subject": subject[:100], "message_id": identifier, "message": message}
        if one.protocol in ("http", "https"):
            threading.Thread(target=one.publish, kwargs=arguments, daemon=True).start()
        else:
            one.publish(**arguments)
    topic.sent_notifications.append((identifier, message, subject, None, None))


def _content(alarm: Any, before: State, region: str) -> dict[str, object]:
    """The members that CloudWatch's notifications have."""
    trigger = {"AlarmRule": alarm.rule} if alarm.rule else {"MetricName": alarm.metric_name, "Period": alarm.period}
    return {
        "AlarmName": alarm.name,
        "AlarmDescription": alarm.description,
        "AWSAccountId": DEFAULT_ACCOUNT_ID,
        "NewStateValue": str(alarm.state_value),
        "NewStateReason": alarm.state_reason,
        "StateChangeTime": datetime.now(UTC).isoformat(timespec="milliseconds"),
        "Region": region,
        "AlarmArn": alarm.alarm_arn,
        "OldStateValue": str(before),
        "Trigger": trigger,
    }
