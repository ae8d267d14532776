"""All that was said and done in the parts of a platform's life."""

from __future__ import annotations

from dataclasses import dataclass

from emulator.record import Call, RecordedViolation, read_calls, read_violations
from tests.lifecycle.parts import place, played_parts, screen


@dataclass(frozen=True, kw_only=True)
class Life:
    """The calls, the breaches of AWS's contract and the screens of every part."""

    calls: list[Call]
    violations: list[RecordedViolation]
    screens: dict[str, str]

    @classmethod
    def of_parts(cls) -> Life:
        """Of those that have been played in this run."""
        parts = played_parts()
        return cls(
            calls=[call for part in parts for call in read_calls(place() / part)],
            violations=[one for part in parts for one in read_violations(place() / part)],
            screens={part: screen(part) for part in parts},
        )
