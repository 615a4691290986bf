"""Reading one catalog table: rows, types, and what is refused.

A table is a CSV file whose first column is `name`. A cell is a number, a text or None (blank).
`x_low` and `x_high` beside `x` are the ends of its range. `low_confidence` lists the columns of
the row whose values have no public source.
"""

from __future__ import annotations

import csv
import math
import re
from collections.abc import Iterator, Mapping
from itertools import pairwise
from pathlib import Path
from typing import Any

from lineshaft.errors import InputError, Problem

Cell = str | float | None

CONFIDENCE: tuple[str, ...] = ("high", "medium", "low")
"""The grades of a row, best first."""
PRECISIONS: dict[str, str] = {
    "bf16": "bf16_flops",
    "fp8": "fp8_flops",
    "fp4": "fp4_flops",
    "int8": "int8_ops",
}
"""Precision and its column, in the order in which a rate may only rise (int8 apart)."""

SPARSE_STEP = 3.9
"""Halving the width gains up to 3.75 (Trainium3, FP8 over BF16) where both figures are dense;
four is the mark of a sparse figure beside a dense one."""

REQUIRED: tuple[str, ...] = ("name", "source", "as_of", "confidence")
_TEXT = (
    "name aliases vendor generation flops_basis memory_basis link_basis price_basis rent_basis "
    "range_basis wage_basis basis notes note low_confidence source as_of confidence unit "
    "accelerator cooling soc occupation scope region carbon_region kind release released suite "
    "state_of_the_art company date metric status provider item group market"
)
TEXT: frozenset[str] = frozenset(_TEXT.split())
"""Columns that are text even where every cell looks like a number, such as a year."""
SCHEMA: dict[str, str] = {
    "accelerators": "year bf16_flops fp8_flops fp4_flops int8_ops memory_bytes memory_bytes_per_s "
    "scaleup_bytes_per_s scaleup_size scaleout_bytes_per_s power_w idle_share price_usd "
    "rent_usd_per_h it_w_per_accelerator annual_failure_rate life_years",
    "servers": "accelerators nodes rated_w measured_peak_w price_usd",
    "trades": "wage_usd_per_h loaded_factor us_employment apprenticeship_years completion_rate "
    "share_of_craft_hours",
    "parts": "lead_weeks",
    "permits": "duration_weeks",
    "tariffs": "usd_per_kwh demand_usd_per_kw_month carbon_kg_per_kwh",
    "robots": "units_per_h success reject_share speed_m_per_s payload_kg range_m arc_on_share "
    "run_h charge_h availability robots_per_operator power_w price_usd life_years",
    "capabilities": "p50_minutes p80_minutes discarded_minutes lenient_minutes",
    "wages": "wage_usd_per_h loaded_factor",
    "rounds": "value_usd value_share pre_money_usd raise_usd",
    "prices": "input_usd_per_mtok cached_usd_per_mtok output_usd_per_mtok rent_usd_per_h "
    "rent_usd_per_h_1y rent_usd_per_h_3y",
    "costs": "value",
    "economies": "gdp_usd",
}
"""Columns that a table must have and that must be numbers (blank allowed). Other columns, and
tables that are not listed, are numbers where every filled cell parses."""
SIGNED = re.compile(r"(^|_)(c|deg|latitude|longitude|lat|lon|offset)(_|$)")
"""Columns that may be negative: temperatures in Celsius, coordinates, offsets."""
DATE = re.compile(r"\d{4}(-(0[1-9]|1[0-2])(-(0[1-9]|[12]\d|3[01]))?)?")


