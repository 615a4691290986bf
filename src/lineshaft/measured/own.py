"""The user's own measurements: CSV files in the folder that `lineshaft validate --data` names.

    id,what,measured,unit,tolerance,model,source,with.model,with.bytes_per_value
    transformer.ours.kv,our cache,131072,byte,0.01,kv_bytes_per_token,our logs,Llama 3.1 8B,2

`measured` is a number, or a band as `0.02 to 0.03`; an argument of the model is a column of its
own, `with.<argument>`, left blank where the row does not give it. `lineshaft validate --models`
lists the models.
"""

from __future__ import annotations

import csv
from collections.abc import Iterator, Set
from pathlib import Path
from typing import Any

from lineshaft.errors import InputError, Problem
from lineshaft.measured.rows import STAGES, Row, collect
from lineshaft.words import suggestion

COLUMNS = ("id", "what", "measured", "unit", "tolerance", "model", "source")
OPTIONAL = ("why", "url", "as_of", "confidence", "kind", "needs")

_FILLED = {
    "why": "chosen by the owner of the measurement",
    "url": "own measurement",
    "as_of": "2026",
    "confidence": "medium",
    "kind": "unseen",
}


def own_rows(folder: Path, taken: Set[str] = frozenset()) -> tuple[Row, ...]:
    """The rows of all `*.csv` files that lie directly in `folder`; `taken` ids are refused.

    A table with fewer than two of the columns `measured`, `model` and `tolerance` is no file of
    rows but a published set (`sets`), and left alone.

    Raises InputError with every problem of all files.
    """
    problems: list[Problem] = []
    entries: list[tuple[str, str, dict[str, Any]]] = []
    for path in sorted(folder.glob("*.csv")):
        try:
            with path.open(newline="", encoding="utf-8-sig") as file:
                reader = csv.DictReader(file, strict=True)
                header = list(reader.fieldnames or [])
                if len(header) > 1 and len({"measured", "model", "tolerance"} & set(header)) < 2:
                    continue
                wrong = list(_header_problems(path.name, header))
                problems += wrong
                for cells in () if wrong else reader:
                    where = f"{path.name}:{reader.line_num}"
                    if None in cells:
                        found = f"{len(cells[None])} cells more than columns"
                        problems.append(Problem(where, "", found, "one cell a column"))
                    entries.append((where, *_entry(cells)))
        except (OSError, ValueError, csv.Error) as error:
            fix = "save it as CSV with commas, in UTF-8"
            problems.append(Problem(path.name, "", f"cannot be read: {error}", "CSV", fix))
    known = []
    for where, stage, entry in entries:
        name = entry.get("id", "")
        if stage not in STAGES:
            allowed = ", ".join(f"{stage}.…" for stage in STAGES)
            fix = suggestion(stage, STAGES)
            problems.append(Problem(where, "id", f"'{name}' begins with no stage", allowed, fix))
        else:
            known.append((where, stage, entry))
        if name in taken:
            problems.append(Problem(where, "id", f"'{name}' is a shipped row", "another id"))
    try:
        rows = collect(known)
    except InputError as error:
        problems += error.problems
    if problems:
        raise InputError(problems)
    return rows


def _header_problems(file: str, header: list[str]) -> Iterator[Problem]:
    allowed = (*COLUMNS, *OPTIONAL)
    shown = f"{', '.join(allowed)}, with.<argument>"
    unknown = [c for c in header if c not in allowed and not c.startswith("with.")]
    missing = [c for c in COLUMNS if c not in header]
    for column in unknown:
        yield Problem(file, column, "unknown column", shown, suggestion(column, allowed))
    if missing:
        are = "column is" if len(missing) == 1 else "columns are"
        semicolons = len(header) == 1 and ";" in header[0]
        fix = "separate the columns by commas" if semicolons else ""
        yield Problem(file, ", ".join(missing), f"the {are} missing", shown, fix)


def _entry(cells: dict[str | Any, Any]) -> tuple[str, dict[str, Any]]:
    """Stage and entry of one line, in the form of the shipped rows."""
    filled = {k: v.strip() for k, v in cells.items() if isinstance(k, str) and v and v.strip()}
    entry: dict[str, Any] = dict(_FILLED)
    entry |= {key: value for key, value in filled.items() if not key.startswith("with.")}
    entry["with"] = {
        key.removeprefix("with."): _value(value)
        for key, value in filled.items()
        if key.startswith("with.")
    }
    ends = [_value(part) for part in entry.get("measured", "").split(" to ")]
    entry["measured"] = ends if len(ends) == 2 else ends[0]
    if "tolerance" in entry:
        entry["tolerance"] = _value(entry["tolerance"])
    return entry.get("id", "").split(".")[0], entry


def _value(cell: str) -> float | int | bool | str:
    if cell in ("true", "false"):
        return cell == "true"
    for kind in (int, float):
        try:
            return kind(cell)
        except ValueError:
            continue
    return cell
