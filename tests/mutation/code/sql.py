"""Changes of the SQL in a text: a lock lost, a condition, what a conflict does, an order."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator

from tests.mutation.code.places import Edit, Text

STATEMENT = re.compile(r"\b(SELECT|INSERT INTO|UPDATE|DELETE FROM|ON CONFLICT)\b")
# Kind, what is written, and what is there then.
CHANGES = (
    ("SQL: lock", r"\s+FOR (NO KEY )?(UPDATE|SHARE)( OF \w+)?( SKIP LOCKED| NOWAIT)?", ""),
    ("SQL: lock", r" SKIP LOCKED", ""),
    ("SQL: lock", r"pg_advisory_xact_lock\(", "abs("),
    ("SQL: conflict", r"\s*ON CONFLICT( \([\w, ]+\))? DO NOTHING", ""),
    ("SQL: condition", r"\bAND\b", "OR"),
    ("SQL: condition", r"\bOR\b", "AND"),
    ("SQL: condition", r"\bIS NULL\b", "IS NOT NULL"),
    ("SQL: condition", r"\bIS NOT NULL\b", "IS NULL"),
    ("SQL: condition", r"\bNOT EXISTS\b", "EXISTS"),
    ("SQL: condition", r"(?<=[\w)] )<(?= )", ">="),
    ("SQL: condition", r"(?<=[\w)] )>(?= )", "<="),
    ("SQL: condition", r"(?<=[\w)] )<=(?= )", ">"),
    ("SQL: condition", r"(?<=[\w)] )>=(?= )", "<"),
    ("SQL: condition", r"(?<= )=(?= ')", "<>"),
    ("SQL: order", r"(?<=ORDER BY )([\w.]+)(?! DESC)\b", r"\1 DESC"),
)


def changes_of_sql(text: Text, node: ast.AST) -> Iterator[tuple[str, Edit]]:
    """Kind and edit of each; of a constant or an f-string that has a statement of SQL in it."""
    if not isinstance(node, ast.JoinedStr) and not (isinstance(node, ast.Constant) and isinstance(node.value, str)):
        return
    written = text.of(node)
    if not STATEMENT.search(written):
        return
    start = text.start(node)
    for kind, pattern, other in CHANGES:
        for found in re.finditer(pattern, written):
            begin = start + len(written[: found.start()].encode())
            yield kind, Edit(begin, begin + len(found[0].encode()), found.expand(other))
