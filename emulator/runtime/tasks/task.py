"""One task of a service: prepared as by ECS, started, checked, stopped."""

from __future__ import annotations

import json
import logging
import threading
import time
import uuid
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from enum import StrEnum
from typing import Any

import boto3
from botocore.exceptions import BotoCoreError, ClientError
from moto.logs.models import logs_backends

from emulator.address import HOST
from emulator.authorization import callers, gate
from emulator.runtime.tasks import credentials
from emulator.runtime.tasks.credentials import Holder, NotAssumedError
from emulator.runtime.tasks.definitions import HealthCheck, Surroundings, box_of, health_check_of
from emulator.runtime.tasks.image import Image
from emulator.runtime.tasks.process import Process
from emulator.turns import turn

SECONDS_TO_START = 30.0
SECONDS_BETWEEN_LOOKS = 0.1
PATIENCE = 6
"""How much longer than on AWS a health check may take: a rehearsal's processes share a small machine."""
RELATIVE_URI = "AWS_CONTAINER_CREDENTIALS_RELATIVE_URI"
# https://docs.aws.amazon.com/AmazonECR/latest/userguide/repository-policy-examples.html (the actions of a pull)
PULLS = ("ecr:BatchCheckLayerAvailability", "ecr:GetDownloadUrlForLayer", "ecr:BatchGetImage")

_log = logging.getLogger(__name__)


class State(StrEnum):
    """https://docs.aws.amazon.com/AmazonECS/latest/developerguide/task-lifecycle-explanation.html."""

    PENDING = "PENDING"
    RUNNING = "RUNNING"
    STOPPING = "STOPPING"
    STOPPED = "STOPPED"


@dataclass(frozen=True, kw_only=True)
class Plan:
    """The plan of a task, from its definition and its service."""

    service: str
    region: str
    account: str
    cluster: str
    task_set: str
    definition: str
    """The ARN of the task definition."""
    container: Mapping[str, Any]
    task_role: str
    execution_role: str
    network: callers.Network | None
    image: Image
    address: str


class CannotStartError(Exception):
    """A task cannot be started; the message is the reason in ECS's words."""


