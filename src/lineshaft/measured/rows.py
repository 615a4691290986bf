"""Published measurements, one row each, read from the package's own TOML files.

[[row]]
id = "serve.deepseek_day.revenue"      # stage.first.second, unique
what = "DeepSeek V3/R1, theoretical revenue of the production day"
measured = 562027.0                    # or [low, high]: the model must lie inside
unit = "USD"
tolerance = 0.001                      # relative; or tolerance_abs, in the unit
why = "token counts are printed to three digits"
kind = "unseen"                        # identity, fitted or unseen
source = "…"
url = "https://…"
as_of = "2025-02-28"
confidence = "high"                    # high, medium or low
model = "deepseek_revenue_usd"         # a function of models/<stage>.py
with = { part = "output" }             # its arguments
needs = "traces/conversation_trace.jsonl"  # optional: only with --data
known_miss = "…"                       # optional: why the model does not meet it yet
"""

from __future__ import annotations

import inspect
import math
import re
import tomllib
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from functools import cache
from importlib import import_module, resources
from pathlib import Path
from types import ModuleType
from typing import Any

from lineshaft.catalog.loader import CONFIDENCE, DATE
from lineshaft.errors import InputError, Problem
from lineshaft.words import suggestion

STAGES = (
    *("transformer", "capital", "build", "train", "agents", "serve"),
    *("floor", "plant", "oversee", "value", "meter", "line"),
)
"""What can be validated, in the order of the line; arithmetic before it, whole runs after it."""

KINDS = ("identity", "fitted", "unseen")

_TEXTS = ("id", "what", "unit", "why", "kind", "source", "url", "as_of", "confidence", "model")
_KEYS = (*_TEXTS, "measured", "tolerance", "tolerance_abs", "with", "needs", "known_miss")
_ID = re.compile(r"[a-z]+(\.[a-z0-9_]+){2,}")


@dataclass(frozen=True, slots=True)
class Row:
    """One measurement, and the model that must meet it."""

    id: str
    stage: str
    what: str
    low: float
    high: float
    """Ends of the measured band; the same number where one value was measured."""
    unit: str
    tolerance: float
    """Error that is allowed: relative to the measured value, or in its unit."""
    absolute: bool
    """Whether `tolerance` is in the unit."""
    why: str
    """Reason for the tolerance."""
    kind: str
    source: str
    url: str
    as_of: str
    confidence: str
    model: str
    arguments: Mapping[str, Any]
    needs: tuple[str, ...] = ()
    """Data files that the model reads."""
    known_miss: str = ""
    """Why the model is known to miss it; empty where it must pass."""

    @property
    def band(self) -> bool:
        """Whether a band and not a value was measured."""
        return self.low < self.high

    def error(self, model: float) -> float:
        """Signed error: relative, or in the unit where `absolute`; 0 inside a band."""
        nearest = min(max(model, self.low), self.high)
        return model - nearest if self.absolute else (model - nearest) / abs(nearest)

    def call(self, data: Path | None) -> float:
        """What the model gives."""
        given = {"data": data} if self.needs else {}
        return float(models_of(self.stage)[self.model](**self.arguments, **given))


def rows(stage: str | None = None) -> tuple[Row, ...]:
    """All shipped rows, or those of one stage, in the order of the line.

    Raises InputError with every problem of the files, or where there is no such stage.
    """
    if stage is not None and stage not in STAGES:
        raise InputError(
            Problem("", "stage", f"'{stage}'", ", ".join(STAGES), suggestion(stage, STAGES))
        )
    return tuple(row for name in STAGES if stage in (None, name) for row in _shipped(name))


@cache
def _shipped(stage: str) -> tuple[Row, ...]:
    """The rows of `<stage>.toml` and, where a stage has many, of `<stage>-*.toml`."""
    folder = resources.files("lineshaft.measured")
    names = sorted(p.name for p in folder.iterdir() if p.name.endswith(".toml"))
    mine = [name for name in names if name.removesuffix(".toml").split("-")[0] == stage]
    mine.sort(key=lambda name: (name != f"{stage}.toml", name))
    return collect(
        entry
        for name in mine
        for entry in _entries(folder.joinpath(name).read_text("utf-8"), stage, f"measured/{name}")
    )


