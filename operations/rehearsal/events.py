"""What happens to the platform in a rehearsal, by the commands of its operators."""

from __future__ import annotations

import contextlib
import functools
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass

from emulator import process
from operations.outcome import Failed
from operations.pay.platform import Platform
from operations.project_root import PROJECT
from operations.release.command import EXIT_ROLLED_BACK

SECONDS_BETWEEN_LOOKS = 0.25
SECONDS_TO_HAPPEN = 300.0
CANARY = "AllowTraffic"
"""What a release prints once the canary has its share of the requests."""
SECONDS_BETWEEN_MOVES = 10.0
CURRENT = "AWSCURRENT"


@dataclass(frozen=True, kw_only=True)
class Event:
    """An event: its name, as the report and ``--only`` have it, and what makes it happen."""

    name: str
    meaning: str
    happen: Callable[[Operator], None]


@dataclass(frozen=True, kw_only=True)
class Operator:
    """Operates the platform."""

    platform: Platform
    environment: str

    def run(self, *arguments: str, expected: int = 0, at: str = "", then: Callable[[], None] = lambda: None) -> None:
        """Run one of the project's commands against the local AWS; do something at the first line with ``at``.

        Raises:
            Failed: it ended with another exit code.
        """
        command = subprocess.Popen(
            [sys.executable, "-u", "-m", "operations", *arguments],
            cwd=PROJECT,
            env=process.complete_environment(self.platform.server.url),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )
        lines: list[str] = []
        with command:
            for line in command.stdout or ():
                lines.append(line.rstrip())
                if at and at in line:
                    at = ""
                    then()
        if command.returncode != expected:
            said = "\n".join(lines[-8:])
            raise Failed(f"{' '.join(arguments)}: exit code {command.returncode}, expected {expected}:\n{said}")

    def release(self, *, expected: int = 0, at: str = "", then: Callable[[], None] = lambda: None) -> None:
        """Release another image of the payments service: its repository's contents are the same under any digest."""
        service = self.platform.processing.service
        repository = self.platform.settings.services[service].image.partition("@")[0]
        image = f"{repository}@sha256:{os.urandom(32).hex()}"
        asked = ("release", service, "--environment", self.environment, "--image", image)
        self.run(*asked, expected=expected, at=at, then=then)

    def move(self, region: str, *options: str) -> None:
        """Fail over to a region, without questions."""
        self.run("failover", region, "--environment", self.environment, "--approve", *options)


def until(condition: Callable[[], object], what: str) -> None:
    """Wait for something to be so.

    Raises:
        Failed: it is not, in time.
    """
    deadline = time.monotonic() + SECONDS_TO_HAPPEN
    while not condition():
        if time.monotonic() > deadline:
            raise Failed(f"waited {SECONDS_TO_HAPPEN:g} s in vain: {what}")
        time.sleep(SECONDS_BETWEEN_LOOKS)


def _nothing(_operator: Operator) -> None:
    time.sleep(2 * SECONDS_BETWEEN_MOVES)


def _kill_tasks(operator: Operator) -> None:
    """Kill the processes of the primary region's tasks, one after the other; each is replaced."""
    platform = operator.platform
    for task in platform.tasks():
        if task["pid"]:
            with contextlib.suppress(ProcessLookupError):
                os.kill(int(str(task["pid"])), signal.SIGKILL)
            until(functools.partial(_is_replaced, platform, str(task["arn"])), "a task that was killed is replaced")


def _is_replaced(platform: Platform, dead: str) -> bool:
    tasks = platform.tasks()
    return bool(tasks) and all(one["url"] and one["arn"] != dead for one in tasks)


def _roll_back(operator: Operator) -> None:
    """Release, and put an alarm of the deployment group into ALARM once the canary has a share of the requests."""
    platform = operator.platform
    name = platform.settings.names.of(platform.processing.service)
    cloudwatch, codedeploy = platform.client("cloudwatch"), platform.client("codedeploy")
    group = codedeploy.get_deployment_group(applicationName=name, deploymentGroupName=name)["deploymentGroupInfo"]
    alarm = str(group["alarmConfiguration"]["alarms"][0]["name"])

    def set_alarm(state: str) -> None:
        cloudwatch.set_alarm_state(AlarmName=alarm, StateValue=state, StateReason="the rehearsal")

    try:
        operator.release(expected=EXIT_ROLLED_BACK, at=CANARY, then=lambda: set_alarm("ALARM"))
    finally:
        set_alarm("OK")


def _rotate(operator: Operator) -> None:
    """Rotate the password of the application's user, and wait until the new one is current."""
    secrets, name = (
        operator.platform.client("secretsmanager"),
        operator.platform.settings.names.secret("database/application"),
    )

    def current() -> str:
        versions = secrets.list_secret_version_ids(SecretId=name)["Versions"]
        (found,) = [one["VersionId"] for one in versions if CURRENT in one["VersionStages"]]
        return str(found)

    before = current()
    secrets.rotate_secret(SecretId=name)
    until(lambda: current() != before, "the new password is current")


def _move_there_and_back(operator: Operator) -> None:
    operator.move("recovery")
    time.sleep(SECONDS_BETWEEN_MOVES)
    operator.move("primary")


def _lose_primary(operator: Operator) -> None:
    """Lose the primary region, fail over without it, and return when its database is synchronized again."""
    server, region = operator.platform.server, operator.platform.settings.primary.name
    process.lose_region(server, region, silent=False)
    try:
        operator.move("recovery", "--lost-region")
        time.sleep(SECONDS_BETWEEN_MOVES)
    finally:
        process.restore_region(server, region)
    until(lambda: _is_synchronized(operator), "the primary region's database is synchronized")
    operator.move("primary")


def _is_synchronized(operator: Operator) -> bool:
    rds = operator.platform.client("rds", operator.platform.settings.recovery.name)
    (group,) = rds.describe_global_clusters()["GlobalClusters"]
    return all(one.get("SynchronizationStatus", "connected") == "connected" for one in group["GlobalClusterMembers"])


EVENTS = (
    Event(name="quiet", meaning="nothing happens", happen=_nothing),
    Event(name="tasks-killed", meaning="each task is killed, and replaced", happen=_kill_tasks),
    Event(name="release", meaning="an image is released by a canary", happen=Operator.release),
    Event(name="rollback", meaning="a canary is rolled back by an alarm", happen=_roll_back),
    Event(name="rotation", meaning="the database's password rotates", happen=_rotate),
    Event(name="failover", meaning="the recovery region takes over, and gives back", happen=_move_there_and_back),
    Event(name="lost-region", meaning="the primary region is lost, and comes back", happen=_lose_primary),
)
"""All events, in the order in which they happen."""
