"""What the command line asks of the release command."""

from __future__ import annotations

import shlex
from dataclasses import dataclass
from enum import StrEnum

from operations.outcome import Refused
from operations.region import Region


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
    without_running_alarms: bool = False

    @property
    def task(self) -> Task:
        """The one thing that is asked for: a release, unless something else is.

        Raises:
            Refused: more than one thing is.
        """
        options = {
            "--image": self.image is not None,
            "--without-running-alarms": self.without_running_alarms,
            "--resume": self.resume,
            "--stop": self.stop,
        }
        given = [name for name, is_given in options.items() if is_given]
        if (self.resume or self.stop) and len(given) > 1:
            raise Refused(f"{given[-1]}: {' and '.join(given)} is not allowed; --resume and --stop stand alone")
        return Task.RESUME if self.resume else Task.STOP if self.stop else Task.RELEASE

    def again(self, option: str) -> str:
        """The command that goes on with the same service's deployment."""
        words = [f"SERVICE={self.service}", f"ENV={self.environment}", f"REGION={self.region}", f"ARGS={option}"]
        return "make release " + shlex.join(words)
