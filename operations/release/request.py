"""Request of the release command, from the command line."""

from __future__ import annotations

import shlex
from dataclasses import dataclass
from enum import StrEnum

from operations.outcome import Refused
from operations.region import Region


class Task(StrEnum):
    """Action of the command."""

    RELEASE = "release"
    RESUME = "resume"
    STOP = "stop"


@dataclass(frozen=True, kw_only=True)
class Request:
    """Arguments of the command line."""

    service: str
    image: str | None = None
    environment: str
    region: Region = Region.PRIMARY
    resume: bool = False
    stop: bool = False
    without_running_alarms: bool = False

    @property
    def task(self) -> Task:
        """The requested action; by default a release.

        Raises:
            Refused: more than one action.
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
        """The command that continues with the same service's deployment."""
        words = [f"SERVICE={self.service}", f"ENV={self.environment}", f"REGION={self.region}", f"ARGS={option}"]
        return "make release " + shlex.join(words)
