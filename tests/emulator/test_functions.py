"""Lambda functions run for real: what they are given, what they answer, and what their log group has."""

from __future__ import annotations

import json
import os
import signal
import subprocess
from pathlib import Path
from typing import Any

import pytest
from botocore.exceptions import ClientError

from emulator import process
from emulator.process import Server
from emulator.record import read_calls
from tests.emulator.release_support import Make, eventually, make_function, zipped
from tests.emulator.support import client_for

pytestmark = pytest.mark.requirement("W8.2")

TELLING = """
import os
import boto3

print("imported")

def handle(event, context):
    print("called for", event)
    return {
        "event": event,
        "environment": dict(os.environ),
        "account": boto3.client("sts").get_caller_identity()["Account"],
        "region": boto3.session.Session().region_name,
        "function": context.function_name,
        "arn": context.invoked_function_arn,
        "memory": context.memory_limit_in_mb,
        "milliseconds": context.get_remaining_time_in_millis(),
    }
"""


def invoke(client: Make, name: str, event: Any = None, **parameters: Any) -> tuple[dict[str, Any], Any]:
    """Lambda's answer, and the function's."""
    answer = client("lambda").invoke(FunctionName=name, Payload=json.dumps(event), **parameters)
    payload = answer["Payload"].read()
    return answer, json.loads(payload) if payload else None


def log_of(client: Make, group: str) -> list[str]:
    """The lines of a log group."""
    if not client("logs").describe_log_groups(logGroupNamePrefix=group)["logGroups"]:
        return []
    return [event["message"] for event in client("logs").filter_log_events(logGroupName=group)["events"]]


def test_a_function_gets_its_event_its_variables_and_the_local_aws_and_nothing_of_this_machine(
    client: Make, monkeypatch: pytest.MonkeyPatch
) -> None:
    arn = make_function(
        client, "telling", TELLING, MemorySize=512, Timeout=20, Environment={"Variables": {"COLOUR": "green"}}
    )
    answer, told = invoke(client, "telling", {"a": [1, None]})
    assert (answer["StatusCode"], "FunctionError" in answer) == (200, False)
    assert told["event"] == {"a": [1, None]}
    assert (told["account"], told["region"]) == ("123456789012", "us-east-2")
    assert (told["function"], told["arn"], told["memory"]) == ("telling", arn, "512")
    assert 0 < told["milliseconds"] <= 20_000
    assert told["environment"]["COLOUR"] == "green"
    assert "HOME" in os.environ
    assert not {"HOME", "HTTP_PROXY", "http_proxy", "PYTHONPATH"} & told["environment"].keys()
    assert invoke(client, arn, "by ARN")[1]["event"] == "by ARN"


def test_function_output_is_in_its_configured_log_group(client: Make) -> None:
    make_function(client, "writing", TELLING)
    make_function(client, "writing-elsewhere", TELLING, LoggingConfig={"LogGroup": "/functions/shared"})
    invoke(client, "writing", "first")
    invoke(client, "writing-elsewhere", "second")
    for group, event in (("/aws/lambda/writing", "first"), ("/functions/shared", "second")):
        lines = log_of(client, group)
        assert [lines[0].split()[0], *lines[1:3], lines[-1].split()[0]] == [
            "START",
            "imported",
            f"called for {event}",
            "END",
        ]
    assert log_of(client, "/aws/lambda/writing-elsewhere") == []


def test_failed_function_returns_its_error(client: Make) -> None:
    make_function(client, "failing", "def handle(event, context):\n    raise KeyError('missing')")
    answer, told = invoke(client, "failing")
    assert answer["FunctionError"] == "Unhandled"
    assert (told["errorType"], told["errorMessage"]) == ("KeyError", "'missing'")
    assert any("KeyError" in line for line in log_of(client, "/aws/lambda/failing"))


@pytest.mark.parametrize(
    ("code", "error"),
    [
        ("import time\ndef handle(event, context):\n    time.sleep(60)", "Sandbox.Timedout"),
        ("import os\ndef handle(event, context):\n    os._exit(3)", "Runtime.ExitError"),
        ("def other(event, context): pass", "AttributeError"),
        ("def handle(event, context):\n    return object()", "TypeError"),
    ],
)
def test_function_timeout_is_reported(code: str, error: str, client: Make) -> None:
    name = error.replace(".", "-")
    make_function(client, name, code, Timeout=1)
    answer, told = invoke(client, name)
    assert (answer["FunctionError"], told["errorType"]) == ("Unhandled", error)


