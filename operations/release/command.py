"""`make release`: releases an image by a canary, watches it, and reports its automatic rollback.

It needs the service, its CodeDeploy application and deployment group (all of one name), and the smoke-test function of
the environment. It releases an image in the task definition that Terraform registered last from settings. It leaves
only a revision of that task definition and a deployment.
"""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime

import boto3
from botocore.exceptions import BotoCoreError, ClientError
from pydantic import TypeAdapter, ValidationError
from rich.console import Console

from operations.account import aws_errors_in_words, refuse_other_account
from operations.interruption import deferred
from operations.outcome import Failed, Refused
from operations.region import Region
from operations.release.drawing import drawn
from operations.release.progress import SUCCEEDED, Alarm, Look, Plan
from operations.release.request import Request, Task
from operations.release.revision import Running
from operations.release.service import BlueGreenService, Place, already_in_progress
from operations.watching import clock, is_transient
from settings import Settings
from settings.services import ImageByDigest, image_in

EXIT_RELEASED = 0
EXIT_ROLLED_BACK = 3
SECONDS_BETWEEN_LOOKS = 3.0
SECONDS_WITHOUT_ANSWER = 120.0
"""How long AWS may not answer while a deployment is watched; the deployment does not need us."""
SECONDS_UNTIL_ROLLBACK = 30.0
"""How long a failed deployment is polled for its rollback, in seconds."""


def run(
    request: Request, settings: Settings, console: Console, *, seconds_between_looks: float = SECONDS_BETWEEN_LOOKS
) -> int:
    """Release, resume watching or stop, and return the exit code: 0 released, 3 rolled back.

    Raises:
        Refused: bad input, or a condition is not met; nothing was changed.
        Failed: an AWS call failed, or the deployment failed without a rollback.
        KeyboardInterrupt: a started deployment continues; how to resume or stop has been printed.
    """
    task = request.task
    place = place_of(request, settings)
    with aws_errors_in_words():
        session = boto3.Session(region_name=place.region)
        refuse_other_account(settings, session)
        service = BlueGreenService(place, session)
        release = _Release(request, place, service, console, seconds_between_looks)
        return {Task.RELEASE: release.release, Task.RESUME: release.resume, Task.STOP: release.stop}[task]()


def place_of(request: Request, settings: Settings) -> Place:
    """Where the service is.

    Raises:
        Refused: the image is not named by digest, or the service is none that is released blue/green.
    """
    if request.image is not None:
        _refuse_image(request.image)
    critical = [name for name, one in settings.services.items() if one.critical]
    if request.service not in critical:
        known = "is a worker: make deploy changes its image" if request.service in settings.services else "is unknown"
        raise Refused(
            f"service: {request.service!r} is not allowed; it {known}, and one of {', '.join(critical)} is released"
        )
    region = (settings.primary if request.region is Region.PRIMARY else settings.recovery).name
    names = settings.names
    name = names.of(request.service)
    return Place(
        service=request.service,
        name=name,
        cluster=names.of("cluster"),
        region=region,
        hook_arn=f"arn:aws:lambda:{region}:{settings.account_id}:function:{names.of('smoke-test')}",
        alarms_of={
            names.target_group(request.service, colour): names.alarm(f"{request.service}-{colour}-")
            for colour in ("blue", "green")
        },
    )


def _refuse_image(image: str) -> None:
    try:
        TypeAdapter(ImageByDigest).validate_python(image, strict=True)
    except ValidationError as error:
        allowed = error.errors(include_url=False)[0]["ctx"]["error"]
        raise Refused(f"image: {image!r} is not allowed; {allowed}") from None


