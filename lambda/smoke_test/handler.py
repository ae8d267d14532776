"""The smoke test of a release: CodeDeploy's AfterAllowTestTraffic hook, or ECS's POST_TEST_TRAFFIC_SHIFT hook.

It calls the green target group through the load balancer's test listener, before any customer does, and reports whether
the responses were right. CodeDeploy waits for the report, so it is always made, and in time: the checks run in a thread
of their own, and part of the function's timeout is reserved for the report. ECS takes the function's result.

Environment variables (CHECKS and TEST_LISTENER_URL are required):

- CHECKS: JSON, the checks by CodeDeploy application: {"payments-web-prod": [{"path": "/", "status": 200, "contains":
  "text", "attempts": 5}]}; "contains" is optional, and so is "attempts", which is 1 by default. ECS's hook makes all;
- TEST_LISTENER_URL: such as https://payments-123.us-east-2.elb.amazonaws.com:8443;
- HOST_NAME: the host name of requests, for which the certificate must be valid; by default that of TEST_LISTENER_URL;
- LOAD_BALANCER_ARN: if given, the load balancer's private addresses are called. The name of an internet-facing one
  resolves to public addresses inside the VPC too: a request to those leaves through the NAT gateway, and no longer
  comes from this function's security group;
- ORIGIN_VERIFY_HEADER and ORIGIN_VERIFY_SECRET_ARN: if given, a header without which the load balancer responds 403,
  and the secret whose string is its value.
"""

from __future__ import annotations

import http.client
import json
import os
import socket
import ssl
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol
from urllib.parse import urlsplit

import boto3
from botocore.config import Config
from botocore.exceptions import BotoCoreError, ClientError

SECONDS_RESERVED_FOR_THE_REPORT = 15.0
SECONDS_RESERVED_AT_THE_END = 1.0
CALL_TIMEOUT_SECONDS = 5.0
SECONDS_BETWEEN_ATTEMPTS = 1.0
MAX_BODY_BYTES = 2**20
# By default boto3 would wait for minutes. The report has retries of its own, below.
CONFIG = Config(connect_timeout=3, read_timeout=5, retries={"total_max_attempts": 1})


class Context(Protocol):
    """The part of Lambda's context that is used."""

    def get_remaining_time_in_millis(self) -> int:
        """Milliseconds until the invocation times out."""


class CheckFailed(Exception):
    """A check failed. The message holds no secret."""


@dataclass(frozen=True)
class Check:
    """A request and the response that it must get."""

    path: str
    status: int
    contains: str = ""
    attempts: int = 1


@dataclass(frozen=True)
class Target:
    """The green target group's test listener, and the headers of requests to it."""

    addresses: tuple[str, ...]
    port: int
    host_name: str
    headers: Mapping[str, str]


def handler(event: Mapping[str, str], context: Context) -> dict[str, str]:
    """Run the checks of the deployment's service, and report to CodeDeploy or ECS. Never raises.

    https://docs.aws.amazon.com/AmazonECS/latest/developerguide/deployment-lifecycle-hooks.html
    """
    began = time.monotonic()
    granted = context.get_remaining_time_in_millis() / 1000

    def seconds_left() -> float:
        return granted - (time.monotonic() - began)

    of_ecs = "lifecycleStage" in event
    deployment = str(event.get("resourceArn" if of_ecs else "DeploymentId", ""))
    cause = _cause_of_failure(
        lambda: _check(_all_checks() if of_ecs else _checks(deployment)),
        seconds_left() - SECONDS_RESERVED_FOR_THE_REPORT,
    )
    status = "Failed" if cause else "Succeeded"
    _log("smoke test ended", deployment=deployment, status=status, cause=cause)
    if of_ecs:
        return {"hookStatus": status.upper()}
    _report(deployment, str(event.get("LifecycleEventHookExecutionId", "")), status, seconds_left)
    return {"status": status}


def _cause_of_failure(work: Callable[[], None], seconds: float) -> str:
    """Why ``work`` did not succeed within ``seconds``; empty where it did."""
    causes: list[str] = []

    def run() -> None:
        try:
            work()
        except Exception as error:  # noqa: BLE001 - whatever it is, it must be reported
            causes.append(_cause(error))
        else:
            causes.append("")

    # A thread, as a socket's timeout covers neither name resolution nor a response that comes byte by byte.
    thread = threading.Thread(target=run, daemon=True)
    if seconds > 0:
        thread.start()
        thread.join(seconds)
    return causes[0] if causes else f"no result within {max(seconds, 0.0):.0f} s"


def _check(checks: Sequence[Check]) -> None:
    target = _target()
    for check in checks:
        _run(check, target)


def _all_checks() -> list[Check]:
    checks = [Check(**values) for found in json.loads(os.environ["CHECKS"]).values() for values in found]
    if not checks:
        raise CheckFailed("there are no checks")
    return checks


