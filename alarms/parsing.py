"""What the parsers of rules, expressions and filter patterns share: reading one token after the other."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterable


class Parser(ABC):
    """The tokens of a text, and how far they are read."""

    def __init__(self, tokens: Iterable[str]) -> None:
        self._tokens = list(tokens)
        self._at = 0

    @abstractmethod
    def _wrong(self, found: str) -> ValueError:
        """The error of a text in which ``found`` stands where it is not expected."""

    def _unexpected(self) -> ValueError:
        """The error of the token that comes next, or of the end."""
        return self._wrong("the end" if self._at == len(self._tokens) else self._tokens[self._at])

    def _take(self, *wanted: str) -> str | None:
        if self._at < len(self._tokens) and self._tokens[self._at] in wanted:
            return self._next()
        return None

    def _expect(self, *wanted: str) -> str:
        found = self._take(*wanted)
        if found is None:
            raise self._unexpected()
        return found

    def _next(self) -> str:
        if self._at == len(self._tokens):
            raise self._unexpected()
        self._at += 1
        return self._tokens[self._at - 1]

    def _end(self) -> None:
        if self._at != len(self._tokens):
            raise self._unexpected()
