"""Lost regions, set by a test: their APIs and load balancers do not answer.

Resources of a lost region stay unchanged, and are available again when the region is restored. Set by PUT to
``/_local-aws/regions``.
"""

from __future__ import annotations

import os
import threading

SECONDS_OF_SILENCE = 60.0
"""Maximum delay of a request to a silent region, in seconds: SDKs have timed out by then."""


class Regions:
    """The lost regions, and whether their APIs answer with an error or not at all."""

    def __init__(self) -> None:
        self._lost: dict[str, bool] = {}
        self._changed = threading.Condition()
        os.register_at_fork(after_in_child=self._begin_with_a_free_lock)

    def _begin_with_a_free_lock(self) -> None:
        self._changed = threading.Condition()

    def set(self, region: str, *, lost: bool, silent: bool = False) -> None:
        """Lose a region, or have it back."""
        with self._changed:
            if lost:
                self._lost[region] = silent
            else:
                self._lost.pop(region, None)
            self._changed.notify_all()

    def is_lost(self, region: str) -> bool:
        """Whether nothing answers there."""
        with self._changed:
            return region in self._lost

    def hold(self, region: str) -> None:
        """Wait as a request to this region does: not at all, unless it is silent."""
        with self._changed:
            self._changed.wait_for(lambda: not self._lost.get(region, False), SECONDS_OF_SILENCE)


REGIONS = Regions()
"""Those of this process."""
