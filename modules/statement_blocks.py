"""Statements of web ACL rules as HCL blocks, where CDKTF writes attributes.

Creates nothing in AWS. The bindings have no type for statements, as they nest without a limit, so CDKTF treats them as
values. In JSON, which is deployed, Terraform does not distinguish blocks and attributes; in HCL it does.
"""

from __future__ import annotations

import re

BEGIN = re.compile(r"^statement = \{$")
OBJECT = re.compile(r"^(\w+) = \{$")
LIST = re.compile(r"^(\w+) = \[$")
REPLACE_TRIGGERED_BY = re.compile(r"(replace_triggered_by = \[)([^]]*)", re.DOTALL)


def with_statement_blocks(hcl: str) -> str:
    """The same configuration, with every object and every list of objects below a ``statement`` as blocks."""
    lines: list[str] = []
    depth, lists = 0, list[str]()
    for line in hcl.split("\n"):
        if not depth and not BEGIN.match(line):
            lines.append(line)
            continue
        written, step = _as_block(line, lists)
        depth += step
        lines += written
    return "\n".join(lines)


def _as_block(line: str, lists: list[str]) -> tuple[list[str], int]:
    """The HCL of a line within a statement, and the change of depth after it; ``lists`` are the enclosing ones."""
    if begun := OBJECT.match(line):
        return [f"{begun[1]} {{"], 1
    if begun := LIST.match(line):
        lists.append(begun[1])
        return [], 1
    if line == "{":
        return [f"{lists[-1]} {{"], 1
    if line == "]":
        lists.pop()
        return [], -1
    if line in ("}", "},"):
        return ["}"], -1
    return [line], 0


def with_bare_references(hcl: str) -> str:
    """HCL in which ``replace_triggered_by`` holds references, as Terraform wants them there, where CDKTF writes texts.

    https://developer.hashicorp.com/terraform/language/meta-arguments/lifecycle#replace_triggered_by
    """
    return REPLACE_TRIGGERED_BY.sub(lambda found: found[1] + found[2].replace('"', ""), hcl)
