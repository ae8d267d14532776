"""How boxes are arranged within what is around them, and what is written in them."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

from operations.picture.model import Box, Slot
from operations.picture.shapes import LINE, TEXT_SIZE, TITLE_SIZE, Drawing, Rectangle, Role, width, wrapped

GAP = 8.0
PADDING = 9.0
INDENT = 12.0
"""Of what is written in a box."""
INLINE_TITLE = 0.43
"""The part of a box that is as wide as its column that its title has, where all is in one line."""


@dataclass(frozen=True, kw_only=True)
class Placed:
    """A box, and where it is within what it is arranged in."""

    box: Box
    x: float
    y: float
    width: float
    height: float

    @property
    def inline(self) -> bool:
        """Whether all that is said is in one line, the title first."""
        return self.height == INLINE_HEIGHT


INLINE_HEIGHT = LINE + PADDING


def _in_lines(box: Box, wide: float) -> tuple[list[str], list[str]]:
    room = wide - INDENT - PADDING / 2
    title = wrapped(box.title, room, TITLE_SIZE, bold=True)
    return title, [line for text in box.lines for line in wrapped(text, room, TEXT_SIZE)]


def _height(box: Box, wide: float) -> float:
    title, lines = _in_lines(box, wide)
    return (len(title) + len(lines)) * LINE + 1.4 * PADDING


def _fits_one_line(box: Box, wide: float) -> bool:
    said = wide * (1 - INLINE_TITLE) - PADDING
    return width(box.title, TITLE_SIZE, bold=True) <= wide * INLINE_TITLE - INDENT - PADDING and (
        sum(width(line, TEXT_SIZE) for line in box.lines) <= said and len(box.lines) <= 1
    )


def in_rows(boxes: Sequence[Box], whole: float, across: int) -> Iterator[Placed]:
    """The boxes in rows that are as even as can be, as high as the highest of the row."""
    y = 0.0
    rows = -(-len(boxes) // across)
    for start in range(0, len(boxes), max(1, -(-len(boxes) // max(rows, 1)))):
        row = boxes[start : start + -(-len(boxes) // rows)]
        wide = (whole - GAP * (len(row) - 1)) / len(row)
        high = max(_height(box, wide) for box in row)
        for number, box in enumerate(row):
            yield Placed(box=box, x=number * (wide + GAP), y=y, width=wide, height=high)
        y += high + GAP


def in_stacks(boxes: Sequence[Box], whole: float, across: int) -> Iterator[Placed]:
    """The boxes in stacks side by side, each box on the lowest of them; the last of a stack fills it up."""
    stacks: list[list[Placed]] = [[] for _ in range(min(across, len(boxes)))]
    wide = (whole - GAP * (len(stacks) - 1)) / max(1, len(stacks))
    for box in boxes:
        lowest = min(stacks, key=bottom)
        y = bottom(lowest) + (GAP if lowest else 0.0)
        x = stacks.index(lowest) * (wide + GAP) if lowest else sum(map(bool, stacks)) * (wide + GAP)
        lowest.append(Placed(box=box, x=x, y=y, width=wide, height=_height(box, wide)))
    full = max(map(bottom, stacks), default=0.0)
    for stack in stacks:
        yield from stack[:-1]
        last = stack[-1]
        yield Placed(box=last.box, x=last.x, y=last.y, width=wide, height=full - last.y)


def in_lines(boxes: Sequence[Box], whole: float) -> Iterator[Placed]:
    """The boxes one below the other, in one line each where that is enough."""
    y = 0.0
    for box in boxes:
        high = INLINE_HEIGHT if _fits_one_line(box, whole) else _height(box, whole)
        yield Placed(box=box, x=0.0, y=y, width=whole, height=high)
        y += high + GAP


def bottom(placed: Sequence[Placed]) -> float:
    """Where the last of them ends; 0 if there is none."""
    return max((one.y + one.height for one in placed), default=0.0)


Arrangement = Callable[[Sequence[Box], float], Iterator[Placed]]
ARRANGEMENTS: dict[Slot, Arrangement] = {
    Slot.PUBLIC: lambda boxes, whole: in_rows(boxes, whole, 3),
    Slot.PRIVATE: lambda boxes, whole: in_rows(boxes, whole, 3),
    Slot.DATABASE: lambda boxes, whole: in_rows(boxes, whole, 1),
    Slot.STORED: in_lines,
    Slot.KEPT: lambda boxes, whole: in_stacks(boxes, whole, 2),
    Slot.WORK: lambda boxes, whole: in_stacks(boxes, whole, 2),
    Slot.WATCH: lambda boxes, whole: in_stacks(boxes, whole, 2),
}


def draw_boxes(drawing: Drawing, placed: Sequence[Placed], x: float, y: float) -> None:
    """Draw boxes that are arranged from ``x`` and ``y`` on."""
    for one in placed:
        left, top = x + one.x, y + one.y
        drawing.place(
            Rectangle(role=Role.BOX, x=left, y=top, width=one.width, height=one.height, kind=one.box.kind), one.box.of
        )
        base = top + 0.7 * PADDING + 0.75 * LINE
        if one.inline:
            base = top + one.height / 2 + 0.36 * TITLE_SIZE
            drawing.write(Role.TITLE, left + INDENT, base, [one.box.title])
            drawing.write(Role.TEXT, left + one.width * INLINE_TITLE, base, one.box.lines)
        else:
            title, lines = _in_lines(one.box, one.width)
            base = drawing.write(Role.TITLE, left + INDENT, base, title)
            drawing.write(Role.TEXT, left + INDENT, base, lines)
