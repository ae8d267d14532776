"""`make database`: the task, the session and psql, each call held against AWS's models, on a real PostgreSQL."""

from __future__ import annotations

import json
import os
import stat
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import boto3
import psycopg
import pytest
from botocore.exceptions import ClientError
from botocore.stub import Stubber
from parliament import analyze_policy_string

from operations.database import command, session
from operations.database.place import Place, find
from operations.database.policy import policy
from operations.database.standing import Task
from operations.outcome import Failed, Refused, console
from operations.region import Region
from payments.operators import admit
from settings import Settings, load
from settings.naming import DATABASE_OPERATORS, OPERATOR_USERNAME
from tests.postgresql import Postgresql

pytestmark = pytest.mark.requirement("W8.10")

ACCOUNT, REGION = "123456789012", "us-east-2"
TASK = f"arn:aws:ecs:{REGION}:{ACCOUNT}:task/payments-cluster-local/0123abc"
PLACE = Place(
    account_id=ACCOUNT,
    region=REGION,
    cluster="payments-cluster-local",
    service="payments-payments-local",
    definition=f"arn:aws:ecs:{REGION}:{ACCOUNT}:task-definition/payments-payments-local:7",
    execution_role=f"arn:aws:iam::{ACCOUNT}:role/payments-payments-execution-us-east-2-local",
    container="payments",
    role=f"arn:aws:iam::{ACCOUNT}:role/payments-database-operators-us-east-2-local",
    subnets=("subnet-1", "subnet-2"),
    groups=("sg-operators", "sg-clients"),
    host="localhost",
    resource_id="cluster-ABC",
)
# What the plugin does, as far as this command sees it: it takes the answer from the variable that its first argument
# names, and forwards the local port to the host. The data channel between it and the task's agent is AWS's.
PLUGIN = f"""#!{sys.executable}
import json, os, socket, sys, threading
answer, asked = json.loads(os.environ[sys.argv[1]]), json.loads(sys.argv[5])["Parameters"]
assert answer["TokenValue"] == "of-the-session" and "of-the-session" not in "".join(sys.argv)
assert sys.argv[2:4] == ["us-east-2", "StartSession"], sys.argv

def carry(here, there):
    while data := here.recv(65536):
        there.sendall(data)
    there.shutdown(socket.SHUT_WR)

with socket.create_server(("127.0.0.1", int(asked["localPortNumber"][0]))) as server:
    while True:
        here, _ = server.accept()
        there = socket.create_connection((asked["host"][0], int(os.environ["DATABASE_PORT_OF_THE_TEST"])))
        for pair in ((here, there), (there, here)):
            threading.Thread(target=carry, args=pair, daemon=True).start()
"""


def stubbed(service: str) -> tuple[Any, Stubber]:
    make: Any = boto3.client
    client = make(service, region_name=REGION, aws_access_key_id="test", aws_secret_access_key="test")
    stubber = Stubber(client)
    stubber.activate()
    return client, stubber


def described(status: str, agent: str | None = None, **more: Any) -> dict[str, Any]:
    agents = [{"name": "ExecuteCommandAgent", "lastStatus": agent}] if agent else []
    container = {"name": "payments", "runtimeId": "0123abc-456", "managedAgents": agents}
    return {"tasks": [{"taskArn": TASK, "lastStatus": status, "containers": [container], **more}]}


def add_start(stubber: Stubber) -> None:
    stubber.add_response(
        "run_task",
        {"tasks": [{"taskArn": TASK}]},
        {
            "cluster": PLACE.cluster,
            "taskDefinition": PLACE.definition,
            "count": 1,
            "launchType": "FARGATE",
            "enableExecuteCommand": True,
            "startedBy": DATABASE_OPERATORS,
            "networkConfiguration": {
                "awsvpcConfiguration": {
                    "subnets": ["subnet-1", "subnet-2"],
                    "securityGroups": ["sg-operators", "sg-clients"],
                    "assignPublicIp": "DISABLED",
                }
            },
            "overrides": {
                "taskRoleArn": PLACE.role,
                "cpu": "256",
                "memory": "512",
                "containerOverrides": [{"name": "payments", "command": ["hold", "1800"]}],
            },
        },
    )


def add_stop(stubber: Stubber) -> None:
    asked = {"cluster": PLACE.cluster, "task": TASK, "reason": "the operator's session is over"}
    stubber.add_response("stop_task", {}, asked)


def test_the_task_has_the_operators_role_and_is_ready_once_its_agent_runs() -> None:
    client, stubber = stubbed("ecs")
    add_start(stubber)
    for answer in (described("PROVISIONING"), described("RUNNING", "PENDING"), described("RUNNING", "RUNNING")):
        stubber.add_response("describe_tasks", answer, {"cluster": PLACE.cluster, "tasks": [TASK]})
    task = Task.start(client, PLACE, minutes=30)
    assert task.target(sleep=lambda _: None) == "ecs:payments-cluster-local_0123abc_0123abc-456"
    stubber.assert_no_pending_responses()


