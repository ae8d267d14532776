"""The server and the process that it is: ports, signals, directories, and the environment of its clients."""

from __future__ import annotations

import http.server
import json
import os
import re
import signal
import socket
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from emulator import process
from emulator.address import environment, identity
from emulator.process import EmulatorError, Server
from tests.emulator.release_support import eventually
from tests.emulator.support import client_for

pytestmark = pytest.mark.requirement("W8.2")

REPOSITORY = Path(__file__).parents[2]


def serve(*arguments: str) -> subprocess.Popen[str]:
    command = [sys.executable, "-m", "emulator", "serve", *arguments]
    return subprocess.Popen(command, cwd=REPOSITORY, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)


def port_of(url: str) -> str:
    return url.rpartition(":")[2]


@pytest.fixture
def stranger() -> Iterator[str]:
    """The port of a program that is no local AWS."""
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), http.server.BaseHTTPRequestHandler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield str(server.server_address[1])
    server.shutdown()
    server.server_close()


@pytest.mark.parametrize("sent", [signal.SIGTERM, signal.SIGINT])
def test_server_announces_readiness_and_ends_cleanly_on_a_signal(sent: signal.Signals, tmp_path: Path) -> None:
    server = serve("--port", str(process.free_port()), "--directory", str(tmp_path))
    assert server.stdout
    ready = server.stdout.readline()
    assert re.fullmatch(rf"local AWS ready at http://127\.0\.0\.1:\d+, record in {tmp_path}\n", ready)
    server.send_signal(sent)
    out, err = server.communicate(timeout=30)
    assert (server.returncode, out, err) == (0, "", "")
    assert process.find(tmp_path) is None


def test_a_server_ends_although_clients_hold_connections_and_requests_wait(tmp_path: Path) -> None:
    server = process.start(tmp_path)
    url = client_for(server)("sqs").create_queue(QueueName="slow")["QueueUrl"]
    body = json.dumps({"QueueUrl": url, "WaitTimeSeconds": 20})
    lines = [
        "POST / HTTP/1.1",
        "Host: 127.0.0.1",
        "Authorization: AWS4-HMAC-SHA256 Credential=AKIAIOSFODNN7EXAMPLE/20260101/us-east-2/sqs/aws4_request",
        "Content-Type: application/x-amz-json-1.0",
        "X-Amz-Target: AmazonSQS.ReceiveMessage",
        f"Content-Length: {len(body)}",
    ]
    address = ("127.0.0.1", int(port_of(server.url)))
    with socket.create_connection(address), socket.create_connection(address, timeout=60) as waiting:
        waiting.sendall("\r\n".join([*lines, "", body]).encode())
        # Others are answered while one waits.
        assert client_for(server)("sts").get_caller_identity()["Account"] == process.ACCOUNT_ID
        os.kill(server.pid, signal.SIGTERM)
        _, status = os.waitpid(server.pid, 0)
        assert waiting.recv(100) == b""
    assert os.waitstatus_to_exitcode(status) == 0


def test_a_server_ends_although_a_thread_of_moto_goes_on(tmp_path: Path) -> None:
    code = f"""
import threading, time
from pathlib import Path
from emulator.server import serve

def leave_a_thread_behind(url):
    threading.Thread(target=time.sleep, args=(600,)).start()
    print(url, flush=True)

serve({process.free_port()}, Path({str(tmp_path)!r}), ready=leave_a_thread_behind)
"""
    server = subprocess.Popen([sys.executable, "-c", code], cwd=REPOSITORY, stdout=subprocess.PIPE, text=True)
    assert server.stdout
    server.stdout.readline()
    server.terminate()
    try:
        assert server.wait(timeout=30) == 0
    finally:
        server.kill()
        server.communicate()


def test_only_this_machine_reaches_it(aws: Server) -> None:
    other_address = "127.0.0.2"
    with socket.socket() as probe:
        probe.settimeout(5)
        assert probe.connect_ex((other_address, int(port_of(aws.url)))) != 0


def test_a_port_of_another_program_is_refused_in_one_line(stranger: str, tmp_path: Path) -> None:
    server = serve("--port", stranger, "--directory", str(tmp_path / "new"))
    out, err = server.communicate(timeout=30)
    assert server.returncode == 2
    assert (out, err) == ("", f"emulator: port {stranger} is in use by another program\n")
    assert not (tmp_path / "new").exists()
    with pytest.raises(EmulatorError, match=f"^emulator: port {stranger} is in use by another program$"):
        process.start(tmp_path / "new", port=int(stranger))


def test_a_port_of_another_local_aws_is_refused_with_its_name(aws: Server, tmp_path: Path) -> None:
    port = port_of(aws.url)
    message = f"port {port} is in use by the local AWS of {aws.directory} \\(process {aws.pid}\\)"
    with pytest.raises(EmulatorError, match=message):
        process.start(tmp_path, port=int(port))
    assert process.find(aws.directory) == aws


