"""The run folder: written whole or not at all, read back lazily.

    scenario.toml         the scenario as resolved
    run.json              versions, seed, timings, checks, headline figures
    kpis.parquet          every headline figure in every draw
    bands.parquet         headline columns by month, median case and quantiles over the draws
    construction.parquet  the activities of the construction plan, where something is built
    <table>.parquet       one file per table, median case
    report.html           the report, made from the files beside it alone

Everything is written into `<folder>.part`, which gets its name in one step at the end: what
carries the name is complete. A `.part` that a killed run left behind is made anew.
"""

from __future__ import annotations

import json
import math
import platform
import shlex
import shutil
import tomllib
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from lineshaft import __version__
from lineshaft.contracts.reasons import NAMES
from lineshaft.contracts.tables import Tables
from lineshaft.errors import RunError
from lineshaft.kpis import MEASURES, QUANTILES, SERIES, Kpi, Series
from lineshaft.stations import binding_by_year
from lineshaft.tables import Array, Table, numbers, numpy_of, texts
from lineshaft.words import or_none

if TYPE_CHECKING:
    import pyarrow

    from lineshaft.balances import Balance
    from lineshaft.characterise import Curves
    from lineshaft.line import Outcome

FORMAT = 3
"""Version of the run folder's layout."""
KEYS = (
    *("lineshaft", "scenario", "start", "months", "labels", "seed", "draws", "notes", "checks"),
    *("timings_s", "curves", "binding", "claims", "kpis", "required"),
)
"""What every run.json has besides."""


@dataclass(frozen=True)
class Run:
    """A finished run in its folder. Tables are read when they are asked for."""

    folder: Path

    @classmethod
    def read(cls, folder: Path | str) -> Run:
        """The run in `folder`. Raises RunError where there is no complete one."""
        path = Path(folder)
        if not (path / "run.json").is_file():
            part = path.with_name(f"{path.name}.part")
            hint = f"; {part} was left by a run that did not end" if part.exists() else ""
            raise RunError(f"{path}: no run there (it has no run.json){hint}")
        run = cls(path)
        layout = run.info.get("format")
        if layout != FORMAT:
            raise RunError(
                f"{path}: lineshaft {run.info.get('lineshaft', 'unknown')} wrote it in layout "
                f"{layout or 'unknown'}; this version ({__version__}) reads layout {FORMAT}; run "
                f"its scenario again: lineshaft run {shlex.quote(str(path / 'scenario.toml'))}"
            )
        lacks = [key for key in KEYS if key not in run.info]
        lacks = lacks or [what.name for what in MEASURES if what.name not in run.kpis]
        if lacks:
            raise RunError(f"{path / 'run.json'} lacks {', '.join(lacks)}; run the scenario again")
        names = [*Tables.types(), "bands", *(("kpis",) if run.info["draws"] else ())]
        files = ["scenario.toml", *(f"{name}.parquet" for name in names)]
        missing = [str(path / file) for file in files if not (path / file).is_file()]
        if missing:
            are = "is" if len(missing) == 1 else "are"
            raise RunError(f"{', '.join(missing)} {are} missing; run the scenario again")
        return run

    @cached_property
    def info(self) -> Mapping[str, Any]:
        """What run.json says. Raises RunError where it is damaged."""
        path = self.folder / "run.json"
        with _whole(path):
            found = json.loads(path.read_text("utf-8"))
            if not isinstance(found, dict):
                raise ValueError("it is no JSON object")
        return found

    @property
    def kpis(self) -> Mapping[str, Mapping[str, Any]]:
        """Headline figures by name: value, unit, month, quantiles."""
        found: Mapping[str, Mapping[str, Any]] = self.info["kpis"]
        return found

    @cached_property
    def scenario_text(self) -> str:
        """The scenario as resolved, TOML. Raises RunError where it is missing or damaged."""
        path = self.folder / "scenario.toml"
        with _whole(path):
            text = path.read_text("utf-8")
            tomllib.loads(text)
        return text

    @cached_property
    def tables(self) -> Tables:
        """Every table, median case. Raises RunError where one is missing or damaged."""
        slabs: dict[str, Any] = {name: getattr(self, name) for name in Tables.types()}
        return Tables(**slabs)

    @cached_property
    def bands(self) -> tuple[Series, ...]:
        """Headline columns by month with their quantiles over the draws."""
        data = self._parquet("bands")
        found = []
        for what in SERIES:
            rows = [
                numpy_of(data.column(f"{what.name}.p{round(100 * q)}"))
                for q in (QUANTILES if self.info["draws"] else ())
            ]
            quantiles = np.array(rows) if rows else np.zeros((len(QUANTILES), 0))
            value = numpy_of(data.column(what.name))
            found.append(Series(what.name, what.unit, value, quantiles))
        return tuple(found)

    def draws(self, kpi: str) -> Array:
        """[n] a headline figure in every draw; NaN where it has no value, [0] without draws."""
        if not self.info["draws"]:
            return np.zeros(0)
        return numpy_of(self._parquet("kpis").column(kpi))

    @cached_property
    def construction(self) -> pyarrow.Table | None:
        """Activities of the median construction plan, months from the first; None of none.

        `p50_ready_month` and `p80_ready_month` are those of the activity's hall, NaN where it is
        work of the whole phase (`hall` -1).
        """
        if not (self.folder / "construction.parquet").exists():
            return None
        return self._parquet("construction")

    def _parquet(self, name: str) -> pyarrow.Table:
        import pyarrow.parquet as pq

        path = self.folder / f"{name}.parquet"
        with _whole(path):
            return pq.ParquetFile(path).read()

    def __getattr__(self, name: str) -> Table:
        kind = Tables.types().get(name)
        if kind is None:
            raise AttributeError(f"a run has no table '{name}'; it has {', '.join(Tables.types())}")
        labels = {key: tuple(names) for key, names in self.info["labels"].items()}
        path = self.folder / f"{name}.parquet"
        with _whole(path):
            return kind.read(path, labels)

    def __dir__(self) -> list[str]:
        return [*super().__dir__(), *Tables.types()]

    def __repr__(self) -> str:
        return f"Run({str(self.folder)!r}: {self.info['scenario']}, {self.info['draws']} draws)"

    def _repr_html_(self) -> str:
        rows = "".join(
            f"<tr><td>{name}</td><td>{kpi['text']}</td><td>{kpi['meaning']}</td></tr>"
            for name, kpi in self.kpis.items()
        )
        return f"<table><caption>{self.info['scenario']}</caption><tbody>{rows}</tbody></table>"


