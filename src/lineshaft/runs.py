"""The run folder: written whole or not at all, read back lazily.

    scenario.toml   the scenario as resolved
    run.json        versions, seed, timings, checks, headline figures
    kpis.parquet    every headline figure in every draw
    bands.parquet   headline columns by month, median case and quantiles over the draws
    <table>.parquet one file per table, median case
    report.html     the report

Everything is written into `<folder>.part`, which gets its name in one step at the end: what
carries the name is complete. A `.part` that a killed run left behind is made anew.
"""

from __future__ import annotations

import json
import math
import platform
import shutil
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from lineshaft import __version__
from lineshaft.contracts.tables import Tables
from lineshaft.errors import RunError
from lineshaft.kpis import QUANTILES, Kpi
from lineshaft.stations import binding_by_year
from lineshaft.tables import Table

if TYPE_CHECKING:
    from lineshaft.balances import Balance
    from lineshaft.characterise import Characterised
    from lineshaft.line import Outcome

FORMAT = 1
"""Version of the run folder's layout."""


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
        if run.info.get("format") != FORMAT:
            raise RunError(
                f"{path}: written by lineshaft {run.info.get('lineshaft', 'unknown')}, "
                f"in a layout that this version ({__version__}) does not read"
            )
        return run

    @cached_property
    def info(self) -> Mapping[str, Any]:
        """What run.json says."""
        found: Mapping[str, Any] = json.loads((self.folder / "run.json").read_text("utf-8"))
        return found

    @property
    def kpis(self) -> Mapping[str, Mapping[str, Any]]:
        """Headline figures by name: value, unit, month, quantiles."""
        found: Mapping[str, Mapping[str, Any]] = self.info["kpis"]
        return found

    @property
    def scenario_text(self) -> str:
        """The scenario as resolved, TOML."""
        return (self.folder / "scenario.toml").read_text("utf-8")

    def __getattr__(self, name: str) -> Table:
        kind = Tables.types().get(name)
        if kind is None:
            raise AttributeError(f"a run has no table '{name}'; it has {', '.join(Tables.types())}")
        return kind.read(self.folder / f"{name}.parquet")

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
def writing(folder: Path) -> Iterator[Path]:
    """A `.part` folder to write into, which takes the name of `folder` when all went well.

    Raises RunError where the folder exists already or cannot be written.
    """
    part = folder.with_name(f"{folder.name}.part")
    if folder.exists():
        raise RunError(f"{folder} exists; choose another folder with -o, or remove it first")
    try:
        if part.exists():
            shutil.rmtree(part)
        part.mkdir(parents=True)
        yield part
        part.rename(folder)
    except OSError as error:
        shutil.rmtree(part, ignore_errors=True)
        raise RunError(
            f"{folder}: cannot be written ({error.strerror or error}); nothing was kept"
        ) from error


def next_folder(root: Path, name: str) -> Path:
    """The first of `root/name-001`, `-002`, … that is not there yet."""
    slug = "".join(c if c.isalnum() else "-" for c in name.lower()).strip("-") or "run"
    numbers = (int(p.name[-3:]) for p in root.glob(f"{slug}-[0-9][0-9][0-9]"))
    return root / f"{slug}-{max(numbers, default=0) + 1:03d}"


def write(
    part: Path,
    outcome: Outcome,
    *,
    scenario_name: str,
    scenario_text: str,
    seed: int,
    timings: Mapping[str, float],
    characterised: tuple[Characterised, ...],
    checks: tuple[Balance, ...],
    notes: tuple[str, ...],
    claims: Mapping[str, tuple[str, ...]],
) -> dict[str, Any]:
    """Write all files but the report into `part`; what run.json says comes back."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    (part / "scenario.toml").write_text(scenario_text, "utf-8")
    for name, table in outcome.tables:
        table.write(part / f"{name}.parquet")
    months = outcome.tables.dims.labels["month"]
    bands = {"month": pa.array(months)}
    for series in outcome.bands:
        bands[series.name] = pa.array(series.value)
        for q, row in zip(QUANTILES, series.quantiles, strict=True):
            if len(row):
                bands[f"{series.name}.p{round(100 * q)}"] = pa.array(row)
    pq.write_table(pa.table(bands), part / "bands.parquet")
    if outcome.draws:
        drawn = {kpi.measure.name: pa.array(kpi.draws) for kpi in outcome.kpis}
        pq.write_table(pa.table(drawn), part / "kpis.parquet")
    info = {
        "format": FORMAT,
        "lineshaft": __version__,
        "python": platform.python_version(),
        "numpy": np.__version__,
        "scenario": scenario_name,
        "start": months[0],
        "months": len(months),
        "seed": seed,
        "draws": outcome.draws,
        "notes": list(notes),
        "timings_s": dict(timings),
        "curves": [
            {"stage": c.stage, "seconds": c.seconds, "curves": c.curves, "cached": c.cached}
            for c in characterised
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
    }
    (part / "run.json").write_text(json.dumps(info, indent=1, allow_nan=False), "utf-8")
    return info


def described(kpi: Kpi, months: tuple[str, ...]) -> dict[str, Any]:
    """A headline figure as plain data: value, unit, month, quantiles, text. NaN becomes None."""
    what = kpi.measure
    month = months[-1]
    if what.name.endswith("_month"):
        month = months[int(kpi.value)] if math.isfinite(kpi.value) else ""
    if what.window == "at once":
        month = months[0]
    se = kpi.p50_se
    return {
        "value": kpi.value if math.isfinite(kpi.value) else None,
        "unit": what.unit,
        "month": month,
        "window": what.window,
        "meaning": what.meaning,
        "columns": list(what.columns),
        "quantiles": kpi.quantiles,
        "p50_se": se,
        "text": kpi.text,
    }
