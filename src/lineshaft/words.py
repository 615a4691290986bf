"""Words for people: the nearest name, a cut line, columns of one width, and what JSON can hold."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence

PROSE = 110
"""Signs in a line of prose."""


def suggestion(word: str, known: Iterable[str], cutoff: float = 0.6) -> str:
    """ "did you mean 'power_w'?", or nothing where no known word is close."""
    from difflib import get_close_matches

    close = get_close_matches(word, list(known), n=1, cutoff=cutoff)
    return f"did you mean {close[0]!r}?" if close else ""


def shortened(text: str, width: int) -> str:
    """The text, cut to `width` signs where it is longer."""
    return text if len(text) <= width else f"{text[: width - 1].rstrip()}…"


def paragraph(text: str, indent: str = "  ") -> str:
    """The text in lines of at most `PROSE` signs; those after the first begin with the indent."""
    from textwrap import fill

    return fill(text, PROSE, subsequent_indent=indent, break_on_hyphens=False)


def aligned(rows: Sequence[Sequence[str]], left: Sequence[int] = (0,)) -> list[str]:
    """Lines of columns of one width; the columns in `left` stand at the left, others at the right.

    Places in `left` may be counted from the end.
    """
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    at_left = {place % len(widths) for place in left} if widths else set()
    return [
        "  ".join(
            cell.ljust(width) if place in at_left else cell.rjust(width)
            for place, (cell, width) in enumerate(zip(row, widths, strict=True))
        ).rstrip()
        for row in rows
    ]


def or_none(value: float) -> float | None:
    """The number, or None where it is not finite: JSON has no NaN."""
    return value if math.isfinite(value) else None
