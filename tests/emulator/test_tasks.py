"""Tasks run: as the task definition says, on files of their own, with their roles' credentials, and for as long as
somebody wants them. One small service that says what it finds stands for all."""

from __future__ import annotations

import errno
import json
import os
import signal
import socket
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import boto3
import httpx
import pytest
from botocore.exceptions import ClientError

from emulator import process, running
from emulator.record import read_refusals
from emulator.runtime.tasks import namespaces
from tests.emulator.release_support import eventually
from tests.emulator.roles import make_role
from tests.emulator.support import Client, client_for
from tests.warm_aws import LocalAws

pytestmark = [
    pytest.mark.requirement("W8.3"),
    pytest.mark.requirement("W1.5"),
    pytest.mark.skipif(bool(namespaces.refusal()), reason="no namespaces can be made on this machine"),
]

REPOSITORY = "example/service"
IMAGE = f"123456789012.dkr.ecr.us-east-2.amazonaws.com/{REPOSITORY}@sha256:{'1' * 64}"
GROUP = "/example/service"

# Answers a POST with what a container finds (the body is an expression), and a GET with the status that is its path. It
# stops a moment after SIGTERM.
SERVICE = """
import http.server, json, os, signal, sys, time, urllib.request
def write(path):
    try:
        open(path, "w").close()
    except OSError as error:
        return error.strerror
    return "written"
def ask_agent():
    url = "http://169.254.170.2" + os.environ["AWS_CONTAINER_CREDENTIALS_RELATIVE_URI"]
    return json.load(urllib.request.urlopen(url))
def end(*_):
    print("ends in good order", flush=True)
    os._exit(int(os.environ["EXIT_CODE"]))
signal.signal(signal.SIGTERM, end)
class Handler(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        self.send_response(int(self.path[1:]))
        self.end_headers()
    def do_POST(self):
        said = json.dumps(eval(self.rfile.read(int(self.headers["Content-Length"])))).encode()
        self.send_response(200)
        self.end_headers()
        self.wfile.write(said)
    def log_message(self, *_):
        pass
print("serves", flush=True)
http.server.ThreadingHTTPServer(("", 8080), Handler).serve_forever()
"""


@dataclass(frozen=True)
class Service:
    """A service of the local AWS whose tasks run."""

    server: process.Server
    client: Callable[..., Client]

    def tasks(self, family: str = "service") -> list[dict[str, Any]]:
        found = running.tasks(self.server)
        return [
            one for one in found if str(one["definition"]).partition("task-definition/")[2].startswith(f"{family}:")
        ]

    def running(self) -> dict[str, Any]:
        return dict(eventually(lambda: next((one for one in self.tasks() if one["url"]), None)))

    def says(self, expression: str) -> Any:
        url = str(self.running()["url"]).replace("https://", "http://")

        def ask() -> httpx.Response | None:
            try:
                return httpx.post(url, content=expression, trust_env=False)
            except httpx.TransportError:  # it is about to listen
                return None

        return eventually(ask).json()

    def log(self) -> list[str]:
        logs = self.client("logs")
        streams = logs.describe_log_streams(logGroupName=GROUP)["logStreams"]
        found = [logs.get_log_events(logGroupName=GROUP, logStreamName=one["logStreamName"]) for one in streams]
        return [event["message"] for stream in found for event in stream["events"]]


def container(**values: Any) -> dict[str, Any]:
    options = {"awslogs-group": GROUP, "awslogs-region": "us-east-2", "awslogs-stream-prefix": "service"}
    return {
        "name": "service",
        "image": IMAGE,
        "user": "1000",
        "readonlyRootFilesystem": True,
        "portMappings": [{"containerPort": 8080}],
        "environment": [{"name": "GREETING", "value": "hello"}, {"name": "EXIT_CODE", "value": "7"}],
        "mountPoints": [
            {"sourceVolume": "scratch", "containerPath": "/scratch"},
            {"sourceVolume": "undeclared", "containerPath": "/undeclared"},
        ],
        "logConfiguration": {"logDriver": "awslogs", "options": options},
        "stopTimeout": 20,
        **values,
    }


