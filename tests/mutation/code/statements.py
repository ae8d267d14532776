"""Changes of a statement: it is lost, or what it does for others is."""

from __future__ import annotations

import ast
from collections.abc import Iterator

from tests.mutation.code.places import Edit, Text

NONE_LIKE = (type(None), bool)  # a constant that is returned; expressions.py turns booleans


def changes_of_statement(text: Text, node: ast.AST) -> Iterator[tuple[str, Edit]]:
    """Kind and edit of each."""
    yield from (*_simple(text, node), *_blocks(text, node))


def _simple(text: Text, node: ast.AST) -> Iterator[tuple[str, Edit]]:
    match node:
        case ast.Expr(value=ast.Call() | ast.Await()):
            yield "call lost", text.replaced(node, "pass")
        case ast.Raise():
            yield "error swallowed", text.replaced(node, "pass")
        case ast.Return(value=ast.expr() as value) if not _is_plain(value):
            yield "result lost", text.replaced(value, "None")
        case ast.Assign(targets=[ast.Attribute() | ast.Subscript()]) | ast.AugAssign():
            yield "state not kept", text.replaced(node, "pass")
        case ast.Break():
            yield "loop", text.replaced(node, "continue")
        case ast.Continue():
            yield "loop", text.replaced(node, "break")


def _blocks(text: Text, node: ast.AST) -> Iterator[tuple[str, Edit]]:
    match node:
        case (
            ast.With(items=[ast.withitem(optional_vars=None) as item])
            | ast.AsyncWith(items=[ast.withitem(optional_vars=None) as item])
        ):
            suppresses = text.of(item.context_expr).startswith("suppress(")
            kind = "error not handled" if suppresses else "lock or transaction lost"
            yield kind, Edit(text.start(node), text.end(item.context_expr), "if True")
        case ast.Try():
            if node.finalbody:
                yield "clean-up lost", text.body(node.finalbody, "pass")
            for handler in node.handlers:
                if not _is_raise(handler.body):
                    yield "error not handled", text.body(handler.body, "raise")


def _is_plain(value: ast.expr) -> bool:
    return isinstance(value, ast.Constant) and isinstance(value.value, NONE_LIKE)


def _is_raise(body: list[ast.stmt]) -> bool:
    return isinstance(body[-1], ast.Raise) and body[-1].exc is None
