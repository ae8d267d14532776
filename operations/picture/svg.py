"""Draws a graph as an SVG that any page can show.

Graphviz, in the npm package @viz-js/viz as WebAssembly, lays it out and draws it. The SVG has its own background,
embedded icons, and space for the widest of the fonts that may display it.
"""

from __future__ import annotations

import json
import re
import subprocess
import xml.etree.ElementTree as ET
from pathlib import Path

from operations.outcome import Failed, Refused
from operations.picture.graph import ICON_SIZE, Graph
from operations.picture.graphviz import FONT, Attributes, document
from operations.project_root import PROJECT

PROGRAM = Path(__file__).with_name("draw.mjs")
ICONS = PROJECT / "node_modules" / "aws-icons" / "icons"
"""AWS's Architecture Icons, which AWS permits in architecture diagrams
(https://aws.amazon.com/architecture/icons/)."""
FONTS = f"{FONT}, 'DejaVu Sans', Helvetica, Arial, sans-serif"
"""The fonts of the SVG: the first installed one is used. None is wider than the first."""
SVG, LINK = "http://www.w3.org/2000/svg", "http://www.w3.org/1999/xlink"


def svg(graph: Graph) -> str:
    """The graph as the text of an SVG file.

    Raises:
        Refused: Node or its packages are not installed.
        Failed: Graphviz failed.
    """
    root = ET.fromstring(rendered(document(graph), "svg"))  # noqa: S314 (what Graphviz wrote)
    for prefix, name in (("", SVG), ("xlink", LINK)):
        ET.register_namespace(prefix, name)
    for measure in ("width", "height"):
        root.set(measure, root.get(measure, "").removesuffix("pt"))  # in points it would be a third larger on a page
    root.set("role", "img")
    title = ET.Element(f"{{{SVG}}}title")
    title.text = graph.title
    root[:0] = [title, _icons(root)]
    for text in root.iter(f"{{{SVG}}}text"):
        text.set("font-family", FONTS)
    return ET.tostring(root, encoding="unicode") + "\n"


def rendered(graph: Attributes, form: str) -> str:
    """Graphviz's rendering of a graph, in one of its formats, such as ``svg`` or ``json``.

    Raises:
        Refused: Node or its packages are not installed.
        Failed: Graphviz draws nothing.
    """
    icons = sorted(set(re.findall(r"<img src=\\\"([\w.]+)", json.dumps(graph))))
    images = [{"name": icon, "width": ICON_SIZE, "height": ICON_SIZE} for icon in icons]
    asked = json.dumps({"graph": graph, "format": form, "images": images})
    try:
        process = subprocess.run(["node", str(PROGRAM)], input=asked, capture_output=True, text=True, check=False)
    except OSError as error:
        raise Refused(f"node: cannot be run ({error.strerror}); Node 20 or newer is needed") from error
    if "ERR_MODULE_NOT_FOUND" in process.stderr or not ICONS.is_dir():
        raise Refused("@viz-js/viz, aws-icons: not installed; run make setup")
    if process.returncode:
        raise Failed(f"Graphviz: {process.stderr.strip()}")
    result = json.loads(process.stdout)
    errors = [error["message"].strip() for error in result["errors"] if error.get("level") == "error"]
    if errors or "output" not in result:
        raise Failed(f"Graphviz: {'; '.join(errors)}")
    return str(result["output"])


def _icons(root: ET.Element) -> ET.Element:
    """Embed the icons into the SVG, each once; returns the element with them."""
    definitions = ET.Element(f"{{{SVG}}}defs")
    placed = list(root.iter(f"{{{SVG}}}image"))
    for name in sorted({image.get(f"{{{LINK}}}href", "") for image in placed}):
        drawn = ET.parse(next(ICONS.glob(f"*/{name}"))).getroot()  # noqa: S314 (of a package that is pinned)
        symbol = ET.SubElement(definitions, f"{{{SVG}}}symbol", id=name, viewBox=drawn.get("viewBox", ""))
        symbol.extend(part for part in drawn if part.tag != f"{{{SVG}}}title")
    for image in placed:
        image.tag = f"{{{SVG}}}use"
        image.set(f"{{{LINK}}}href", f"#{image.get(f'{{{LINK}}}href')}")
    return definitions
