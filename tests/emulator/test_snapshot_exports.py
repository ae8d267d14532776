"""The export of snapshots (W3.2): the workflow's real definition, run by an interpreter against the local AWS."""

from __future__ import annotations

import itertools
import json
import subprocess
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from emulator import process
from emulator.record import read_calls, read_violations
from modules.backup.snapshot_export_workflow import ExportNames, definition
from tests.emulator.roles import make_role
from tests.emulator.support import Client, client_for
from tests.warm_aws import LocalAws

pytestmark = pytest.mark.requirement("W3.2")

REPOSITORY = Path(__file__).parents[2]
SECONDS_PER_MINUTE = 0.02
TOPIC = "alarms"
HOUR_SECONDS = 3600
ROLES = "arn:aws:iam::123456789012:role"
FAILING = ("DescribeDBClusterSnapshots", "StartExportTask", "DescribeExportTasks", "PutObject")
SECONDS_TO_WAIT = 30.0


@dataclass(frozen=True)
class Exports:
    """A cluster, the workflow that exports its snapshots, and what it needs, in a local AWS."""

    server: process.Server
    client: Callable[..., Client]
    number: int
    key_arn: str
    letters: str
    machine: str

    @property
    def cluster(self) -> str:
        """The cluster's name; that of the bucket, of the export's role and of the rule, too."""
        return f"payments-database-test{self.number}"

    @property
    def prefix(self) -> str:
        """The folder of the cluster's exports."""
        return f"exports/{self.cluster}"

    def change(self, *, timeout_seconds: int = 24 * HOUR_SECONDS, cluster: str | None = None) -> None:
        """Give the workflow another definition."""
        text = the_definition(self.cluster, timeout_seconds=timeout_seconds, cluster=cluster)
        self.client("stepfunctions").update_state_machine(stateMachineArn=self.machine, definition=text)

    def exports_begun(self) -> list[str]:
        """The names of the cluster's exports."""
        tasks = self.client("rds").describe_export_tasks()["ExportTasks"]
        return [task["ExportTaskIdentifier"] for task in tasks if task["S3Bucket"] == self.cluster]

    def input_of(self, execution: dict[str, Any]) -> str:
        """The event that an execution got."""
        found = self.client("stepfunctions").describe_execution(executionArn=execution["executionArn"])
        return str(found["input"])

    def take_snapshot(self) -> str:
        """RDS takes a snapshot and tells of it; the name of its export."""
        return process.take_snapshot(self.server, "us-east-2", self.cluster).removeprefix("rds:")

    def executions(self, number: int) -> list[dict[str, Any]]:
        """All executions, once there are ``number`` and each has ended; the oldest first."""
        found: list[dict[str, Any]] = []

        def ended() -> bool:
            states = self.client("stepfunctions")
            found[:] = states.list_executions(stateMachineArn=self.machine)["executions"]
            return len(found) == number and all(one["status"] != "RUNNING" for one in found)

        until(ended)
        return sorted(found, key=lambda one: str(one["startDate"]))

    def statuses(self, number: int) -> list[str]:
        """How ``number`` executions have ended."""
        return [str(one["status"]) for one in self.executions(number)]

    def visited(self, execution: dict[str, Any]) -> list[str]:
        """The states that an execution entered."""
        pages = self.client("stepfunctions").get_execution_history(executionArn=execution["executionArn"])
        entered = [event.get("stateEnteredEventDetails") for event in pages["events"]]
        return [details["name"] for details in entered if details]

    def export(self, name: str) -> dict[str, Any]:
        """What RDS says of an export."""
        tasks = self.client("rds").describe_export_tasks(ExportTaskIdentifier=name)["ExportTasks"]
        return dict(tasks[0])

    def objects(self) -> list[str]:
        """The keys of what is in the bucket."""
        found = self.client("s3").list_objects_v2(Bucket=self.cluster)
        return [one["Key"] for one in found.get("Contents", [])]

    def messages(self) -> list[str]:
        """What was published of the cluster's snapshots."""
        received = self.client("sqs").receive_message(QueueUrl=self.letters, MaxNumberOfMessages=10)
        texts = [str(json.loads(one["Body"])["Message"]) for one in received.get("Messages", [])]
        return [text for text in texts if f"cluster-snapshot:rds:{self.cluster}-" in text]


def until(so: Callable[[], bool]) -> None:
    deadline = time.monotonic() + SECONDS_TO_WAIT
    while not so():
        assert time.monotonic() < deadline, "it did not happen"
        time.sleep(0.02)


