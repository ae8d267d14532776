"""Where Graphviz puts the parts of a picture, and that a reader can read it there."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass, field
from itertools import combinations, pairwise

from operations.picture.graph import BETWEEN_REGIONS, FONT_SIZE, GAP, ICON_SIZE, PADDING, Graph
from operations.picture.graphviz import FONT, cluster_name, document
from operations.picture.svg import rendered
from tests.operations.pictures import Rectangle, stated
from tests.synthesized import Block

STEPS = 12  # points of each curve of an arrow that are looked at
NEAR = 1.0  # points; arrows touch what they lead to

Point = tuple[float, float]


@dataclass(frozen=True)
class Written:
    """A line of text: where it is, and what it is a part of."""

    text: str
    extent: Rectangle
    of: str


@dataclass
class Layout:
    """Where Graphviz puts everything."""

    page: Rectangle
    nodes: dict[str, Rectangle] = field(default_factory=dict)
    groups: dict[str, Rectangle] = field(default_factory=dict)
    texts: list[Written] = field(default_factory=list)
    arrows: dict[tuple[str, str], list[Point]] = field(default_factory=dict)


def laid_out(of: Graph, font: str = FONT) -> Layout:
    """The layout of a graph, or of the same graph in another font."""
    asked = json.dumps(document(of)).replace(f'"{FONT}"', f'"{font}"')
    made = json.loads(rendered(json.loads(asked), "json"))
    layout = Layout(page=_box(made["bb"]))
    layout.texts += _written(made, "", "_ldraw_")
    names = {one["_gvid"]: one["name"] for one in made["objects"]}
    for one in made["objects"]:
        name = one["name"]
        if name.startswith("cluster"):
            layout.groups[name] = _box(one["bb"])
        elif "pos" in one:
            x, y = map(float, one["pos"].split(","))
            wide, high = (float(one[size]) * 72 / 2 for size in ("width", "height"))
            layout.nodes[name] = Rectangle(x - wide, y - high, x + wide, y + high)
        layout.texts += _written(one, name, "_ldraw_")
    for one in made.get("edges", []):
        curves = [drawing["points"] for drawing in one.get("_draw_", []) if drawing["op"] == "b"]
        if curves:
            ends = names[one["tail"]], names[one["head"]]
            layout.arrows[ends] = [point for curve in curves for point in _along(curve)]
            layout.texts += _written(one, "->".join(ends), "_hldraw_")
    return layout


def _box(text: str) -> Rectangle:
    return Rectangle(*map(float, text.split(",")))


def _written(one: Block, of: str, drawings: str) -> Iterator[Written]:
    for drawing in one.get(drawings, []):
        if drawing.get("op") == "T" and drawing["text"]:
            x, y = drawing["pt"]
            left = {"l": x, "c": x - drawing["width"] / 2}[drawing["align"]]
            extent = Rectangle(left, y - 0.2 * FONT_SIZE, left + drawing["width"], y + 0.75 * FONT_SIZE)
            yield Written(drawing["text"], extent, of)


def _along(curve: list[list[float]]) -> Iterator[Point]:
    """Points on a chain of cubic Bezier curves."""
    for start in range(0, len(curve) - 1, 3):
        for step in range(STEPS + 1):
            x, y = (_at([point[axis] for point in curve[start : start + 4]], step / STEPS) for axis in (0, 1))
            yield x, y


def _at(values: list[float], t: float) -> float:
    while len(values) > 1:
        values = [one + (other - one) * t for one, other in pairwise(values)]
    return values[0]


def check(of: Graph, layout: Layout) -> None:
    """The layout is as the graph is stated, nothing overlaps, and nothing is cut."""
    _check_order(of, layout)
    _check_frames(of, layout)
    _check_texts(of, layout)
    _check_arrows(layout)


def _check_order(of: Graph, layout: Layout) -> None:
    """Rows are in their order from the top, nodes from left to right, and regions side by side."""
    ranks: dict[str, list[Rectangle]] = {}
    for row in of.rows:
        ranks.setdefault(row.rank, []).extend(layout.nodes[node.name] for node in row.nodes)
    for rank, boxes in ranks.items():
        assert len({round((box.low + box.high) / 2) for box in boxes}) == 1, rank
        for left, right in pairwise(boxes):
            assert right.left - left.right > GAP - NEAR, rank
    for layer in of.layers:
        for group in layer:
            tops = [layout.nodes[row.nodes[0].name].high for row in group.rows]
            assert tops == sorted(tops, reverse=True), group.name
        for left, right in pairwise(layout.groups[cluster_name(group.name)] for group in layer):
            assert right.left - left.right >= BETWEEN_REGIONS - 2 * GAP - NEAR
    for upper, lower in pairwise(of.layers):
        lowest = min(layout.groups[cluster_name(group.name)].low for group in upper)
        assert lowest > max(layout.groups[cluster_name(group.name)].high for group in lower)


def _check_frames(of: Graph, layout: Layout) -> None:
    """Frames are one in the other or apart, and nodes are in their groups' only."""
    seen = {name: layout.nodes[name] for name in stated(of).nodes}
    for one, other in combinations(seen.values(), 2):
        assert not one.overlaps(other), (one, other)
    for frame in (*seen.values(), *layout.groups.values()):
        assert layout.page.contains(frame)
    for name, (_, within) in stated(of).groups.items():
        frame = layout.groups[name]
        assert within == {node for node in seen if frame.overlaps(seen[node])}, name
        assert all(frame.contains(seen[node]) for node in within), name
    for one, other in combinations(layout.groups.values(), 2):
        assert not one.overlaps(other) or one.contains(other) or other.contains(one)


def _check_texts(of: Graph, layout: Layout) -> None:
    """No text leaves what it is in, and none is over another, over an icon or over a frame."""
    with_icons = {name for name, (icon, _) in stated(of).nodes.items() if icon}
    frames: dict[str, Rectangle] = {**layout.nodes, **layout.groups}
    for text in layout.texts:
        assert frames.get(text.of, layout.page).contains(text.extent), text
        if text.of in with_icons:
            assert text.extent.left > layout.nodes[text.of].left + PADDING + ICON_SIZE, text
        for around in frames.values():
            assert not around.overlaps(text.extent) or around.contains(text.extent), (text, around)
        others = [box for name, box in layout.nodes.items() if name != text.of]
        assert not [box for box in others if box.overlaps(text.extent)], text
    for one, other in combinations(layout.texts, 2):
        assert not one.extent.overlaps(other.extent), (one, other)


def _check_arrows(layout: Layout) -> None:
    """No arrow crosses a node or a text."""
    for ends, points in layout.arrows.items():
        nodes = [box for name, box in layout.nodes.items() if name not in ends]
        texts = [text.extent for text in layout.texts]
        assert not [box for box in (*nodes, *texts) if any(_inside(point, box) for point in points)], ends


def _inside(point: Point, box: Rectangle) -> bool:
    x, y = point
    return box.left + NEAR < x < box.right - NEAR and box.low + NEAR < y < box.high - NEAR
