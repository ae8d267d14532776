"""What the tests of the picture share: what a picture says, and what an SVG shows."""

from __future__ import annotations

import copy
import json
import xml.etree.ElementTree as ET
from collections.abc import Iterator
from dataclasses import dataclass, field

from operations.picture.contents import picture, rest_in_words
from operations.picture.graph import CUSTOMERS, Graph, Group, graph
from operations.picture.graphviz import CUSTOMERS_ICON, NOTE, cluster_name
from operations.picture.model import Picture
from operations.picture.plan import read
from tests.synthesized import Block

SVG = "{http://www.w3.org/2000/svg}"
LINK = "{http://www.w3.org/1999/xlink}href"
ROUNDED = 0.01  # points


def pictured(configuration: Block) -> Picture:
    return picture(read(json.dumps(configuration), "test"))


def graphed(configuration: Block) -> Graph:
    return graph(pictured(configuration))


def said(configuration: Block) -> str:
    """Everything that the picture says, before it is broken into lines; any space is as any other."""
    return "\n".join(lines_of(pictured(configuration))).replace("\N{NO-BREAK SPACE}", " ")


def lines_of(shown: Picture) -> Iterator[str]:
    yield shown.title
    yield from (link.label for link in shown.links)
    for region in shown.regions:
        yield region.title
        for frame in (region.network, *region.tiers.values()):
            yield from frame.lines
    yield from (strip.title for strip in (shown.edge, *shown.others))
    in_regions = [box for region in shown.regions for boxes in region.boxes.values() for box in boxes]
    for box in (*(box for strip in (shown.edge, *shown.others) for box in strip.boxes), *in_regions):
        yield from (box.title, *box.lines)
    yield rest_in_words(shown.rest)


def without(configuration: Block, *types: str, place: str | None = None) -> Block:
    """The configuration without the resources of these types, or without those of one provider."""
    changed = copy.deepcopy(configuration)
    for type_ in types:
        named = changed["resource"].pop(type_)
        kept = {name: one for name, one in named.items() if place and one.get("provider", "aws") != place}
        if kept:
            changed["resource"][type_] = kept
    return changed


@dataclass(frozen=True)
class Rectangle:
    """A place on the page, in points."""

    left: float
    low: float
    right: float
    high: float

    def overlaps(self, other: Rectangle) -> bool:
        across = self.left < other.right and other.left < self.right
        return across and self.low < other.high and other.low < self.high

    def contains(self, other: Rectangle) -> bool:
        across = self.left - ROUNDED <= other.left and other.right <= self.right + ROUNDED
        return across and self.low - ROUNDED <= other.low and other.high <= self.high + ROUNDED


def around(points: list[tuple[float, float]]) -> Rectangle:
    xs, ys = ([point[axis] for point in points] for axis in (0, 1))
    return Rectangle(min(xs), min(ys), max(xs), max(ys))


@dataclass
class Shown:
    """Everything that a picture shows, wherever that is on the page."""

    title: str
    nodes: dict[str, tuple[str, list[str]]] = field(default_factory=dict)  # the icon and the lines of each
    edges: set[tuple[str, str, str]] = field(default_factory=set)  # tail, head and label
    groups: dict[str, tuple[list[str], set[str]]] = field(default_factory=dict)  # the label, and the nodes within


def stated(of: Graph) -> Shown:
    """What a graph is to show."""
    shown = Shown(title=of.title)
    for node in (node for row in of.rows for node in row.nodes if node.icon):
        shown.nodes[node.name] = (node.icon, [*node.title, *node.lines])
    if any(edge.tail == CUSTOMERS for edge in of.edges):
        shown.nodes[CUSTOMERS] = (CUSTOMERS_ICON, [CUSTOMERS])
    if of.note:
        shown.nodes[NOTE] = ("", list(of.note))
    shown.edges = {(edge.tail, edge.head, " ".join(edge.label)) for edge in of.edges}
    for group in groups_of(of):
        within = {node.name for row in group.rows for node in row.nodes if node.icon}
        shown.groups[cluster_name(group.name)] = (list(group.label), within)
    return shown


def groups_of(of: Graph) -> Iterator[Group]:
    waiting = [group for layer in of.layers for group in layer]
    while waiting:
        group = waiting.pop()
        waiting += [part for part in group.parts if isinstance(part, Group)]
        yield group


def drawn(text: str) -> Shown:
    """What an SVG shows; the nodes of a group are those that are within its frame."""
    root = ET.fromstring(text)
    (top,) = root.findall(f"{SVG}g")
    shown = Shown(title=" ".join(_texts(top)))
    frames = {}
    for name, part in _parts(root, "node"):
        icon = "".join(str(use.get(LINK)) for use in part.iter(f"{SVG}use"))
        shown.nodes[name] = (icon.removeprefix("#").removesuffix(".svg"), _texts(part))
        frames[name] = _frame(part)
    for name, part in _parts(root, "edge"):
        tail, _, head = name.partition("->")
        shown.edges.add((tail, head, " ".join(_texts(part))))
    for name, part in _parts(root, "cluster"):
        within = {node for node, frame in frames.items() if _frame(part).contains(frame)}
        shown.groups[name] = (_texts(part), within)
    return shown


def _parts(root: ET.Element, kind: str) -> Iterator[tuple[str, ET.Element]]:
    for part in root.iter(f"{SVG}g"):
        if part.get("class") == kind:
            yield part.findtext(f"{SVG}title", ""), part


def _texts(part: ET.Element) -> list[str]:
    return [text.text or "" for text in part.findall(f"{SVG}text")]


def _frame(part: ET.Element) -> Rectangle:
    points = part.find(f"{SVG}polygon").get("points", "")  # type: ignore[union-attr]  # each has one
    return around([(float(x), float(y)) for x, y in (point.split(",") for point in points.split())])
