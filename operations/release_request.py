"""What the command line asks of the release command."""

from __future__ import annotations

import shlex
from dataclasses import dataclass
from enum import StrEnum

from operations.outcome import Refused


class Region(StrEnum):
    """One of the two regions of an environment."""

    PRIMARY = "primary"
    RECOVERY = "recovery"


class Task(StrEnum):
    """What the command is to do."""

    RELEASE = "release"
    RESUME = "resume"
    STOP = "stop"


@dataclass(frozen=True, kw_only=True)
class Request:
    """What the command line asks for."""

    service: str
    image: str | None = None
    environment: str
    region: Region = Region.PRIMARY
    resume: bool = False
    stop: bool = False

    @property
    def task(self) -> Task:
        """The one thing that is asked for.

        Raises:
            Refused: none is, or more than one.
        """
        asked = [
            task
            for task, is_asked in (
                (Task.RELEASE, self.image is not None),
                (Task.RESUME, self.resume),
                (Task.STOP, self.stop),
            )
            if is_asked
        ]
        if len(asked) != 1:
            given = " and ".join(f"--{'image' if task is Task.RELEASE else task}" for task in asked) or "none"
            raise Refused(f"--image: {given} is not allowed; exactly one of --image, --resume and --stop is")
        return asked[0]

    def again(self, option: str) -> str:
        """The command that goes on with the same service's deployment."""
        words = [f"SERVICE={self.service}", f"ENV={self.environment}", f"REGION={self.region}", f"ARGS={option}"]
        return "make release " + shlex.join(words)