@pytest.mark.parametrize(
    ("answers", "said"),
    [
        ([described("STOPPED", stoppedReason="CannotPullContainerError")], "CannotPullContainerError"),
        ([described("RUNNING")] * 100, "does not run after 300 s"),
    ],
    ids=["it has ended", "no agent"],
)
def test_a_task_that_cannot_stand_for_the_database_is_reported(answers: list[dict[str, Any]], said: str) -> None:
    client, stubber = stubbed("ecs")
    for answer in answers:
        stubber.add_response("describe_tasks", answer)
    with pytest.raises(Failed, match=said):
        Task(client, PLACE, TASK).target(sleep=lambda _: None)


def add_place(stubbers: dict[str, Stubber], settings: Settings, *, groups: int = 2) -> None:
    names = settings.names
    service = {
        "serviceName": PLACE.service,
        "status": "ACTIVE",
        "taskDefinition": "of-settings",
        "taskSets": [{"status": "PRIMARY", "taskDefinition": PLACE.definition}],
        "networkConfiguration": {"awsvpcConfiguration": {"subnets": list(PLACE.subnets)}},
    }
    definition = {
        "taskDefinitionArn": PLACE.definition,
        "executionRoleArn": PLACE.execution_role,
        "containerDefinitions": [{"name": "payments"}],
    }
    asked = [names.of(DATABASE_OPERATORS), names.of("vpc-endpoint-clients")]
    found = [{"GroupName": name, "GroupId": id_} for name, id_ in zip(asked, PLACE.groups, strict=True)]
    stubbers["ecs"].add_response(
        "describe_services", {"services": [service]}, {"cluster": PLACE.cluster, "services": [PLACE.service]}
    )
    stubbers["ecs"].add_response(
        "describe_task_definition", {"taskDefinition": definition}, {"taskDefinition": PLACE.definition}
    )
    stubbers["rds"].add_response(
        "describe_db_clusters",
        {"DBClusters": [{"ReaderEndpoint": PLACE.host, "DbClusterResourceId": PLACE.resource_id}]},
        {"DBClusterIdentifier": names.of("database")},
    )
    stubbers["ec2"].add_response(
        "describe_security_groups",
        {"SecurityGroups": found[:groups]},
        {"Filters": [{"Name": "group-name", "Values": asked}]},
    )


def test_the_place_is_that_of_the_running_version_and_what_is_not_deployed_is_said() -> None:
    settings = load("local")
    made = {service: stubbed(service) for service in ("ecs", "ec2", "rds")}
    clients, stubbers = {name: one[0] for name, one in made.items()}, {name: one[1] for name, one in made.items()}
    add_place(stubbers, settings)
    assert find(settings, Region.PRIMARY, clients) == PLACE
    add_place(stubbers, settings, groups=0)
    with pytest.raises(Refused, match="no security group payments-database-operators-local"):
        find(settings, Region.PRIMARY, clients)
    stubbers["ecs"].add_client_error("describe_services", "ServiceNotFoundException")
    with pytest.raises(Refused, match="deploy the environment"):
        find(settings, Region.PRIMARY, clients)
    stubbers["ecs"].add_client_error("describe_services", "AccessDeniedException")
    with pytest.raises(ClientError):
        find(settings, Region.PRIMARY, clients)


@pytest.fixture
def plugin(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, postgresql: Postgresql) -> None:
    path = tmp_path / session.PLUGIN
    path.write_text(PLUGIN, encoding="utf-8")
    path.chmod(stat.S_IRWXU)
    monkeypatch.setenv("PATH", f"{tmp_path}:{postgresql.binaries}:{os.environ['PATH']}")
    monkeypatch.setenv("DATABASE_PORT_OF_THE_TEST", str(postgresql.port))


@pytest.fixture
def operator(postgresql: Postgresql) -> Iterator[str]:
    """The role as the schema's function makes it, and a password in the place of IAM's token."""
    for statement in ("CREATE ROLE rds_iam NOLOGIN", "CREATE DATABASE payments"):
        postgresql.execute(statement)
    from payments.migrate import migrate

    migrate(lambda: psycopg.connect(**postgresql.connection("postgres", postgresql.password, "payments")))
    with postgresql.connect(database="payments") as connection:
        admit(connection, OPERATOR_USERNAME)
    postgresql.execute("ALTER ROLE payments_operator PASSWORD 'of-iam'")
    yield "of-iam"
    postgresql.execute("DROP DATABASE payments WITH (FORCE)")
    postgresql.execute("DROP ROLE payments_operator, rds_iam")


