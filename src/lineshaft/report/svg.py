"""Pieces of small SVG pictures: a frame, lines of text, straight lines, and a row of points."""

from __future__ import annotations

from collections.abc import Sequence
from html import escape

INK, FAINT = "#1f2933", "#dfe4ea"


def frame(width: float, height: float, title: str, left: float, parts: Sequence[str]) -> str:
    """The picture: a title over what stands in it, on white."""
    font = f'font-family="system-ui, sans-serif" font-size="12" fill="{INK}"'
    box = f'xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {height}" role="img"'
    head = [
        f"<svg {box} {font}>",
        f"<title>{escape(title)}</title>",
        f'<rect width="{width}" height="{height}" fill="#ffffff"/>',
        words(left, 22, title, weight="600"),
    ]
    return "\n".join([*head, *parts, "</svg>\n"])


def line(x1: float, y1: float, x2: float, y2: float, colour: str, dash: str = "") -> str:
    """A straight line, dashed where `dash` says how."""
    dashed = f' stroke-dasharray="{dash}"' if dash else ""
    ends = f'x1="{x1:.1f}" y1="{y1:.1f}" x2="{x2:.1f}" y2="{y2:.1f}"'
    return f'<line {ends} stroke="{colour}"{dashed}/>'


def words(
    x: float, y: float, text: str, anchor: str = "start", weight: str = "400", colour: str = INK
) -> str:
    """A line of text."""
    return (
        f'<text x="{x:.1f}" y="{y:.1f}" text-anchor="{anchor}" font-weight="{weight}" '
        f'fill="{colour}">{escape(text)}</text>'
    )


def row(points: Sequence[tuple[float, float, str]], colour: str) -> list[str]:
    """Points (x, y, what is told of it under the mouse) joined by a line."""
    path = " ".join(f"{x:.1f},{y:.1f}" for x, y, _ in points)
    return [
        f'<polyline points="{path}" fill="none" stroke="{colour}" stroke-width="2"/>',
        *(
            f'<circle cx="{x:.1f}" cy="{y:.1f}" r="2.5" fill="{colour}">'
            f"<title>{escape(told)}</title></circle>"
            for x, y, told in points
        ),
    ]