class Row(Mapping[str, Cell]):
    """One cited fact: a frozen mapping, `row["power_w"]` or `row.power_w`.

    `row.number("power_w")` and `row.text("vendor")` are the same with a type: they raise
    `InputError` where the cell is blank or of the other type.
    """

    __slots__ = ("_cells", "line", "table")
    line: int
    table: str
    _cells: dict[str, Cell]

    def __init__(self, table: str, line: int, cells: Mapping[str, Cell]) -> None:
        object.__setattr__(self, "table", table)
        object.__setattr__(self, "line", line)
        object.__setattr__(self, "_cells", dict(cells))

    def __getitem__(self, key: str) -> Cell:
        return self._cells[key]

    def __iter__(self) -> Iterator[str]:
        return iter(self._cells)

    def __len__(self) -> int:
        return len(self._cells)

    def __getattr__(self, key: str) -> Any:
        if key.startswith("_"):  # nothing of ours: copy and pickle ask before we are filled
            raise AttributeError(key)
        try:
            return self._cells[key]
        except KeyError:
            raise AttributeError(f"{self.table} has no column {key!r}") from None

    def __setattr__(self, key: str, value: object) -> None:
        raise AttributeError("a catalog row cannot be changed")

    def __delattr__(self, key: str) -> None:
        raise AttributeError("a catalog row cannot be changed")

    def __hash__(self) -> int:
        return hash(tuple(self._cells.items()))

    def __reduce__(self) -> tuple[type[Row], tuple[str, int, dict[str, Cell]]]:
        return Row, (self.table, self.line, self._cells)

    def __repr__(self) -> str:
        filled = ", ".join(f"{k}={v!r}" for k, v in self._cells.items() if v is not None)
        return f"Row({self.where}, {filled})"

    @property
    def where(self) -> str:
        """File and line, for example ``accelerators.csv:3``."""
        return f"{self.table}.csv:{self.line}"

    @property
    def names(self) -> tuple[str, ...]:
        """The row's name and its aliases."""
        return (str(self._cells["name"] or ""), *_split(self._cells.get("aliases")))

    def number(self, key: str) -> float:
        """The number in that column; `InputError` where it is blank, text or not there."""
        value = self._cells.get(key)
        if isinstance(value, float):
            return value
        raise InputError(
            Problem(
                where=self.where,
                key=f"{self._cells['name']}.{key}",
                found="blank" if value is None else repr(value),
                allowed="a number",
                fix="give the value yourself: no public source was found (docs/gaps.md)"
                if key in self._cells
                else f"columns of {self.table}: {', '.join(self._cells)}",
            )
        )

    def text(self, key: str) -> str:
        """The text in that column, empty where it is blank; `InputError` where it is a number."""
        value = self._cells.get(key, 0.0)
        if value is None:
            return ""
        if isinstance(value, str):
            return value
        raise InputError(
            Problem(self.where, f"{self._cells['name']}.{key}", "no text in that column")
        )

    def span(self, key: str) -> tuple[float, float] | None:
        """Low and high end of that column's range; None where no range is given."""
        low, high = self._cells.get(f"{key}_low"), self._cells.get(f"{key}_high")
        return (low, high) if isinstance(low, float) and isinstance(high, float) else None

    def confidence_of(self, key: str) -> str:
        """How far that one value can be trusted: low where the row says so, else the row's."""
        low = key in _split(self._cells.get("low_confidence"))
        return "low" if low else self.text("confidence")

    def cite(self) -> str:
        """Where the row comes from, in one line."""
        c = self._cells
        return f"{self.table}/{c['name']}: {c['source']} ({c['as_of']}, {c['confidence']})"


def key_of(name: str) -> str:
    """The form in which names are compared: case, blanks, hyphens and underscores do not count."""
    return re.sub(r"[\s_-]+", "", name).casefold()


def bare_names(path: str) -> Iterator[str]:
    """A model's repository path with less and less around its name, as keys (`key_of`).

    First the vendor goes ("nvidia/…", "Meta-"), then from the end the words that name a build of
    the same weights and not another shape: number formats, training for chat, dates, versions.
    """
    name = re.sub(r"^meta[\s_-]+(?=(code)?llama)", "", path.rsplit("/", 1)[-1].strip(), flags=re.I)
    yield key_of(name)
    while match := _BUILD.search(name):
        name = name[: match.start()]
        yield key_of(name)


_BUILD = re.compile(
    r"[\s_:-]+(?:instruct|chat|base|it|pt|hf|thinking|preview|turbo|fp8|nvfp4|mxfp4|fp4|bf16|fp16"
    r"|int[48]|w4a16|w8a8|w4a8|awq|gptq|gguf|marlin|static|dynamic|block|pertensor|per|tensor|kv|qad"
    r"|quantized|turboquant|optq|\d+bit|v\d+(?:[._]\d+)*|\d{4})$",
    re.I,
)


def read_table(path: Path) -> tuple[Row, ...]:
    """All rows of a catalog file, in its order; `InputError` with every problem found in it."""
    table, file = path.stem, path.name
    with path.open(newline="", encoding="utf-8-sig") as handle:
        reader = csv.reader(handle)
        header = next(reader, [])
        lines = [(reader.line_num, cells) for cells in reader if any(cells)]
    problems = list(_check_header(table, file, header))
    for line, cells in lines:
        if len(cells) != len(header):
            problems.append(
                Problem(f"{file}:{line}", table, f"{len(cells)} cells under {len(header)} columns")
            )
    if problems:
        raise InputError(problems)
    numeric = _numeric(table, header, [cells for _, cells in lines])
    rows = []
    for line, cells in lines:
        values: dict[str, Cell] = {}
        for column, cell in zip(header, cells, strict=True):
            cell = cell.strip()
            number = _float(cell) if column in numeric else None
            if cell and column in numeric and number is None:
                problems.append(Problem(f"{file}:{line}", column, repr(cell), "a finite number"))
            values[column] = (number if column in numeric else cell) if cell else None
        rows.append(Row(table, line, values))
    seen: dict[str, Row] = {}
    for row in rows:
        problems.extend(_check_row(row))
        problems.extend(_check_names(row, seen))
    if problems:
        raise InputError(problems)
    return tuple(rows)


