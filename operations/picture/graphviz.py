"""Converts a graph to Graphviz's input.

Graphviz decides all positions. Invisible edges fix which nodes are in a row and the order of the rows.
"""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping
from html import escape
from itertools import chain, pairwise
from typing import Any

from operations.picture.graph import (
    BETWEEN_REGIONS,
    CUSTOMERS,
    FONT_SIZE,
    GAP,
    ICON_SIZE,
    PADDING,
    Edge,
    Graph,
    Group,
    Node,
    Row,
)

Attributes = dict[str, Any]
POINTS_PER_INCH = 72
BETWEEN_LINES = 2
LINE_HEIGHT = FONT_SIZE + BETWEEN_LINES
LINES_OF_AN_ICON = 2
FONT = "Verdana"
"""The font whose widths Graphviz has built in; no other usual font is wider."""
COLOURS: Mapping[str, tuple[str, str]] = {
    "strip": ("#f6f8fa", "#8c959f"),
    "region": ("#f6f8fa", "#00a4a6"),
    "network": ("#ffffff", "#8c4fff"),
    "public": ("#f2f6e8", "#7aa116"),
    "private": ("#e6f6f7", "#00a4a6"),
    "database": ("#e6f6f7", "#00a4a6"),
}
"""Fill and frame colours of groups: networks and subnets as in AWS's diagrams."""
NOTE = "note"
CUSTOMERS_ICON = "Users"
TEXT: Attributes = {"fontname": FONT, "fontsize": FONT_SIZE, "fontcolor": "#1f2328"}
BOX: Attributes = {"shape": "box", "margin": 0, "style": "filled", "fillcolor": "white", "color": "#afb8c1"}
PLAIN: Attributes = {"style": "", "penwidth": 0}
ARROW: Attributes = {"color": "#57606a", "arrowsize": 0.7, "penwidth": 1.4}
STRAIGHT = 20
"""The weight of edges that should be straight."""
LABEL_DISTANCE = 10
"""Points of a label distance of 1 (https://graphviz.org/docs/attrs/labeldistance/)."""


def document(graph: Graph) -> Attributes:
    """The graph in the form of @viz-js/viz (https://viz-js.com/api/#viz.Graph)."""
    return {
        "graphAttributes": {
            **TEXT,
            "bgcolor": "white",
            "compound": True,  # so that edges can end at the frames of groups
            "label": {"html": f"<b>{escape(graph.title)}</b>"},
            "labeljust": "l",
            "labelloc": "t",
            "newrank": True,  # so that nodes of several groups can have the same rank
            "nodesep": GAP / POINTS_PER_INCH,
            "pad": GAP / POINTS_PER_INCH,
            "remincross": False,  # the second run would change the order in rows
            "ranksep": 1.5 * GAP / POINTS_PER_INCH,
        },
        "nodeAttributes": {**TEXT, **BOX},
        "edgeAttributes": {**{f"label{name}": value for name, value in TEXT.items()}, **ARROW},
        "nodes": list(_outside(graph)),
        "subgraphs": [
            *(_cluster(group, _heights(graph)) for group in chain.from_iterable(graph.layers)),
            *({"graphAttributes": {"rank": "same"}, "nodes": nodes} for nodes in _ranks(graph).values()),
        ],
        "edges": [*_order(graph), *_distances(graph), *map(_arrow, graph.edges)],
    }


def cluster_name(group: str) -> str:
    """The name of a group for Graphviz, which recognizes clusters by this prefix."""
    return f"cluster {group}"


def _outside(graph: Graph) -> Iterator[Attributes]:
    """The nodes outside of all groups."""
    if any(edge.tail == CUSTOMERS for edge in graph.edges):
        node = Node(name=CUSTOMERS, icon=CUSTOMERS_ICON, title=(CUSTOMERS,))
        yield {"name": CUSTOMERS, "attributes": {"label": _label(node, LINES_OF_AN_ICON), **PLAIN}}
    if graph.note:
        yield {"name": NOTE, "attributes": {"label": _text(graph.note), **PLAIN}}


def _cluster(group: Group, heights: Mapping[str, int]) -> Attributes:
    fill, frame = COLOURS[group.kind]
    label = {"label": _text(group.label), "labeljust": "l", "margin": GAP}
    return {
        "name": cluster_name(group.name),
        "graphAttributes": {**TEXT, **label, "style": "filled", "fillcolor": fill, "color": frame},
        "subgraphs": [
            _cluster(part, heights) if isinstance(part, Group) else _row(part, heights[part.rank])
            for part in group.parts
        ],
    }


def _heights(graph: Graph) -> Mapping[str, int]:
    """The number of lines of the highest node of each rank."""
    heights: dict[str, int] = defaultdict(lambda: LINES_OF_AN_ICON)
    for row in graph.rows:
        heights[row.rank] = max(heights[row.rank], *(len(node.title) + len(node.lines) for node in row.nodes))
    return heights


