"""What every page is put into: the template, with style, script, data and the chart library."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from html import escape
from importlib import resources
from typing import Any

from lineshaft.report.parts import Section, section

LICENCES = ("NOTICE.txt", "LICENSE.txt", "LICENSE-d3.txt", "LICENSE-zrender.txt")
SCRIPTS = ("base.js", "months.js", "labels.js", "flows.js", "days.js", "start.js")


def shell(
    *,
    name: str,
    line: str,
    head: str,
    sections: Sequence[Section],
    version: str,
    data: Mapping[str, Any],
    styles: Sequence[str] = ("style.css",),
) -> str:
    """A whole page as HTML. `line` (below the name) and `head` (tiles, notes) are HTML already."""
    parts = {
        "title": escape(f"{name} · Lineshaft"),
        "name": escape(name),
        "line": line,
        "head": head,
        "contents": "".join(f'<a href="#{s.key}">{escape(s.title)}</a>' for s in sections),
        "sections": "".join(map(section, sections)),
        "version": escape(version),
        "style": "".join(map(_asset, styles)),
        "licences": escape("\n\n".join(_asset(f"assets/{n}").strip() for n in LICENCES)),
        "data": embed(data),
        "echarts": _asset("assets/echarts.min.js"),
        "script": "".join(map(_asset, SCRIPTS)),
    }
    return "".join(
        parts[piece] if i % 2 else piece
        for i, piece in enumerate(_asset("template.html").split("%%"))
    )


def embed(data: object) -> str:
    """JSON that may stand in a script element: no `<`, `>` or `&` in it, whatever the names."""
    text = json.dumps(data, ensure_ascii=False, allow_nan=False, separators=(",", ":"))
    for sign in "<>&\u2028\u2029":
        text = text.replace(sign, f"\\u{ord(sign):04x}")
    return text


def _asset(name: str) -> str:
    return (resources.files("lineshaft.report") / name).read_text("utf-8")