def test_event_invocation_returns_at_once_and_dry_run_executes_nothing(client: Make) -> None:
    make_function(client, "unwatched", TELLING)
    assert invoke(client, "unwatched", {"call": "dry"}, InvocationType="DryRun")[0]["StatusCode"] == 204
    answer, told = invoke(client, "unwatched", {"call": "event"}, InvocationType="Event")
    assert (answer["StatusCode"], told) == (202, None)
    called = eventually(lambda: [line for line in log_of(client, "/aws/lambda/unwatched") if "called" in line])
    assert called == ["called for {'call': 'event'}"]


def test_a_function_that_is_called_by_another_service_can_itself_call_aws(client: Make) -> None:
    arn = make_function(client, "subscribed", TELLING)
    topic = client("sns").create_topic(Name="subscribed")["TopicArn"]
    client("sns").subscribe(TopicArn=topic, Protocol="lambda", Endpoint=arn)
    client("sns").publish(TopicArn=topic, Message="to whom it may concern")
    lines = eventually(lambda: log_of(client, "/aws/lambda/subscribed"))
    assert any("to whom it may concern" in line for line in lines)
    assert lines[-1].startswith("END")


def test_only_python_is_run(own_aws: Server) -> None:
    client = client_for(own_aws)
    make_function(client, "node", "", Runtime="nodejs22.x")
    with pytest.raises(ClientError, match="node is no Python function"):
        invoke(client, "node")
    assert [call.status for call in read_calls(own_aws.directory) if call.operation == "Invoke"] == [501]


def test_functions_end_with_the_local_aws(tmp_path: Path) -> None:
    noted = tmp_path / "process-id"
    code = f"""
import os, pathlib, time

def handle(event, context):
    pathlib.Path({str(noted) + ".new"!r}).write_text(str(os.getpid()))
    os.rename({str(noted) + ".new"!r}, {str(noted)!r})
    time.sleep(600)
"""
    with process.running(tmp_path / "aws") as server:
        make_function(client_for(server), "sleeping", code, Timeout=600)
        invoke(client_for(server), "sleeping", InvocationType="Event")
        eventually(noted.exists)
        process_id = int(noted.read_text())
        assert _lives(process_id)
    eventually(lambda: not _lives(process_id))


def _lives(process_id: int) -> bool:
    state = subprocess.run(["ps", "-o", "stat=", "-p", str(process_id)], capture_output=True, text=True, check=False)
    # One that has ended may still be listed, where nobody has taken note of its end.
    return state.stdout.strip()[:1] not in ("", "Z")


COUNTING = """
import os

print("imported")
called = 0

def handle(event, context):
    global called
    called += 1
    if event == "end":
        os._exit(1)
    return [called, os.getpid()]
"""


def test_function_keeps_what_it_has_until_it_is_changed_or_ends(client: Make) -> None:
    make_function(client, "counting", COUNTING)
    (first, process_id), (second, same) = invoke(client, "counting")[1], invoke(client, "counting")[1]
    assert (first, second, same) == (1, 2, process_id)
    (stream,) = client("logs").describe_log_streams(logGroupName="/aws/lambda/counting")["logStreams"]
    lines = [
        event["message"] for event in client("logs").filter_log_events(logGroupName="/aws/lambda/counting")["events"]
    ]
    assert [line.split()[0] for line in lines] == ["START", "imported", "END", "START", "END"]
    client("lambda").update_function_configuration(
        FunctionName="counting", Environment={"Variables": {"COLOUR": "blue"}}
    )
    assert invoke(client, "counting")[1][0] == 1
    assert invoke(client, "counting", "end")[1]["errorType"] == "Runtime.ExitError"
    assert invoke(client, "counting")[1][0] == 1
    streams = client("logs").describe_log_streams(logGroupName="/aws/lambda/counting")["logStreams"]
    assert stream["logStreamName"] in {one["logStreamName"] for one in streams}
    assert len(streams) == 3


def test_waiting_function_ends_with_the_local_aws_that_is_killed(tmp_path: Path) -> None:
    with process.running(tmp_path / "aws") as server:
        make_function(client_for(server), "counting", COUNTING)
        process_id = invoke(client_for(server), "counting")[1][1]
        assert _lives(process_id)
        os.kill(server.pid, signal.SIGKILL)
        eventually(lambda: not _lives(process_id))