def _checks(deployment: str) -> list[Check]:
    """The checks of the service that is deployed. To have none is a failure, as nothing would be tested."""
    found = _client("codedeploy").get_deployment(deploymentId=deployment)["deploymentInfo"]
    application = found["applicationName"]
    checks = [Check(**values) for values in json.loads(os.environ["CHECKS"]).get(application, [])]
    if not checks:
        raise CheckFailed(f"there are no checks for {application}")
    return checks


def _target() -> Target:
    url = urlsplit(os.environ["TEST_LISTENER_URL"])
    if url.scheme != "https" or not url.hostname:
        raise CheckFailed("TEST_LISTENER_URL is not the address of an https listener")
    return Target(
        addresses=_private_addresses() or (url.hostname,),
        port=url.port or http.client.HTTPS_PORT,
        host_name=os.environ.get("HOST_NAME") or url.hostname,
        headers=_origin_verification(),
    )


def _origin_verification() -> dict[str, str]:
    header = os.environ.get("ORIGIN_VERIFY_HEADER")
    if not header:
        return {}
    secret = _client("secretsmanager").get_secret_value(SecretId=os.environ["ORIGIN_VERIFY_SECRET_ARN"])["SecretString"]
    if not (secret.isascii() and secret.isprintable()):
        raise CheckFailed("the secret cannot be the value of a header")
    return {header: secret}


def _private_addresses() -> tuple[str, ...]:
    arn = os.environ.get("LOAD_BALANCER_ARN")
    if not arn:
        return ()
    # The description of a load balancer's network interface is "ELB app/NAME/ID", with the end of its ARN.
    description = "ELB " + arn.partition(":loadbalancer/")[2]
    response = _client("ec2").describe_network_interfaces(Filters=[{"Name": "description", "Values": [description]}])
    found = tuple(one["PrivateIpAddress"] for one in response["NetworkInterfaces"])
    if not found:
        raise CheckFailed("the load balancer has no network interface")
    return found


def _run(check: Check, target: Target) -> None:
    """Run a check until it succeeds, at most as often as its attempts."""
    for number in range(1, check.attempts + 1):
        # Each attempt calls the next zone: each has an address of its own.
        address = target.addresses[(number - 1) % len(target.addresses)]
        try:
            _call(check, target, address)
        except Exception as error:
            _log("check failed", path=check.path, attempt=number, of=check.attempts, cause=_cause(error))
            if number == check.attempts:
                raise
            time.sleep(SECONDS_BETWEEN_ATTEMPTS)
        else:
            _log("check succeeded", path=check.path, attempt=number, of=check.attempts)
            return


def _call(check: Check, target: Target, address: str) -> None:
    with (
        socket.create_connection((address, target.port), CALL_TIMEOUT_SECONDS) as plain,
        ssl.create_default_context().wrap_socket(plain, server_hostname=target.host_name) as encrypted,
    ):
        connection = http.client.HTTPConnection(target.host_name, target.port)
        connection.sock = encrypted
        connection.request("GET", check.path, headers={**target.headers, "Connection": "close"})
        response = connection.getresponse()
        body = response.read(MAX_BODY_BYTES).decode(errors="replace")
    if response.status != check.status:
        raise CheckFailed(f"{check.path}: status {response.status}; {check.status} is expected")
    if check.contains not in body:
        raise CheckFailed(f"{check.path}: {check.contains!r} is not in the response")


def _report(deployment: str, execution: str, status: str, seconds_left: Callable[[], float]) -> None:
    """Report to CodeDeploy, with retries while there is time: without a report it waits for an hour."""
    for pause in _pauses():
        try:
            _client("codedeploy").put_lifecycle_event_hook_execution_status(
                deploymentId=deployment, lifecycleEventHookExecutionId=execution, status=status
            )
        except Exception as error:  # noqa: BLE001 - there is nobody else to report it to
            cause = _cause(error)
            if cause == "LifecycleEventAlreadyCompletedException":
                return  # an earlier attempt arrived, and its response was lost
            _log("report failed", deployment=deployment, status=status, cause=cause)
        else:
            return
        if seconds_left() - pause < SECONDS_RESERVED_AT_THE_END:
            _log("report given up", deployment=deployment, status=status)
            return
        time.sleep(pause)


def _pauses() -> Iterator[float]:
    pause = 0.25
    while True:
        yield pause
        pause = min(pause * 2, 2.0)


def _client(service: str) -> Any:
    make: Any = boto3.client
    return make(service, config=CONFIG)


def _cause(error: Exception) -> str:
    """The cause of a failure, without an error's message where that could quote a header or a response."""
    if isinstance(error, CheckFailed):
        return str(error)
    if isinstance(error, ClientError):
        return str(error.response["Error"].get("Code", "ClientError"))
    if isinstance(error, ssl.SSLCertVerificationError):
        return f"the certificate is not accepted: {error.verify_message}"
    if isinstance(error, OSError) and error.strerror:
        return f"{type(error).__name__}: {error.strerror}"
    if isinstance(error, BotoCoreError):
        return f"AWS: {type(error).__name__}"
    return type(error).__name__


def _log(message: str, **values: object) -> None:
    """Write a JSON line for CloudWatch Logs."""
    print(json.dumps({"message": message, **values}), flush=True)