def start(client: Callable[..., Client], family: str, task_role: str, execution_role: str, **values: Any) -> None:
    ec2, ecs = client("ec2"), client("ecs")
    subnet = ec2.describe_subnets()["Subnets"][0]["SubnetId"]
    group = ec2.describe_security_groups()["SecurityGroups"][0]["GroupId"]
    definition = ecs.register_task_definition(
        family=family, networkMode="awsvpc", requiresCompatibilities=["FARGATE"], cpu="256", memory="512",
        taskRoleArn=task_role, executionRoleArn=execution_role, containerDefinitions=[container(**values)],
        volumes=[{"name": "scratch"}, {"name": "undeclared"}],
    )  # fmt: skip
    ecs.create_service(
        cluster="example", serviceName=family, desiredCount=1, launchType="FARGATE",
        taskDefinition=definition["taskDefinition"]["taskDefinitionArn"],
        networkConfiguration={
            "awsvpcConfiguration": {"subnets": [subnet], "securityGroups": [group], "assignPublicIp": "ENABLED"}
        },
    )  # fmt: skip


def open_to_internet(ec2: Client) -> tuple[str, str]:
    """Let the subnet of the tasks reach AWS; the route table and the gateway."""
    vpc = ec2.describe_subnets()["Subnets"][0]["VpcId"]
    gateway = ec2.create_internet_gateway()["InternetGateway"]["InternetGatewayId"]
    ec2.attach_internet_gateway(InternetGatewayId=gateway, VpcId=vpc)
    (table,) = ec2.describe_route_tables(Filters=[{"Name": "vpc-id", "Values": [vpc]}])["RouteTables"]
    return str(table["RouteTableId"]), gateway


@pytest.fixture(scope="module")
def service(empty_aws: LocalAws, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Service]:
    folder = tmp_path_factory.mktemp("image")
    (folder / "service.py").write_text(SERVICE, encoding="utf-8")
    folder.chmod(0o755)
    with empty_aws(tmp_path_factory.mktemp("aws")) as server:
        client = client_for(server)
        image = {
            "folders": {"/app": str(folder)},
            "entrypoint": ["python", "/app/service.py"],
            "environment": {"PATH": "/image/bin:/usr/bin:/bin", "GREETING": "of the image"},
            "volumes": {"/scratch": 0o1777},
            "python": "/image/bin/python",
        }
        running.describe_image(server, REPOSITORY, image)
        running.keep_tasks(server, 1)
        table, gateway = open_to_internet(client("ec2"))
        client("ec2").create_route(RouteTableId=table, DestinationCidrBlock="0.0.0.0/0", GatewayId=gateway)
        client("logs").create_log_group(logGroupName=GROUP)
        client("ecs").create_cluster(clusterName="example")
        secret = client("secretsmanager").create_secret(Name="token", SecretString=json.dumps({"key": "opened"}))["ARN"]
        secrets = [{"name": "TOKEN", "valueFrom": f"{secret}:key::"}]
        tasks = "ecs-tasks.amazonaws.com"
        send = {"Effect": "Allow", "Action": "sqs:SendMessage", "Resource": "arn:aws:sqs:us-east-2:123456789012:queue"}
        task = make_role(client, tasks, "task", {"Effect": "Allow", "Action": "sqs:ListQueues", "Resource": "*"}, send)
        log = {"Effect": "Allow", "Action": ["logs:CreateLogStream", "logs:PutLogEvents"], "Resource": "*"}
        here = {"StringEquals": {"aws:RequestedRegion": "us-east-2"}}
        pull = {"Effect": "Allow", "Action": "ecr:*", "Resource": "*", "Condition": here}
        read = {"Effect": "Allow", "Action": "secretsmanager:GetSecretValue", "Resource": secret}
        start(client, "service", task, make_role(client, tasks, "execution", pull, log, read), secrets=secrets)
        start(client, "refused", task, make_role(client, tasks, "execution-without", pull, log), secrets=secrets)
        start(client, "unpulled", task, make_role(client, tasks, "execution-without-pull", log, read))
        yield Service(server, client)
        running.keep_tasks(server, 0)


def test_variables_are_the_definitions_over_the_images_with_the_secret_that_the_execution_role_read(
    service: Service,
) -> None:
    assert service.says("[os.environ[n] for n in ('GREETING', 'TOKEN')]") == ["hello", "opened"]
    assert service.says("[n for n in os.environ if n.startswith(('AWS_ACCESS', 'PYTEST', 'HOME'))]") == []


