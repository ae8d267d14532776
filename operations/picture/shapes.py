"""The shapes that a picture is drawn with, and how wide a text is.

The smallest letters are 13.5 units high: on a page that shows the 1000 units of the picture 900 pixels wide they are 12
pixels high. The widths of letters are estimated, on the safe side, as there is no font to ask.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from enum import StrEnum

from operations.picture.model import Kind, Slot
from operations.picture.plan import Resource

LINE = 18.0
TITLE_SIZE, TEXT_SIZE, HEADING_SIZE = 14.5, 13.5, 19.0
PARTED_AFTER = "-./_:"

# The widths of letters in Helvetica, in parts of their size; others are at most as wide as OTHER.
WIDTHS = {
    "ijl'|": 0.23,
    " \N{NO-BREAK SPACE}.,:;/!ftI[]()": 0.29,
    "rJ-": 0.36,
    "ckszyvx": 0.51,
    "mM": 0.86,
    "wW%": 0.95,
}
DIGIT_OR_SMALL, OTHER, BOLD = 0.57, 0.75, 1.08


def width(text: str, size: float, *, bold: bool = False) -> float:
    """How wide a text is at most, in the units of ``size``."""
    return sum(_letter_width(letter) for letter in text) * size * (BOLD if bold else 1)


def _letter_width(letter: str) -> float:
    known = next((one for letters, one in WIDTHS.items() if letter in letters), None)
    if known is not None:
        return known
    return DIGIT_OR_SMALL if letter.isascii() and (letter.isdigit() or letter.islower()) else OTHER


def wrapped(text: str, most: float, size: float, *, bold: bool = False) -> list[str]:
    """The text in lines that are at most so wide.

    A word that is too long by itself is parted after one of ``PARTED_AFTER``; without one it ends in an ellipsis.
    """
    lines: list[str] = []
    for word in text.split(" "):
        longer = f"{lines[-1]} {word}" if lines else word
        if lines and width(longer, size, bold=bold) <= most:
            lines[-1] = longer
        else:
            lines += _parted(word, most, size, bold=bold)
    return lines


def _parted(word: str, most: float, size: float, *, bold: bool) -> Iterator[str]:
    while width(word, size, bold=bold) > most:
        ends = (place for place, letter in enumerate(word, start=1) if letter in PARTED_AFTER)
        end = max((one for one in ends if width(word[:one], size, bold=bold) <= most), default=0)
        if not end:
            word = _shortened(word, most, size, bold=bold)
            break
        yield word[:end]
        word = word[end:]
    yield word


def _shortened(word: str, most: float, size: float, *, bold: bool) -> str:
    while word and width(f"{word}…", size, bold=bold) > most:
        word = word[:-1]
    return f"{word}…"


class Role(StrEnum):
    """What a rectangle or a text is, which is its class in the SVG."""

    PAGE = "page"
    FRAME = "frame"
    NETWORK = "network"
    TIER = "tier"
    BOX = "box"
    HEADING = "heading"
    TITLE = "title"
    TEXT = "text"
    LABEL = "label"


SIZES = {Role.HEADING: HEADING_SIZE, Role.TITLE: TITLE_SIZE}
"""Of letters; these are bold."""


@dataclass(frozen=True, kw_only=True)
class Rectangle:
    """A rectangle; ``y`` is its upper edge."""

    role: Role
    x: float
    y: float
    width: float
    height: float
    kind: Kind | Slot | None = None
    """What a box is about, or which tier a tier is: its colour."""

    @property
    def right(self) -> float:
        """The right edge."""
        return self.x + self.width

    @property
    def bottom(self) -> float:
        """The lower edge."""
        return self.y + self.height


@dataclass(frozen=True, kw_only=True)
class Text:
    """A line of text; ``y`` is its base line."""

    role: Role
    x: float
    y: float
    text: str
    middle: bool = False
    """Whether ``x`` is its middle, not where it begins."""

    @property
    def extent(self) -> Rectangle:
        """The room that it takes, as far as can be estimated."""
        size = SIZES.get(self.role, TEXT_SIZE)
        wide = width(self.text, size, bold=self.role in SIZES)
        left = self.x - wide / 2 if self.middle else self.x
        return Rectangle(role=self.role, x=left, y=self.y - 0.75 * size, width=wide, height=size)


@dataclass(frozen=True, kw_only=True)
class Arrow:
    """A line that ends in an arrowhead."""

    start: tuple[float, float]
    end: tuple[float, float]
    both_ways: bool = False


@dataclass
class Drawing:
    """What is drawn, from back to front."""

    height: float = 0.0
    rectangles: list[Rectangle] = field(default_factory=list)
    texts: list[Text] = field(default_factory=list)
    arrows: list[Arrow] = field(default_factory=list)
    ends: dict[Resource, Rectangle] = field(default_factory=dict)
    """The rectangle of what each resource is drawn by."""

    def place(self, rectangle: Rectangle, of: Sequence[Resource] = ()) -> None:
        """Add a rectangle that stands for these resources."""
        self.rectangles.append(rectangle)
        self.ends.update(dict.fromkeys(of, rectangle))

    def write(self, role: Role, x: float, y: float, lines: Sequence[str]) -> float:
        """Add lines of text, the first with its base line at ``y``. Returns the base line of what would follow."""
        for number, line in enumerate(lines):
            self.texts.append(Text(role=role, x=x, y=y + number * LINE, text=line))
        return y + len(lines) * LINE
