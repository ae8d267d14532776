"""The texts of a snapshot: one environment whole, a text a noun, and what is other in each of the others."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import replace
from itertools import groupby
from typing import NamedTuple

from policy.snapshot.blocks import DOCUMENT, Blocks, Fact, Subject
from policy.snapshot.words import SERVING

MOST_JOINED = 140  # characters in one line


class Facts(NamedTuple):
    """What a block says, of both regions that serve customers or of the one place; and what only one of both is."""

    facts: frozenset[Fact]
    only: Mapping[str, frozenset[Fact]]


def whole(blocks: Blocks) -> dict[str, str]:
    """The texts of an environment, by noun."""
    return _texts(_joined(blocks))


def differences(blocks: Blocks, others: Blocks) -> dict[str, str]:
    """What another environment has otherwise than the one that is whole, by noun."""
    found = {
        subject: _difference(blocks.get(subject), others.get(subject))
        for subject in blocks.keys() | others.keys()
        if blocks.get(subject) != others.get(subject)
    }
    return _texts(_joined(found))


def _difference(facts: frozenset[Fact] | None, others: frozenset[Fact] | None) -> frozenset[Fact]:
    if others is None:
        return frozenset({Fact("", "(not here)")})
    if facts is None:
        return frozenset({Fact("", "(only here)"), *others})
    before, after = _by_name(facts - others), _by_name(others - facts)
    changed = {Fact(name, f"{after[name]}, not {before[name]}") for name in before.keys() & after.keys()}
    gone = {Fact("", f"not here: {name}") for name in before.keys() - after.keys()}
    new = {Fact(name, after[name]) for name in after.keys() - before.keys()}
    said = {Fact("", f"not here: {fact}") for fact in facts - others if not fact.name}
    said |= {Fact("", f"only here: {fact}") for fact in others - facts if not fact.name}
    return frozenset(changed | gone | new | said)


def _by_name(facts: Iterable[Fact]) -> dict[str, str]:
    return {fact.name: fact.value for fact in facts if fact.name}


def _joined(blocks: Blocks) -> dict[Subject, Facts]:
    """What stands in both regions that serve customers, as one."""
    found: dict[Subject, Facts] = {}
    for subject, facts in blocks.items():
        here, _, rest = subject.path.partition("/")
        twins = [replace(subject, path=f"{place}/{rest}") for place in SERVING]
        if here not in SERVING or not all(twin in blocks for twin in twins):
            found[subject] = Facts(facts, {})
        elif here == SERVING[0]:
            other = blocks[twins[1]]
            only = {SERVING[0]: facts - other, SERVING[1]: other - facts}
            found[replace(subject, path=f"serving/{rest}")] = Facts(facts & other, only)
    return found


def _texts(blocks: Mapping[Subject, Facts]) -> dict[str, str]:
    """The blocks of each noun, by type; those that say the same of several are one, at the place of the first."""
    alike: dict[tuple[str, str, tuple[str, ...]], list[str]] = {}
    for subject in sorted(blocks):
        lines = tuple(_lines(blocks[subject]))
        alike.setdefault((subject.noun, subject.type, lines), []).append(subject.path)
    texts: dict[str, list[str]] = {}
    for (noun, type_), those in groupby(alike.items(), key=lambda one: one[0][:2]):
        heading = [] if type_ == DOCUMENT else [f"## {type_}\n"]
        blocks_of_type = [_block(paths, lines) for (_, _, lines), paths in those]
        texts.setdefault(noun, []).extend([*heading, *blocks_of_type])
    return {noun: "\n".join(those) for noun, those in texts.items()}


def _block(paths: Iterable[str], lines: Iterable[str]) -> str:
    return "".join(f"{line}\n" for line in (*paths, *(f"  {line}" for line in lines)))


def _lines(block: Facts) -> Iterator[str]:
    yield from (fact.value for fact in sorted(block.facts) if not fact.name)
    yield from _attributes([(fact.name, fact.value) for fact in sorted(block.facts) if fact.name])
    yield from (f"{place}: {fact}" for place, those in block.only.items() for fact in sorted(those))


def _attributes(named: list[tuple[str, str]]) -> Iterator[str]:
    """Attributes, a line each; what stands in one block of the resource is one line too, where that is a short one."""
    for head, those in groupby(named, key=lambda one: one[0].partition(".")[0]):
        inside = list(those)
        if len(inside) == 1 or any(name == head for name, _ in inside):
            yield from (f"{name} = {value}" for name, value in inside)
            continue
        lines = list(_attributes([(name.partition(".")[2], value) for name, value in inside]))
        joined = f"{head} = {{{', '.join(lines)}}}"
        if len(joined) <= MOST_JOINED and not any(line.startswith(" ") for line in lines):
            yield joined
        else:
            yield head
            yield from (f"  {line}" for line in lines)
