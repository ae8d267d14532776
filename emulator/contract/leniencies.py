"""Where AWS is known to be laxer than its own published model.

An entry lets one constraint of one member pass, and says why. It is not for values that a stack happens to send: only
for what AWS is documented to accept, or for what the AWS provider of Terraform has long sent to AWS itself.
``tests/emulator`` exercises every entry: one that nothing needs any more fails there.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass

from emulator.contract.check import Constraint, Violation


@dataclass(frozen=True, kw_only=True)
class Leniency:
    """One constraint of one member that AWS does not enforce.

    ``member`` is the path as the model names it, without the indices of lists: ``Tags[].Key``.
    """

    service: str
    operation: str
    member: str
    constraint: Constraint
    reason: str

    def covers(self, violation: Violation) -> bool:
        """Whether ``violation`` is the one that this entry lets pass."""
        return (self.service, self.operation, self.member, self.constraint) == (
            violation.service,
            violation.operation,
            re.sub(r"\[\d+\]", "[]", violation.member),
            violation.constraint,
        )


LENIENCIES: tuple[Leniency, ...] = ()


def without_leniencies(violations: Iterable[Violation]) -> list[Violation]:
    """``violations`` without those that an entry covers."""
    return [violation for violation in violations if not any(entry.covers(violation) for entry in LENIENCIES)]