def the_definition(
    name: str = "payments-database-test", *, timeout_seconds: int = 24 * HOUR_SECONDS, cluster: str | None = None
) -> str:
    """The workflow's definition, with the names that ``build`` gives."""
    names = ExportNames(
        cluster=cluster or name,
        bucket=name,
        prefix=f"exports/{name}",
        role_arn=f"arn:aws:iam::123456789012:role/{name}",
        key_alias="alias/objects",
        topic_arn=f"arn:aws:sns:us-east-2:123456789012:{TOPIC}",
    )
    return definition(names, timeout_seconds=timeout_seconds)


@pytest.fixture(scope="module")
def server(empty_aws: LocalAws, tmp_path_factory: pytest.TempPathFactory) -> Iterator[process.Server]:
    """A local AWS with a fast clock, and what all tests here share: a key, a topic and who reads it."""
    with empty_aws(tmp_path_factory.mktemp("aws")) as running:
        client = client_for(running)
        key = client("kms").create_key()["KeyMetadata"]["Arn"]
        client("kms").create_alias(AliasName="alias/objects", TargetKeyId=key)
        make_role(client, "states.amazonaws.com", "machine")
        topic = client("sns").create_topic(Name=TOPIC)["TopicArn"]
        client("sqs").create_queue(QueueName="letters")
        client("sns").subscribe(TopicArn=topic, Protocol="sqs", Endpoint="arn:aws:sqs:us-east-2:123456789012:letters")
        yield running


NUMBERS = itertools.count()


@pytest.fixture
def exports(server: process.Server) -> Iterator[Exports]:
    process.set_clock(server, SECONDS_PER_MINUTE)
    for operation in FAILING:
        process.let_fail(server, operation, "", times=0)
    built = build(server, next(NUMBERS))
    yield built
    assert read_violations(server.directory) == []
    built.client("events").remove_targets(Rule=built.cluster, Ids=["1"])
    built.client("events").delete_rule(Name=built.cluster)


def build(server: process.Server, number: int) -> Exports:
    """A cluster of its own, with a bucket, an export's role, a workflow and a rule, all of its name."""
    client = client_for(server)
    letters = client("sqs").get_queue_url(QueueName="letters")["QueueUrl"]
    key_arn = client("kms").describe_key(KeyId="alias/objects")["KeyMetadata"]["Arn"]
    name = f"payments-database-test{number}"
    make_role(client, "export.rds.amazonaws.com", name)
    client("s3").create_bucket(Bucket=name, CreateBucketConfiguration={"LocationConstraint": "us-east-2"})
    client("rds").create_db_cluster(
        DBClusterIdentifier=name, Engine="aurora-postgresql", MasterUsername="master", MasterUserPassword="password"
    )
    machine = client("stepfunctions").create_state_machine(
        name=name, definition=the_definition(name), roleArn="arn:aws:iam::123456789012:role/machine"
    )["stateMachineArn"]
    pattern = {"source": ["aws.rds"], "detail": {"SourceIdentifier": [{"prefix": f"rds:{name}-"}]}}
    client("events").put_rule(Name=name, EventPattern=json.dumps(pattern))
    client("events").put_targets(Rule=name, Targets=[{"Id": "1", "Arn": machine, "RoleArn": f"{ROLES}/machine"}])
    return Exports(server, client, number, key_arn, letters, machine)


def test_a_snapshot_is_exported_followed_to_its_end_and_recorded(exports: Exports) -> None:
    process.set_clock(exports.server, 0.1)
    name = exports.take_snapshot()
    (execution,) = exports.executions(1)
    assert execution["status"] == "SUCCEEDED", exports.messages()
    visited = exports.visited(execution)
    assert visited[:6] == [
        "NameTheExport", "FindTheSnapshot", "IsItOurs", "FindTheKey", "StartTheExport", "Wait",
    ]  # fmt: skip
    assert visited.count("Wait") > 1, "the export takes longer than one wait"
    assert visited[-1] == "KeepTheRecord"
    export = exports.export(name)
    assert export["Status"] == "COMPLETE"
    assert export["KmsKeyId"] == exports.key_arn
    assert (export["S3Bucket"], export["S3Prefix"]) == (exports.cluster, exports.prefix)
    assert export["IamRoleArn"] == f"{ROLES}/{exports.cluster}"
    assert exports.objects() == [f"{exports.prefix}/{name}.json", f"{exports.prefix}/{name}/export_info_{name}.json"]
    kept = exports.client("s3").get_object(Bucket=exports.cluster, Key=f"{exports.prefix}/{name}.json")
    record = json.loads(kept["Body"].read())
    assert record["Execution"] == execution["executionArn"]
    assert record["Event"]["detail"]["SourceArn"] == export["SourceArn"] == record["Export"]["SourceArn"]
    assert record["Export"]["Status"] == "COMPLETE"
    assert record["Export"]["KmsKeyId"] == exports.key_arn
    assert exports.messages() == []


