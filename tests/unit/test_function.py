"""What a function of the platform gets: no more than what is stated for it (Q2)."""

from __future__ import annotations

import json
from typing import Any

import pytest
from cdktf import TerraformStack, Testing
from cdktf_cdktf_provider_aws.kms_key import KmsKey
from cdktf_cdktf_provider_aws.provider import AwsProvider
from cdktf_cdktf_provider_aws.sqs_queue import SqsQueue

from modules.function import Function, FunctionSpecification
from modules.monitoring.alarm_topic import AlarmTopic
from modules.monitoring.alarms import Incident
from modules.network.security_groups import Group
from modules.network.vpc import Network
from modules.policy_documents import Statement
from modules.region import Region
from settings import Settings

pytestmark = pytest.mark.requirement("Q2")


class Place:
    """A stack with a region, in which a function is made from the code of the smoke test."""

    def __init__(self, settings: Settings) -> None:
        self.stack = TerraformStack(Testing.app(), "stack")
        provider = AwsProvider(self.stack, "aws", region="us-east-2")
        self.region = Region(self.stack, "here", name="us-east-2", provider=provider)
        self.key = KmsKey(self.region, "key")
        self._settings = settings

    def network(self) -> tuple[Network, Group]:
        settings, names = self._settings, self._settings.names
        gateways = settings.network.nat_gateways
        network = Network(self.region, "network", names=names, settings=settings.primary, nat_gateways=gateways)
        group = Group(
            self.region,
            "clients",
            names=names,
            purpose="clients",
            network=network,
            tier=network.private,
            description="Clients",
        )
        return network, group

    def function(self, specification: dict[str, Any] | None = None, **more: Any) -> Function:
        made = FunctionSpecification(
            purpose="smoke-test",
            title="test of functions",
            description="Tests",
            timeout_seconds=30,
            **(specification or {}),
        )
        names = self._settings.names
        return Function(self.region, "function", names=names, specification=made, key=self.key, **more)

    def synthesized(self, type_: str) -> dict[str, Any]:
        """The only resource of a type."""
        (found,) = json.loads(Testing.synth(self.stack))["resource"][type_].values()
        return dict(found)

    def types(self) -> set[str]:
        return set(json.loads(Testing.synth(self.stack))["resource"])

    def statements(self) -> dict[str, Any]:
        documents = json.loads(Testing.synth(self.stack))["data"]["aws_iam_policy_document"]
        (found,) = (block for id_, block in documents.items() if "permissions" in id_)
        return {statement["sid"]: statement for statement in found["statement"]}


@pytest.fixture
def place(local_settings: Settings) -> Place:
    return Place(local_settings)


def test_may_write_its_log_and_nothing_else(place: Place, local_settings: Settings) -> None:
    place.function()
    function = place.synthesized("aws_lambda_function")

    assert set(place.statements()) == {"WriteOwnLogs"}
    assert place.synthesized("aws_cloudwatch_log_group")["retention_in_days"] == 30
    assert function["function_name"] == local_settings.names.of("smoke-test")
    assert (function["timeout"], function["memory_size"]) == (30, 256)
    assert function["tracing_config"] == {"mode": "PassThrough"}
    assert not {"vpc_config", "reserved_concurrent_executions"} & function.keys()
    assert not {"aws_security_group", "aws_lambda_function_event_invoke_config"} & place.types()


def test_function_outside_the_vpc_has_no_security_group(place: Place) -> None:
    with pytest.raises(LookupError, match="function stands in no network"):
        _ = place.function().group


def test_function_in_the_vpc_has_its_own_and_the_given_security_groups(place: Place) -> None:
    network, clients = place.network()
    place.function(network=network, groups=[clients])

    assert len(place.synthesized("aws_lambda_function")["vpc_config"]["subnet_ids"]) == len(network.private.subnets)
    own, other = place.synthesized("aws_lambda_function")["vpc_config"]["security_group_ids"]
    assert own.startswith("${aws_security_group.here_function_group")
    assert other.startswith("${aws_security_group.here_clients")
    assert set(place.statements()) == {
        "WriteOwnLogs",
        "StandInTheNetwork",
        "LookAtNetworkInterfaces",
        "ManagedByLambdaOnly",
    }


