"""The graph that a picture is drawn as: nodes in rows, rows in groups, and edges.

Rows of boxes and line breaks are decided here, positions and sizes by Graphviz. All sizes are in points, the units of
the SVG.
"""

from __future__ import annotations

import textwrap
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from itertools import chain

from operations.picture.contents import rest_in_words
from operations.picture.model import TIERS, Box, Frame, Link, Picture, Region, Slot, Strip
from operations.picture.plan import Resource

FONT_SIZE = 12.0
GAP = 8.0
"""Distance between two nodes, and between the frame of a group and its contents."""
REGION_WIDTH = 376.0
"""Width of all nodes in a row of a region."""
BETWEEN_REGIONS = 11 * GAP
"""Distance between the nodes of two regions that are in no further group."""
ICON_SIZE = 28.0
PADDING = 4.0
LETTER, BOLD_LETTER = 0.55, 0.62
"""Width of the average letter, relative to the font size. A line that is wider nevertheless widens its node."""
LABEL_SHARE = 0.74
"""The share of a group's width for its label. Arrows pass on the right of it."""
PER_ROW: Mapping[Slot, int] = {Slot.ENTRY: 2, Slot.PUBLIC: 2, Slot.PRIVATE: 2, Slot.SERVICES: 2}
"""Nodes in a row of a region, where it is not one."""
ON_THE_RIGHT = (Slot.ENTRY, Slot.PUBLIC)
"""The slots in which a single node of a row is on the right, so that its arrows pass the labels of groups."""
PER_STRIP = 2
"""Nodes in a row of a strip, for each region."""
OUTSIDE = (Slot.BUCKETS, Slot.BACKUP, Slot.QUEUES, Slot.SERVICES)
"""The slots below the network of a region."""
CUSTOMERS = "customers"


@dataclass(frozen=True, kw_only=True)
class Node:
    """A box with its lines of text. One without an icon is invisible and reserves a place."""

    name: str
    icon: str = ""
    title: tuple[str, ...] = ()
    lines: tuple[str, ...] = ()
    width: float = 0.0
    """Its minimum width."""


@dataclass(frozen=True, kw_only=True)
class Row:
    """Nodes side by side. Rows of one rank are at the same height, whatever groups they are in."""

    rank: str
    nodes: tuple[Node, ...]
    depth: int
    """The number of groups around it."""


@dataclass(frozen=True, kw_only=True)
class Group:
    """A frame around rows and other groups, from top to bottom."""

    name: str
    kind: str
    label: tuple[str, ...]
    parts: tuple[Row | Group, ...]

    @property
    def rows(self) -> Iterator[Row]:
        """All its rows, from top to bottom."""
        for part in self.parts:
            yield from part.rows if isinstance(part, Group) else [part]


@dataclass(frozen=True, kw_only=True)
class Edge:
    """An arrow between two nodes, or between the frames of groups around them."""

    tail: str
    head: str
    label: tuple[str, ...] = ()
    tail_group: str = ""
    head_group: str = ""
    direction: str = "forward"
    """Direction of the arrow: ``forward`` is from tail to head; the others are ``back`` and ``both``."""
    depth: int = 0
    """The number of groups around the head of an edge between regions; 0 for another edge."""


@dataclass(frozen=True, kw_only=True)
class Graph:
    """Everything that is drawn."""

    title: str
    layers: tuple[tuple[Group, ...], ...]
    """Groups side by side, in layers from top to bottom."""
    edges: tuple[Edge, ...]
    note: tuple[str, ...]
    """Lines of text below all groups."""

    @property
    def rows(self) -> Iterator[Row]:
        """The rows of all groups."""
        for group in chain.from_iterable(self.layers):
            yield from group.rows


def graph(picture: Picture) -> Graph:
    """The graph of a picture."""
    number = max(1, len(picture.regions))
    wide = number * REGION_WIDTH + (number - 1) * BETWEEN_REGIONS
    builder = _Builder(rows=_numbers_of_rows(picture.regions))
    layers = [
        [builder.strip(picture.edge, PER_STRIP * number, wide)],
        [builder.region(region) for region in picture.regions],
        *([builder.strip(strip, PER_STRIP * number, wide)] for strip in picture.others),
    ]
    kept = (tuple(group for group in layer if group.parts) for layer in layers)
    return Graph(
        title=_plain(picture.title),
        layers=tuple(layer for layer in kept if layer),
        edges=tuple(dict.fromkeys(builder.edge(link) for link in picture.links)),
        note=_wrapped([rest_in_words(picture.rest)] if picture.rest else [], wide / LETTER),
    )


