"""Statements that are struck out of their policies for a while, as if somebody had deleted them.

What a rehearsal used of a policy must be missed without it: operations/permissions/ strikes a statement, takes the step
that needed it again, and restores it. The policies themselves stay as they were deployed.
"""

from __future__ import annotations

from iam.authorization import Policies, Said, places_of, without


class Struck:
    """The statements that decide nothing at the moment, by kind, document and name."""

    def __init__(self) -> None:
        self._statements: frozenset[tuple[str, str, str]] = frozenset()

    def set(self, statements: frozenset[tuple[str, str, str]]) -> None:
        """Strike these and restore all others."""
        self._statements = statements

    def left_of(self, policies: Policies) -> Policies:
        """The policies without what is struck."""
        for kind, document, name in self._statements:
            found = [one for of, one in policies.by_kind() if (of, one.name) == (kind, document)]
            for one in found:
                for place in reversed(places_of(one, {name})):
                    said = Said(kind=kind, document=document, sid="", effect="Allow", place=place)
                    policies = without(policies, said)
        return policies


STRUCK = Struck()
"""Those of this process."""
