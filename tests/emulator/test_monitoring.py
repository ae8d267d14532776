"""Alarms that ring in the local AWS: what runs is measured, and what the alarms say happens (W8.5)."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import httpx
import pytest

from emulator import running
from emulator.process import Server, control
from emulator.record import read_passages, read_refusals
from emulator.runtime import stand_in
from tests.emulator.release_support import SECONDS_TO_HAPPEN, Make, canary, eventually, make_platform
from tests.emulator.support import client_for
from tests.warm_aws import LocalAws

pytestmark = pytest.mark.requirement("W8.5")

SECONDS_PER_MINUTE = 0.4
ACCOUNT = "123456789012"
THRESHOLD = {"ComparisonOperator": "GreaterThanThreshold", "EvaluationPeriods": 1, "Threshold": 0}


@pytest.fixture(scope="module")
def server(empty_aws: LocalAws, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    with empty_aws(tmp_path_factory.mktemp("monitoring"), seconds_per_minute=SECONDS_PER_MINUTE) as made:
        running.ring_alarms(made)
        yield made


@pytest.fixture
def client(server: Server) -> Make:
    return client_for(server)


class Topic:
    """A topic with a queue that takes its notifications."""

    def __init__(self, client: Make, name: str, *, publishes: bool = True) -> None:
        self._sqs = client("sqs")
        self.arn = client("sns").create_topic(Name=name)["TopicArn"]
        effect = "Allow" if publishes else "Deny"
        statement = {"Effect": effect, "Principal": {"Service": "cloudwatch.amazonaws.com"}, "Action": "sns:Publish"}
        statement |= {"Resource": self.arn, "Condition": {"StringEquals": {"aws:SourceAccount": ACCOUNT}}}
        policy = json.dumps({"Version": "2012-10-17", "Statement": [statement]})
        client("sns").set_topic_attributes(TopicArn=self.arn, AttributeName="Policy", AttributeValue=policy)
        self._url = self._sqs.create_queue(QueueName=f"{name}-inbox")["QueueUrl"]
        inbox = f"arn:aws:sqs:us-east-2:{ACCOUNT}:{name}-inbox"
        client("sns").subscribe(TopicArn=self.arn, Protocol="sqs", Endpoint=inbox)

    def received(self) -> list[tuple[str, str, str]]:
        """Name, old and new state of each notification since the last look."""
        messages = self._sqs.receive_message(QueueUrl=self._url, MaxNumberOfMessages=10).get("Messages", [])
        for one in messages:
            self._sqs.delete_message(QueueUrl=self._url, ReceiptHandle=one["ReceiptHandle"])
        contents = [json.loads(json.loads(one["Body"])["Message"]) for one in messages]
        return [(one["AlarmName"], one["OldStateValue"], one["NewStateValue"]) for one in contents]


def state_of(client: Make, name: str) -> str:
    found = client("cloudwatch").describe_alarms(AlarmNames=[name], AlarmTypes=["MetricAlarm", "CompositeAlarm"])
    alarms: list[dict[str, Any]] = found["MetricAlarms"] + found["CompositeAlarms"]
    assert len(alarms) == 1
    return str(alarms[0]["StateValue"])


def until(client: Make, name: str, state: str) -> None:
    eventually(lambda: state_of(client, name) == state)


def put_alarm(client: Make, name: str, metric: dict[str, Any], **parameters: Any) -> None:
    client("cloudwatch").put_metric_alarm(
        AlarmName=name, **{"Period": 60, "Statistic": "Sum", **THRESHOLD, **metric, **parameters}
    )


def of_queue(name: str) -> dict[str, Any]:
    dimensions = [{"Name": "QueueName", "Value": name}]
    metric = {"Namespace": "AWS/SQS", "MetricName": "ApproximateNumberOfMessagesVisible", "Dimensions": dimensions}
    return metric | {"Statistic": "Maximum"}


def test_a_message_in_a_queue_rings_an_alarm_that_notifies_and_pages(client: Make) -> None:
    topic, pages = Topic(client, "alarms"), Topic(client, "pages")
    queue = client("sqs").create_queue(QueueName="dead-letters")["QueueUrl"]
    put_alarm(client, "letters", of_queue("dead-letters"), AlarmActions=[topic.arn], OKActions=[topic.arn])
    assert state_of(client, "letters") == "INSUFFICIENT_DATA"
    client("cloudwatch").put_composite_alarm(AlarmName="page", AlarmRule="ALARM(letters)", AlarmActions=[pages.arn])
    until(client, "letters", "OK")
    eventually(lambda: topic.received() == [("letters", "INSUFFICIENT_DATA", "OK")])
    client("sqs").send_message(QueueUrl=queue, MessageBody="lost")
    until(client, "page", "ALARM")
    eventually(lambda: topic.received() == [("letters", "OK", "ALARM")])
    eventually(lambda: pages.received() == [("page", "OK", "ALARM")])
    client("sqs").purge_queue(QueueUrl=queue)
    until(client, "page", "OK")
    assert pages.received() == [], "it has no action of OK"


def test_a_topic_whose_policy_does_not_let_cloudwatch_publish_is_not_notified(client: Make, server: Server) -> None:
    topic = Topic(client, "closed", publishes=False)
    client("sqs").create_queue(QueueName="quiet")
    put_alarm(client, "closed", of_queue("quiet"), OKActions=[topic.arn])
    until(client, "closed", "OK")
    eventually(lambda: [one for one in read_refusals(server.directory) if one.resource == topic.arn])
    assert topic.received() == []


def test_a_state_that_is_set_by_hand_notifies_and_returns_with_the_next_evaluation(client: Make) -> None:
    topic = Topic(client, "drill")
    client("sqs").create_queue(QueueName="empty")
    put_alarm(client, "drill", of_queue("empty"), AlarmActions=[topic.arn])
    until(client, "drill", "OK")
    client("cloudwatch").set_alarm_state(AlarmName="drill", StateValue="ALARM", StateReason="a drill")
    until(client, "drill", "OK")
    eventually(lambda: topic.received() == [("drill", "OK", "ALARM")])


def test_actions_that_are_disabled_do_not_happen(client: Make) -> None:
    topic = Topic(client, "disabled")
    put_alarm(client, "disabled", of_queue("nowhere"), AlarmActions=[topic.arn], ActionsEnabled=False)
    client("cloudwatch").set_alarm_state(AlarmName="disabled", StateValue="ALARM", StateReason="a test")
    assert topic.received() == []


def test_metrics_of_log_lines_of_filters_and_of_clients_ring(client: Make) -> None:
    logs = client("logs")
    logs.create_log_group(logGroupName="service")
    logs.create_log_stream(logGroupName="service", logStreamName="one")
    transformation = {"metricNamespace": "Counted", "metricName": "roots", "metricValue": "1"}
    logs.put_metric_filter(
        logGroupName="service", filterName="roots", filterPattern='{ $.by.type = "Root" }',
        metricTransformations=[transformation],
    )  # fmt: skip
    directive = {"Namespace": "Payments", "Dimensions": [["Environment"]], "Metrics": [{"Name": "Failed"}]}
    line = {"_aws": {"CloudWatchMetrics": [directive]}, "Environment": "local", "Failed": 3, "by": {"type": "Root"}}
    dimensions = [{"Name": "Environment", "Value": "local"}]
    metrics: dict[str, dict[str, Any]] = {
        "written": {"Namespace": "Payments", "MetricName": "Failed", "Dimensions": dimensions},
        "filtered": {"Namespace": "Counted", "MetricName": "roots"},
        "sent": {"Namespace": "Own", "MetricName": "m"},
    }
    for name, metric in metrics.items():
        put_alarm(client, name, metric, Period=3600)
    event = {"timestamp": int(time.time() * 1000), "message": json.dumps(line)}
    logs.put_log_events(logGroupName="service", logStreamName="one", logEvents=[event])
    client("cloudwatch").put_metric_data(Namespace="Own", MetricData=[{"MetricName": "m", "Values": [1, 2]}])
    for name in ("written", "filtered", "sent"):
        until(client, name, "ALARM")
    (found,) = client("cloudwatch").list_metrics(Namespace="Payments")["Metrics"]
    assert (found["MetricName"], found["Dimensions"]) == ("Failed", dimensions)


def requests(server: Server, name: str, goes_on: Callable[[], bool]) -> list[int]:
    """The statuses of requests to a load balancer from several clients, as long as ``goes_on`` holds."""
    deadline = time.monotonic() + SECONDS_TO_HAPPEN
    (url,) = [one["url"] for one in running.listeners(server) if one["load_balancer"] == name and one["port"] == "80"]

    def ask(_number: int) -> list[int]:
        statuses = []
        with httpx.Client(trust_env=False) as http:
            while goes_on() and time.monotonic() < deadline:
                statuses.append(http.get(f"{url}/1/payments").status_code)
        return statuses

    with ThreadPoolExecutor(4) as threads:
        return [status for found in threads.map(ask, range(4)) for status in found]


def test_a_canary_that_answers_500_is_rolled_back_by_the_alarm_on_its_answers(client: Make, server: Server) -> None:
    platform = make_platform(client, "failing", traffic=canary(50))
    admit(client, "failing")
    group, balancer = platform.green.rpartition(":")[2], balancer_of(client, "failing")
    dimensions = [{"Name": "LoadBalancer", "Value": balancer}, {"Name": "TargetGroup", "Value": group}]
    metric = {"Namespace": "AWS/ApplicationELB", "MetricName": "HTTPCode_Target_5XX_Count", "Dimensions": dimensions}
    parameters = {"EvaluationPeriods": 2, "TreatMissingData": "notBreaching"}
    put_alarm(client, "failing-watched", metric, **parameters)
    until(client, "failing-watched", "OK")
    # As the image of both versions is the same, the answers fail once the canary has its share.
    with stand_in.serving(server, "registry.example.com/web@sha256:0", 200) as tasks:
        deployment = platform.release(platform.register_task_definition())
        eventually(lambda: platform.traffic(deployment)["Green"] == 50)
        assert state_of(client, "failing-watched") == "OK"
        tasks.status = 500
        statuses = requests(server, "failing", lambda: platform.info(deployment)["status"] not in ("Stopped", "Failed"))
    info = platform.ended(deployment)
    assert info["status"] == "Stopped"
    assert info["errorInformation"]["code"] == "ALARM_ACTIVE"
    assert "<failing-watched>" in info["errorInformation"]["message"]
    assert set(statuses) == {500}, "the tasks have answered, and nobody else"
    eventually(lambda: platform.weights(platform.rules[0])[platform.blue] == 100)


def admit(client: Make, group: str) -> None:
    """Let tasks of a security group be reached from anywhere in the network."""
    ec2 = client("ec2")
    (found,) = ec2.describe_security_groups(Filters=[{"Name": "group-name", "Values": [group]}])["SecurityGroups"]
    admitted = {"IpProtocol": "tcp", "FromPort": 8443, "ToPort": 8443, "IpRanges": [{"CidrIp": "10.0.0.0/16"}]}
    ec2.authorize_security_group_ingress(GroupId=found["GroupId"], IpPermissions=[admitted])


def balancer_of(client: Make, name: str) -> str:
    (found,) = client("elbv2").describe_load_balancers(Names=[name])["LoadBalancers"]
    return str(found["LoadBalancerArn"]).partition(":loadbalancer/")[2]


def test_a_service_is_scaled_to_the_messages_that_wait(client: Make, server: Server) -> None:
    ecs, scaling = client("ecs"), client("application-autoscaling")
    ecs.create_cluster(clusterName="scaled", settings=[{"name": "containerInsights", "value": "enabled"}])
    container = {"name": "worker", "image": "registry.example.com/worker@sha256:0", "memory": 512}
    definition = ecs.register_task_definition(family="worker", containerDefinitions=[container])
    arn = definition["taskDefinition"]["taskDefinitionArn"]
    ecs.create_service(cluster="scaled", serviceName="worker", desiredCount=2, taskDefinition=arn)
    target = {
        "ServiceNamespace": "ecs",
        "ResourceId": "service/scaled/worker",
        "ScalableDimension": "ecs:service:DesiredCount",
    }
    scaling.register_scalable_target(**target, MinCapacity=1, MaxCapacity=5)
    queue = client("sqs").create_queue(QueueName="work")["QueueUrl"]
    service = [{"Name": "ClusterName", "Value": "scaled"}, {"Name": "ServiceName", "Value": "worker"}]
    waiting: dict[str, Any] = {"Namespace": "AWS/SQS", "MetricName": "ApproximateNumberOfMessagesVisible"}
    waiting |= {"Dimensions": [{"Name": "QueueName", "Value": "work"}]}
    tasks = {"Namespace": "ECS/ContainerInsights", "MetricName": "RunningTaskCount", "Dimensions": service}
    metrics = [
        {"Id": "waiting", "MetricStat": {"Metric": waiting, "Stat": "Sum"}, "ReturnData": False},
        {"Id": "running", "MetricStat": {"Metric": tasks, "Stat": "Average"}, "ReturnData": False},
        {"Id": "result", "Expression": "(waiting / running) / (waiting >= 0)", "ReturnData": True},
    ]
    configuration = {"CustomizedMetricSpecification": {"Metrics": metrics}, "TargetValue": 2.0}
    configuration |= {"ScaleOutCooldown": 300, "ScaleInCooldown": 60}
    scaling.put_scaling_policy(
        **target, PolicyName="waiting", PolicyType="TargetTrackingScaling",
        TargetTrackingScalingPolicyConfiguration=configuration,
    )  # fmt: skip

    def desired() -> int:
        (found,) = ecs.describe_services(cluster="scaled", services=["worker"])["services"]
        return int(found["desiredCount"])

    for number in range(8):
        client("sqs").send_message(QueueUrl=queue, MessageBody=str(number))
    eventually(lambda: desired() == 4)  # eight messages, two for each task
    client("sqs").purge_queue(QueueUrl=queue)
    eventually(lambda: desired() == 1)  # no message, and one task at least
    scaled = [one.what for one in read_passages(server.directory) if one.kind == "scaling"]
    assert scaled == ["2 -> 4 tasks", "4 -> 1 tasks"]


def test_an_evaluation_says_what_it_costs(server: Server) -> None:
    said = control(server, "alarms", {})
    assert int(str(said["looks"])) > 0
    assert float(str(said["processor_seconds"])) > 0
