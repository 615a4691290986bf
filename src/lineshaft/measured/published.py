"""The results that ship with the package: written by `lineshaft validate --write`, never typed."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from importlib import resources
from pathlib import Path
from typing import Any

from lineshaft import __version__
from lineshaft.cache import digest, engine_digest
from lineshaft.errors import RunError
from lineshaft.files import whole
from lineshaft.measured.checking import Result, headline
from lineshaft.measured.rows import STAGES, rows
from lineshaft.units import format_quantity

_HEAD = """# Validation

Every stage against published measurements: {headline}.

An *identity* must hold by construction; a *fitted* row was seen by a coefficient or a catalog
value; only an *unseen* one says how far to trust the model on what is new. A tolerance comes from
the measurement's own spread, from what another published model reaches, or from what a decision
needs; a row beyond it stays in the table as missed, with what is known of the reason. Rows over
whole published data sets give the error over the set, against 0.

```sh
lineshaft validate                  # run what ships; status 1 if this table is not true any more
lineshaft validate serve            # one stage
lineshaft validate --data FOLDER    # also published data sets, and your own measurements (*.csv)
lineshaft validate --models         # what your own rows can be scored against
```

This page is generated (`lineshaft validate --markdown`).
"""

_ENGINES = tuple(stage for stage in STAGES if stage not in ("transformer", "line"))


def summary() -> list[dict[str, Any]]:
    """One dict a shipped row, with what the engines gave when the results were last written.

    Keys: id, stage, what, source, url, measured, model, unit, error, tolerance, absolute, why,
    kind, confidence, passed (None where skipped), known_miss, refused, skipped.
    """
    found: list[dict[str, Any]] = _stored()["rows"]
    return found


def stale() -> tuple[str, ...]:
    """What has changed since the results were written: stages by name, rows by id."""
    stored = _stored()
    kept = {row["id"]: row for row in stored["rows"]}
    now = {row.id: Result(row, None).to_dict() for row in rows()}
    changed = [s for s in STAGES if stored["engines"].get(s) != _digest(s)]
    changed += [name for name, row in now.items() if not _same(kept.get(name), row)]
    return (*changed, *(name for name in kept if name not in now))


def write(results: Iterable[Result]) -> Path:
    """Keep these results as the shipped ones. What was not run stays: rows of other stages, and,
    while the stage's engine is the same, rows whose data set was not there.

    The user's own rows are left out. Raises RunError where the package cannot be written.
    """
    path, stored = _path(), _stored()
    order = {row.id: at for at, row in enumerate(rows())}
    fresh = {r.row.id: _rounded(r.to_dict()) for r in results if r.row.id in order}
    run = {row["stage"] for row in fresh.values()}
    same = {s for s in STAGES if stored["engines"].get(s) == _digest(s)}
    for row in stored["rows"]:
        new = fresh.get(row["id"])
        if new is None:
            keep = row["id"] in order and row["stage"] not in run
        else:
            keep = bool(new["skipped"]) and row["stage"] in same and _same(row, new)
        if keep:
            fresh[row["id"]] = row
    digests = {s: _digest(s) if s in run else stored["engines"].get(s, "") for s in STAGES}
    found = {
        "version": __version__,
        "engines": digests,
        "rows": sorted(fresh.values(), key=lambda row: order[row["id"]]),
    }
    text = json.dumps(found, indent=1, ensure_ascii=False, allow_nan=False) + "\n"
    try:
        with whole(path) as part:
            part.write_text(text, "utf-8")
    except OSError as error:
        raise RunError(f"the results cannot be written to {path}: {error.strerror}") from error
    return path


def markdown(stage: str | None = None) -> str:
    """The shipped results as Markdown: a headline and a table a stage; without `stage` all of
    them, under a page's head."""
    found = [row for row in summary() if stage in (None, row["stage"])]
    parts = [] if stage else [_HEAD.format(headline=headline(found))]
    for name in STAGES:
        mine = [row for row in found if row["stage"] == name]
        if mine:
            parts.append(_section(name, mine))
    return "\n".join(parts)


def shown_value(row: Mapping[str, Any], value: float | None) -> str:
    """A value of a row with its unit; in per cent where it is an error, measured against 0."""
    if value is None:
        return ""
    if row["unit"] == "1" and row["measured"] == 0:
        return f"{100 * value:.3g} %"
    return format_quantity(value, row["unit"])


def shown_measured(row: Mapping[str, Any]) -> str:
    """The measured value with its unit, or both ends of the band."""
    measured = row["measured"]
    ends = measured if isinstance(measured, list) else [measured]
    return " to ".join(shown_value(row, end) for end in ends)


def shown_error(row: Mapping[str, Any], value: float | None) -> str:
    """A signed error of a row: in per cent, or in its unit where its tolerance is absolute."""
    if value is None:
        return ""
    sign = "+" if value > 0 else "-" if value < 0 else ""
    if row["absolute"]:
        return sign + shown_value(row, abs(value))
    return f"{sign}{100 * abs(value):.3g} %"


def shown_tolerance(row: Mapping[str, Any]) -> str:
    """The error that is allowed, without a sign."""
    return shown_error(row, row["tolerance"]).removeprefix("+")


def _section(stage: str, mine: list[dict[str, Any]]) -> str:
    lines = [
        f"### {stage}",
        "",
        headline(mine),
        "",
        "| what | measured | model | error | allowed | kind | result | source |",
        "|---|--:|--:|--:|--:|---|---|---|",
    ]
    for row in mine:
        result = "not run" if row["passed"] is None else "pass" if row["passed"] else "**missed**"
        cells = (
            row["what"],
            shown_measured(row),
            shown_value(row, row["model"]),
            shown_error(row, row["error"]),
            shown_tolerance(row),
            row["kind"],
            result,
            f"[{row['source']}]({row['url']})",
        )
        lines.append("| " + " | ".join(cell.replace("|", "\\|") for cell in cells) + " |")
    misses = [row for row in mine if row["known_miss"]]
    if misses:
        lines += ["", "Known misses:", ""]
        lines += [f"- {row['what']}: {row['known_miss']}" for row in misses]
    return "\n".join(lines) + "\n"


def _digest(stage: str) -> str:
    """A hash of what a stage's rows run: its engine, which covers the transformer arithmetic; for
    that arithmetic and for whole runs, all engines."""
    return engine_digest(stage) if stage in _ENGINES else digest(list(map(engine_digest, _ENGINES)))


def _same(kept: Mapping[str, Any] | None, row: Mapping[str, Any]) -> bool:
    """Whether a kept result is of the row as it stands."""
    facts = ("what", "measured", "tolerance", "absolute", "kind", "known_miss", "unit", "source")
    return kept is not None and all(kept[key] == row[key] for key in facts)


def _rounded(row: dict[str, Any]) -> dict[str, Any]:
    """Six significant digits, so that the last bits of another machine do not change the file."""
    values = {key: row[key] for key in ("model", "error") if row[key] is not None}
    return row | {key: float(f"{value:.6g}") for key, value in values.items()}


def _path() -> Path:
    return Path(str(resources.files("lineshaft.measured") / "results.json"))


def _stored() -> dict[str, Any]:
    path = _path()
    if not path.is_file():
        return {"version": "", "engines": {}, "rows": []}
    found: dict[str, Any] = json.loads(path.read_text("utf-8"))
    return found