def dense_flops(row: Row, precision: str) -> float:
    """Dense FLOP/s (int8: op/s) of an accelerator row in that precision.

    `InputError` where the row's figures are sparse, where the precision is unknown and where the
    accelerator has no figure for it.
    """
    problem = _sparse(row)
    if problem:
        raise InputError(problem)
    column = PRECISIONS.get(precision)
    value = row.get(column) if column else None
    if isinstance(value, float):
        return value
    has = [name for name, column in PRECISIONS.items() if row.get(column) is not None]
    raise InputError(
        Problem(
            where=row.where,
            key=f"{row['name']}.{column or 'precision'}",
            found=f"no figure for {precision!r}",
            allowed=", ".join(has),
        )
    )


def _sparse(row: Row) -> Problem | None:
    basis = row.get("flops_basis")
    if basis == "dense":
        return None
    return Problem(
        where=row.where,
        key=f"{row['name']}.flops_basis",
        found=repr(basis or ""),
        allowed="dense",
        fix="sparse figures are twice the dense ones: halve them and write dense"
        if basis == "sparse"
        else "find out whether the figures are dense; sparse figures are twice the dense ones",
    )


def _check_header(table: str, file: str, header: list[str]) -> Iterator[Problem]:
    where = f"{file}:1"
    needed = (*REQUIRED, *SCHEMA.get(table, "").split())
    for column in needed:
        if column not in header:
            yield Problem(where, column, "the column is missing", allowed=", ".join(needed))
    for column in sorted({c for c in header if header.count(c) > 1}):
        yield Problem(where, column, "the column is there twice")
    for column in header:
        if hasattr(Row, column) or not column.isidentifier() or column.startswith("_"):
            yield Problem(where, column, "not a name for a column", fix="rename it")


def _numeric(table: str, header: list[str], rows: list[list[str]]) -> set[str]:
    numeric = set(SCHEMA.get(table, "").split())
    numeric |= {f"{c}_{end}" for c in numeric for end in ("low", "high")} & set(header)
    for i, column in enumerate(header):
        filled = [cells[i].strip() for cells in rows if cells[i].strip()]
        if column not in TEXT and filled and all(_float(cell) is not None for cell in filled):
            numeric.add(column)
    return numeric


def _check_row(row: Row) -> Iterator[Problem]:
    name = str(row["name"] or "")
    for column in REQUIRED:
        if not row[column]:
            yield Problem(row.where, f"{name}.{column}", "blank", fix="every fact is cited")
    if row["confidence"] and row["confidence"] not in CONFIDENCE:
        yield Problem(
            row.where, f"{name}.confidence", repr(row["confidence"]), ", ".join(CONFIDENCE)
        )
    if row["as_of"] and not DATE.fullmatch(str(row["as_of"])):
        yield Problem(row.where, f"{name}.as_of", repr(row["as_of"]), "2026, 2026-05 or 2026-05-28")
    for column, value in row.items():
        if not isinstance(value, float):
            continue
        if value < 0 and not SIGNED.search(column):
            yield Problem(row.where, f"{name}.{column}", f"{value:g}", "no negative numbers")
        span = row.span(column)
        if span and not span[0] <= value <= span[1]:
            yield Problem(
                row.where, f"{name}.{column}", f"{value:g}", f"{span[0]:g} to {span[1]:g}"
            )
    for column in _split(row.get("low_confidence")):
        if column not in row:
            yield Problem(row.where, f"{name}.low_confidence", f"no column {column!r}")
    if any(column in row for column in PRECISIONS.values()):
        problem = _sparse(row)
        if problem:
            yield problem
        ladder = [(c, row.get(c)) for p, c in PRECISIONS.items() if p != "int8"]
        known = [(c, v) for c, v in ladder if isinstance(v, float)]
        for (wide, slow), (narrow, fast) in pairwise(known):
            if not slow <= fast < SPARSE_STEP * slow:
                yield Problem(
                    row.where,
                    f"{name}.{narrow}",
                    f"{fast:g} beside {wide} {slow:g}",
                    f"{slow:g} to below {SPARSE_STEP * slow:g}",
                    "is one of them sparse? sparse figures are twice the dense ones",
                )


def _check_names(row: Row, seen: dict[str, Row]) -> Iterator[Problem]:
    for name in dict.fromkeys(key_of(n) for n in row.names):
        first = seen.setdefault(name, row)
        if name and first is not row:
            yield Problem(row.where, str(row["name"]), f"{name!r} is a name of {first.where} too")


def _float(cell: str) -> float | None:
    try:
        value = float(cell)
    except ValueError:
        return None
    return value if math.isfinite(value) else None


def _split(cell: Cell) -> list[str]:
    return [part.strip() for part in str(cell or "").split(";") if part.strip()]
