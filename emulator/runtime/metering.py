"""Where what runs here publishes its metrics: the CloudWatch of each region.

Nothing is published until alarms ring (:mod:`emulator.runtime.monitoring`). The time of a metric is that of
:mod:`emulator.clock`; what is measured in seconds, as the age of a message or the duration of an invocation, is in real
ones, as what runs here takes real time.
"""

from __future__ import annotations

import os
import threading
from collections.abc import Iterator
from contextlib import contextmanager

from alarms.metrics import Data, Metrics
from emulator.clock import CLOCK


class Metering:
    """The metrics of one local AWS."""

    def __init__(self) -> None:
        self._forget()
        os.register_at_fork(after_in_child=self._forget)

    def _forget(self) -> None:
        """Start without metrics: a fork has none, and publishes none."""
        self.is_on = False
        self._lock = threading.Lock()
        self._regions: dict[str, Metrics] = {}

    def publish(self, region: str, data: Data) -> None:
        """Add what was measured just now, if alarms ring."""
        if not self.is_on:
            return
        now = CLOCK.seconds()
        with self._lock:
            self._regions.setdefault(region, Metrics()).publish(data, now)

    @contextmanager
    def of(self, region: str) -> Iterator[Metrics]:
        """The metrics of a region, to which nothing is added within the block."""
        with self._lock:
            yield self._regions.setdefault(region, Metrics())


METERING = Metering()
"""That of this process."""
