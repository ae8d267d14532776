"""Injected faults: calls of an operation that fail as they do when AWS throttles."""

from __future__ import annotations

import threading
from collections import deque


class Faults:
    """The codes of the errors that the next calls of each operation end with."""

    def __init__(self) -> None:
        self._codes: dict[str, deque[str]] = {}
        self._lock = threading.Lock()

    def ask(self, operation: str, code: str, times: int) -> None:
        """Make exactly the next ``times`` calls of ``operation`` fail with ``code``; 0 removes the fault."""
        with self._lock:
            self._codes[operation] = deque([code] * times)

    def next(self, operation: str) -> str | None:
        """The code that this call of ``operation`` must fail with, if any."""
        with self._lock:
            codes = self._codes.get(operation)
            return codes.popleft() if codes else None


FAULTS = Faults()
"""Those of this process."""