def _numbers_of_rows(regions: Sequence[Region]) -> Mapping[Slot, int]:
    """The number of rows of each slot, equal in all regions, so that Graphviz keeps regions side by side."""
    numbers = {}
    for slot in Slot:
        longest = max((len(region.boxes[slot]) for region in regions), default=0)
        tier = any(slot in region.tiers for region in regions)
        numbers[slot] = max(-(-longest // PER_ROW.get(slot, 1)), int(tier))
    return numbers


@dataclass(frozen=True, kw_only=True)
class _End:
    """An end of an edge: a node, or the frame of a group."""

    rows: Sequence[Row]
    path: tuple[str, ...]
    """The groups around it, from the outermost."""
    frame: str = ""


@dataclass
class _Builder:
    """Builds groups, and records which node or group shows each resource."""

    rows: Mapping[Slot, int]
    regions: list[str] = field(default_factory=list)
    ends: dict[Resource, _End] = field(default_factory=dict)
    names: Counter[str] = field(default_factory=Counter)

    def strip(self, strip: Strip, per_row: int, wide: float) -> Group:
        rows = self._rows(strip.title, strip.boxes, per_row, wide, (strip.title,))
        return Group(name=strip.title, kind="strip", label=(strip.title,), parts=rows)

    def region(self, region: Region) -> Group:
        self.regions.append(region.place)
        network = (region.place, f"{region.place} network")
        paths: dict[Slot, tuple[str, ...]] = {slot: network if slot in TIERS else network[:1] for slot in Slot}
        paths |= {slot: (*network, f"{region.place} {slot}") for slot in region.tiers}
        rows = {slot: self._slot(slot, boxes, paths[slot]) for slot, boxes in region.boxes.items()}
        tiers: list[Row | Group] = []
        for slot in TIERS:
            frame = region.tiers.get(slot)
            tiers += [self._frame(frame, slot, paths[slot], rows[slot])] if frame else rows[slot]
        inside = self._frame(region.network, "network", network, tiers)
        below = [row for slot in OUTSIDE for row in rows[slot]]
        label = (_plain(region.title),)
        return Group(name=region.place, kind="region", label=label, parts=(*rows[Slot.ENTRY], inside, *below))

    def edge(self, link: Link) -> Edge:
        """The edge of a link. Graphviz draws tails to the left of heads, so an arrow to the left is reversed."""
        head = self.ends[link.target]
        if link.source is None:
            return Edge(tail=CUSTOMERS, head=head.rows[0].nodes[0].name)
        tail = self.ends[link.source]
        columns = [self.regions.index(end.path[0]) for end in (tail, head) if end.path[0] in self.regions]
        between, turned = len(set(columns)) > 1, columns != sorted(columns)
        if turned:
            tail, head = head, tail
        forward = "back" if turned else "forward"
        return Edge(
            tail=tail.rows[0].nodes[-1].name if between else tail.rows[-1].nodes[0].name,
            head=head.rows[0].nodes[0 if between else -1].name,
            label=_wrapped([link.label], BETWEEN_REGIONS / LETTER),
            tail_group=tail.frame,
            head_group=head.frame if len(columns) > 1 else head.path[0],
            direction="both" if link.both_ways else forward,
            depth=head.rows[0].depth if between else 0,
        )

    def _slot(self, slot: Slot, boxes: Sequence[Box], path: tuple[str, ...]) -> tuple[Row, ...]:
        rows = self._rows(slot, boxes, PER_ROW.get(slot, 1), _room(path), path)
        return (*rows, *(_free(f"{slot} {number}", path) for number in range(len(rows), self.rows[slot])))

    def _rows(
        self, rank: str, boxes: Sequence[Box], per_row: int, room: float, path: tuple[str, ...]
    ) -> tuple[Row, ...]:
        made: list[Row] = []
        for start in range(0, len(boxes), per_row):
            row = boxes[start : start + per_row]
            across = per_row if rank in ON_THE_RIGHT else len(row)
            wide = (room - GAP * (across - 1)) / across
            nodes = [self._node(box, wide) for box in row]
            free = [Node(name=f"left of {nodes[0].name}", width=wide)] * (across - len(row))
            made.append(Row(rank=f"{rank} {len(made)}", nodes=(*free, *nodes), depth=len(path)))
            for box, node in zip(row, nodes, strict=True):
                end = _End(rows=[replace(made[-1], nodes=(node,))], path=path)
                self.ends.update(dict.fromkeys(box.of, end))
        return tuple(made)

    def _node(self, box: Box, wide: float) -> Node:
        room = wide - ICON_SIZE - 4 * PADDING
        address = box.of[0].address
        self.names[address] += 1  # resources that `count` makes share an address
        name = address if self.names[address] == 1 else f"{address} {self.names[address]}"
        title, lines = _wrapped([box.title], room / BOLD_LETTER), _wrapped(box.lines, room / LETTER)
        return Node(name=name, icon=box.icon, title=title, lines=lines, width=wide)

    def _frame(self, frame: Frame, kind: str, path: tuple[str, ...], parts: Iterable[Row | Group]) -> Group:
        parts = tuple(parts) or (_free(kind, path),)
        group = Group(name=path[-1], kind=kind, label=_label(frame.lines, path), parts=parts)
        self.ends.update(dict.fromkeys(frame.of, _End(rows=tuple(group.rows), path=path, frame=path[-1])))
        return group


def _free(rank: str, path: Sequence[str]) -> Row:
    """A row with nothing visible."""
    return Row(rank=rank, nodes=(Node(name=f"free {rank} in {path[-1]}", width=_room(path)),), depth=len(path))


def _room(path: Sequence[str]) -> float:
    """The width of a region that is left inside these groups."""
    return REGION_WIDTH - 2 * GAP * (len(path) - 1)


def _label(texts: Iterable[str], path: Sequence[str]) -> tuple[str, ...]:
    return _wrapped(texts, LABEL_SHARE * _room(path) / LETTER)


def _wrapped(texts: Iterable[str], points: float) -> tuple[str, ...]:
    """The texts in lines of about this width, for a font of one point.

    A word that is too long for a line is split, after a hyphen if it has one.
    """
    letters = max(1, int(points / FONT_SIZE))
    by_words = textwrap.TextWrapper(letters, break_on_hyphens=False, break_long_words=False)
    lines = [line for text in texts for line in by_words.wrap(text)]
    return tuple(_plain(part) for line in lines for part in textwrap.wrap(line, letters))


def _plain(text: str) -> str:
    """The text with plain spaces, whose width Graphviz knows."""
    return text.replace("\N{NO-BREAK SPACE}", " ")
