"""Review of a plan as a page of Markdown: for a pull request, a job's summary, or a terminal.

Possible data loss is first, then changes of access and network; the rest is folded.
"""

from __future__ import annotations

import json
import sys
from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

from operations.review.plan import SENSITIVE, UNKNOWN, Action, Change, Concern, Difference, Plan

SIGNS = {Action.CREATE: "+", Action.UPDATE: "~", Action.REPLACE: "-/+", Action.DELETE: "-", Action.FORGET: "."}
IN_WORDS = {
    Action.CREATE: "to create",
    Action.UPDATE: "to change",
    Action.REPLACE: "to replace",
    Action.DELETE: "to delete",
    Action.FORGET: "to forget",
}
LONGEST_VALUE = 100  # characters of an attribute's value, where a page may not be as long as it likes
# https://docs.github.com/en/actions/reference/workflows-and-actions/workflow-commands: 1 MiB a step
MOST_BYTES_OF_A_SUMMARY = 1_048_576
# They say nothing to a reviewer: AWS gives them, or another attribute says the same.
SILENT = {"arn", "id", "key_id", "name_prefix", "owner_id", "tags_all", "timeouts", "unique_id"}
PARTS_OF_A_STATEMENT = {
    "Action": "",
    "NotAction": "not ",
    "Resource": "on ",
    "NotResource": "on all but ",
    "Principal": "for ",
    "NotPrincipal": "for all but ",
}
LEFT_OUT = "\n{count} more parts do not fit here; `make review` shows them all.\n"
CUT = "\n\n... it does not fit here; the rest is in the run's artifact\n"
HEADINGS = {Concern.ACCESS: "Who may do what", Concern.NETWORK: "Who may reach what"}


def page(plan: Plan, *, title: str, most_characters: int | None = None) -> str:
    """The whole review.

    Args:
        plan: to review.
        title: of the page, such as ``staging``.
        most_characters: the page is no longer than this, if it is given: of what neither loses data nor is of access or
            the network, only names are said, long values are cut, and what is left out from the end is said to be.
    """
    head = [f"## Plan: {title}", "", _summary(plan), ""]
    if most_characters is None:
        head += [f"Digest of all that is asked for: `{plan.digest}`", ""]
    longest = sys.maxsize if most_characters is None else LONGEST_VALUE
    parts = [
        *_loss(plan, longest),
        *_section(plan, Concern.ACCESS, longest),
        *_section(plan, Concern.NETWORK, longest),
        *_rest(plan, whole=most_characters is None),
    ]
    return _shortened(["\n".join(head), *parts], most_characters or sys.maxsize)


def approved_page(plan: Plan, title: str) -> str:
    """What an approval is about: all that would change, with its values, and not what has become another by itself.

    It is the same for two plans of one change, one from the state and one with a refresh.
    """
    return page(replace(plan, drift=()), title=title)


def append_to_summary(page: str, summary: Path) -> None:
    """Append a page to the file of a job's summary; of one that GitHub would not take, as much as it takes."""
    text = page.encode()
    most = MOST_BYTES_OF_A_SUMMARY - (summary.stat().st_size if summary.exists() else 0)
    if len(text) > most:
        text = text[: max(0, most - len(CUT.encode()))].decode(errors="ignore").encode() + CUT.encode()
    with summary.open("ab") as file:
        file.write(text)


def losses(plan: Plan) -> str:
    """Deletions of a destruction, as plain text: resources with data by address, the rest as a number."""
    deleted = plan.count(Action.DELETE)
    data = [change.address for change in plan.of(Concern.DATA)]
    lines = [f"{deleted} resources would be destroyed; {len(data)} of them hold data:", *(f"  {one}" for one in data)]
    return "\n".join(lines)


def _summary(plan: Plan) -> str:
    if not plan.changes:
        return "Nothing would change." + (" Outputs would." if plan.outputs else "")
    counts = [(plan.count(action), action) for action in Action]
    numbers = ", ".join(f"**{count}** {IN_WORDS[action]}" for count, action in counts if count)
    touched = ", ".join(
        f"{len(plan.of(concern))} of {words}"
        for concern, words in ((Concern.ACCESS, "access"), (Concern.NETWORK, "the network"))
        if plan.of(concern)
    )
    return f"{numbers}{f'; {touched}' if touched else ''}."


def _loss(plan: Plan, longest: int) -> Iterator[str]:
    yield from _weakened(plan, longest)
    lost = plan.of(Concern.DATA)
    if not lost:
        if plan.changes:
            yield "Nothing that holds data is replaced or deleted.\n"
        return
    noun = "resource that holds data" if len(lost) == 1 else "resources that hold data"
    lines = ["> [!CAUTION]", f"> **{len(lost)} {noun} would be lost:**", ">"]
    for change in lost:
        why = f", forced by {_listed(change.forced_by)}" if change.forced_by else ""
        lines.append(f"> - **{change.action}** `{change.address}`{why}")
    yield "\n".join(lines) + "\n"


def _weakened(plan: Plan, longest: int) -> Iterator[str]:
    lines = [
        f"> - `{change.address}`: {one.attribute} {_value(one.before, longest)} -> {_value(one.after, longest)}"
        for change in plan.changes
        for one in change.weakened
    ]
    if lines:
        yield "\n".join(["> [!WARNING]", "> **Safeguards against loss would be lowered:**", ">", *lines]) + "\n"


def _section(plan: Plan, concern: Concern, longest: int) -> Iterator[str]:
    changes = plan.of(concern)
    if not changes:
        return
    yield f"### {HEADINGS[concern]}\n"
    yield from (_in_full(change, longest) for change in changes)