def test_role_has_the_given_statements(place: Place) -> None:
    place.function(statements=[Statement(sid="Read", actions=["s3:GetObject"], resources=["arn:aws:s3:::bucket/*"])])
    assert set(place.statements()) == {"Read", "WriteOwnLogs"}


def test_specification_reaches_the_function(place: Place) -> None:
    place.function({"memory_mib": 512, "reserved_concurrency": 1, "traced": True, "variables": {"NAME": "value"}})
    function = place.synthesized("aws_lambda_function")

    assert (function["memory_size"], function["reserved_concurrent_executions"]) == (512, 1)
    assert function["environment"] == {"variables": {"NAME": "value"}}
    assert function["tracing_config"] == {"mode": "Active"}
    assert set(place.statements()["WriteTraces"]["actions"]) == {"xray:PutTelemetryRecords", "xray:PutTraceSegments"}


def test_events_that_failed_for_the_last_time_are_kept(place: Place) -> None:
    queue = SqsQueue(place.region, "queue", name="failed")
    place.function({"attempts": 2, "oldest_event_seconds": 600}, failed_events=queue)
    calls = place.synthesized("aws_lambda_function_event_invoke_config")

    assert (calls["maximum_retry_attempts"], calls["maximum_event_age_in_seconds"]) == (1, 600)
    assert calls["destination_config"] == {"on_failure": {"destination": "${aws_sqs_queue.here_queue_CB9761FB.arn}"}}
    assert place.statements()["KeepFailedEvents"]["resources"] == ["${aws_sqs_queue.here_queue_CB9761FB.arn}"]


def test_functions_of_one_folder_share_one_zip(place: Place, local_settings: Settings) -> None:
    """Of the larger ones it would be tens of megabytes more in each region, and seconds of synthesis."""
    place.function()
    provider = AwsProvider(place.stack, "aws-there", region="us-west-2", alias="there")
    place.region = Region(place.stack, "there", name="us-west-2", provider=provider)
    place.function()
    functions = json.loads(Testing.synth(place.stack))["resource"]["aws_lambda_function"].values()
    assert len(functions) == 2
    assert len({(one["filename"], one["source_code_hash"]) for one in functions}) == 1


@pytest.mark.requirement("W5.2")
def test_errors_and_throttles_alarm_if_a_topic_is_given(place: Place, local_settings: Settings) -> None:
    observability = local_settings.observability
    names = local_settings.names
    topic = AlarmTopic(place.region, "alarms", names=names, key=place.key, settings=observability, email_addresses=())
    place.function({"failing_calls": 3, "failing_minutes": 20}, topic=topic, incident=Incident.PAYMENTS_NOT_PROCESSED)
    alarm = place.synthesized("aws_cloudwatch_metric_alarm")
    metrics = {query["id"]: query["metric"] for query in alarm["metric_query"] if "metric" in query}
    assert {one["metric_name"] for one in metrics.values()} == {"Errors", "Throttles"}
    assert {one["dimensions"]["FunctionName"] for one in metrics.values()} == {names.of("smoke-test")}
    assert {one["period"] for one in metrics.values()} == {1200}
    assert (alarm["threshold"], alarm["evaluation_periods"]) == (2, 1)
    assert [one.name for one, _ in topic.alarms] == ["smoke-test-failing"]
    assert list(topic.symptoms_of(Incident.PAYMENTS_NOT_PROCESSED)) == [names.alarm("smoke-test-failing")]


def test_without_a_topic_there_is_no_alarm(place: Place) -> None:
    place.function()
    assert "aws_cloudwatch_metric_alarm" not in place.types()