def test_an_unknown_function_is_lambdas_own_error(client: Make) -> None:
    with pytest.raises(client("lambda").exceptions.ResourceNotFoundException):
        invoke(client, "nobody")


ARN = "arn:aws:{}:us-east-2:123456789012:{}"
CHANGES: list[tuple[str, Any, Any]] = [
    ("DeadLetterConfig", {"TargetArn": ARN.format("sqs", "a")}, {"TargetArn": ARN.format("sns", "b")}),
    (
        "LoggingConfig",
        {"LogFormat": "JSON", "ApplicationLogLevel": "WARN", "LogGroup": "a"},
        {"LogFormat": "Text", "LogGroup": "b"},
    ),
    ("TracingConfig", {"Mode": "Active"}, {"Mode": "PassThrough"}),
    ("KMSKeyArn", ARN.format("kms", "key/a"), ARN.format("kms", "key/b")),
    ("EphemeralStorage", {"Size": 1024}, {"Size": 2048}),
]


@pytest.mark.parametrize(("member", "first", "second"), CHANGES)
def test_a_configuration_is_kept_and_changed(member: str, first: Any, second: Any, client: Make) -> None:
    lambda_ = client("lambda")
    name = f"kept-{member}"
    make_function(client, name, TELLING, **{member: first})
    assert lambda_.get_function_configuration(FunctionName=name)[member] == first
    lambda_.update_function_configuration(FunctionName=name, Description="another")
    assert lambda_.get_function_configuration(FunctionName=name)[member] == first
    lambda_.update_function_configuration(FunctionName=name, **{member: second})
    assert lambda_.get_function(FunctionName=name)["Configuration"][member] == second


def test_a_published_version_keeps_its_configuration(client: Make) -> None:
    lambda_ = client("lambda")
    make_function(client, "versioned", TELLING, TracingConfig={"Mode": "Active"})
    lambda_.publish_version(FunctionName="versioned")
    lambda_.update_function_configuration(FunctionName="versioned", TracingConfig={"Mode": "PassThrough"})
    version = lambda_.get_function_configuration(FunctionName="versioned", Qualifier="1")
    assert version["TracingConfig"] == {"Mode": "Active"}


def test_the_log_group_is_the_functions_own_where_none_is_named(client: Make) -> None:
    make_function(client, "unnamed", TELLING, LoggingConfig={"LogGroup": "/somewhere", "LogFormat": "Text"})
    lambda_ = client("lambda")
    changed = lambda_.update_function_configuration(FunctionName="unnamed", LoggingConfig={"LogFormat": "JSON"})
    assert changed["LoggingConfig"] == {"LogFormat": "JSON", "LogGroup": "/aws/lambda/unnamed"}
    invoke(client, "unnamed")
    assert log_of(client, "/aws/lambda/unnamed")
    assert log_of(client, "/somewhere") == []


def test_architectures_change_with_the_code(client: Make) -> None:
    lambda_ = client("lambda")
    make_function(client, "architectures", TELLING, Architectures=["arm64"])
    assert lambda_.get_function_configuration(FunctionName="architectures")["Architectures"] == ["arm64"]
    lambda_.update_function_code(FunctionName="architectures", ZipFile=zipped(TELLING), Architectures=["x86_64"])
    assert lambda_.get_function_configuration(FunctionName="architectures")["Architectures"] == ["x86_64"]


def test_account_has_the_concurrency_that_no_function_has_reserved(client: Make) -> None:
    functions = client("lambda")

    def left() -> tuple[int, int]:
        limit = functions.get_account_settings()["AccountLimit"]
        return limit["ConcurrentExecutions"], limit["UnreservedConcurrentExecutions"]

    all_of_it, before = left()
    make_function(client, "reserving", "")
    functions.put_function_concurrency(FunctionName="reserving", ReservedConcurrentExecutions=7)
    assert left() == (all_of_it, before - 7)
    assert functions.get_account_settings()["AccountUsage"]["FunctionCount"] > 0
    with pytest.raises(ClientError, match="below its minimum value of"):
        functions.put_function_concurrency(FunctionName="reserving", ReservedConcurrentExecutions=before - 99)
    functions.delete_function(FunctionName="reserving")
    assert left() == (all_of_it, before)