@contextmanager
def _whole(path: Path) -> Iterator[None]:
    """RunError that names the file of a run where reading it fails."""
    try:
        yield
    except (OSError, ValueError, KeyError) as error:
        raise RunError(
            f"{path} is damaged, or another version wrote it ({str(error).splitlines()[0]}); "
            "run the scenario again"
        ) from error


@contextmanager
def writing(folder: Path) -> Iterator[Path]:
    """A `.part` folder to write into, which takes the name of `folder` when all went well.

    Raises RunError where the folder exists already or cannot be written.
    """
    if folder.exists():
        raise RunError(f"{folder} exists; choose another folder with -o, or remove it first")
    part = folder.with_name(f"{folder.name}.part")
    first = not part.parent.exists()
    try:
        if part.exists():
            shutil.rmtree(part)
        part.mkdir(parents=True)
        yield part
        part.rename(folder)
    except BaseException as error:  # an interrupt too
        shutil.rmtree(part, ignore_errors=True)
        if first:
            with suppress(OSError):  # somebody else may have begun to use it
                part.parent.rmdir()
        if isinstance(error, OSError):
            raise RunError(
                f"{folder}: cannot be written ({error.strerror or error}); nothing was kept"
            ) from error
        raise


def next_folder(root: Path, name: str, *, begun: bool = False) -> Path:
    """`root/name-001`, `-002`, …: the one after the last that is there. With `begun` those count
    too that are still being written."""
    slug = "".join(c if c.isalnum() else "-" for c in name.lower()).strip("-") or "run"
    taken = [p.name.removesuffix(".part" if begun else "") for p in root.glob(f"{slug}-*")]
    numbers = (int(end) for end in (n.removeprefix(f"{slug}-") for n in taken) if end.isdecimal())
    return root / f"{slug}-{max(numbers, default=0) + 1:03d}"


