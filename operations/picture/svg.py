"""Writes a picture of the platform as an SVG that any page can show.

It has a background of its own, so that it can be read on a dark page, and names no font that a browser would have to
fetch. The same platform is the same text.
"""

from __future__ import annotations

import xml.etree.ElementTree as ET
from collections.abc import Iterator

from operations.picture.layout import WIDTH, draw, rest_in_words
from operations.picture.model import Kind, Picture, Slot
from operations.picture.shapes import HEADING_SIZE, TEXT_SIZE, TITLE_SIZE, Arrow, Rectangle, Role, Text

STRIPE = 4.0
LINES = "#57606a"
COLOURS: dict[Kind | Slot, str] = {
    Kind.TRAFFIC: "#1a7f37",
    Kind.COMPUTE: "#bc4c00",
    Kind.DATA: "#0969da",
    Kind.SECURITY: "#cf222e",
    Kind.WATCH: "#8250df",
    Slot.PUBLIC: "#e6f4ea",
    Slot.PRIVATE: "#fff3e6",
    Slot.DATABASE: "#e7f1fd",
}
STYLE = f"""
text {{ font-family: Helvetica, Arial, 'Liberation Sans', sans-serif; font-size: {TEXT_SIZE}px; fill: #1f2328 }}
.heading {{ font-size: {HEADING_SIZE}px; font-weight: bold }}
.title {{ font-size: {TITLE_SIZE}px; font-weight: bold }}
.label {{ fill: #424a53 }}
.page {{ fill: #ffffff; stroke: #d0d7de }}
.frame {{ fill: #f6f8fa; stroke: #afb8c1 }}
.network {{ fill: #ffffff; stroke: #6e7781 }}
.box {{ fill: #ffffff; stroke: #afb8c1 }}
.arrow {{ fill: none; stroke: {LINES}; stroke-width: 1.8 }}
"""


def svg(picture: Picture) -> str:
    """The picture as the text of an SVG file: the same text for the same platform."""
    drawing = draw(picture)
    height = round(drawing.height)
    root = ET.Element("svg", xmlns="http://www.w3.org/2000/svg", viewBox=f"0 0 {WIDTH:g} {height}", role="img")
    ET.SubElement(root, "title").text = picture.title
    ET.SubElement(root, "desc").text = rest_in_words(picture.rest, len(picture.rest)) if picture.rest else ""
    ET.SubElement(root, "style").text = STYLE
    root.append(_arrowhead())
    page = Rectangle(role=Role.PAGE, x=0.5, y=0.5, width=WIDTH - 1, height=height - 1)
    for rectangle in (page, *drawing.rectangles):
        root.extend(_rectangle(rectangle))
    for arrow in drawing.arrows:
        root.append(_arrow(arrow))
    for text in drawing.texts:
        root.append(_text(text))
    ET.indent(root)
    return ET.tostring(root, encoding="unicode") + "\n"


def _arrowhead() -> ET.Element:
    definitions = ET.Element("defs")
    marker = ET.SubElement(
        definitions,
        "marker",
        id="head",
        viewBox="0 0 10 10",
        refX="9",
        refY="5",
        markerWidth="9",
        markerHeight="9",
        markerUnits="userSpaceOnUse",
        orient="auto-start-reverse",
    )
    ET.SubElement(marker, "path", d="M 0 0 L 10 5 L 0 10 z", fill=LINES)
    return definitions


def _rectangle(one: Rectangle) -> Iterator[ET.Element]:
    place = {"x": _number(one.x), "y": _number(one.y), "width": _number(one.width), "height": _number(one.height)}
    drawn = ET.Element("rect", {"class": one.role, "rx": "4", **place})
    colour = COLOURS[one.kind] if one.kind else ""
    if one.role is Role.TIER:
        drawn.set("fill", colour)
    yield drawn
    if one.role is Role.BOX:
        yield ET.Element("rect", {**place, "width": _number(STRIPE), "fill": colour})


def _arrow(one: Arrow) -> ET.Element:
    ends = {"marker-end": "url(#head)"} | ({"marker-start": "url(#head)"} if one.both_ways else {})
    (x1, y1), (x2, y2) = one.start, one.end
    place = {"x1": _number(x1), "y1": _number(y1), "x2": _number(x2), "y2": _number(y2)}
    return ET.Element("line", {"class": "arrow", **place, **ends})


def _text(one: Text) -> ET.Element:
    drawn = ET.Element("text", {"x": _number(one.x), "y": _number(one.y)})
    if one.role is not Role.TEXT:
        drawn.set("class", one.role)
    if one.middle:
        drawn.set("text-anchor", "middle")
    drawn.text = one.text
    return drawn


def _number(value: float) -> str:
    return f"{value:.1f}".removesuffix(".0")
