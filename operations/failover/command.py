"""`make failover`: shows the status of both regions and the steps, and moves the platform step by step.

It stores no progress: completed steps are read from AWS (operations/failover/state.py), so after an interrupted run, at
any point, the next run does the rest. It changes nothing that Terraform manages: a plan after it is empty. A record of
the run is written to the backups bucket of the target region.
"""

from __future__ import annotations

import contextlib
import json
import sys
import time
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta

import boto3
from botocore.exceptions import BotoCoreError, ClientError
from rich.console import Console

from operations.account import aws_errors_in_words, refuse_other_account
from operations.failover import drawing as failover_drawing
from operations.failover.aws import Aws
from operations.failover.lock import FOLDER, Lock
from operations.failover.refusals import refusals
from operations.failover.request import Request
from operations.failover.state import State
from operations.failover.steps import Seen, Step, steps_of
from operations.outcome import Failed, Refused
from operations.question import agreed
from operations.watching import clock, is_transient
from settings import Settings

EXIT_DONE = 0
EXIT_UNFINISHED = 3
SECONDS_BETWEEN_LOOKS = 3.0
SECONDS_WITHOUT_ANSWER = 120.0
"""How long AWS may be unreachable while a step is watched, in seconds: the step continues meanwhile."""


def run(
    request: Request,
    settings: Settings,
    console: Console,
    *,
    seconds_between_looks: float = SECONDS_BETWEEN_LOOKS,
    patience: float = 1.0,
) -> int:
    """Fail over, and return the exit code: 0 done, 3 not finished.

    Args:
        request: the target region and the options.
        settings: of the environment.
        console: where to print.
        seconds_between_looks: interval of polling.
        patience: factor on the timeouts of steps; less than 1 for tests.

    Raises:
        Refused: bad input, or a condition is not met; nothing was changed.
        Failed: an AWS call failed; nothing was changed.
        KeyboardInterrupt: a started step continues; the command that does the rest has been printed.
    """
    if not request.approve and not sys.stdin.isatty():
        raise Refused("--approve: needed where there is no terminal to ask on")
    with aws_errors_in_words():
        session = boto3.Session()
        aws = Aws(settings, request, session)
        region = aws.names[request.to].region
        try:
            refuse_other_account(settings, session, region)
        except Failed as error:
            raise Refused(request.silence_of(request.to, region, error)) from error
        failover = _Failover(request, settings, aws, console, seconds_between_looks, patience)
        with Lock(aws.buckets, request).held():
            return failover.run()


class _Declined(Refused):
    """The user declined a step."""


