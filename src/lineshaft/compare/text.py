"""A comparison as text: figures side by side, keys that differ, what moved the value."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from lineshaft.units import format_quantity
from lineshaft.words import aligned

if TYPE_CHECKING:
    from lineshaft.compare import Comparison, Figure, Move


def text(found: Comparison) -> str:
    """The comparison for people."""
    lines = list(_figures(found))
    if found.changes:
        lines += ["", "What was asked differently"]
        rows = [(change.key, *change.values) for change in found.changes]
        lines += aligned([("", *found.runs), *rows])
    else:
        lines += ["", "Nothing was asked differently."]
    for move in found.moves:
        lines += ["", *_move(found.runs[0], move)]
    return "\n".join(lines)


def _figures(found: Comparison) -> Iterator[str]:
    head = ["", found.runs[0]]
    for run in found.runs[1:]:
        head += [run, "change", ""]
    rows = [tuple(head)]
    for figure in found.figures:
        if all(value is None for value in figure.values):
            continue
        row = [figure.name, figure.texts[0]]
        for i in range(1, len(found.runs)):
            row += [figure.texts[i], *_changed(figure, i)]
        rows.append(tuple(row))
    yield from aligned(rows)


def _changed(figure: Figure, run: int) -> tuple[str, str]:
    change, percent = figure.change(run), figure.percent(run)
    if change is None:
        return "", ""
    if change == 0:
        return "same", ""
    return _signed(change, figure.unit), "" if percent is None else _percent(percent)


def _move(first: str, move: Move) -> Iterator[str]:
    yield f"What moved the value from {first} to {move.run}: {_usd(move.change_usd)}"
    rows: list[tuple[str, str]] = []
    least = 1e-9 * max((abs(line.change_usd) for line in move.lines), default=0.0)
    for group in dict.fromkeys(line.group for line in move.lines):
        lines = [
            line for line in move.lines if line.group == group and abs(line.change_usd) > least
        ]
        if not lines:
            continue
        rows.append((f"  {group}", _usd(sum(line.change_usd for line in lines))))
        if len(lines) > 1 or group == "terminal value":
            lines.sort(key=lambda line: -abs(line.change_usd))
            rows += [(f"    {line.name}", _usd(line.change_usd)) for line in lines]
    yield from aligned(rows or [("  nothing", "")])
    if move.keys:
        yield ""
        yield "The same by what was asked differently"
        shares = [(f"  {share.key}", _usd(share.change_usd), share.note) for share in move.keys]
        yield from aligned(shares, left=(0, -1))


def _percent(percent: float) -> str:
    """In per cent of the first, and as a multiple of it where that is easier to read."""
    return (
        f"{f'{percent:+#.3g}'.rstrip('.')} %"
        if percent < 999.5
        else f"× {format_quantity(1 + percent / 100, '1')}"
    )


def _usd(value: float) -> str:
    return "$0" if value == 0 else _signed(value, "USD")


def _signed(value: float, unit: str) -> str:
    shown = format_quantity(value, unit)
    return shown if shown.startswith("-") else f"+{shown}"