def test_task_runs_as_its_user_without_privileges(service: Service) -> None:
    status = service.says("open('/proc/self/status').read()")
    found = dict(line.split(":\t", 1) for line in status.splitlines() if ":\t" in line)
    assert found["Uid"].split() == ["1000"] * 4
    assert {found[name] for name in ("CapInh", "CapPrm", "CapEff", "CapBnd", "CapAmb")} == {"0" * 16}
    assert found["NoNewPrivs"] == "1"


def test_only_mounted_folders_can_be_written(service: Service) -> None:
    for path in ("/here", "/app/here", "/usr/here", "/etc/hosts"):
        assert service.says(f"write({path!r})") == "Read-only file system", path
    assert service.says("write('/scratch/here')") == "written"
    assert service.says("write('/undeclared/here')") == "Permission denied", (
        "root's 0755: the image has no VOLUME there"
    )
    assert service.says("os.stat('/undeclared').st_mode & 0o022") == 0


def test_files_and_processes_of_this_machine_are_not_there(service: Service) -> None:
    assert service.says(f"os.path.exists({str(Path(__file__))!r})") is False
    assert service.says("os.path.exists('/home') or os.path.exists('/etc/shadow')") is False


def test_calls_are_made_as_the_task_role_and_decided_by_its_policies(service: Service) -> None:
    said = service.says("ask_agent()")
    assert said["RoleArn"].endswith(":role/task")
    assert said.keys() == {"RoleArn", "AccessKeyId", "SecretAccessKey", "Token", "Expiration"}
    session = {
        "aws_access_key_id": said["AccessKeyId"],
        "aws_secret_access_key": said["SecretAccessKey"],
        "aws_session_token": said["Token"],
    }
    queue = service.client("sqs").create_queue(QueueName="queue")["QueueUrl"]
    sqs: Any = boto3.client("sqs", region_name="us-east-2", endpoint_url=service.server.url, **session)
    assert sqs.list_queues()["ResponseMetadata"]["HTTPStatusCode"] == 200
    entries = [{"Id": "1", "MessageBody": "sent"}]
    assert [one["Id"] for one in sqs.send_message_batch(QueueUrl=queue, Entries=entries)["Successful"]] == ["1"]
    with pytest.raises(sqs.exceptions.ClientError, match="is not authorized to perform: sqs:CreateQueue"):
        sqs.create_queue(QueueName="mine")


def test_call_without_a_way_to_the_service_fails_and_names_what_is_missing(service: Service) -> None:
    ec2 = service.client("ec2")
    vpc = ec2.describe_subnets()["Subnets"][0]["VpcId"]
    (table,) = ec2.describe_route_tables(Filters=[{"Name": "vpc-id", "Values": [vpc]}])["RouteTables"]
    way = {"RouteTableId": table["RouteTableId"], "DestinationCidrBlock": "0.0.0.0/0"}
    (gateway,) = [one["GatewayId"] for one in table["Routes"] if one["DestinationCidrBlock"] == "0.0.0.0/0"]
    given = service.says("ask_agent()")
    make: Any = boto3.client
    sqs = make(
        "sqs",
        "us-east-2",
        endpoint_url=service.server.url,
        aws_access_key_id=given["AccessKeyId"],
        aws_secret_access_key=given["SecretAccessKey"],
        aws_session_token=given["Token"],
    )
    assert sqs.list_queues()["ResponseMetadata"]["HTTPStatusCode"] == 200
    ec2.delete_route(**way)
    try:
        with pytest.raises(ClientError, match=r"com\.amazonaws\.us-east-2\.sqs cannot be reached .* no route to"):
            sqs.list_queues()
    finally:
        ec2.create_route(**way, GatewayId=gateway)


def test_network_namespace_reaches_only_its_own_addresses(service: Service) -> None:
    assert service.says("urllib.request.urlopen(os.environ['AWS_ENDPOINT_URL'] + '/_local-aws').status") == 200
    with socket.create_server(("127.0.0.1", 0)) as listening:
        port = listening.getsockname()[1]
        socket.create_connection(("127.0.0.1", port)).close()
        tried = f"__import__('socket').socket().connect_ex(('127.0.0.1', {port}))"
        assert service.says(tried) == errno.ECONNREFUSED, "this machine's own ports are not the container's"