@dataclass
class _Failover:
    """The command at work."""

    request: Request
    settings: Settings
    aws: Aws
    console: Console
    seconds_between_looks: float
    patience: float
    began: float = field(default_factory=time.monotonic)
    done: list[dict[str, object]] = field(default_factory=list)
    """Completed steps, for the record."""

    def run(self) -> int:
        """Look, refuse or go on, step by step."""
        first = self.aws.look()
        self.console.print(failover_drawing.found(first, self.aws))
        recovery_point = timedelta(seconds=self.settings.database.recovery_point_seconds)
        for reason in refusals(first, self.request, self.aws.names, recovery_point):
            raise Refused(reason)
        steps = steps_of(self.aws, self.request, self.settings, first)
        self._warn(first)
        self.console.print(failover_drawing.plan(steps, first))
        outcome = "interrupted"
        try:
            for number, step in enumerate(steps, start=1):
                self._take(step, number, len(steps))
            outcome = "done"
        except KeyboardInterrupt:
            self._say(f"what was begun goes on; to do the rest: {self.request.again()}")
            raise
        except (Failed, Refused, ClientError, BotoCoreError) as error:
            outcome = _in_words(error)
            if isinstance(error, _Declined) and not self.done:
                raise
            self._say(f"not finished: {outcome}\n{self._standing()}", "red")
            return EXIT_UNFINISHED
        finally:
            if outcome != "interrupted":
                self._record(first, outcome)
        took = clock(timedelta(seconds=time.monotonic() - self.began))
        self._say(f"done in {took}: {self.aws.names[self.request.to].region} serves and has the writer", "green")
        return EXIT_DONE

    def _warn(self, state: State) -> None:
        if not self.request.lost_region or state.database.is_led_by(self.aws.names[self.request.to].database):
            return
        lag = state.database.lag_milliseconds
        behind = "it is not known how much that is" if lag is None else f"it was {lag:.0f} ms behind when last measured"
        origin = state.regions[self.request.origin]
        self._say(f"What {origin.name} has not replicated will be LOST: {behind}", "bold red")
        if origin.answers and state.traffic.reached[self.request.origin] is not False:
            self._say(f"{origin.name} answers: without --lost-region nothing would be lost", "bold red")

    def _take(self, step: Step, number: int, of: int) -> None:
        """Run one step, unless it is complete: ask, start it, and watch it."""
        seen = self._look(step)
        if seen.done:
            self._say(f"{number}. {step.title}: done already, {seen.text}")
            return
        self._ask(f"{number}. {step.title}?")
        began, moment = time.monotonic(), datetime.now(UTC)
        step.begin()
        with failover_drawing.watched(self.console, step, number, of) as show:
            while True:
                seen = self._look(step)
                show(seen)
                if seen.done:
                    break
                if time.monotonic() - began > step.minutes * 60 * self.patience:
                    raise Failed(
                        f"step {number}, {step.title}, is not done after {step.minutes:g} minutes: {seen.text}"
                    )
                time.sleep(self.seconds_between_looks)
        seconds = time.monotonic() - began
        self.done.append(
            {"step": step.title, "began": moment.isoformat(timespec="seconds"), "seconds": round(seconds, 1)}
        )
        self._say(f"{number}. {step.title}: done in {clock(timedelta(seconds=seconds))}, {seen.text}", "green")

    def _look(self, step: Step) -> Seen:
        """One look; AWS may be silent for a while."""
        deadline = time.monotonic() + SECONDS_WITHOUT_ANSWER * self.patience
        while True:
            try:
                return step.look()
            except (ClientError, BotoCoreError) as error:
                if not is_transient(error) or time.monotonic() > deadline:
                    raise
                time.sleep(self.seconds_between_looks)

    def _ask(self, question: str) -> None:
        if self.request.approve:
            return
        if not agreed(question):
            raise _Declined("nothing was changed" if not self.done else "stopped before that step, as you said")

    def _standing(self) -> str:
        """Print the status, and the command that continues."""
        with contextlib.suppress(Failed, Refused, ClientError, BotoCoreError):
            state = self.aws.look()
            lines = [
                f"  {'done' if seen.done else 'NOT done'}: {step.title} ({seen.text})"
                for step in steps_of(self.aws, self.request, self.settings, state)
                for seen in [step.seen_in(state)]
            ]
            return "\n".join([*lines, f"to go on: {self.request.again()}"])
        return f"the status cannot be read now; to resume: {self.request.again()}"

    def _record(self, first: State, outcome: str) -> None:
        """Write the record to the backups bucket of the target region; its failure does not fail the failover."""
        if not self.done:
            return
        client, bucket = self.aws.buckets[self.request.to]
        record = {
            "to": str(self.request.to),
            "lost_region": self.request.lost_region,
            "accept_data_loss": self.request.accept_data_loss,
            "began": first.at.isoformat(timespec="seconds"),
            "ended": datetime.now(UTC).isoformat(timespec="seconds"),
            "replication_lag_milliseconds": first.database.lag_milliseconds,
            "steps": self.done,
            "outcome": outcome,
        }
        key = f"{FOLDER}/{first.at:%Y-%m-%dT%H-%M-%SZ}-to-{self.request.to}.json"
        try:
            client.put_object(Bucket=bucket, Key=key, Body=json.dumps(record, indent=2), ContentType="application/json")
        except (ClientError, BotoCoreError) as error:
            self._say(f"the record could not be written to {bucket}: {_in_words(error)}", "yellow")
        else:
            self._say(f"recorded in s3://{bucket}/{key}")

    def _say(self, text: str, style: str = "") -> None:
        self.console.print(text, style=style, markup=False)


def _in_words(error: Exception) -> str:
    try:
        with aws_errors_in_words():
            raise error
    except (Failed, Refused) as said:
        return str(said)
