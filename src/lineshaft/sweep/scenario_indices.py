"""Which uncertain inputs of a scenario matter, by Sobol's indices or Morris's elementary effects.

All evaluations are draws of the line, side by side in chunks: 12 inputs and 1,024 samples are
14,336 draws. Inputs that are not looked at stay at their median, and so do the engines, which see
medians only; what an engine reads counts with what the months do with it besides.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from lineshaft import __version__
from lineshaft.characterise import Curves
from lineshaft.errors import InputError, Problem
from lineshaft.kpis import VALUE
from lineshaft.line import CHUNK, figures
from lineshaft.parameters.build import LUCK, PLANNED
from lineshaft.scenario import Scenario
from lineshaft.scenario.draws import Draws
from lineshaft.scenario.inputs import Input, uncertain_inputs
from lineshaft.sensitivity import luck, read_by_engines
from lineshaft.sweep.designs import trajectories
from lineshaft.sweep.executors import Executor, Processes
from lineshaft.sweep.indices import Morris, Sobol, morris_of, sobol_design, sobol_of
from lineshaft.sweep.rows import chosen
from lineshaft.tables import Array
from lineshaft.words import suggestion

if TYPE_CHECKING:
    import pyarrow

MOST_DRAWS = 2**20
"""Of all inputs together; beyond it a number was most likely mistyped."""
MOST = 12
"""Inputs that are looked at where none are named."""
SCREEN_WALKS = 8
"""Walks of the Morris screen that picks them."""
SAMPLES = {"sobol": 1024, "morris": 64}
"""Samples where none are asked for."""
Told = Callable[[int, int], None]


@dataclass(frozen=True)
class ScenarioIndices:
    """What each input does to each figure."""

    scenario: str
    seed: int
    method: str
    samples: int
    inputs: tuple[Input, ...]
    of: Mapping[str, Sobol | Morris]
    """By the name of the figure."""
    evaluations: int
    screened: int
    """Inputs among which those looked at were picked; 0 where they were named."""
    notes: tuple[str, ...]

    def rows(self) -> Iterator[dict[str, Any]]:
        """One row per figure and input, the greatest total effect first."""
        for kpi, found in self.of.items():
            columns = _columns(found)
            size = found.total if isinstance(found, Sobol) else found.mu_star
            for i in np.argsort(-size, kind="stable"):
                one = self.inputs[int(i)]
                known = {"kpi": kpi, "input": one.path, "meaning": one.meaning}
                yield {**known, **{name: float(values[i]) for name, values in columns.items()}}

    def to_arrow(self) -> pyarrow.Table:
        """`rows` as an Arrow table."""
        import pyarrow as pa

        return pa.Table.from_pylist(list(self.rows()))

    def as_dict(self) -> dict[str, Any]:
        """Plain data for JSON."""
        figures_: dict[str, dict[str, float]] = {}
        for kpi, found in self.of.items():
            figures_[kpi] = {"rows": found.rows, "dropped": found.dropped}
            if isinstance(found, Sobol):
                figures_[kpi] |= {"mean": found.mean, "variance": found.variance}
                figures_[kpi] |= {"s1_sum": float(found.first.sum())}
        return {
            "lineshaft": __version__,
            "numpy": np.__version__,
            "scenario": self.scenario,
            "seed": self.seed,
            "method": self.method,
            "samples": self.samples,
            "evaluations": self.evaluations,
            "screened": self.screened,
            "figures": figures_,
            "notes": list(self.notes),
            "indices": list(self.rows()),
        }


def scenario_indices(
    scenario: Scenario,
    curves: Curves,
    *,
    method: str = "sobol",
    inputs: Sequence[str] = (),
    samples: int = 0,
    kpis: Sequence[str] = (VALUE,),
    executor: Executor | None = None,
    progress: Told | None = None,
) -> ScenarioIndices:
    """Indices of the uncertain `inputs` for the figures `kpis`; `curves` are the scenario's.

    Without `inputs` these are the 12 that move the first figure most, by a Morris screen of all.
    `samples` are rows (sobol, rounded up to a power of two) or walks (morris); `progress` is told
    draws done and draws in all. Raises InputError for what is not there, and where nothing can be
    said.
    """
    measures = chosen(kpis)
    if method not in SAMPLES:
        fix = suggestion(method, SAMPLES)
        raise InputError(Problem("", "--indices", f"no method {method!r}", ", ".join(SAMPLES), fix))
    known = _known(scenario)
    model = _Model(scenario, curves, tuple(what.name for what in measures))
    runs = executor or Processes()
    asked, screened = samples or SAMPLES[method], 0
    looked_at = _named(known, inputs) if inputs else known
    _payable(asked, len(looked_at) if inputs else min(len(known), MOST))
    if not inputs:
        screened = len(known)
        if screened > MOST:
            looked_at = _screened(model, known, runs, scenario.seed)
    dimensions = len(looked_at)
    if method == "sobol":
        points = sobol_design(dimensions, asked, scenario.seed)
    else:
        design = trajectories(dimensions, asked, scenario.seed)
        points = design.flat
    values = model.at(looked_at, points, runs, progress)
    of: dict[str, Sobol | Morris] = {}
    for what, row in zip(measures, values, strict=True):
        if method == "sobol":
            of[what.name] = sobol_of(row, dimensions, scenario.seed)
        else:
            of[what.name] = morris_of(row, design, scenario.seed)
    return ScenarioIndices(
        scenario=scenario.name,
        seed=scenario.seed,
        method=method,
        samples=points.shape[1] // (dimensions + (2 if method == "sobol" else 1)),
        inputs=looked_at,
        of=of,
        evaluations=points.shape[1],
        screened=screened,
        notes=tuple(_notes(scenario, looked_at, of)),
    )


@dataclass(frozen=True)
class _Model:
    """The figures of a scenario as a function of the probabilities of its inputs."""

    scenario: Scenario
    curves: Curves
    kpis: tuple[str, ...]

    def at(
        self, inputs: Sequence[Input], u: Array, runs: Executor, told: Told | None = None
    ) -> Array:
        """[figure, point] at [input, point] probabilities."""
        width = u.shape[1]
        chunks = [u[:, start : start + CHUNK] for start in range(0, width, CHUNK)]
        found = []
        done = 0
        if told is not None:
            told(done, width)
        for values in runs.map(_evaluate, (self, tuple(inputs)), chunks):
            found.append(values)
            done += values.shape[1]
            if told is not None:
                told(done, width)
        return np.concatenate(found, axis=1)


def _evaluate(common: tuple[_Model, tuple[Input, ...]], u: Array) -> Array:
    """[figure, point] of one chunk of points."""
    model, inputs = common
    values = {LUCK: np.full(1 + u.shape[1], PLANNED)}
    for one, row in zip(inputs, u, strict=True):
        first = PLANNED if one.path == LUCK else one.number.median
        values[one.path] = np.concatenate([[first], one.number.ppf(row)])
    found = figures(model.scenario, model.curves, Draws(u.shape[1], values))
    return np.stack([found[kpi][1:] for kpi in model.kpis])


def _payable(samples: int, dimensions: int) -> None:
    """InputError for more draws than one would wait for."""
    most = MOST_DRAWS // (dimensions + 2)
    if samples > most:
        raise InputError(
            Problem("", "--samples", f"{samples:,}", f"at most {most:,} for {dimensions} inputs")
        )


def _known(scenario: Scenario) -> tuple[Input, ...]:
    """Every uncertain input, and the luck of the construction schedule where something is built."""
    found = uncertain_inputs(scenario)
    if scenario.build.phase and scenario.build.risk:
        found = (*found, luck(scenario))
    if not found:
        fix = '--set with a range, such as "2 to 4"'
        raise InputError(Problem("", "--indices", "the scenario has no uncertain input", "", fix))
    return found


def _named(known: Sequence[Input], names: Sequence[str]) -> tuple[Input, ...]:
    by_path = {one.path: one for one in known}
    problems = []
    for name in names:
        if name not in by_path:
            fix = suggestion(name, by_path) or "give it a range with --set"
            found = f"{name!r} is no uncertain input of this scenario"
            problems.append(Problem("", "--inputs", found, "a key that has a range", fix))
    if problems:
        raise InputError(problems)
    return tuple(by_path[name] for name in dict.fromkeys(names))


def _screened(
    model: _Model, known: tuple[Input, ...], runs: Executor, seed: int
) -> tuple[Input, ...]:
    """The inputs with the largest effects, in the order of the scenario."""
    design = trajectories(len(known), SCREEN_WALKS, seed)
    values = model.at(known, design.flat, runs)[0]
    size = morris_of(values, design, seed).mu_star
    return tuple(known[int(i)] for i in sorted(np.argsort(-size, kind="stable")[:MOST]))


def _notes(
    scenario: Scenario, inputs: Sequence[Input], of: Mapping[str, Sobol | Morris]
) -> Iterator[str]:
    paths = {one.path for one in inputs}
    pairs = [
        f"{a} ~ {b} = {rho:g}"
        for a, others in scenario.correlation.items()
        for b, rho in others.items()
        if {a, b} <= paths
    ]
    if pairs:
        yield f"inputs are taken as independent; the scenario correlates {', '.join(pairs)}"
    engines = sorted(paths & read_by_engines(scenario))
    if engines:
        yield (
            f"engines keep the medians of {', '.join(engines)}: what these do through an engine "
            "is not in their indices"
        )
    for kpi, found in of.items():
        if found.dropped:
            total = found.rows + found.dropped
            yield f"{kpi} has no answer in {found.dropped} of {total} rows, which are left out"


def _columns(found: Sobol | Morris) -> dict[str, Array]:
    if isinstance(found, Sobol):
        return {
            "s1": found.first,
            "s1_low": found.first_ci[:, 0],
            "s1_high": found.first_ci[:, 1],
            "st": found.total,
            "st_low": found.total_ci[:, 0],
            "st_high": found.total_ci[:, 1],
        }
    return {
        "mu_star": found.mu_star,
        "mu_star_low": found.mu_star_ci[:, 0],
        "mu_star_high": found.mu_star_ci[:, 1],
        "mu": found.mu,
        "sigma": found.sigma,
        "sigma_low": found.sigma_ci[:, 0],
        "sigma_high": found.sigma_ci[:, 1],
    }


def write(part: Path, found: ScenarioIndices) -> None:
    """indices.parquet, one row per figure and input, and indices.json into the folder `part`."""
    import pyarrow.parquet as pq

    pq.write_table(found.to_arrow(), part / "indices.parquet", compression="zstd")
    text = json.dumps(found.as_dict(), indent=1, allow_nan=False)
    (part / "indices.json").write_text(text, "utf-8")
