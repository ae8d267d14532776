"""Clock of AWS processes that take minutes, such as releases. Its speed can be changed while it runs."""

from __future__ import annotations

import time
from collections.abc import Callable

DEFAULT_SECONDS_PER_MINUTE = 1.0
"""A canary of ten minutes is ten seconds: long enough to watch, short enough to wait for."""

_SECONDS_BETWEEN_LOOKS = 0.02
_SECONDS_OF_A_MINUTE = 60.0


class Clock:
    """Counts AWS's minutes; one takes ``seconds_per_minute`` real seconds."""

    def __init__(self) -> None:
        self.seconds_per_minute = DEFAULT_SECONDS_PER_MINUTE
        self._since, self._seconds = time.monotonic(), time.time()

    def seconds(self) -> float:
        """AWS's time in seconds since the epoch: the real one when the clock was made, and as much as passed by it."""
        passed = (time.monotonic() - self._since) / self.seconds_per_minute
        return self._seconds + passed * _SECONDS_OF_A_MINUTE

    def set(self, seconds_per_minute: float) -> None:
        """Change the speed, also of waits in progress.

        Raises:
            ValueError: it is not above 0.
        """
        if not seconds_per_minute > 0:
            raise ValueError(f"seconds_per_minute: {seconds_per_minute!r} is not allowed; a number above 0 is")
        self._seconds, self._since = self.seconds(), time.monotonic()
        self.seconds_per_minute = seconds_per_minute

    def wait(self, minutes: float, until: Callable[[], bool]) -> bool:
        """Wait for ``minutes``, or until something is so; returns whether it was.

        Each moment counts by the speed that the clock has then.
        """
        passed = 0.0
        last = time.monotonic()
        while not until():
            if passed >= minutes:
                return False
            time.sleep(_SECONDS_BETWEEN_LOOKS)
            now = time.monotonic()
            passed += (now - last) / self.seconds_per_minute
            last = now
        return True


CLOCK = Clock()
"""The one of this process."""