def _in_full(change: Change, longest: int = sys.maxsize) -> str:
    return f"{_headline(change)}\n\n{_fenced(_told(change, longest))}\n"


def _rest(plan: Plan, *, whole: bool) -> Iterator[str]:
    others = plan.of(Concern.OTHER)
    if others:
        count = Counter(change.action for change in others)
        numbers = ", ".join(f"{count[action]} {IN_WORDS[action]}" for action in Action if count[action])
        yield _folded(f"Everything else: {numbers}", ((_in_full if whole else _line)(one) for one in others))
    if whole and (lost := plan.of(Concern.DATA)):
        yield _folded("What would be lost, in full", (_in_full(change) for change in lost))
    if plan.drift:
        yield _folded(
            f"Different from what was last applied: {len(plan.drift)}", (_line(change) for change in plan.drift)
        )
    if plan.outputs:
        yield _folded(f"Outputs: {len(plan.outputs)}", (f"- {action} `{name}`" for action, name in plan.outputs))


def _headline(change: Change) -> str:
    why = f", forced by {_listed(change.forced_by)}" if change.forced_by else ""
    return f"**{change.action}** `{change.address}`{why}"


def _line(change: Change) -> str:
    named = [one.attribute for one in change.differences if one.attribute not in SILENT]
    what = f": {_listed(named)}" if change.action is Action.UPDATE and named else ""
    why = f", forced by {_listed(change.forced_by)}" if change.forced_by else ""
    return f"- `{SIGNS[change.action]}` `{change.address}`{what}{why}"


def _told(change: Change, longest: int) -> Iterator[str]:
    """What changes, a line each, in the form of a diff."""
    for one in change.differences:
        if one.attribute in SILENT or (change.action is Action.CREATE and one.after in (None, [], {}, "", UNKNOWN)):
            continue
        statements = _statements(one.before), _statements(one.after)
        if any(statements):
            yield from _compared(one.attribute, *statements, unknown=one.after == UNKNOWN)
        else:
            yield from _both(one, longest)


def _both(one: Difference, longest: int) -> Iterator[str]:
    if one.before is not None:
        yield f"- {one.attribute} = {_value(one.before, longest)}"
    if one.after is not None:
        changed = " (another one)" if one.before == one.after == SENSITIVE else ""
        yield f"+ {one.attribute} = {_value(one.after, longest)}{changed}"


def _compared(attribute: str, before: list[str], after: list[str], *, unknown: bool) -> Iterator[str]:
    """A policy statement by statement: unchanged ones are only counted."""
    if unknown:
        yield f"+ {attribute} = {UNKNOWN}"
        yield from (f"  now: {line}" for line in before)
        return
    kept = [line for line in before if line in after]
    yield f"  {attribute}: {len(kept)} of {max(len(before), len(after))} statements stay"
    yield from (f"- {line}" for line in before if line not in after)
    yield from (f"+ {line}" for line in after if line not in before)


def _statements(value: Any) -> list[str]:
    """The statements of a policy document, a line each; none if the value is something else."""
    if not isinstance(value, str) or not value.lstrip().startswith("{"):
        return []
    try:
        statements = json.loads(value)["Statement"]
    except (ValueError, KeyError, TypeError):
        return []
    return [_statement(one) for one in (statements if isinstance(statements, list) else [statements])]


def _statement(statement: dict[str, Any]) -> str:
    parts = [statement.get("Effect", "Allow")]
    parts += [f"{words}{_several(statement[key])}" for key, words in PARTS_OF_A_STATEMENT.items() if key in statement]
    if condition := statement.get("Condition"):
        parts.append(f"if {json.dumps(condition, sort_keys=True)}")
    return " ".join(parts)


def _several(value: Any) -> str:
    """One or several actions, resources or principals; principals by their type."""
    if isinstance(value, dict):
        return ", ".join(f"{kind} {_several(one)}" for kind, one in sorted(value.items()))
    return ", ".join(sorted(value)) if isinstance(value, list) else str(value)


def _value(value: Any, longest: int) -> str:
    text = value if value in (UNKNOWN, SENSITIVE) else json.dumps(value, sort_keys=True)
    return text if len(text) <= longest else f"{text[:longest]} ... ({len(text)} characters)"


def _listed(names: Iterable[str]) -> str:
    return ", ".join(f"`{name}`" for name in names)


def _fenced(lines: Iterable[str]) -> str:
    """A block of code; its fence is longer than any run of backticks in it."""
    text = "\n".join(lines) or "  (nothing that can be shown before it is applied)"
    longest = max((len(run) for run in _runs(text)), default=0)
    fence = "`" * max(3, longest + 1)
    return f"{fence}diff\n{text}\n{fence}"


def _runs(text: str) -> Iterator[str]:
    run = ""
    for character in text + " ":
        if character == "`":
            run += character
        elif run:
            yield run
            run = ""


def _folded(summary: str, lines: Iterable[str]) -> str:
    return "\n".join(["<details>", f"<summary>{summary}</summary>", "", *lines, "", "</details>", ""])


def _shortened(parts: list[str], most_characters: int) -> str:
    text = "\n".join(parts)
    if len(text) <= most_characters:
        return text
    kept: list[str] = []
    length = len(LEFT_OUT.format(count=len(parts)))
    for part in parts:
        length += len(part) + 1
        if length > most_characters and kept:
            break
        kept.append(part)
    return "\n".join(kept) + LEFT_OUT.format(count=len(parts) - len(kept))
