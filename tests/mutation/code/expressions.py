"""Changes of an expression: a comparison, a condition, arithmetic, a value, an await."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator, Mapping

from tests.mutation.code.places import Edit, Text

COMPARISONS: Mapping[type[ast.cmpop], tuple[str, tuple[str, ...]]] = {
    ast.Lt: ("<", ("<=", ">=")),
    ast.LtE: ("<=", ("<", ">")),
    ast.Gt: (">", (">=", "<=")),
    ast.GtE: (">=", (">", "<")),
    ast.Eq: ("==", ("!=",)),
    ast.NotEq: ("!=", ("==",)),
    ast.Is: ("is", ("is not",)),
    ast.IsNot: (r"is\s+not", ("is",)),
    ast.In: ("in", ("not in",)),
    ast.NotIn: (r"not\s+in", ("in",)),
}
ARITHMETIC: Mapping[type[ast.operator], tuple[str, str]] = {
    ast.Add: (r"\+", "-"),
    ast.Sub: ("-", "+"),
    ast.Mult: (r"\*", "/"),
    ast.Div: ("/", "*"),
    ast.FloorDiv: ("//", "*"),
    ast.BitAnd: ("&", "|"),
    ast.BitOr: (r"\|", "&"),
}
TEXTS = (ast.JoinedStr, ast.Dict, ast.List, ast.Tuple)


def changes_of_expression(text: Text, node: ast.AST) -> Iterator[tuple[str, Edit]]:
    """Kind and edit of each."""
    yield from (*_of_conditions(text, node), *_of_values(text, node))


def _of_conditions(text: Text, node: ast.AST) -> Iterator[tuple[str, Edit]]:
    match node:
        case ast.Compare():
            yield from (("comparison", edit) for edit in _comparisons(text, node))
        case ast.BoolOp():
            yield from (("condition", edit) for edit in _connections(text, node))
        case ast.UnaryOp(op=ast.Not()):
            yield "condition", text.replaced(node, f"({text.of(node.operand)})")
        case ast.If() | ast.While() | ast.IfExp():
            yield from (("condition", edit) for edit in _negated(text, node.test))
        case ast.comprehension():
            yield from (("condition", edit) for test in node.ifs for edit in _negated(text, test))


def _of_values(text: Text, node: ast.AST) -> Iterator[tuple[str, Edit]]:
    match node:
        case ast.BinOp() if not _is_text(node.left) and not _is_text(node.right):
            yield from (("arithmetic", edit) for edit in _operators(text, node))
        case ast.Constant(value=bool() as value):
            yield "value", text.replaced(node, str(not value))
        case ast.Constant(value=int() as number):
            yield "value", text.replaced(node, str(number + 1))
        case ast.Await():
            yield "await lost", text.replaced(node, text.of(node.value))


def _comparisons(text: Text, node: ast.Compare) -> Iterator[Edit]:
    left = [node.left, *node.comparators[:-1]]
    for operand, operator, following in zip(left, node.ops, node.comparators, strict=True):
        written, others = COMPARISONS[type(operator)]
        for other in others:
            yield from _between(text, operand, following, rf"(?<!\w){written}(?!\w)", other)


def _connections(text: Text, node: ast.BoolOp) -> Iterator[Edit]:
    written, other = ("and", "or") if isinstance(node.op, ast.And) else ("or", "and")
    for left, right in zip(node.values, node.values[1:], strict=False):
        yield from _between(text, left, right, rf"\b{written}\b", other)


def _operators(text: Text, node: ast.BinOp) -> Iterator[Edit]:
    if type(node.op) in ARITHMETIC:
        written, other = ARITHMETIC[type(node.op)]
        yield from _between(text, node.left, node.right, written, other)


def _between(text: Text, left: ast.expr, right: ast.expr, written: str, other: str) -> Iterator[Edit]:
    start, _, gap = text.between(left, right)
    if found := re.search(written, gap):
        yield Edit(start + found.start(), start + found.end(), other)


def _negated(text: Text, test: ast.expr) -> Iterator[Edit]:
    """Not of what has a change of the same effect: a comparison, a not."""
    if not isinstance(test, ast.Compare | ast.BoolOp) and not isinstance(getattr(test, "op", None), ast.Not):
        yield text.replaced(test, f"(not ({text.of(test)}))")


def _is_text(node: ast.expr) -> bool:
    return isinstance(node, TEXTS) or (isinstance(node, ast.Constant) and isinstance(node.value, str | bytes))