def target_group(service: Service, name: str, path: str, address: str) -> str:
    """The ARN of a target group with one target, whose health is the status of a GET of ``path``."""
    vpc = service.client("ec2").describe_vpcs()["Vpcs"][0]["VpcId"]
    elbv2 = service.client("elbv2")
    arn = elbv2.create_target_group(
        Name=name, Protocol="HTTP", Port=8080, VpcId=vpc, TargetType="ip", HealthCheckPath=path,
        Matcher={"HttpCode": "200-204"},
    )["TargetGroups"][0]["TargetGroupArn"]  # fmt: skip
    elbv2.register_targets(TargetGroupArn=arn, Targets=[{"Id": address, "Port": 8080}])
    return str(arn)


@pytest.mark.parametrize(
    ("path", "health"),
    [
        ("/204", {"State": "healthy"}),
        (
            "/500",
            {
                "State": "unhealthy",
                "Reason": "Target.ResponseCodeMismatch",
                "Description": "Health checks failed with these codes: [500]",
            },
        ),
    ],
)
def test_health_of_a_target_is_what_its_task_answers(service: Service, path: str, health: dict[str, str]) -> None:
    assert service.says("1") == 1  # it listens
    group = target_group(service, f"answers-{path[1:]}", path, str(service.running()["address"]))
    (found,) = service.client("elbv2").describe_target_health(TargetGroupArn=group)["TargetHealthDescriptions"]
    assert found["TargetHealth"] == health


def test_target_whose_task_does_not_start_is_not_healthy(service: Service) -> None:
    (refused,) = eventually(lambda: [one for one in service.tasks("refused") if one["state"] == "STOPPED"])
    group = target_group(service, "refused", "/200", str(refused["address"]))
    (found,) = service.client("elbv2").describe_target_health(TargetGroupArn=group)["TargetHealthDescriptions"]
    assert found["TargetHealth"]["State"] == "initial"


def test_only_tasks_that_run_are_counted(service: Service) -> None:
    service.running()
    names = ["service", "refused"]
    found = service.client("ecs").describe_services(cluster="example", services=names)["services"]
    counts = {one["serviceName"]: (one["desiredCount"], one["runningCount"], one["pendingCount"]) for one in found}
    assert counts == {"service": (1, 1, 0), "refused": (1, 0, 1)}


@pytest.mark.requirement("W8.4")
def test_task_does_not_start_where_the_execution_role_may_not_read_its_secret(service: Service) -> None:
    (refused,) = eventually(lambda: [one for one in service.tasks("refused") if one["state"] == "STOPPED"])
    assert refused["reason"].startswith("ResourceInitializationError: unable to pull secrets or registry auth:")
    assert "secretsmanager:GetSecretValue" in refused["reason"]
    recorded = read_refusals(service.server.directory)
    assert {one.action for one in recorded if "/execution-without/" in one.principal} == {
        "secretsmanager:GetSecretValue"
    }


@pytest.mark.requirement("W8.4")
def test_task_does_not_start_where_the_execution_role_may_not_pull_its_image(service: Service) -> None:
    (refused,) = eventually(lambda: [one for one in service.tasks("unpulled") if one["state"] == "STOPPED"])
    assert refused["reason"].startswith("CannotPullContainerError:")
    assert refused["reason"].endswith("is not authorized to perform: ecr:GetAuthorizationToken on resource: *")


def test_task_that_is_killed_is_replaced(service: Service) -> None:
    first = service.running()
    os.kill(int(first["pid"]), signal.SIGKILL)
    second = eventually(
        lambda: next((one for one in service.tasks() if one["url"] and one["arn"] != first["arn"]), None)
    )
    assert second["address"] == first["address"]


def test_surplus_task_is_stopped_gracefully(service: Service) -> None:
    service.says("1")
    service.client("ecs").update_service(cluster="example", service="service", desiredCount=0)
    eventually(lambda: not service.tasks())
    assert eventually(lambda: [line for line in service.log() if line == "ends in good order"])
    assert "serves" in service.log()
