"""Lays out what a picture of the platform shows: boxes in fixed columns, frames around them, arrows between."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from operations.picture.arrangement import ARRANGEMENTS, GAP, PADDING, Placed, bottom, draw_boxes, in_rows
from operations.picture.model import TIERS, Box, Column, Kind, Link, Picture, Slot, counted, with_unit
from operations.picture.shapes import (
    HEADING_SIZE,
    LINE,
    TEXT_SIZE,
    Arrow,
    Drawing,
    Rectangle,
    Role,
    Text,
    width,
    wrapped,
)

WIDTH = 1000.0
MARGIN = 12.0
LANE = 104.0
"""Between the regions, for the arrows."""
HEADING, FRAME_TITLE, ENTRY, KEY = 44.0, 26.0, 40.0, 22.0
"""Heights: of the title, of what a frame is called, of the arrows to the regions, of what the colours mean."""
CUSTOMERS = "customers"
MOST_TYPES_NAMED = 6


def draw(picture: Picture) -> Drawing:
    """The picture, laid out."""
    drawing = Drawing()
    y = _draw_heading(drawing, picture)
    y = _draw_strip(drawing, picture.edge_title, picture.edge, y)
    y = _draw_columns(drawing, picture, y)
    for number, link in enumerate(picture.links):
        repeated = number > 0 and picture.links[number - 1].label == link.label
        _draw_link(drawing, link, "" if repeated else link.label)
    y = _draw_strip(drawing, "Account", picture.account, y + GAP)
    y = _draw_key(drawing, y + GAP)
    drawing.height = _draw_rest(drawing, picture.rest, y) + MARGIN
    return drawing


def _draw_heading(drawing: Drawing, picture: Picture) -> float:
    """The title, and where customers come in. Returns where the heading ends."""
    x = WIDTH - MARGIN - width(CUSTOMERS, TEXT_SIZE) - 2 * PADDING
    lines = wrapped(picture.title, x - 2 * MARGIN, HEADING_SIZE, bold=True)
    end = drawing.write(Role.HEADING, MARGIN, MARGIN + HEADING_SIZE, lines) - LINE + HEADING - MARGIN - HEADING_SIZE
    if picture.edge:
        drawing.arrows.append(Arrow(start=(x, MARGIN), end=(x, end)))
        drawing.write(Role.LABEL, x + PADDING, end - LINE, [CUSTOMERS])
    return end


def _draw_strip(drawing: Drawing, title: str, boxes: Sequence[Box], y: float) -> float:
    """A frame from margin to margin. Returns where it ends."""
    if not boxes:
        return y
    whole = WIDTH - 2 * MARGIN
    placed = list(in_rows(boxes, whole - 2 * PADDING, 4))
    height = FRAME_TITLE + bottom(placed) + PADDING
    drawing.place(Rectangle(role=Role.FRAME, x=MARGIN, y=y, width=whole, height=height))
    drawing.write(Role.TITLE, MARGIN + PADDING, y + LINE, [title])
    draw_boxes(drawing, placed, MARGIN + PADDING, y + FRAME_TITLE)
    return y + height


@dataclass(frozen=True, kw_only=True)
class Sizes:
    """How wide and high the parts of the columns are: the same in all, so that they match."""

    column_width: float
    network_title: float
    """The height of what is said of a network."""
    slots: Mapping[Slot, float]
    """The heights, with the gap after each; those of tiers with their titles."""

    @property
    def network_height(self) -> float:
        """Of the network with its tiers."""
        return self.network_title + sum(self.slots[slot] for slot in TIERS) + PADDING - GAP

    @property
    def column_height(self) -> float:
        """Of a column."""
        others = sum(high for slot, high in self.slots.items() if slot not in TIERS)
        return FRAME_TITLE + self.network_height + GAP + others + PADDING - GAP


def _sizes(columns: Sequence[Column]) -> Sizes:
    wide = (WIDTH - 2 * MARGIN - LANE * (len(columns) - 1)) / len(columns)
    lines = max(len(_network_lines(column, wide)) for column in columns)
    return Sizes(
        column_width=wide,
        network_title=FRAME_TITLE + LINE * (lines - 1),
        slots={slot: max(_slot_height(column, slot, wide) for column in columns) for slot in Slot},
    )


def _within(column_width: float, frames: int) -> float:
    """How wide something is that has so many frames around it."""
    return column_width - 2 * PADDING * frames


def _arranged(column: Column, slot: Slot, column_width: float) -> list[Placed]:
    return list(ARRANGEMENTS[slot](column.boxes[slot], _within(column_width, 3 if slot in TIERS else 1)))


def _network_lines(column: Column, column_width: float) -> list[str]:
    room = _within(column_width, 2)
    return [line for text in column.network.lines for line in wrapped(text, room, TEXT_SIZE)]


def _slot_height(column: Column, slot: Slot, column_width: float) -> float:
    boxes = bottom(_arranged(column, slot, column_width))
    if slot in column.tiers:
        return FRAME_TITLE + boxes + PADDING + GAP
    return boxes + GAP if boxes else 0.0


def _draw_columns(drawing: Drawing, picture: Picture, y: float) -> float:
    """The regions side by side, and the arrows to them from the edge. Returns where they end."""
    if not picture.columns:
        return y
    sizes = _sizes(picture.columns)
    top = y + (ENTRY if picture.entries else GAP)
    for number, column in enumerate(picture.columns):
        x = MARGIN + number * (sizes.column_width + LANE)
        if column.place in picture.entries:
            middle = x + sizes.column_width / 4
            drawing.arrows.append(Arrow(start=(middle, y), end=(middle, top)))
            drawing.write(Role.LABEL, middle + PADDING, y + 0.6 * ENTRY, [picture.entries[column.place]])
        _draw_column(drawing, column, sizes, x, top)
    return top + sizes.column_height


def _draw_column(drawing: Drawing, column: Column, sizes: Sizes, x: float, y: float) -> None:
    drawing.place(Rectangle(role=Role.FRAME, x=x, y=y, width=sizes.column_width, height=sizes.column_height))
    drawing.write(Role.TITLE, x + PADDING, y + LINE, [column.title])
    x, y = x + PADDING, y + FRAME_TITLE
    network = Rectangle(role=Role.NETWORK, x=x, y=y, width=_within(sizes.column_width, 1), height=sizes.network_height)
    drawing.place(network, column.network.of)
    drawing.write(Role.TEXT, x + PADDING, y + LINE, _network_lines(column, sizes.column_width))
    _draw_tiers(drawing, column, sizes, x + PADDING, y + sizes.network_title)
    y += sizes.network_height + GAP
    for slot in (slot for slot in Slot if slot not in TIERS):
        draw_boxes(drawing, _arranged(column, slot, sizes.column_width), x, y)
        y += sizes.slots[slot]


def _draw_tiers(drawing: Drawing, column: Column, sizes: Sizes, x: float, y: float) -> None:
    for slot in TIERS:
        if tier := column.tiers.get(slot):
            height = sizes.slots[slot] - GAP
            frame = Rectangle(role=Role.TIER, x=x, y=y, width=_within(sizes.column_width, 2), height=height, kind=slot)
            drawing.place(frame, tier.of)
            drawing.write(Role.TEXT, x + PADDING, y + LINE, tier.lines)
            placed = _arranged(column, slot, sizes.column_width)
            draw_boxes(drawing, placed, x + PADDING, y + FRAME_TITLE)
        y += sizes.slots[slot]


def _draw_link(drawing: Drawing, link: Link, label: str) -> None:
    source, target = drawing.ends[link.source], drawing.ends[link.target]
    left, right = sorted((source, target), key=lambda one: one.x)
    start, end = (left.right, _side(left)), (right.x, _side(right))
    if left is not source:
        start, end = end, start
    drawing.arrows.append(Arrow(start=start, end=end, both_ways=link.both_ways))
    # The ends are as far from the lane's edges on both sides, whatever they are: the lane's middle is the page's.
    lines = wrapped(label, LANE - PADDING, TEXT_SIZE) if label else []
    for number, line in enumerate(reversed(lines)):
        base = min(start[1], end[1]) - 6 - LINE * number
        drawing.texts.append(Text(role=Role.LABEL, x=WIDTH / 2, y=base, text=line, middle=True))


def _side(rectangle: Rectangle) -> float:
    """At which height an arrow touches: a network near its title, all else in the middle."""
    return rectangle.y + (LINE if rectangle.role is Role.NETWORK else rectangle.height / 2)


def _draw_key(drawing: Drawing, y: float) -> float:
    """What the colours of boxes mean. Returns where it ends."""
    x = MARGIN
    kinds = {one.kind for one in drawing.rectangles if one.role is Role.BOX}
    for kind in (kind for kind in Kind if kind in kinds):
        drawing.place(Rectangle(role=Role.BOX, x=x, y=y, width=LINE, height=LINE - 4, kind=kind))
        drawing.write(Role.LABEL, x + LINE + 5, y + LINE - 7, [kind.value])
        x += LINE + 5 + width(kind.value, TEXT_SIZE) + 2 * PADDING
    return y + KEY


def _draw_rest(drawing: Drawing, rest: Mapping[str, int], y: float) -> float:
    """What is not drawn, in numbers. Returns where it ends."""
    lines = wrapped(rest_in_words(rest), WIDTH - 2 * MARGIN, TEXT_SIZE) if rest else []
    return drawing.write(Role.LABEL, MARGIN, y + 0.8 * LINE, lines) - 0.8 * LINE


def rest_in_words(rest: Mapping[str, int], most: int = MOST_TYPES_NAMED) -> str:
    """How many resources are not drawn, and of which types the most are."""
    ranked = sorted(rest.items(), key=lambda one: (-one[1], one[0]))
    named = ", ".join(with_unit(number, type_) for type_, number in ranked[:most])
    others = "" if len(ranked) <= most else ", and others"
    number, types = counted(sum(rest.values()), "more resource"), counted(len(rest), "type")
    return f"and {number} of {types} that are not drawn: {named}{others}"
