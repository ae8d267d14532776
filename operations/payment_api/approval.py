"""The page of the payment API's change sets, which somebody approves: each change with its values, and a digest.

The digest is of everything that is executed: the changes as CloudFormation describes them, the whole templates, and
the protection from termination. The page names the change sets, so that exactly these are executed or none.
"""

from __future__ import annotations

import hashlib
import json
import re
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

from operations.outcome import Refused
from operations.payment_api.change_sets import Action, Change, ChangeSet

IN_WORDS = {
    Action.REPLACE: "to replace",
    Action.PERHAPS_REPLACE: "perhaps to replace",
    Action.REMOVE: "to remove",
    Action.IMPORT: "to import",
    Action.UNCERTAIN: "of which CloudFormation cannot say what happens",
    Action.MODIFY: "to modify",
    Action.ADD: "to add",
}
LOSSES = (Action.REPLACE, Action.PERHAPS_REPLACE, Action.REMOVE, Action.UNCERTAIN)
HEADINGS = {
    "Who may do what": ("AWS::IAM::", "AWS::KMS::Key", "AWS::Lambda::Permission", "Policy"),
    "Who may reach what": ("AWS::EC2::", "AWS::WAFv2::", "AWS::ElasticLoadBalancingV2::", "AWS::Route53::"),
}
"""Sections of the page by parts of the types' names."""
REST = "Everything else"
CHANGE_SET = re.compile(r"`(arn:[\w-]+:cloudformation:[\w-]+:\d+:changeSet/[^`]+)`")
NOTHING = "Nothing would change."


def page(title: str, change_sets: Sequence[ChangeSet]) -> str:
    """The page, as Markdown; of the same change sets it is the same."""
    changes = [change for one in change_sets for change in one.changes]
    count = Counter(change.action for change in changes)
    numbers = ", ".join(f"**{count[action]}** {IN_WORDS[action]}" for action in Action if count[action])
    head = [f"## Payment API: {title}", "", f"{numbers}." if numbers else _without_resources(change_sets), ""]
    if change_sets:
        head += [f"Digest of all that is asked for: `{digest(change_sets)}`", ""]
    head += [line for one in change_sets for line in _named(one)]
    return "\n".join([*head, "", *_losses(changes), *_sections(changes)])


def digest(change_sets: Sequence[ChangeSet]) -> str:
    """The digest of what is executed, in hexadecimal; the same for the same changes by other change sets."""
    told = [
        [one.stack.name, one.stack.region, one.template, one.was_protected, one.stack.protected]
        + [asdict(change) for change in one.changes]
        for one in change_sets
    ]
    return hashlib.sha256(json.dumps(told, sort_keys=True).encode()).hexdigest()


def approved(page: Path) -> str:
    """A page that was approved.

    Raises:
        Refused: it cannot be read.
    """
    try:
        return page.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise Refused(f"--reviewed: {page} cannot be read ({error}); a page of prepare-api --write is") from error


def change_sets_of(page: str) -> list[str]:
    """The ARNs of the change sets that a page is of."""
    return CHANGE_SET.findall(page)


def _without_resources(change_sets: Sequence[ChangeSet]) -> str:
    return (
        "No resource would change: outputs, tags or the protection from termination would." if change_sets else NOTHING
    )


def _named(one: ChangeSet) -> Iterator[str]:
    yield f"- {one.stack.name} in {one.stack.region}: `{one.arn}`"
    if one.was_protected != one.stack.protected:
        yield f"  **Protected from termination: {one.was_protected} -> {one.stack.protected}**"


def _losses(changes: Sequence[Change]) -> Iterator[str]:
    lost = sorted((one for one in changes if one.action in LOSSES), key=lambda one: list(Action).index(one.action))
    if not lost:
        if changes:
            yield "Nothing is replaced or removed.\n"
        return
    yield from ("> [!CAUTION]", f"> **{len(lost)} would be replaced or removed:**", ">")
    yield from (f"> - {_headline(one)}" for one in lost)
    yield ""


def _sections(changes: Sequence[Change]) -> Iterator[str]:
    for heading in (*HEADINGS, REST):
        own = [one for one in changes if _heading(one) == heading]
        if not own:
            continue
        folded = heading == REST
        yield from (
            ["<details>", f"<summary>{heading}: {len(own)}</summary>", ""] if folded else [f"### {heading}", ""]
        )
        for one in own:
            yield from (_headline(one), "", *_fenced(list(_told(one))), "")
        if folded:
            yield "</details>\n"


def _heading(change: Change) -> str:
    return next((heading for heading, parts in HEADINGS.items() if any(one in change.type for one in parts)), REST)


def _headline(change: Change) -> str:
    why = f", forced by {', '.join(f'`{one}`' for one in change.because)}" if change.because else ""
    then = f"; the old one: {change.then}" if change.then else ""
    return f"**{change.action}** `{change.resource}` ({change.type}){why}{then}"


def _told(change: Change) -> Iterator[str]:
    """What changes, a line each, in the form of a diff."""
    before, after = dict(_leaves(change.before)), dict(_leaves(change.after))
    for path in sorted(before.keys() | after.keys()):
        if before.get(path) == after.get(path):
            continue
        if path in before:
            yield f"- {path} = {before[path]}"
        if path in after:
            yield f"+ {path} = {after[path]}"


def _leaves(value: Any, path: str = "") -> Iterator[tuple[str, str]]:
    """The values of a resource by their paths, as JSON."""
    if isinstance(value, dict) and value:
        for name, one in value.items():
            yield from _leaves(one, f"{path}.{name}" if path else name)
    elif isinstance(value, list) and value:
        for number, one in enumerate(value):
            yield from _leaves(one, f"{path}[{number}]")
    elif value is not None:
        yield path, json.dumps(value)


def _fenced(lines: Sequence[str]) -> list[str]:
    fence = "`" * (3 + max((len(run) for line in lines for run in re.findall("`+", line)), default=0))
    return [f"{fence}diff", *lines, fence]