@dataclass(kw_only=True)
class Task:
    """A task. ``reason`` tells why it was stopped; ``log`` has its last output."""

    plan: Plan
    state: State = State.PENDING
    reason: str = ""
    exit_code: int | None = None
    process: Process | None = None
    is_healthy: bool | None = None
    """The result of the container's health check; None without a check or before its first result."""
    identifier: str = field(default_factory=lambda: uuid.uuid4().hex)
    _credentials: str = ""
    _listens: bool = False
    _ended: Callable[[Task], None] = lambda _task: None

    @property
    def arn(self) -> str:
        """The task's ARN."""
        plan = self.plan
        return f"arn:aws:ecs:{plan.region}:{plan.account}:task/{plan.cluster}/{self.identifier}"

    @property
    def url(self) -> str | None:
        """The URL of the container's port on this machine, once somebody listens there."""
        port = self.process.port if self.process else None
        return f"https://{HOST}:{port}" if port and self._listens and self.state is State.RUNNING else None

    def described(self) -> dict[str, object]:
        """The task as a rehearsal reports it."""
        plan = self.plan
        return {
            "arn": self.arn,
            "service": plan.service,
            "region": plan.region,
            "definition": plan.definition,
            "address": plan.address,
            "state": self.state.value,
            "reason": self.reason,
            "exit_code": self.exit_code,
            "is_healthy": self.is_healthy,
            "url": self.url,
            "pid": self.process.pid if self.process else None,
        }

    def start(self, around: Surroundings, ended: Callable[[Task], None]) -> None:
        """Start it; returns once it runs or has failed to start. ``ended`` is called when it has ended."""
        self._ended = ended
        try:
            box = self._box(around)
        except CannotStartError as error:
            self._end(None, str(error))
            return
        name = f"{self.plan.service} {self.identifier[:8]}"
        self.process = Process(box, name, log=self._write_log, ended=self._has_ended)
        if self.process.wait_until_started(SECONDS_TO_START) and self.state is State.PENDING:
            self.state = State.RUNNING
            self._check()
            name = f"{self.plan.service} {self.identifier[:8]} awaited (task)"
            threading.Thread(target=self._wait_until_it_listens, name=name, daemon=True).start()

    def stop(self, reason: str) -> None:
        """Send SIGTERM, and SIGKILL after the definition's stopTimeout."""
        if self.state is State.STOPPED:
            return
        self.state, self.reason = State.STOPPING, self.reason or reason
        if self.process:
            self.process.stop()

    def kill(self) -> None:
        """Kill it at once."""
        if self.process:
            self.process.kill()

    def _has_ended(self, code: int) -> None:
        self._end(code, self.reason or "Essential container in task exited")

    def _end(self, code: int | None, reason: str) -> None:
        self.state, self.exit_code, self.reason = State.STOPPED, code, reason
        credentials.forget(self._credentials)
        _log.warning("task %s of %s ended: %s (exit code %s)", self.identifier, self.plan.service, reason, code)
        self._ended(self)

    # --- before it starts ---

    def _box(self, around: Surroundings) -> Any:
        plan = self.plan
        given: dict[str, str] = {"AWS_EXECUTION_ENV": "AWS_ECS_FARGATE"}
        try:
            given |= self._with_execution_role(around)
        except NotAssumedError as error:
            raise CannotStartError(str(error)) from None
        if plan.task_role:
            self._credentials = credentials.path_for(self._holder(plan.task_role))
            given[RELATIVE_URI] = self._credentials
        return box_of(plan.container, plan.image, given, around)

    def _holder(self, role: str) -> Holder:
        return Holder(role=role, task=self.arn, region=self.plan.region, network=self.plan.network)

    def _with_execution_role(self, around: Surroundings) -> dict[str, str]:
        """Pull the image, open the log stream and read the secrets with the execution role."""
        if not self.plan.execution_role:
            return {}
        session = credentials.session_of(self._holder(self.plan.execution_role))
        with turn():
            self._caller = callers.session_caller(session)
            self._pull()
            self._open_log()
        return self._secrets(session, around)

    def _pull(self) -> None:
        """Pull an image of the account's registry: https://docs.aws.amazon.com/AmazonECS/latest/developerguide/task_execution_IAM_role.html."""
        registry, _, name = str(self.plan.container["image"]).partition("/")
        parts = registry.split(".")
        if parts[1:3] != ["dkr", "ecr"]:
            return
        repository = f"arn:aws:ecr:{parts[3]}:{parts[0]}:repository/{name.partition('@')[0].partition(':')[0]}"
        asked = [("ecr:GetAuthorizationToken", "*"), *((action, repository) for action in PULLS)]
        for action, resource in asked:
            if not gate.may_act(self._caller, action, resource, {"aws:RequestedRegion": self.plan.region}):
                raise CannotStartError(
                    f"CannotPullContainerError: {self._caller.principal} is not authorized to perform: {action} "
                    f"on resource: {resource}"
                )

    def _open_log(self) -> None:
        group = self._log_option("group")
        if not group:
            return
        logs = logs_backends[self.plan.account][self.plan.region]
        self._stream = f"{self._log_option('stream-prefix')}/{self.plan.container['name']}/{self.identifier}"
        if group not in logs.groups or not self._may_log("logs:CreateLogStream"):
            raise CannotStartError(
                "ResourceInitializationError: failed to validate logger args: The task cannot find the Amazon "
                f"CloudWatch log group {group}, or may not create a log stream there"
            )
        logs.create_log_stream(group, self._stream)

    def _log_option(self, name: str) -> str:
        configuration = self.plan.container.get("logConfiguration") or {}
        return str((configuration.get("options") or {}).get(f"awslogs-{name}") or "")

    def _may_log(self, action: str) -> bool:
        arn = f"arn:aws:logs:{self.plan.region}:{self.plan.account}:log-group:{self._log_option('group')}"
        return gate.may_act(self._caller, action, f"{arn}:log-stream:{self._stream}")

    def _secrets(self, session: Any, around: Surroundings) -> dict[str, str]:
        wanted = self.plan.container.get("secrets") or ()
        if not wanted:
            return {}
        make: Any = boto3.client
        client = make(
            "secretsmanager",
            region_name=self.plan.region,
            endpoint_url=f"http://{HOST}:{around.port}",
            aws_access_key_id=session.access_key_id,
            aws_secret_access_key=session.secret_access_key,
            aws_session_token=session.session_token,
        )
        return {one["name"]: _secret(client, one["valueFrom"]) for one in wanted}

    def _write_log(self, lines: list[str]) -> None:
        group = self._log_option("group")
        for line in lines:
            _log.debug("%s: %s", self.identifier, line)
        if not group or not self.plan.execution_role:
            return
        milliseconds = int(datetime.now(UTC).timestamp() * 1000)
        with turn():
            logs = logs_backends[self.plan.account][self.plan.region]
            if group in logs.groups and self._may_log("logs:PutLogEvents"):
                events = [{"timestamp": milliseconds, "message": line} for line in lines]
                logs.put_log_events(group, self._stream, events)

    # --- while it runs ---

    def _wait_until_it_listens(self) -> None:
        """Wait for a listener on the container's port: before, the task takes no requests."""
        while self.state is State.RUNNING and self.process and self.process.port:
            if self.process.is_listening():
                self._listens = True
                return
            time.sleep(SECONDS_BETWEEN_LOOKS)

    def _check(self) -> None:
        if check := health_check_of(self.plan.container):
            name = f"{self.plan.service} {self.identifier[:8]} checked (task)"
            threading.Thread(target=self._check_often, args=(check,), name=name, daemon=True).start()

    def _check_often(self, check: HealthCheck) -> None:
        """Run the container's health check. Failures within its start period do not count."""
        began, failures = time.monotonic(), 0
        while self.state is State.RUNNING and self.process:
            done = self.process.run(check.command, check.timeout * PATIENCE)
            if done and done[0] == 0:
                self.is_healthy, failures = True, 0
            elif time.monotonic() - began > check.start_period:
                failures += 1
            if failures >= check.retries:
                self.is_healthy = False
                self.stop("Task failed container health checks")
                return
            # Until it has passed once, the interval is short, so that a start is noticed early.
            time.sleep(check.interval if self.is_healthy else min(1.0, check.interval))


def _secret(client: Any, value_from: str) -> str:
    """The value of a secret, or of the member of its JSON that ``ARN:json-key:version-stage:version-id`` names.

    https://docs.aws.amazon.com/AmazonECS/latest/developerguide/secrets-envvar-secrets-manager.html
    """
    if ":secretsmanager:" not in value_from:
        raise CannotStartError(f"the local AWS lacks the secret {value_from}: it reads those of Secrets Manager alone")
    parts = value_from.split(":")
    arn, (key, stage, version) = ":".join(parts[:7]), [*parts[7:], "", "", ""][:3]
    chosen = {"VersionStage": stage} if stage else {"VersionId": version} if version else {}
    try:
        text = str(client.get_secret_value(SecretId=arn, **chosen)["SecretString"])
        return str(json.loads(text)[key]) if key else text
    except (ClientError, BotoCoreError, ValueError, KeyError) as error:
        said = error if isinstance(error, ClientError) else type(error).__name__
        raise CannotStartError(
            "ResourceInitializationError: unable to pull secrets or registry auth: unable to retrieve secret from asm: "
            f"{said}"
        ) from None
