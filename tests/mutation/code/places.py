"""Places in a file's text: where a node of its syntax tree begins and ends, in bytes."""

from __future__ import annotations

import ast
from dataclasses import dataclass


@dataclass(frozen=True)
class Edit:
    """The bytes from ``start`` to ``end`` become ``text``."""

    start: int
    end: int
    text: str


class Text:
    """A file's text."""

    def __init__(self, source: bytes) -> None:
        self.source = source
        self._lines = [0]
        for line in source.splitlines(keepends=True):
            self._lines.append(self._lines[-1] + len(line))

    def start(self, node: ast.expr | ast.stmt) -> int:
        """Where it begins."""
        return self._lines[node.lineno - 1] + node.col_offset

    def end(self, node: ast.expr | ast.stmt) -> int:
        """Behind its last byte."""
        assert node.end_lineno is not None and node.end_col_offset is not None  # noqa: PT018 - of every parsed node
        return self._lines[node.end_lineno - 1] + node.end_col_offset

    def of(self, node: ast.expr | ast.stmt) -> str:
        """Its text."""
        return self.source[self.start(node) : self.end(node)].decode()

    def between(self, left: ast.expr, right: ast.expr) -> tuple[int, int, str]:
        """What is between two: begin, end and text."""
        start, end = self.end(left), self.start(right)
        return start, end, self.source[start:end].decode()

    def line(self, byte: int) -> int:
        """The line that a byte is in, from 1."""
        return self.source.count(b"\n", 0, byte) + 1

    def replaced(self, node: ast.expr | ast.stmt, text: str) -> Edit:
        """The node becomes a text."""
        return Edit(self.start(node), self.end(node), text)

    def body(self, body: list[ast.stmt], text: str) -> Edit:
        """All statements of a block become a text."""
        return Edit(self.start(body[0]), self.end(body[-1]), text)
