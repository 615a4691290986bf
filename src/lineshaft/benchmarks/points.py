"""A points CSV of our own: one measured point a row."""

from __future__ import annotations

import csv
import math
from collections.abc import Iterable, Mapping
from pathlib import Path

from lineshaft.benchmarks.records import Measured, Spread
from lineshaft.errors import InputError, Problem
from lineshaft.files import whole
from lineshaft.words import suggestion

_WORDS = ("model", "accelerator", "engine", "precision")
_COUNTS = ("tp", "pp", "dp", "ep")
_NUMBERS = ("input_tokens", "output_tokens", "concurrency", "rate", "ttft_ms", "tpot_ms")
COLUMNS = (*_WORDS, *_COUNTS, *_NUMBERS)
"""Of a points CSV. `concurrency` or `rate` (requests/s), and `ttft_ms` or `tpot_ms`, must be there;
engine and precision may be left out, and tp, pp, dp, ep where they are 1."""
_REQUIRED = ("model", "accelerator", "input_tokens", "output_tokens")


def read(path: Path, text: str) -> list[Measured]:
    """The points of this text of the file `path`.

    Raises:
        LookupError: it has no column of a points CSV that tells it from other files.
        InputError: every wrong column, or every wrong cell.
    """
    reader = csv.DictReader(text.splitlines())
    header = [name.strip() for name in reader.fieldnames or []]
    reader.fieldnames = header
    if "ttft_ms" not in header and "tpot_ms" not in header:
        raise LookupError
    allowed = ", ".join(COLUMNS)
    problems = [
        Problem(str(path), name, "is no column", allowed, suggestion(name, COLUMNS))
        for name in header
        if name not in COLUMNS
    ]
    problems += [
        Problem(str(path), name, "is missing", allowed) for name in _REQUIRED if name not in header
    ]
    points = []
    for row in reader if not problems else ():
        where = f"{path}:{reader.line_num}"
        wrong, point = _point(where, {key: value or "" for key, value in row.items() if key})
        problems += wrong
        points.append(point)
    if not points and not problems:
        problems = [Problem(str(path), "benchmark", "has no row", "one point a row")]
    if problems:
        raise InputError(problems)
    return points


def _point(where: str, row: Mapping[str, str]) -> tuple[list[Problem], Measured]:
    cells = {key: value.strip() for key, value in row.items()}
    problems = []
    numbers: dict[str, float] = {}
    for key in (*_NUMBERS, *_COUNTS):
        text = cells.get(key, "")
        try:
            value = float(text) if text else math.nan
        except ValueError:
            value = -1.0
        if not text and key in _COUNTS:
            value = 1.0
        bad = value <= 0.0 or value == math.inf or (key in _COUNTS and value % 1.0)
        if bad or (math.isnan(value) and (key in _REQUIRED or text)):
            allowed = "a whole number from 1" if key in _COUNTS else "a number above 0"
            problems.append(Problem(where, key, f"is {text!r}" if text else "is empty", allowed))
        numbers[key] = value
    named = ("model", "accelerator")
    problems += [Problem(where, key, "is empty", "a name") for key in named if not cells.get(key)]
    for one, other in (("concurrency", "rate"), ("ttft_ms", "tpot_ms")):
        if not cells.get(one) and not cells.get(other):
            found = f"neither {one} nor {other} is given"
            problems.append(Problem(where, one, found, "at least one of them"))
    ttft_s, tpot_s = numbers["ttft_ms"] / 1e3, numbers["tpot_ms"] / 1e3
    return problems, Measured(
        tool="points",
        where=where,
        **{key: cells.get(key, "") for key in _WORDS},  # type: ignore[arg-type]
        **{key: int(numbers[key]) for key in _COUNTS},  # type: ignore[arg-type]
        concurrency=0.0 if math.isnan(numbers["concurrency"]) else numbers["concurrency"],
        rate_rps=0.0 if math.isnan(numbers["rate"]) else numbers["rate"],
        input_tokens=numbers["input_tokens"],
        output_tokens=numbers["output_tokens"],
        ttft=Spread(ttft_s),
        tpot=Spread(tpot_s),
        e2e=Spread(ttft_s + tpot_s * (numbers["output_tokens"] - 1.0)),
    )


def write_points(path: Path, points: Iterable[Measured]) -> None:
    """Writes a points CSV, whole or not at all."""

    def cell(value: float) -> str:
        return "" if math.isnan(value) or not value else f"{value:.10g}"

    with whole(path) as part, part.open("w", newline="", encoding="utf-8") as file:
        out = csv.writer(file, lineterminator="\n")
        out.writerow(COLUMNS)
        for one in points:
            words = [one.model, one.accelerator, one.engine, one.precision]
            counts = [one.tp, one.pp, one.dp, one.ep]
            sizes = [one.input_tokens, one.output_tokens, one.concurrency, one.rate_rps]
            times = [one.ttft.mean_s * 1e3, one.tpot.mean_s * 1e3]
            out.writerow([*words, *counts, *map(cell, sizes + times)])