def run(monkeypatch: pytest.MonkeyPatch, clients: dict[str, Any], postgresql: Postgresql, query: str) -> None:
    monkeypatch.setattr(command, "_found", lambda *_: (clients, PLACE))
    monkeypatch.setattr(session, "variables", _with(session.variables, certificates=str(postgresql.ca)))
    request = command.Request(
        role=OPERATOR_USERNAME, region=Region.PRIMARY, minutes=30, query=query, reason="incident 7"
    )
    command.run(request, load("local"), console())


def _with(function: Callable[..., Any], **more: Any) -> Callable[..., Any]:
    return lambda *arguments, **keywords: function(*arguments, **keywords, **more)


@pytest.fixture
def aws(operator: str) -> Iterator[dict[str, Any]]:
    """ECS and Session Manager for one session; the ends of both are asked for."""
    (ecs, of_ecs), (ssm, of_ssm), (rds, _) = stubbed("ecs"), stubbed("ssm"), stubbed("rds")
    asked_of_iam = ("localhost", 5432, OPERATOR_USERNAME, REGION)
    rds.generate_db_auth_token = lambda *asked: operator if asked == asked_of_iam else ""
    add_start(of_ecs)
    of_ecs.add_response("describe_tasks", described("RUNNING", "RUNNING"))
    add_stop(of_ecs)
    answer = {"SessionId": "me-1", "TokenValue": "of-the-session", "StreamUrl": "wss://nowhere.invalid"}
    of_ssm.add_response("start_session", answer)
    of_ssm.add_response("terminate_session", {"SessionId": "me-1"}, {"SessionId": "me-1"})
    yield {"ecs": ecs, "ssm": ssm, "rds": rds}
    of_ecs.assert_no_pending_responses()
    of_ssm.assert_no_pending_responses()


@pytest.mark.usefixtures("plugin")
def test_a_query_is_answered_by_the_database_through_the_forwarded_port_and_all_is_ended(
    monkeypatch: pytest.MonkeyPatch, aws: dict[str, Any], postgresql: Postgresql, capfd: pytest.CaptureFixture[str]
) -> None:
    query = "SELECT current_user, current_setting('transaction_read_only'), count(*) FROM payments.payments"
    run(monkeypatch, aws, postgresql, query)
    assert "payments_operator | on" in capfd.readouterr().out
    assert not [line for line in _processes() if session.PLUGIN in line]


@pytest.mark.usefixtures("plugin")
def test_a_change_is_refused_by_the_database_and_all_is_ended(
    monkeypatch: pytest.MonkeyPatch, aws: dict[str, Any], postgresql: Postgresql, capfd: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(Failed, match="psql ended"):
        run(monkeypatch, aws, postgresql, "CREATE TABLE payments.anything (id int)")
    assert "ERROR" in capfd.readouterr().err


def _processes() -> list[str]:
    return subprocess.run(["ps", "-eo", "args"], capture_output=True, text=True, check=True).stdout.splitlines()


def test_the_policy_of_an_operator_allows_each_call_of_the_command_and_names_what_it_is_for() -> None:
    document = policy(PLACE, OPERATOR_USERNAME)
    # parliament's reference is older than the condition key, which AWS's own example has.
    found = [str(one) for one in analyze_policy_string(json.dumps(document)).findings]
    assert [one for one in found if "ssm:SessionDocumentAccessCheck" not in one] == []
    allowed = {action for one in document["Statement"] for action in one["Action"]}
    clients = {
        "ecs": {"RunTask", "StopTask", "DescribeTasks", "DescribeServices", "DescribeTaskDefinition"},
        "ec2": {"DescribeSecurityGroups"},
        "rds": {"DescribeDBClusters"},
        "ssm": {"StartSession", "TerminateSession"},
        "iam": {"PassRole"},
        "rds-db": {"connect"},
    }
    assert allowed == {f"{service}:{action}" for service, actions in clients.items() for action in actions}
    everything = [one["Sid"] for one in document["Statement"] if one["Resource"] == ["*"]]
    assert everything == ["FindTheDatabase"]


def test_where_settings_do_not_let_operators_in_nothing_is_asked_of_aws(plugin: None) -> None:
    settings = load("production")
    assert not settings.database.operator_access
    request = command.Request(role=OPERATOR_USERNAME, region=Region.PRIMARY, minutes=1, query="SELECT 1", reason="x")
    with pytest.raises(Refused, match=r"database\.operator_access"):
        command.run(request, settings, console())


def test_without_the_plugin_one_line_says_where_it_is_to_be_had(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(Refused, match="session-manager-plugin: not found on PATH; install it"):
        session.refuse_without_plugin()
