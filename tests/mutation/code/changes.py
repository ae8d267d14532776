"""Every single change of Python code that a careless edit might make: a call lost, a lock, a comparison, an error.

Changes are made in a file's text, at the places that its syntax tree names, and only in what runs: functions, and the
SQL that they send. Left out are annotations, what is logged, words, and constants of modules, which are figures that
somebody chose.

Why not cosmic-ray (8.7.0, tried): of the 10,634 changes that it makes of this code 5,489 are other binary operators,
most in annotations that are never evaluated, and 1,398 other numbers; it loses no call, no await, no lock, no error and
knows no SQL, where the locks and conditions of this service are. It brings thirty packages, and one command tests all.
"""

from __future__ import annotations

import ast
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from tests.mutation.code.expressions import changes_of_expression
from tests.mutation.code.places import Edit, Text
from tests.mutation.code.sql import changes_of_sql
from tests.mutation.code.statements import changes_of_statement

PROJECT = Path(__file__).parents[3]
FOLDERS = ("services/payments/payments", "lambda", "shared")
LEFT_OUT = (
    "services/payments/payments/migrations/",
)  # shipped ones are never edited; tests/payments/test_migrations.py
FUNCTIONS = (ast.FunctionDef, ast.AsyncFunctionDef, ast.Lambda)
LOGS = {"logs", "log", "logger", "LOGGER", "logging"}


@dataclass(frozen=True)
class CodeChange:
    """One change of a file: its kind, the place in bytes, and the text that is there then."""

    kind: str
    file: str
    line: int
    start: int
    end: int
    text: str
    original: str

    @property
    def security(self) -> bool:
        """Any change of code may let somebody in."""
        return True

    @property
    def statement(self) -> str:
        """What is changed, as one line: its file, kind and text name it, wherever it moves."""
        return " ".join(self.original.split())

    def of(self, source: bytes) -> bytes:
        """The file with the change made."""
        return source[: self.start] + self.text.encode() + source[self.end :]

    def __str__(self) -> str:
        new = " ".join(self.text.split())
        return f"{self.kind}: {self.file}:{self.line} {self.statement[:90]} -> {new[:90] or 'nothing'}"


def files(project: Path = PROJECT) -> list[str]:
    """All files whose code is changed."""
    found = (path.relative_to(project).as_posix() for folder in FOLDERS for path in (project / folder).rglob("*.py"))
    return sorted(name for name in found if not name.startswith(LEFT_OUT))


def changes_of_file(file: str, project: Path = PROJECT) -> list[CodeChange]:
    """All changes of a file that leave it Python, always in the same order."""
    text = Text((project / file).read_bytes())
    changes = []
    for kind, edit in _edits(text, ast.parse(text.source)):
        original = text.source[edit.start : edit.end].decode()
        change = CodeChange(kind, file, text.line(edit.start), edit.start, edit.end, edit.text, original)
        if edit.text != original and _is_python(change.of(text.source)):
            changes.append(change)
    return list(dict.fromkeys(changes))


def _is_python(source: bytes) -> bool:
    try:
        ast.parse(source)
    except SyntaxError:
        return False
    return True


def _edits(text: Text, tree: ast.AST, *, runs: bool = False) -> Iterator[tuple[str, Edit]]:
    """Those of a node and all below it; ``runs`` tells whether it is in a function."""
    if runs:
        yield from changes_of_statement(text, tree)
        yield from changes_of_expression(text, tree)
    yield from changes_of_sql(text, tree)
    inside = (runs or isinstance(tree, FUNCTIONS)) and getattr(tree, "name", "") != "__init__"
    for node in _below(tree):
        yield from _edits(text, node, runs=inside)


def _below(node: ast.AST) -> Iterator[ast.AST]:
    """The nodes below that are looked at."""
    children: list[ast.AST]
    if isinstance(node, ast.AnnAssign):
        children = [node.value] if node.value else []
    elif isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
        children = [*node.body]
    elif isinstance(node, ast.JoinedStr) or _asks_for_type(node):
        children = []  # Python 3.11 does not tell the places of what is in a text; what a type is not is an error
    else:
        children = list(ast.iter_child_nodes(node))
    yield from (child for child in children if not _says(child) and not _only_for_types(child))


def _says(node: ast.AST) -> bool:
    """What is logged."""
    call = node.value if isinstance(node, ast.Expr) else node
    if isinstance(call, ast.Constant):
        return isinstance(node, ast.Expr)  # a docstring
    function = call.func if isinstance(call, ast.Call) else None
    return isinstance(function, ast.Attribute) and isinstance(function.value, ast.Name) and function.value.id in LOGS


def _asks_for_type(node: ast.AST) -> bool:
    return isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id in {"isinstance", "cast"}


def _only_for_types(node: ast.AST) -> bool:
    return isinstance(node, ast.If) and ast.unparse(node.test) in {"TYPE_CHECKING", "__name__ == '__main__'"}