def parse(text: str, stage: str) -> tuple[Row, ...]:
    """The rows of one stage's TOML text; InputError with every problem found in it."""
    return collect(_entries(text, stage, f"measured/{stage}.toml"))


def _entries(text: str, stage: str, file: str) -> Iterator[tuple[str, str, Mapping[str, Any]]]:
    """Where each entry of a file stands, its stage, and what it says."""
    try:
        found = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise InputError(Problem(file, "", f"not a TOML file: {error}")) from error
    entries = found.get("row")
    if set(found) != {"row"} or not isinstance(entries, list):
        raise InputError(Problem(file, ", ".join(found), "not a list of rows", "[[row]] tables"))
    for n, entry in enumerate(_filled(entries), start=1):
        yield f"{file}, row {n}", stage, entry


def _filled(entries: Iterable[Mapping[str, Any]]) -> Iterator[Mapping[str, Any]]:
    """The entries with what they take from an earlier one: all that they do not say, arguments one
    by one. An unknown `like` stays as it is."""
    seen: dict[str, Mapping[str, Any]] = {}
    for entry in entries:
        before = seen.get(str(entry.get("like")))
        if before is not None:
            taken = {k: v for k, v in before.items() if k not in ("id", "known_miss")}
            if "tolerance" in entry or "tolerance_abs" in entry:
                taken = {k: v for k, v in taken.items() if not k.startswith("tolerance")}
            arguments = {**before.get("with", {}), **entry.get("with", {})}
            said = {k: v for k, v in entry.items() if k != "like"}
            entry = {**taken, **said, "with": arguments}
        seen[str(entry.get("id"))] = entry
        yield entry


def collect(entries: Iterable[tuple[str, str, Mapping[str, Any]]]) -> tuple[Row, ...]:
    """The rows of (where, stage, entry) triples; InputError with every problem of all of them."""
    good: list[Row] = []
    problems: list[Problem] = []
    seen: dict[str, str] = {}
    for where, stage, entry in entries:
        wrong = list(_problems(where, stage, entry))
        name = str(entry.get("id", ""))
        if name in seen:
            wrong.append(Problem(where, name, f"the id is that of {seen[name]} too"))
        seen[name] = where
        problems += wrong
        if not wrong:
            good.append(_row(stage, entry))
    if problems:
        raise InputError(problems)
    return tuple(good)


def models_of(stage: str) -> dict[str, Callable[..., float]]:
    """The model functions of a stage, by name."""
    module = _module(stage)
    return {
        name: value
        for name, value in vars(module).items()
        if inspect.isfunction(value)
        and value.__module__ == module.__name__
        and not name.startswith("_")
    }


@cache
def _module(stage: str) -> ModuleType:
    return import_module(f"lineshaft.measured.models.{stage}")


def _row(stage: str, entry: Mapping[str, Any]) -> Row:
    measured, needs = entry["measured"], entry.get("needs", [])
    low, high = measured if isinstance(measured, list) else (measured, measured)
    absolute = "tolerance_abs" in entry
    return Row(
        **{key: entry[key] for key in _TEXTS},
        stage=stage,
        low=float(low),
        high=float(high),
        tolerance=float(entry["tolerance_abs"] if absolute else entry.get("tolerance", 0.0)),
        absolute=absolute,
        arguments=dict(entry.get("with", {})),
        needs=(needs,) if isinstance(needs, str) else tuple(needs),
        known_miss=entry.get("known_miss", ""),
    )


