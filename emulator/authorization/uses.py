"""The uses of statements: which statement of which policy allowed what, in which step of a rehearsal.

A statement is recorded once in each step for each principal and action, with whether it was needed: what a
rehearsal never uses need not be there, and what it needs must be missed when it is gone (operations/permissions/).
"""

from __future__ import annotations

import threading
from collections.abc import Callable
from datetime import UTC, datetime

from emulator.record import RecordedUse
from iam.authorization import Policies, Said, Verdict, needed

Use = tuple[str, str, str, str, str]


class Uses:
    """The uses that this local AWS has recorded in the current step. Safe for use by many threads."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._record: Callable[[RecordedUse], None] | None = None
        self._seen: set[Use] = set()
        self._step = ""

    def record_with(self, record: Callable[[RecordedUse], None]) -> None:
        """Record with a function from now on, beginning anew."""
        with self._lock:
            self._record, self._seen = record, set()

    def begin(self, step: str) -> None:
        """Begin a step: what it uses is recorded again, under its name."""
        with self._lock:
            self._step, self._seen = step, set()

    def note(self, verdict: Verdict, policies: Policies) -> None:
        """Record the statements that allow a request, where the step has not used them so before."""
        if (record := self._record) is None:
            return
        if new := self._new(verdict):
            asked, without_it_refused = verdict.request, needed(verdict, policies)
            for said in new:
                record(
                    RecordedUse(
                        time=datetime.now(UTC).isoformat(timespec="milliseconds"),
                        step=self._step,
                        kind=said.kind,
                        document=said.document,
                        statement=said.name,
                        principal=asked.role or asked.principal,
                        action=asked.action,
                        resource=asked.resource,
                        needed=said in without_it_refused,
                    )
                )

    def _new(self, verdict: Verdict) -> list[Said]:
        asked = verdict.request
        new = []
        with self._lock:
            for said in verdict.said:
                use = (said.kind, said.document, said.name, asked.role or asked.principal, asked.action)
                if said.effect == "Allow" and use not in self._seen:
                    self._seen.add(use)
                    new.append(said)
        return new


USES = Uses()
"""Those of this process."""