def test_name_of_an_export_is_valid_for_rds(exports: Exports) -> None:
    """https://docs.aws.amazon.com/AmazonRDS/latest/AuroraUserGuide/aurora-export-snapshot.Exporting.html."""
    name = exports.take_snapshot()
    assert exports.statuses(1) == ["SUCCEEDED"]
    assert name.startswith(f"{exports.cluster}-20")
    assert len(name) <= 60
    assert ":" not in name
    assert "--" not in name


def test_repeated_event_follows_the_export_of_the_first_one(exports: Exports) -> None:
    process.set_clock(exports.server, 0.1)
    name = exports.take_snapshot()
    until(lambda: bool(exports.exports_begun()))
    states = exports.client("stepfunctions")
    (running,) = states.list_executions(stateMachineArn=exports.machine)["executions"]
    states.start_execution(stateMachineArn=exports.machine, name="again", input=exports.input_of(running))
    first, second = exports.executions(2)
    assert [first["status"], second["status"]] == ["SUCCEEDED", "SUCCEEDED"]
    assert exports.visited(second)[4:6] == ["StartTheExport", "LookAtTheExport"]
    assert exports.exports_begun() == [name]
    assert len(exports.objects()) == 2
    assert exports.messages() == []


def test_event_after_the_export_starts_no_second_export(exports: Exports) -> None:
    exports.take_snapshot()
    (first,) = exports.executions(1)
    before = exports.objects()
    exports.client("stepfunctions").start_execution(
        stateMachineArn=exports.machine, name="late", input=exports.input_of(first)
    )
    assert exports.statuses(2) == ["SUCCEEDED", "SUCCEEDED"]
    assert "Wait" not in exports.visited(exports.executions(2)[1])
    assert exports.objects() == before


def test_export_denied_by_the_bucket_policy_notifies_and_fails(exports: Exports) -> None:
    statement = {
        "Sid": "NoOtherKey",
        "Effect": "Deny",
        "Principal": "*",
        "Action": "s3:PutObject",
        "Resource": f"arn:aws:s3:::{exports.cluster}/*",
        "Condition": {"StringNotEquals": {"s3:x-amz-server-side-encryption-aws-kms-key-id": "arn:aws:kms:::another"}},
    }
    policy = {"Version": "2012-10-17", "Statement": [statement]}
    exports.client("s3").put_bucket_policy(Bucket=exports.cluster, Policy=json.dumps(policy))
    name = exports.take_snapshot()
    (execution,) = exports.executions(1)
    assert execution["status"] == "FAILED"
    assert exports.export(name)["Status"] == "FAILED"
    (message,) = exports.messages()
    assert "The bucket's policy refuses the export" in message
    assert f"cluster-snapshot:rds:{name}" in message
    assert execution["executionArn"] in message


@pytest.mark.requirement("W8.4")
def test_export_whose_role_may_not_write_to_the_bucket_notifies_and_fails(exports: Exports) -> None:
    reads = {"Effect": "Allow", "Action": ["s3:Get*", "s3:List*"], "Resource": "*"}
    make_role(exports.client, "export.rds.amazonaws.com", exports.cluster, reads)
    exports.take_snapshot()
    assert exports.statuses(1) == ["FAILED"]
    (message,) = exports.messages()
    assert "no identity-based policy allows the s3:PutObject action" in message


def test_cancelled_export_notifies_and_fails(exports: Exports) -> None:
    process.set_clock(exports.server, 0.2)
    name = exports.take_snapshot()
    until(lambda: bool(exports.exports_begun()))
    exports.client("rds").cancel_export_task(ExportTaskIdentifier=name)
    assert exports.statuses(1) == ["FAILED"]
    (message,) = exports.messages()
    assert "CANCELED" in message


@pytest.mark.parametrize("operation", ["DescribeDBClusterSnapshots", "StartExportTask", "DescribeExportTasks"])
def test_throttled_call_is_retried(exports: Exports, operation: str) -> None:
    before = len(read_calls(exports.server.directory))
    process.let_fail(exports.server, operation, "Throttling", times=2)
    exports.take_snapshot()
    assert exports.statuses(1) == ["SUCCEEDED"]
    calls = [call for call in read_calls(exports.server.directory)[before:] if call.operation == operation]
    assert [call.error for call in calls[:3]] == ["Throttling", "Throttling", ""]
    assert exports.messages() == []