def _problems(where: str, stage: str, entry: Mapping[str, Any]) -> Iterator[Problem]:
    """Everything that is wrong with one row."""
    name = str(entry.get("id", ""))
    if "like" in entry:
        yield Problem(where, f"{name}.like", f"'{entry['like']}'", "the id of an earlier row")
    for key in entry:
        if key not in (*_KEYS, "like"):
            yield Problem(
                where, f"{name}.{key}", "unknown key", ", ".join(_KEYS), suggestion(key, _KEYS)
            )
    for key in _TEXTS:
        value = entry.get(key, "")
        if not isinstance(value, str) or not value.strip():
            yield Problem(where, f"{name}.{key}", f"{value!r}", "a text", "every row is cited")
    if not _ID.fullmatch(name) or name.split(".")[0] != stage:
        yield Problem(where, "id", f"'{name}'", f"{stage}.first.second in small letters")
    for key, allowed in (("kind", KINDS), ("confidence", CONFIDENCE)):
        if entry.get(key) not in (*allowed, None):
            yield Problem(where, f"{name}.{key}", f"'{entry[key]}'", ", ".join(allowed))
    if not DATE.fullmatch(str(entry.get("as_of", "2026"))):
        yield Problem(where, f"{name}.as_of", f"'{entry['as_of']}'", "2026, 2026-05 or 2026-05-28")
    needs = entry.get("needs", [])
    if not isinstance(needs, (str, list)) or not all(isinstance(need, str) for need in needs):
        yield Problem(where, f"{name}.needs", f"{needs!r}", "a file's name, or a list of them")
    if not isinstance(entry.get("known_miss", "why"), str) or not entry.get("known_miss", "why"):
        yield Problem(where, f"{name}.known_miss", "empty", "why the model misses it")
    yield from _number_problems(where, name, entry)
    yield from _model_problems(where, name, stage, entry)


def _number_problems(where: str, name: str, entry: Mapping[str, Any]) -> Iterator[Problem]:
    measured: Any = entry.get("measured")
    band = isinstance(measured, list)
    values: list[Any] = measured if band else [measured]
    if not all(map(_finite, values)) or (band and (len(values) != 2 or values[0] >= values[1])):
        yield Problem(where, f"{name}.measured", f"{measured!r}", "a number, or [low, high]")
        return
    given = [key for key in ("tolerance", "tolerance_abs") if key in entry]
    if len(given) != 1 and not (band and not given):
        yield Problem(
            where,
            f"{name}.tolerance",
            " and ".join(given) or "nothing",
            "tolerance (relative) or tolerance_abs (in the unit); a band may do without",
        )
    for key in given:
        if not _finite(entry[key]) or entry[key] < 0:
            yield Problem(where, f"{name}.{key}", f"{entry[key]!r}", "a number from 0")
    if given != ["tolerance_abs"] and any(value == 0 for value in values):
        yield Problem(where, f"{name}.measured", "0", "another number", "give tolerance_abs")


def _model_problems(
    where: str, name: str, stage: str, entry: Mapping[str, Any]
) -> Iterator[Problem]:
    known, model = models_of(stage), entry.get("model")
    if not isinstance(model, str) or model not in known:
        yield Problem(
            where, f"{name}.model", f"'{model}'", ", ".join(known), suggestion(str(model), known)
        )
        return
    given = entry.get("with", {})
    if not isinstance(given, dict):
        yield Problem(where, f"{name}.with", f"{given!r}", "a table of arguments")
        return
    wanted = {
        key: p.default is p.empty for key, p in inspect.signature(known[model]).parameters.items()
    }
    reads = wanted.pop("data", None)
    if reads is None and "needs" in entry:
        yield Problem(where, f"{name}.needs", f"{model} reads no data set", fix="leave it out")
    if reads and "needs" not in entry:
        yield Problem(where, f"{name}.needs", "missing", f"the data set that {model} reads")
    for key in given:
        if key not in wanted:
            allowed = ", ".join(wanted) or "no argument"
            yield Problem(where, f"{name}.with.{key}", "unknown", allowed, suggestion(key, wanted))
    for key, needed in wanted.items():
        if needed and key not in given:
            yield Problem(where, f"{name}.with.{key}", "missing", f"every argument of {model}")


def _finite(value: object) -> bool:
    return isinstance(value, (int, float)) and not isinstance(value, bool) and math.isfinite(value)
