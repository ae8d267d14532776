"""The smoke test of a release: CodeDeploy's AfterAllowTestTraffic hook.

Calls green through the load balancer's test listener, before any customer does, and tells CodeDeploy whether the
answers were right. CodeDeploy waits for that word, so it is always given, and in time: the checks run beside the thread
that gives it, and whatever they do, a part of the time that Lambda grants is kept for it.

The environment says what to check (CHECKS and TEST_LISTENER_URL are required):

- CHECKS: JSON, by CodeDeploy application the list of its checks: {"payments-web-prod": [{"path": "/", "status": 200,
  "contains": "text", "attempts": 5}]}; "contains" may be left out, "attempts" is 1 then;
- TEST_LISTENER_URL: such as https://payments-123.us-east-2.elb.amazonaws.com:8443;
- HOST_NAME: the name in the Host header, for which the certificate must be good; else that of TEST_LISTENER_URL is;
- LOAD_BALANCER_ARN: where given, the load balancer's private addresses are called. The name of one that faces the
  internet stands for public addresses inside the VPC too: a request to those leaves through the NAT gateway, and is
  not known again by a rule that admits this function's security group;
- ORIGIN_VERIFY_HEADER and ORIGIN_VERIFY_SECRET_ARN: where given, a header without which the load balancer answers 403,
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
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Protocol
from urllib.parse import urlsplit

import boto3
from botocore.config import Config
from botocore.exceptions import BotoCoreError, ClientError

SECONDS_KEPT_FOR_THE_REPORT = 15.0
SECONDS_KEPT_AT_THE_END = 1.0
SECONDS_PER_CALL = 5.0
SECONDS_BETWEEN_ATTEMPTS = 1.0
LARGEST_BODY = 2**20  # bytes that are looked through
# boto3 would otherwise wait for minutes; what repeats the report is below.
CONFIG = Config(connect_timeout=3, read_timeout=5, retries={"total_max_attempts": 1})


class Context(Protocol):
    """What is used of Lambda's context."""

    def get_remaining_time_in_millis(self) -> int:
        """Milliseconds until Lambda ends the function."""


class CheckFailed(Exception):
    """Green does not answer as it should. The message holds nothing that is secret."""


@dataclass(frozen=True)
class Check:
    """One request, and what its answer must be."""

    path: str
    status: int
    contains: str = ""
    attempts: int = 1


@dataclass(frozen=True)
class Green:
    """Where green is, and how it is called."""

    addresses: tuple[str, ...]
    port: int
    host_name: str
    headers: Mapping[str, str]


def handler(event: Mapping[str, str], context: Context) -> dict[str, str]:
    """Run the checks of the service that the deployment is of, and report to CodeDeploy. Never raises."""
    began = time.monotonic()
    granted = context.get_remaining_time_in_millis() / 1000

    def seconds_left() -> float:
        return granted - (time.monotonic() - began)

    deployment = str(event.get("DeploymentId", ""))
    cause = _in_time(lambda: _check(deployment), seconds_left() - SECONDS_KEPT_FOR_THE_REPORT)
    status = "Failed" if cause else "Succeeded"
    _log("smoke test ended", deployment=deployment, status=status, cause=cause)
    _report(deployment, str(event.get("LifecycleEventHookExecutionId", "")), status, seconds_left)
    return {"status": status}


def _in_time(work: Callable[[], None], seconds: float) -> str:
    """Why ``work`` did not succeed within ``seconds``, or nothing."""
    causes: list[str] = []

    def run() -> None:
        try:
            work()
        except Exception as error:  # noqa: BLE001 - whatever it is, CodeDeploy must be told
            causes.append(_cause(error))
        else:
            causes.append("")

    # A thread, as a socket's timeout knows nothing of names that do not resolve and answers that come byte by byte.
    thread = threading.Thread(target=run, daemon=True)
    if seconds > 0:
        thread.start()
        thread.join(seconds)
    return causes[0] if causes else f"no result within {max(seconds, 0.0):.0f} s"


def _check(deployment: str) -> None:
    checks = _checks(deployment)
    green = _green()
    for check in checks:
        _attempt(check, green)


def _checks(deployment: str) -> list[Check]:
    """The checks of the service that is deployed. Having none is no success: nothing would have been tested."""
    found = _client("codedeploy").get_deployment(deploymentId=deployment)["deploymentInfo"]
    application = found["applicationName"]
    checks = [Check(**values) for values in json.loads(os.environ["CHECKS"]).get(application, [])]
    if not checks:
        raise CheckFailed(f"there are no checks for {application}")
    return checks


def _green() -> Green:
    url = urlsplit(os.environ["TEST_LISTENER_URL"])
    if url.scheme != "https" or not url.hostname:
        raise CheckFailed("TEST_LISTENER_URL is not the address of an https listener")
    return Green(
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
    # A load balancer's network interfaces are described as "ELB app/NAME/ID", the end of its ARN.
    described = "ELB " + arn.partition(":loadbalancer/")[2]
    answer = _client("ec2").describe_network_interfaces(Filters=[{"Name": "description", "Values": [described]}])
    found = tuple(one["PrivateIpAddress"] for one in answer["NetworkInterfaces"])
    if not found:
        raise CheckFailed("the load balancer has no network interface")
    return found


def _attempt(check: Check, green: Green) -> None:
    """Make a check until it succeeds, at most as often as it says."""
    for number in range(1, check.attempts + 1):
        # A tour of the zones: each has an address of its own.
        address = green.addresses[(number - 1) % len(green.addresses)]
        try:
            _call(check, green, address)
        except Exception as error:
            _log("check failed", path=check.path, attempt=number, of=check.attempts, cause=_cause(error))
            if number == check.attempts:
                raise
            time.sleep(SECONDS_BETWEEN_ATTEMPTS)
        else:
            _log("check succeeded", path=check.path, attempt=number, of=check.attempts)
            return


def _call(check: Check, green: Green, address: str) -> None:
    with (
        socket.create_connection((address, green.port), SECONDS_PER_CALL) as plain,
        ssl.create_default_context().wrap_socket(plain, server_hostname=green.host_name) as encrypted,
    ):
        connection = http.client.HTTPConnection(green.host_name, green.port)
        connection.sock = encrypted
        connection.request("GET", check.path, headers={**green.headers, "Connection": "close"})
        response = connection.getresponse()
        body = response.read(LARGEST_BODY).decode(errors="replace")
    if response.status != check.status:
        raise CheckFailed(f"{check.path}: status {response.status}; {check.status} is expected")
    if check.contains not in body:
        raise CheckFailed(f"{check.path}: {check.contains!r} is not in the answer")


def _report(deployment: str, execution: str, status: str, seconds_left: Callable[[], float]) -> None:
    """Tell CodeDeploy, again and again while there is time: without this word it waits for an hour."""
    for pause in _pauses():
        try:
            _client("codedeploy").put_lifecycle_event_hook_execution_status(
                deploymentId=deployment, lifecycleEventHookExecutionId=execution, status=status
            )
        except Exception as error:  # noqa: BLE001 - nobody but CodeDeploy could be told of it
            cause = _cause(error)
            if cause == "LifecycleEventAlreadyCompletedException":
                return  # an earlier attempt has arrived, and its answer was lost
            _log("report failed", deployment=deployment, status=status, cause=cause)
        else:
            return
        if seconds_left() - pause < SECONDS_KEPT_AT_THE_END:
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
    """What went wrong, without the words of an error that could quote a header or an answer."""
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
    """A line of JSON, for CloudWatch Logs."""
    print(json.dumps({"message": message, **values}), flush=True)