def test_a_directory_has_one_server_at_a_time(aws: Server) -> None:
    with pytest.raises(EmulatorError, match="a local AWS already runs in"):
        process.start(aws.directory)
    assert process.find(aws.directory) == aws
    assert identity(aws.url) == {"pid": aws.pid, "directory": str(aws.directory)}


@pytest.mark.parametrize("arguments", [("--port", "0"), ("--port", "65536"), ("--port", "http"), ("--colour", "red")])
def test_wrong_argument_is_reported_without_a_traceback(arguments: tuple[str, ...]) -> None:
    server = serve(*arguments)
    out, err = server.communicate(timeout=30)
    assert (server.returncode, out) == (2, "")
    assert arguments[0] in err
    assert "Traceback" not in err


def test_help_names_every_option() -> None:
    out, _ = serve("--help").communicate(timeout=30)
    assert {"--port", "--directory", "--contract", "--help"} <= set(re.findall(r"--[a-z]+", out))


def test_a_server_is_started_found_and_stopped(tmp_path: Path) -> None:
    assert process.find(tmp_path / "nothing") is None
    server = process.start(tmp_path)
    assert process.find(tmp_path) == server
    assert json.loads((tmp_path / "server.json").read_text()) == {"pid": server.pid, "url": server.url}
    eventually(lambda: "local AWS ready" in (tmp_path / "server.log").read_text())  # it answers before it says so
    process.stop(server)
    assert process.find(tmp_path) is None
    assert identity(server.url) is None
    process.stop(server)  # a second time, there is nothing to do
    with process.running(tmp_path) as next_one:
        assert process.find(tmp_path) == next_one


def test_a_server_that_does_not_end_is_killed(tmp_path: Path) -> None:
    server = process.start(tmp_path)
    os.kill(server.pid, signal.SIGSTOP)
    process.stop(server, seconds_to_stop=2.0)
    assert process.find(tmp_path) is None
    with pytest.raises(ProcessLookupError):
        os.kill(server.pid, 0)


def test_a_process_that_took_the_id_of_a_dead_server_is_left_alone(tmp_path: Path) -> None:
    bystander = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(60)"])
    (tmp_path / "server.json").write_text(json.dumps({"pid": bystander.pid, "url": "http://127.0.0.1:1"}))
    assert process.find(tmp_path) is None
    process.stop(Server(tmp_path, bystander.pid, "http://127.0.0.1:1"))
    with pytest.raises(subprocess.TimeoutExpired):
        bystander.wait(timeout=1)
    bystander.kill()
    bystander.wait()


def test_a_start_that_takes_too_long_leaves_nothing_behind(tmp_path: Path) -> None:
    with pytest.raises(EmulatorError, match="did not answer within 0 s"):
        process.start(tmp_path, seconds_to_start=0)
    assert process.find(tmp_path) is None


# --- the environment of its clients ----------------------------------------------------------------------------------


def test_no_variable_of_the_surroundings_reaches_aws_itself() -> None:
    surroundings = {
        "PATH": "/usr/bin",
        "AWS_PROFILE": "production",
        "AWS_SESSION_TOKEN": "t",
        "AWS_ENDPOINT_URL_S3": "https://s3.amazonaws.com",
        "AWS_CA_BUNDLE": "/ca.pem",
        "AWS_IGNORE_CONFIGURED_ENDPOINT_URLS": "true",
        "http_proxy": "http://proxy.example.com",
        "NO_PROXY": "127.0.0.1",
    }
    url = "http://127.0.0.1:5566"
    complete = process.complete_environment(url, surroundings)
    assert complete == {"PATH": "/usr/bin", **environment(url)}
    assert complete["AWS_ENDPOINT_URL"] == complete["HTTP_PROXY"] == complete["http_proxy"] == url
    assert complete["NO_PROXY"] == complete["no_proxy"] == ""


def test_the_environment_is_this_processs_own_by_default(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_PROFILE", "production")
    monkeypatch.setenv("SOMETHING_ELSE", "kept")
    complete = process.complete_environment("http://127.0.0.1:5566", region="us-west-2")
    assert "AWS_PROFILE" not in complete
    assert (complete["SOMETHING_ELSE"], complete["AWS_REGION"]) == ("kept", "us-west-2")


@pytest.mark.parametrize("service", ["sts", "s3control"])
def test_boto3_reaches_it_by_these_variables_alone_also_where_the_host_has_a_prefix(service: str, aws: Server) -> None:
    block = "{'BlockPublicAcls': True}"
    call = {
        "sts": "get_caller_identity()",
        "s3control": f"put_public_access_block(AccountId='123456789012', PublicAccessBlockConfiguration={block})",
    }[service]
    code = f"import boto3; print(boto3.client({service!r}).{call}['ResponseMetadata']['HTTPStatusCode'])"
    environment = process.complete_environment(aws.url, {"PATH": os.environ["PATH"], "HOME": "/nonexistent"})
    answer = subprocess.run(
        [sys.executable, "-c", code], env=environment, capture_output=True, text=True, check=True, timeout=60
    )
    assert answer.stdout.strip() in ("200", "201")
