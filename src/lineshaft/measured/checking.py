"""The models run and compared with what was measured."""

from __future__ import annotations

import math
import statistics
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from lineshaft.errors import InputError, LineshaftError, Problem
from lineshaft.measured.own import own_rows
from lineshaft.measured.rows import KINDS, STAGES, Row, rows
from lineshaft.measured.sets import holds_sets
from lineshaft.words import shortened


@dataclass(frozen=True, slots=True)
class Result:
    """What the model of one row gave."""

    row: Row
    model: float | None
    """The model's value; None where the row was skipped or the model refused its input."""
    skipped: str = ""
    """Why the model was not run: the data sets that it needs."""
    refused: str = ""
    """What the model refused."""

    @property
    def error(self) -> float | None:
        """Signed error: relative, or in the row's unit where its tolerance is absolute."""
        return None if self.model is None else self.row.error(self.model)

    @property
    def passed(self) -> bool:
        """Whether the error is within the tolerance."""
        if self.error is None:
            return False
        # a billionth of the tolerance for the last bits of two floats
        return abs(self.error) <= self.row.tolerance * (1 + 1e-9) + 1e-12

    @property
    def verdict(self) -> str:
        """pass, MISSED (a known miss), FAILED, FIXED (a known miss that passes) or skipped."""
        if self.skipped:
            return "skipped"
        if self.row.known_miss:
            return "FIXED" if self.passed else "MISSED"
        return "pass" if self.passed else "FAILED"

    @property
    def wrong(self) -> bool:
        """Whether the register is not true: a failure nobody knew, or a miss that is none."""
        return self.verdict in ("FAILED", "FIXED")

    def to_dict(self) -> dict[str, Any]:
        """Plain data, as it ships and as `--json` prints it."""
        row = self.row
        return {
            "id": row.id,
            "stage": row.stage,
            "what": row.what,
            "source": row.source,
            "url": row.url,
            "measured": [row.low, row.high] if row.band else row.low,
            "model": self.model,
            "unit": row.unit,
            "error": self.error,
            "tolerance": row.tolerance,
            "absolute": row.absolute,
            "why": row.why,
            "kind": row.kind,
            "confidence": row.confidence,
            "passed": None if self.skipped else self.passed,
            "known_miss": row.known_miss,
            "refused": self.refused,
            "skipped": self.skipped,
        }


@dataclass(frozen=True, slots=True)
class Tally:
    """Rows of one kind: how many pass of how many that were run, and their median error."""

    kind: str
    passed: int
    run: int
    skipped: int
    median_error: float | None
    """Of the rows with one measured value, absolute and relative to it."""

    @property
    def text(self) -> str:
        """For example `unseen 21/27 (median error 6.1 %)`."""
        text = f"{self.kind} {self.passed}/{self.run}"
        if self.median_error is None or self.kind == "identity":
            return text
        return f"{text} (median error {100 * self.median_error:.1f} %)"


def validate(
    stage: str | None = None,
    data: Path | None = None,
    progress: Callable[[str], None] | None = None,
) -> tuple[Result, ...]:
    """Every row, or those of one stage, run against its model; with `data`, also those that need
    a published data set and the user's own rows in that folder.

    `progress` is told the id of each row before it runs. Raises InputError for an unknown stage, a
    folder that is not there, and rows that are wrong.
    """
    wanted, shipped = rows(stage), {row.id for row in rows()}
    if data is not None:
        _holds_something(data)
        wanted += tuple(row for row in own_rows(data, shipped) if stage in (None, row.stage))
        # beside the shipped rows of the same stage; sorting is stable
        wanted = tuple(sorted(wanted, key=lambda row: STAGES.index(row.stage)))
    found = []
    for row in wanted:
        if progress is not None:
            progress(row.id)
        found.append(check(row, data, own=row.id not in shipped))
    return tuple(found)


def _holds_something(data: Path) -> None:
    """InputError where the folder is none, or has neither published data sets nor own rows."""
    if not data.is_dir():
        raise InputError(Problem("", "--data", f"'{data}' is not a folder", "a folder"))
    published = sorted({need for row in rows() for need in row.needs})
    if any(data.glob("*.csv")) or any((data / need).exists() for need in published):
        return
    if holds_sets(data):
        return
    found = f"'{data}' holds neither a published data set nor a *.csv"
    allowed = f"{', '.join(published[:3])}, …, or your own rows"
    fix = "`lineshaft validate --models` shows what own rows can be scored against"
    raise InputError(Problem("", "--data", found, allowed, fix))


def check(row: Row, data: Path | None = None, own: bool = False) -> Result:
    """One row against its model. A user's `own` row may hold arguments that no model was made for:
    whatever goes wrong then is told in the result."""
    missing = [need for need in row.needs if data is None or not (data / need).exists()]
    if missing:
        return Result(row, None, skipped=f"needs {', '.join(missing)}")
    try:
        found = row.call(data)
    except LineshaftError as error:
        return Result(row, None, refused=str(error).splitlines()[0])
    except (ArithmeticError, TypeError, ValueError, LookupError) as error:
        if not own:
            raise
        return Result(row, None, refused=shortened(f"{type(error).__name__}: {error}", 160))
    if not math.isfinite(found):
        return Result(row, None, refused=f"it gave {found}")
    return Result(row, found)


def tally(found: Iterable[Mapping[str, Any]]) -> tuple[Tally, ...]:
    """Counts of results (as `Result.to_dict` gives them) by kind: identity, fitted, unseen."""
    every = tuple(found)
    counted = []
    for kind in KINDS:
        mine = [row for row in every if row["kind"] == kind]
        run = [row for row in mine if row["passed"] is not None]
        errors = [
            abs(row["model"] / row["measured"] - 1.0)
            for row in run
            if row["model"] is not None and not isinstance(row["measured"], list)
            if row["measured"]
        ]
        if mine:
            passed = sum(row["passed"] for row in run)
            median = statistics.median(errors) if errors else None
            counted.append(Tally(kind, passed, len(run), len(mine) - len(run), median))
    return tuple(counted)


def headline(found: Iterable[Mapping[str, Any]]) -> str:
    """For example `identity 34/34 · fitted 12/13 (…) · unseen 21/27 (median error 6.1 %)`."""
    counts = tally(found)
    skipped = sum(count.skipped for count in counts)
    parts = [count.text for count in counts if count.run]
    return " · ".join([*parts, f"{skipped} not run"] if skipped else parts)