def test_call_that_stays_throttled_notifies(exports: Exports) -> None:
    before = len(read_calls(exports.server.directory))
    process.let_fail(exports.server, "StartExportTask", "Throttling", times=100)
    exports.take_snapshot()
    assert exports.statuses(1) == ["FAILED"]
    (message,) = exports.messages()
    assert "Rds.RdsException" in message
    calls = [call for call in read_calls(exports.server.directory)[before:] if call.operation == "StartExportTask"]
    assert len(calls) == 9, "once, and eight more times"


def test_export_with_a_missing_role_notifies_at_once(exports: Exports) -> None:
    iam = exports.client("iam")
    iam.delete_role_policy(RoleName=exports.cluster, PolicyName="own")
    iam.delete_role(RoleName=exports.cluster)
    exports.take_snapshot()
    (execution,) = exports.executions(1)
    assert execution["status"] == "FAILED"
    assert "Rds.IamRoleNotFoundException" in exports.messages()[0]
    assert "Wait" not in exports.visited(execution)


def test_manifest_that_cannot_be_written_notifies(exports: Exports) -> None:
    process.let_fail(exports.server, "PutObject", "AccessDenied", times=100)
    exports.take_snapshot()
    assert exports.statuses(1) == ["FAILED"]
    assert "AccessDenied" in exports.messages()[0]


def test_an_export_that_takes_too_long_times_out(exports: Exports) -> None:
    exports.change(timeout_seconds=10 * 60)
    exports.take_snapshot()
    assert exports.statuses(1) == ["TIMED_OUT"]


def test_a_snapshot_of_a_cluster_whose_name_only_begins_alike_is_left_alone(exports: Exports) -> None:
    exports.change(cluster="payments-database")
    exports.take_snapshot()
    (execution,) = exports.executions(1)
    assert execution["status"] == "SUCCEEDED"
    assert exports.visited(execution)[-1] == "NotOurs"
    assert exports.exports_begun() == []


def test_undelivered_event_is_in_the_dead_letter_queue(exports: Exports) -> None:
    queue = exports.client("sqs").create_queue(QueueName="undelivered")["QueueUrl"]
    target = {
        "Id": "1",
        "Arn": "arn:aws:states:us-east-2:123456789012:stateMachine:nowhere",
        "RoleArn": f"{ROLES}/machine",
        "DeadLetterConfig": {"Arn": "arn:aws:sqs:us-east-2:123456789012:undelivered"},
    }
    exports.client("events").put_targets(Rule=exports.cluster, Targets=[target])
    name = exports.take_snapshot()
    (message,) = exports.client("sqs").receive_message(QueueUrl=queue)["Messages"]
    assert json.loads(message["Body"])["detail"]["SourceIdentifier"] == f"rds:{name}"


def test_a_rule_that_has_a_schedule_alone_answers_no_event(exports: Exports) -> None:
    events, queue = exports.client("events"), exports.client("sqs").create_queue(QueueName="by-the-clock")["QueueUrl"]
    events.put_rule(Name="by-the-clock", ScheduleExpression="rate(1 minute)")
    function = "arn:aws:lambda:us-east-2:123456789012:function:reconcile"
    targets = [{"Id": "1", "Arn": function}, {"Id": "2", "Arn": "arn:aws:sqs:us-east-2:123456789012:by-the-clock"}]
    events.put_targets(Rule="by-the-clock", Targets=targets)
    exports.take_snapshot()
    assert exports.statuses(1) == ["SUCCEEDED"]
    assert "Messages" not in exports.client("sqs").receive_message(QueueUrl=queue)


VALIDATOR = """
const [read] = [require('fs').readFileSync];
const {isValid, errors} = require('asl-validator')(JSON.parse(read(0)), {checkPaths: true, checkArn: true});
console.log(JSON.stringify(errors.map((error) => error.Message || error.message)));
"""


def validate(text: str) -> list[str]:
    """What asl-validator has against a definition."""
    said = subprocess.run(
        ["node", "-e", VALIDATOR], cwd=REPOSITORY, input=text, capture_output=True, text=True, check=True
    )
    found: list[str] = json.loads(said.stdout)
    return found


def test_a_validator_of_the_language_has_nothing_against_the_definition() -> None:
    assert validate(the_definition()) == []


@pytest.mark.parametrize(
    ("part", "broken"),
    [('"Next": "Wait"', '"Next": "Weit"'), ('"Type": "Choice"', '"Type": "Choose"'), ("$.Seen.Export", "$.Seen[")],
)
def test_validator_reports_each_invalid_request(part: str, broken: str) -> None:
    assert part in the_definition()
    assert validate(the_definition().replace(part, broken))