@dataclass
class _Release:
    """The command at work on one service."""

    request: Request
    place: Place
    service: BlueGreenService
    console: Console
    seconds_between_looks: float
    alarms_seen: dict[str, Alarm] = field(default_factory=dict)

    def release(self) -> int:
        """Release the image."""
        running = self.service.running()
        image = image_in(self.place.region, self.request.image or running.image)
        if other := self.service.in_progress():
            raise Refused(already_in_progress(self.place.service, other))
        wanted = self.service.as_settings_say(running)
        changes = self.service.differences(running, wanted)
        if running.image == image and not changes:
            self._say(f"{self.place.service} runs {image} already: there is nothing to release")
            return EXIT_RELEASED
        plan = self._watched(self.service.plan(), running)
        self._say(f"{self.place.service}: {running.image}\n  -> {image}")
        for line in changes:
            self._say(f"  settings: {line}")
        return self._release(wanted, image, plan)

    def _release(self, wanted: Running, image: str, plan: Plan) -> int:
        alarms = plan.alarms if self.request.without_running_alarms else None
        started: list[str] = []
        with self._explained(started):
            with deferred():  # an interruption between the two calls would leave an unknown state
                started.append(self.service.start(wanted, image, alarms))
            look = self._watch(started[0], plan)
        code = self._ending(look, plan, wanted=image)
        if code == EXIT_RELEASED:
            self.service.forget_older(self.service.running())
        return code

    def _watched(self, plan: Plan, running: Running) -> Plan:
        """The plan with the alarms that shall watch the release.

        Raises:
            Refused: one of them is on, so that CodeDeploy would stop the release at once.
        """
        own = self.place.alarms_of.get(running.target_group)
        of_running = [name for name in plan.alarms if own and name.startswith(own)]
        if self.request.without_running_alarms:
            plan = replace(plan, alarms=tuple(name for name in plan.alarms if name not in of_running))
        if on := [alarm for alarm in self.service.alarms(plan.alarms) if alarm.is_on]:
            raise Refused(_stopped_at_once(on, of_running))
        if self.request.without_running_alarms:
            self._say(
                f"WITHOUT the alarms of the version that runs, {', '.join(of_running) or 'which has none'}: whatever "
                "this release does to its customers, they do not take it back\n"
                f"watched: {', '.join(plan.alarms) or 'no alarm'}, and the smoke test as ever",
                "bold red",
            )
        return plan

    def resume(self) -> int:
        """Watch the deployment in progress; without one, print how the last one ended."""
        self.service.running()  # refuses where there is no service
        if found := self.service.in_progress():
            self._say(f"{self.place.service}: watching {found}")
        elif found := self.service.last():
            self._say(f"{self.place.service}: no deployment is in progress; the last was {found}")
        else:
            raise Refused(f"--resume: nothing to watch; {self.place.name} has never been released")
        return self._watch_to_the_end(self.service.triggering(found))

    def stop(self) -> int:
        """Stop the deployment that is in progress, with a rollback, and watch that."""
        self.service.running()
        if not (found := self.service.in_progress()):
            raise Refused(f"--stop: nothing to stop; no deployment of {self.place.name} is in progress")
        deployment = self.service.triggering(found)
        if deployment == found:
            self.service.stop(deployment)
            self._say(f"{self.place.service}: stopping {deployment}")
        else:
            self._say(f"{self.place.service}: {deployment} is being rolled back already")
        return self._watch_to_the_end(deployment)

    def _watch_to_the_end(self, deployment_id: str) -> int:
        with self._explained([deployment_id]):
            plan = self.service.plan(deployment_id)
            look = self._watch(deployment_id, plan)
        return self._ending(look, plan)

    @contextmanager
    def _explained(self, started: list[str]) -> Iterator[None]:
        """Print how to continue, where watching ends before the deployment."""
        try:
            yield
        except KeyboardInterrupt:
            if started:
                self._say(self._how_to_go_on(started[0]))
            raise
        except (ClientError, BotoCoreError, Failed, Refused) as error:
            if not started:
                raise
            try:
                with aws_errors_in_words():
                    raise error
            except (Failed, Refused) as said:
                raise Failed(f"{said}\n{self._how_to_go_on(started[0])}") from error

    def _how_to_go_on(self, deployment_id: str) -> str:
        return (
            f"{deployment_id} goes on without this command, and without scale-in until its end is watched\n"
            f"  to watch it again:         {self.request.again('--resume')}\n"
            f"  to stop and roll it back:  {self.request.again('--stop')}"
        )

    def _watch(self, deployment_id: str, plan: Plan) -> Look:
        """Poll until nothing is in progress, and return the last status."""
        with drawn(self.console, self.place, plan) as show:
            ended_at: float | None = None
            while True:
                look = self._look(deployment_id, plan)
                show(look)
                if look.has_ended and ended_at is None:
                    ended_at = time.monotonic()
                waited = time.monotonic() - ended_at if ended_at is not None else 0.0
                if look.is_over and not (_rollback_may_come(look, plan) and waited < SECONDS_UNTIL_ROLLBACK):
                    return look
                time.sleep(self.seconds_between_looks)

    def _look(self, deployment_id: str, plan: Plan) -> Look:
        """One look; AWS may be silent for a while, as the deployment does not depend on us."""
        deadline = time.monotonic() + SECONDS_WITHOUT_ANSWER
        while True:
            try:
                look = self.service.look(deployment_id, plan)
            except (ClientError, BotoCoreError) as error:
                if not is_transient(error) or time.monotonic() > deadline:
                    raise
                time.sleep(self.seconds_between_looks)
                continue
            if not look.has_ended or look.error_code == "ALARM_ACTIVE":
                self.alarms_seen.update({alarm.name: alarm for alarm in look.alarms if alarm.is_on})
            return look

    def _ending(self, look: Look, plan: Plan, wanted: str | None = None) -> int:
        """Resume scaling, and print the result and the running version."""
        if look.is_over:
            self.service.resume_scaling(look.deployment_id)
        now = self.service.running().image
        took = f"{look.deployment_id}, {clock(look.elapsed(datetime.now(UTC)))}"
        runs = f"{self.place.service} in {self.place.region} runs {now}"
        if look.status == SUCCEEDED:
            if wanted not in {None, now}:
                raise Failed(f"{look.deployment_id} has succeeded, but {runs}")
            self._say(f"released ({took}): {runs}", "green")
            return EXIT_RELEASED
        cause = look.cause(self.alarms_seen)
        # Before green has tasks, there is nothing to roll back, and CodeDeploy makes no deployment for it.
        if look.rollback_status == SUCCEEDED or (_rollback_may_come(look, plan) and not look.green_percent):
            self._say(f"rolled back ({took}): {cause}\n{runs}", "red")
            return EXIT_ROLLED_BACK
        rollback = f"its rollback {look.rollback_id} {look.rollback_status}" if look.rollback_id else "no rollback"
        share = look.share if look.green_percent is not None else "green never had traffic"
        raise Failed(f"failed ({took}), {rollback}: {cause}\n{share}; {runs}")

    def _say(self, text: str, style: str = "") -> None:
        self.console.print(text, style=style, markup=False)


def _stopped_at_once(on: list[Alarm], of_running: list[str]) -> str:
    """The line that refuses a release which an alarm would stop at once, with the remedy."""
    named = ", ".join(f"{alarm.name} ({alarm.reason})" if alarm.reason else alarm.name for alarm in on)
    if all(alarm.name in of_running for alarm in on):
        way_out = "if the version that runs is broken and this one mends it, ARGS=--without-running-alarms releases it"
    else:
        way_out = "it watches the new version: wait until it is off, which takes minutes after a rollback"
    return f"alarms: {named} is on, so that CodeDeploy would stop the release at once; {way_out}"


def _rollback_may_come(look: Look, plan: Plan) -> bool:
    return plan.rolls_back and look.status != SUCCEEDED and not look.rollback_id