def write(
    part: Path,
    outcome: Outcome,
    *,
    scenario_name: str,
    scenario_text: str,
    seed: int,
    timings: Mapping[str, float],
    curves: Curves,
    checks: tuple[Balance, ...],
    notes: tuple[str, ...],
    claims: Mapping[str, tuple[str, ...]],
    questions: Mapping[str, Any],
) -> None:
    """Write all files but the report into `part`.

    `questions` are the answers to what is asked of every run besides (sensitivity, one more), as
    plain data.
    """
    import pyarrow as pa
    import pyarrow.parquet as pq

    (part / "scenario.toml").write_text(scenario_text, "utf-8")
    for name, table in outcome.tables:
        table.write(part / f"{name}.parquet")
    months = outcome.tables.dims.labels["month"]
    bands = {"month": texts(months)}
    for series in outcome.bands:
        bands[series.name] = numbers(series.value)
        for q, row in zip(QUANTILES, series.quantiles, strict=True):
            if len(row):
                bands[f"{series.name}.p{round(100 * q)}"] = numbers(row)
    pq.write_table(pa.table(bands), part / "bands.parquet")
    if outcome.draws:
        drawn = {kpi.measure.name: numbers(kpi.draws) for kpi in outcome.kpis}
        pq.write_table(pa.table(drawn), part / "kpis.parquet")
    plan = _construction(curves)
    if plan is not None:
        pq.write_table(plan, part / "construction.parquet")
    info = {
        "format": FORMAT,
        "lineshaft": __version__,
        "python": platform.python_version(),
        "numpy": np.__version__,
        "scenario": scenario_name,
        "start": months[0],
        "months": len(months),
        "labels": {key: list(names) for key, names in outcome.tables.dims.labels.items()},
        "seed": seed,
        "draws": outcome.draws,
        "notes": list(notes),
        "timings_s": dict(timings),
        "curves": [
            {"stage": c.stage, "seconds": c.seconds, "curves": c.curves, "cached": c.cached}
            for c in curves.made
        ],
        "checks": [
            {
                "stage": b.stage,
                "balance": b.name,
                "residual": b.residual,
                "month": b.month,
                "passed": b.passed,
            }
            for b in checks
        ],
        "binding": binding_by_year(outcome.tables),
        "claims": {name: list(verdicts) for name, verdicts in claims.items()},
        "kpis": {kpi.measure.name: described(kpi, months) for kpi in outcome.kpis},
        **questions,
    }
    (part / "run.json").write_text(json.dumps(info, indent=1, allow_nan=False), "utf-8")


def _construction(curves: Curves) -> pyarrow.Table | None:
    import pyarrow as pa

    rows, build = curves.activities, curves.build
    if rows is None or build is None:
        return None
    own = rows.hall >= 0
    ready = {
        name: np.where(own, values[np.maximum(rows.hall, 0)], np.nan)
        for name, values in (("p50", build.p50_month), ("p80", build.p80_month))
    }
    return pa.table(
        {
            "phase": texts(rows.phase),
            "hall": numbers(rows.hall),
            "activity": texts(rows.name),
            "start_month": numbers(rows.start_month),
            "finish_month": numbers(rows.finish_month),
            "plan_start_month": numbers(rows.plan_start_month),
            "plan_finish_month": numbers(rows.plan_finish_month),
            "waited_for": texts([NAMES[int(code)] for code in rows.reason]),
            "p50_ready_month": numbers(ready["p50"]),
            "p80_ready_month": numbers(ready["p80"]),
        }
    )


def described(kpi: Kpi, months: tuple[str, ...]) -> dict[str, Any]:
    """A headline figure as plain data: value, unit, month, quantiles, text. NaN becomes None."""
    what = kpi.measure
    month = months[-1]
    if what.name.endswith("_month"):
        month = months[int(kpi.value)] if math.isfinite(kpi.value) else ""
    if what.window == "at once":
        month = months[0]
    return {
        "value": or_none(kpi.value),
        "unit": what.unit,
        "month": month,
        "window": what.window,
        "meaning": what.meaning,
        "columns": list(what.columns),
        "quantiles": kpi.quantiles,
        "p50_se": kpi.p50_se,
        "text": kpi.text,
    }
