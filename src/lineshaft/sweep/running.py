"""A sweep in its folder: one row of results per scenario, stopped and gone on with at any time.

    results.parquet  one row per scenario; unit and meaning in the field metadata
    sweep.json       what was asked, versions, seed
    scenario.toml    the scenario that is varied, as resolved

Everything is written into `<folder>.part`, part by part, and gets its name in one step at the end.
The same question on a `.part` goes on where it stopped, and ends in the same bytes as if it never
had; another question is refused.
"""

from __future__ import annotations

import hashlib
import json
import platform
import shutil
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from lineshaft import __version__
from lineshaft.errors import InputError, Problem, RunError
from lineshaft.files import whole
from lineshaft.kpis import Measure
from lineshaft.scenario import Scenario
from lineshaft.scenario.draws import MOST, power_of_two
from lineshaft.scenario.reading import Input
from lineshaft.scenario.writing import dump
from lineshaft.sweep.designs import trajectories
from lineshaft.sweep.executors import Executor, named
from lineshaft.sweep.indices import Morris, morris_of
from lineshaft.sweep.rows import chosen, columns, table
from lineshaft.sweep.solving import Answers, Question, parts, solve_part
from lineshaft.sweep.template import Template
from lineshaft.sweep.vary import plan

if TYPE_CHECKING:
    import pyarrow

FORMAT = 1
"""Version of the sweep folder's layout."""
Told = Callable[[int, int], None]
"""Is told scenarios done and scenarios in all."""


@dataclass(frozen=True)
class Results:
    """A finished sweep in its folder."""

    folder: Path

    @classmethod
    def read(cls, folder: Path | str) -> Results:
        """The sweep in `folder`. Raises RunError where there is no complete one."""
        path = Path(folder)
        if not (path / "sweep.json").is_file() or not (path / "results.parquet").is_file():
            part = _part(path)
            hint = f"; {part} holds one that did not end" if part.exists() else ""
            raise RunError(f"{path}: no sweep there{hint}")
        found = cls(path)
        if found.info.get("format") != FORMAT:
            raise RunError(f"{path}: a layout that this version ({__version__}) does not read")
        return found

    @cached_property
    def info(self) -> Mapping[str, Any]:
        """What was asked, versions, seed."""
        return _asked(self.folder)

    @cached_property
    def table(self) -> pyarrow.Table:
        """One row per scenario; unit, meaning and role in the metadata of each field."""
        import pyarrow.parquet as pq

        path = self.folder / "results.parquet"
        try:
            return pq.read_table(path)
        except (OSError, ValueError) as error:
            why = str(error).splitlines()[0]
            fix = f"remove {self.folder}, and sweep again"
            raise RunError(f"{path} is damaged ({why}); {fix}") from error

    def morris(self, kpi: str) -> Morris:
        """Elementary effects of what was varied on a headline figure, by method "morris".

        Raises InputError for another method, an unknown figure, or where nothing can be said.
        """
        if self.info["method"] != "morris":
            problem = Problem("", "--method", f"was {self.info['method']}", "morris")
            raise InputError(problem)
        (what,) = chosen([kpi])
        if what.name not in self.info["columns"]:
            allowed = ", ".join(self.info["kpis"])
            raise InputError(Problem("", "--kpi", f"{kpi} was not kept", allowed))
        values = self.table.column(what.name).to_numpy(zero_copy_only=False)
        seed, walks = int(self.info["seed"]), int(self.info["samples"])
        return morris_of(values, trajectories(len(self.info["vary"]), walks, seed), seed)

    def __arrow_c_stream__(self, requested_schema: object | None = None) -> object:
        return self.table.__arrow_c_stream__(requested_schema)

    def __len__(self) -> int:
        return int(self.table.num_rows)

    def __repr__(self) -> str:
        return f"Results({str(self.folder)!r}: {len(self)} scenarios of {self.info['scenario']})"


def sweep(
    source: Input,
    vary: Sequence[str],
    folder: Path | str,
    *,
    variant: str | None = None,
    overrides: Sequence[str] = (),
    draws: int = 0,
    samples: int = 0,
    method: str = "sobol",
    kpis: Sequence[str] = (),
    seed: int | None = None,
    executor: str | Executor = "processes",
    workers: int | None = None,
    progress: Told | None = None,
) -> Results:
    """Solve every scenario of a plan into `folder`, or go on where the same sweep stopped.

    `source` is a path, a TOML text or a mapping; `vary` and `samples` as in `sweep.vary.plan`;
    `executor` is "processes", "ray" or one of your own; all scenarios have the same seed. Raises
    InputError with all bad keys and values before anything starts, RunError where the folder holds
    something else or cannot be written.
    """
    path = Path(folder)
    template = Template.of(source, variant=variant, overrides=_seeded(overrides, seed))
    base = template.scenario()
    measures = chosen(kpis)
    does = named(executor, workers) if isinstance(executor, str) else executor
    if draws < 0 or samples < 0:
        raise InputError(Problem("", "draws and samples", "below 0", "0 or more"))
    if draws > MOST:
        raise InputError(Problem("", "--draws", f"{draws:,} draws", f"at most {MOST:,}"))
    draws = power_of_two(draws)
    scenarios = plan(template, vary, samples=samples, method=method, seed=base.seed)
    asked = {
        "format": FORMAT,
        "lineshaft": __version__,
        "python": platform.python_version(),
        "numpy": np.__version__,
        "scenario": base.name,
        "seed": base.seed,
        "vary": list(vary),
        "scenarios": len(scenarios),
        "method": method if samples else "grid",
        "samples": samples,
        "draws": draws,
        "kpis": [what.name for what in measures],
        "columns": [name for name, _, _ in columns(measures, draws)],
        "scenario_sha256": _sha256(base),
    }
    if path.exists():
        _same(path, asked, Results.read(path).info)
        return Results.read(path)
    question = Question(template, scenarios, draws, tuple(what.name for what in measures))
    with _resumable(path, asked, dump(base)) as part:
        _solve(part, question, measures, does, progress)
    return Results.read(path)