def _row(row: Row, height: int) -> Attributes:
    return {
        "graphAttributes": {"rank": "same"},
        "nodes": [_node(node, height) for node in row.nodes],
        "edges": [_unseen(left, right) for left, right in pairwise(row.nodes)],
    }


def _node(node: Node, height: int) -> Attributes:
    free = {"label": "", "style": "invis", "height": 0.01, "width": node.width / POINTS_PER_INCH}
    return {"name": node.name, "attributes": {"label": _label(node, height)} if node.icon else free}


def _label(node: Node, height: int) -> Attributes:
    lines = [*(f"<b>{escape(line)}</b>" for line in node.title), *map(escape, node.lines)]
    rows = ["", *lines, *[""] * (height - len(lines)), ""]
    heights = [PADDING, *[LINE_HEIGHT] * height, PADDING]
    wide = max(0, node.width - ICON_SIZE - 2 * PADDING)
    cells = [
        f'<td align="left" width="{wide:g}" height="{high:g}">{row}</td>'
        for row, high in zip(rows, heights, strict=True)
    ]
    square = f'width="{ICON_SIZE + 2 * PADDING:g}" height="{ICON_SIZE + 2 * PADDING:g}" fixedsize="true"'
    icon = (
        f'<td rowspan="{len(rows)}" valign="top" {square} cellpadding="{PADDING:g}"><img src="{node.icon}.svg"/></td>'
    )
    return _table([f"{icon}{cells[0]}", *cells[1:]], 0)


def _text(lines: Iterable[str]) -> Attributes:
    return _table([f'<td align="left">{escape(line)}</td>' for line in lines], BETWEEN_LINES / 2)


def _table(rows: Iterable[str], padding: float) -> Attributes:
    """Text as the rows of a table, which adds space between lines."""
    of_rows = "".join(f"<tr>{row}</tr>" for row in rows)
    return {"html": f'<table border="0" cellborder="0" cellspacing="0" cellpadding="{padding:g}">{of_rows}</table>'}


def _ranks(graph: Graph) -> Mapping[str, list[Attributes]]:
    """The nodes of each rank."""
    ranks: dict[str, list[Attributes]] = defaultdict(list)
    for row in graph.rows:
        ranks[row.rank] += [{"name": node.name} for node in row.nodes]
    return ranks


def _order(graph: Graph) -> Iterator[Attributes]:
    """Invisible edges that keep the rows in order from top to bottom, and their ends aligned."""
    above: list[Row] = []
    for layer in graph.layers:
        columns = [list(group.rows) for group in layer]
        for rows in columns:
            for upper, lower in [*((row, rows[0]) for row in above), *pairwise(rows)]:
                yield _unseen(upper.nodes[0], lower.nodes[0], tailport="sw", headport="nw", weight=STRAIGHT)
                yield _unseen(upper.nodes[-1], lower.nodes[-1], tailport="se", headport="ne", weight=STRAIGHT)
        above = [rows[-1] for rows in columns]
    for row in above if graph.note else []:
        yield _unseen(row.nodes[0], Node(name=NOTE), tailport="sw", headport="nw", weight=STRAIGHT)


def _distances(graph: Graph) -> Iterator[Attributes]:
    """Invisible edges that keep regions apart where no arrow does."""
    ranks: dict[str, list[Row]] = defaultdict(list)
    for row in graph.rows:
        ranks[row.rank].append(row)
    arrows = {(edge.tail, edge.head) for edge in graph.edges}
    for left, right in chain.from_iterable(map(pairwise, ranks.values())):
        if (left.nodes[-1].name, right.nodes[0].name) not in arrows:
            yield _unseen(left.nodes[-1], right.nodes[0], **_apart(left.depth, right.depth))


def _unseen(tail: Node, head: Node, **attributes: Any) -> Attributes:
    return {"tail": tail.name, "head": head.name, "attributes": {"style": "invis", **attributes}}


def _arrow(edge: Edge) -> Attributes:
    groups = {"ltail": edge.tail_group, "lhead": edge.head_group}
    ends = {end: cluster_name(group) for end, group in groups.items() if group}
    between = {**_apart(edge.depth, edge.depth), **_label_above(edge)} if edge.depth else {}
    return {"tail": edge.tail, "head": edge.head, "attributes": {"dir": edge.direction, **ends, **between}}


def _apart(*depths: int) -> Attributes:
    """The minimum length of an edge between regions, by the number of groups around its ends, in node distances."""
    return {"minlen": BETWEEN_REGIONS / GAP + sum(depth - 1 for depth in depths)}


def _label_above(edge: Edge) -> Attributes:
    """The label above the middle of a horizontal arrow, placed by angle and distance from the head."""
    half = BETWEEN_REGIONS / 2 + GAP * (edge.depth - 1)
    rise = len(edge.label) * LINE_HEIGHT / 2 + PADDING
    return {
        "headlabel": "\n".join(edge.label),
        "labelangle": -math.degrees(math.atan2(rise, half)),
        "labeldistance": math.hypot(rise, half) / LABEL_DISTANCE,
    }
