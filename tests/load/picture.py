"""Charts of what a run measured: for a terminal in block characters, and as SVG."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise
from pathlib import Path

from rich.console import Console

WIDTH, HEIGHT = 72, 6
BLOCKS = " ▁▂▃▄▅▆▇█"


def chart(title: str, values: Sequence[float], seconds: float, unit: str = "") -> list[str]:
    """A chart of ``values`` over so many seconds, from 0 at the bottom."""
    columns = _columns(values, WIDTH)
    top = max(columns, default=0.0) or 1.0
    lines = [f"{title} (most: {top:,.0f}{unit})"]
    for row in range(HEIGHT, 0, -1):
        eighths = [min(max(round((value / top * HEIGHT - row + 1) * 8), 0), 8) for value in columns]
        lines.append("  │" + "".join(BLOCKS[number] for number in eighths))
    lines.append("  └" + "─" * WIDTH)
    lines.append(f"   0 s{f'{seconds:.0f} s':>{WIDTH - 4}}")
    return lines


def _columns(values: Sequence[float], width: int) -> list[float]:
    """As many values as there are columns: the largest of those that share one."""
    if not values:
        return []
    edges = [round(number * len(values) / width) for number in range(width + 1)]
    return [max(values[start : max(end, start + 1)], default=0.0) for start, end in pairwise(edges)]


def draw(console: Console, charts: Sequence[tuple[str, Sequence[float], str]], seconds: float) -> None:
    """Print the charts one below the other."""
    for title, values, unit in charts:
        for line in chart(title, values, seconds, unit):
            console.print(line, markup=False, highlight=False)


def write_svg(path: Path, charts: Sequence[tuple[str, Sequence[float], str]], seconds: float) -> None:
    """Write the charts as one image."""
    width, height, gap = 720, 110, 46
    size = f'width="{width + 40}" height="{(height + gap) * len(charts) + 10}"'
    parts = [f'<svg xmlns="http://www.w3.org/2000/svg" {size} font-family="sans-serif" font-size="12">']
    for number, (title, values, unit) in enumerate(charts):
        top = max(values, default=0.0) or 1.0
        y = number * (height + gap) + 24
        points = " ".join(
            f"{20 + width * at / max(len(values) - 1, 1):.1f},{y + height - height * value / top:.1f}"
            for at, value in enumerate(values)
        )
        parts += [
            f'<text x="20" y="{y - 8}">{title} (most: {top:,.0f}{unit})</text>',
            f'<polyline fill="none" stroke="#b0b0b0" points="20,{y} 20,{y + height} {20 + width},{y + height}"/>',
            f'<polyline fill="none" stroke="#1f6feb" stroke-width="1.5" points="{points}"/>',
            f'<text x="{20 + width}" y="{y + height + 14}" text-anchor="end" fill="#707070">{seconds:.0f} s</text>',
        ]
    path.write_text("\n".join([*parts, "</svg>"]) + "\n", encoding="utf-8")