def _solve(
    part: Path, question: Question, measures: Sequence[Measure], does: Executor, told: Told | None
) -> None:
    """Every part that is not there yet, then all of them as one file."""
    all_parts = parts(question.plan, question.draws)
    missing = [p for p in all_parts if not _file(part, p).is_file()]
    done = len(question.plan) - sum(map(len, missing))
    if told is not None:
        told(done, len(question.plan))
    found = does.map(solve_part, question, missing)
    try:
        for piece, answers in zip(missing, found, strict=True):
            _keep(part, piece, question, measures, answers)
            done += len(piece)
            if told is not None:
                told(done, len(question.plan))
    finally:
        if hasattr(found, "close"):
            found.close()
    _join(part, [_file(part, p) for p in all_parts])


def _keep(
    part: Path, piece: range, question: Question, measures: Sequence[Measure], answers: Answers
) -> None:
    if not answers.numbers.shape[1]:  # no scenario of the part can be
        width = sum(1 for _ in columns(measures, question.draws))
        answers = Answers(answers.problems, np.full((len(piece), width), np.nan))
    rows = table(question.plan, piece, measures, question.draws, answers.problems, answers.numbers)
    _write(rows, _file(part, piece))


def _join(part: Path, files: Sequence[Path]) -> None:
    import pyarrow as pa
    import pyarrow.parquet as pq

    rows = pa.concat_tables([pq.read_table(file) for file in files]).combine_chunks()
    _write(rows, part / "results.parquet")
    shutil.rmtree(part / "parts")


def _write(rows: pyarrow.Table, file: Path) -> None:
    import pyarrow.parquet as pq

    with whole(file) as new:
        pq.write_table(rows, new, compression="zstd")


def _file(part: Path, piece: range) -> Path:
    return part / "parts" / f"{piece.start:07d}.parquet"


@contextmanager
def _resumable(folder: Path, asked: Mapping[str, Any], scenario: str) -> Iterator[Path]:
    """A `.part` folder with this question, which takes the name of `folder` when all went well.

    It stays where it is when the work is stopped.
    """
    part = _part(folder)
    begun = (part / "sweep.json").is_file()
    if begun:
        _same(part, asked, _asked(part))
    elif part.exists() and any(part.iterdir()):
        raise RunError(f"{part} holds no sweep; choose another folder with -o, or remove it")
    try:
        (part / "parts").mkdir(parents=True, exist_ok=True)
        if not begun:
            (part / "scenario.toml").write_text(scenario, "utf-8")
            with whole(part / "sweep.json") as new:
                new.write_text(json.dumps(asked, indent=1, allow_nan=False), "utf-8")
            begun = True
        yield part
        part.rename(folder)
    except OSError as error:
        told = "nothing was kept"
        if begun:
            told = f"what is finished is kept in {part}, and the same command goes on from there"
        raise RunError(
            f"{folder}: cannot be written ({error.strerror or error}); {told}"
        ) from error
    finally:
        if not begun:
            shutil.rmtree(part, ignore_errors=True)


def _asked(folder: Path) -> Mapping[str, Any]:
    """What the sweep in `folder` was asked. Raises RunError where its file is damaged."""
    path = folder / "sweep.json"
    try:
        found = json.loads(path.read_text("utf-8"))
        if not isinstance(found, dict):
            raise ValueError("it is no JSON object")
    except (OSError, ValueError) as error:
        raise RunError(f"{path} is damaged ({error}); remove {folder}, and sweep again") from error
    return found


def _same(folder: Path, asked: Mapping[str, Any], there: Mapping[str, Any]) -> None:
    """RunError where the sweep in `folder` answers another question."""
    told = {"scenario_sha256": "what the scenario says", "format": "layout"}
    other = [
        told.get(key, f"{key} {there.get(key)!r} there, {asked[key]!r} asked")
        for key in asked
        if asked[key] != there.get(key)
    ]
    if other:
        raise RunError(
            f"{folder} holds a sweep of another question ({'; '.join(other)}); choose another "
            "folder with -o, or remove it first"
        )


def _sha256(scenario: Scenario) -> str:
    """A hash of the scenario as resolved, and of the trace that it names."""
    found = hashlib.sha256(dump(scenario).encode())
    trace = scenario.serve.trace
    if trace is not None and Path(trace).is_file():
        found.update(Path(trace).read_bytes())
    return found.hexdigest()


def _seeded(overrides: Sequence[str], seed: int | None) -> tuple[str, ...]:
    return tuple(overrides) if seed is None else (*overrides, f"seed={seed}")


def _part(folder: Path) -> Path:
    return folder.with_name(f"{folder.name}.part")
