"""What happens to the platform in a rehearsal, by the commands of its operators."""

from __future__ import annotations

import contextlib
import functools
import json
import os
import signal
import time
import uuid
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

from emulator import process
from emulator.clock import DEFAULT_SECONDS_PER_MINUTE
from emulator.runtime import stand_in
from operations.outcome import Failed
from operations.pay.platform import Platform, front_door
from operations.rehearsal import commands, credential, notification
from operations.rehearsal.course import Event
from operations.release.command import EXIT_ROLLED_BACK

SECONDS_BETWEEN_LOOKS = 0.25
SECONDS_TO_HAPPEN = 300.0
CANARY = "AllowTraffic"
"""What a release prints once the canary has its share of the requests."""
SECONDS_BETWEEN_MOVES = 10.0
SECONDS_PER_MINUTE_OF_A_CANARY = 10.0
SERVER_ERROR = 500
CURRENT = "AWSCURRENT"


@dataclass(frozen=True, kw_only=True)
class Operator:
    """Operates the platform."""

    platform: Platform
    environment: str
    variables: Mapping[str, str] = field(default_factory=dict)
    """What its commands have beside an administrator's access to the local AWS, such as a role's session."""

    def run(self, *arguments: str, expected: int = 0, at: str = "", then: Callable[[], None] = lambda: None) -> None:
        """Run one of the project's commands against the local AWS; do something at the first line with ``at``.

        Raises:
            Failed: it ended with another exit code.
        """
        commands.run(self.platform.server, *arguments, variables=self.variables, expected=expected, at=at, then=then)

    def release(self, *, expected: int = 0, at: str = "", then: Callable[[str], None] = lambda _image: None) -> None:
        """Release another image of the payments service: its repository's contents are the same under any digest.

        It begins once no alarm of the deployment group is in ALARM, as one would end it at once. ``then`` takes the
        image.
        """
        service = self.platform.processing.service
        repository = self.platform.settings.services[service].image.partition("@")[0]
        image = f"{repository}@sha256:{os.urandom(32).hex()}"
        asked = ("release", service, "--environment", self.environment, "--image", image)
        until(self._is_quiet, "no alarm of the deployment group is in ALARM")
        self.run(*asked, expected=expected, at=at, then=lambda: then(image))

    def _is_quiet(self) -> bool:
        platform = self.platform
        name = platform.settings.names.of(platform.processing.service)
        codedeploy = platform.client("codedeploy")
        group = codedeploy.get_deployment_group(applicationName=name, deploymentGroupName=name)["deploymentGroupInfo"]
        names = [one["name"] for one in group["alarmConfiguration"]["alarms"]]
        found = platform.client("cloudwatch").describe_alarms(AlarmNames=names, StateValue="ALARM")
        return not found["MetricAlarms"]

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
    """Release an image whose tasks answer 500 once the canary has a share of the requests: its alarm rolls it back."""
    server = operator.platform.server
    with contextlib.ExitStack() as until_the_end:

        def fail(image: str) -> None:
            until_the_end.enter_context(stand_in.serving(server, image, status=SERVER_ERROR))
            # Of few customers a tenth is too little for a minute that is a second: the alarm needs two answers in each.
            process.set_clock(server, SECONDS_PER_MINUTE_OF_A_CANARY)
            until_the_end.callback(process.set_clock, server, DEFAULT_SECONDS_PER_MINUTE)

        operator.release(expected=EXIT_ROLLED_BACK, at=CANARY, then=fail)


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


def _rotate_and_revoke_a_key(operator: Operator) -> str:
    """A merchant of its own rotates its key while it pays, and is shut out by the key's revocation."""
    platform = operator.platform
    door, merchant = front_door(platform.settings, platform.server), f"rehearsal-{uuid.uuid4().hex[:12]}"
    return credential.live(door, platform.administration(), merchant)


def _notify(operator: Operator) -> str:
    """The acquirer decides on payments by notifications, which come through the platform's name like customers."""
    platform = operator.platform
    door, merchant = front_door(platform.settings, platform.server), f"rehearsal-{uuid.uuid4().hex[:12]}"
    notification.refuse_other_methods(door)
    name = platform.settings.names.secret("acquirer-notifications")
    keys = json.loads(platform.client("secretsmanager").get_secret_value(SecretId=name)["SecretString"])
    acquirer = notification.Acquirer(platform.run_acquirer(), str(keys["notification_keys"][0]).encode())
    return notification.notify(door, acquirer, platform.administration(), merchant)


EVENTS = (
    Event(name="quiet", meaning="nothing happens", happen=_nothing),
    Event(name="tasks-killed", meaning="each task is killed, and replaced", happen=_kill_tasks),
    Event(name="release", meaning="an image is released by a canary", happen=Operator.release),
    Event(name="rollback", meaning="a canary that fails is rolled back by its alarm", happen=_roll_back),
    Event(name="rotation", meaning="the database's password rotates", happen=_rotate),
    Event(name="credential", meaning="a merchant's key rotates, and is revoked", happen=_rotate_and_revoke_a_key),
    Event(name="notification", meaning="the acquirer decides by signed notifications", happen=_notify),
    Event(name="failover", meaning="the recovery region takes over, and gives back", happen=_move_there_and_back),
    Event(name="lost-region", meaning="the primary region is lost, and comes back", happen=_lose_primary),
)
"""All events, in the order in which they happen."""
