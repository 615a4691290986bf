"""`lineshaft sweep`: many scenarios, and which inputs matter."""

from __future__ import annotations

import json
import math
import shlex
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from lineshaft.cli.common import (
    Bar,
    OverrideOption,
    Progress,
    ScenarioArgument,
    SeedOption,
    VariantOption,
    again,
    stem,
)

if TYPE_CHECKING:
    from lineshaft.sweep import Results
    from lineshaft.sweep.scenario_indices import ScenarioIndices

SHOWN = ("oversee.daa", "value.revenue_usd", "value.enterprise_value_usd", "value.irr")
"""Figures of which the lowest and the highest scenario are told, where none are named."""
VALUE = "value.enterprise_value_usd"
"""The figure by which a scenario is proposed to be run."""
WIDE = 0.1
"""Interval of an index beyond which more samples are advised."""


def sweep(
    scenario: ScenarioArgument = None,
    variant: VariantOption = None,
    vary: Annotated[
        list[str] | None,
        typer.Option(
            "--vary",
            metavar="KEY=VALUES",
            help="a,b,c or low..high:steps; low..high with --samples. May be repeated.",
        ),
    ] = None,
    draws: Annotated[int, typer.Option("--draws", min=0, help="Draws of each scenario.")] = 0,
    samples: Annotated[
        int, typer.Option("--samples", min=0, help="Draw so many points instead of a grid.")
    ] = 0,
    method: Annotated[
        str, typer.Option("--method", help="How points are drawn: sobol, random, morris.")
    ] = "sobol",
    indices: Annotated[
        str | None,
        typer.Option("--indices", help="Which uncertain inputs matter: sobol or morris."),
    ] = None,
    inputs: Annotated[
        str | None,
        typer.Option("--inputs", help="Inputs for --indices, by commas; else the 12 that matter."),
    ] = None,
    kpi: Annotated[
        list[str] | None, typer.Option("--kpi", help="Headline figure; may be repeated.")
    ] = None,
    executor: Annotated[
        str, typer.Option("--executor", help="Who does the work: processes or ray.")
    ] = "processes",
    workers: Annotated[
        int | None, typer.Option("--workers", min=1, help="How many at once; all processors.")
    ] = None,
    seed: SeedOption = None,
    override: OverrideOption = None,
    output: Annotated[
        Path | None,
        typer.Option("-o", "--output", help="Folder; a sweep that stopped there goes on."),
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="NDJSON on stdout.")] = False,
) -> None:
    """Solve many scenarios, or find which uncertain inputs matter."""
    from lineshaft.errors import InputError, Problem
    from lineshaft.runs import next_folder

    progress = Progress()
    folder = output or next_folder(Path("sweeps"), stem(scenario, variant))
    if indices is not None:
        if vary or draws:
            both = "--vary" if vary else "--draws"
            fix = "leave one of them out"
            raise InputError(Problem("", both, "does not go with --indices", "", fix))
        found = _indices(
            scenario,
            variant,
            override or [],
            seed,
            folder,
            progress,
            method=indices,
            inputs=_listed(inputs),
            samples=samples,
            kpis=tuple(kpi or ()),
            executor=executor,
            workers=workers,
        )
        _tell_indices(found, folder, as_json)
        return
    if inputs is not None:
        raise InputError(Problem("", "--inputs", "needs --indices", "--indices sobol or morris"))
    from lineshaft.api import locate
    from lineshaft.sweep import sweep as solve

    bar = Bar(progress, "scenarios")
    try:
        results = solve(
            locate(scenario),
            vary or [],
            folder,
            variant=variant,
            overrides=override or [],
            draws=draws,
            samples=samples,
            method=method,
            kpis=kpi or (),
            seed=seed,
            executor=executor,
            workers=workers,
            progress=bar,
        )
    except KeyboardInterrupt:
        progress.line(f"stopped at {bar.done} of {bar.total} scenarios; the same command goes on")
        raise typer.Exit(130) from None
    bar.end()
    _tell(results, kpi or SHOWN, as_json, again(scenario, variant, override or (), seed))


def _indices(
    scenario: str | None,
    variant: str | None,
    overrides: Sequence[str],
    seed: int | None,
    folder: Path,
    progress: Progress,
    *,
    method: str,
    inputs: tuple[str, ...],
    samples: int,
    kpis: tuple[str, ...],
    executor: str,
    workers: int | None,
) -> ScenarioIndices:
    from lineshaft.api import read, seeded
    from lineshaft.characterise import characterise
    from lineshaft.errors import RunError
    from lineshaft.kpis import VALUE
    from lineshaft.runs import writing
    from lineshaft.sweep.executors import named
    from lineshaft.sweep.scenario_indices import scenario_indices, write

    does = named(executor, workers)
    asked = seeded(read(scenario, variant=variant, overrides=overrides), seed)
    if folder.exists():
        raise RunError(f"{folder} exists; choose another folder with -o, or remove it first")
    curves = characterise(asked, progress=lambda stage: progress.note(f"characterising {stage} …"))
    bar = Bar(progress, "draws")
    found = scenario_indices(
        asked,
        curves,
        method=method,
        inputs=inputs,
        samples=samples,
        kpis=kpis or (VALUE,),
        executor=does,
        progress=bar,
    )
    with writing(folder) as part:
        write(part, found)
    bar.end()
    return found


def _tell(results: Results, kpis: Sequence[str], as_json: bool, same: Sequence[str]) -> None:
    info, rows = results.info, results.table
    problems = [row for row in rows.select(["scenario", "problem"]).to_pylist() if row["problem"]]
    if as_json:
        for row in rows.to_pylist():
            print(json.dumps(row, allow_nan=False))
        last = {"sweep": str(results.folder), "scenarios": len(results), "problems": len(problems)}
        print(json.dumps(last))
        return
    draws = f", {info['draws']} draws each" if info["draws"] else ""
    print(f"{info['scenario']}: {len(results)} scenarios{draws}")
    for name in kpis:
        if name in rows.column_names:
            print(_span(rows, name))
    if info["method"] == "morris":
        _tell_effects(results, kpis)
    if problems:
        first = problems[0]
        print(f"\n{len(problems)} scenarios cannot be; scenario {first['scenario']}:")
        print(f"  {first['problem']}".replace("\n", "\n  "))
    print(f"\nResults: {(results.folder / 'results.parquet').resolve()}")
    best = _ends(rows, VALUE)
    if best:
        sets = [
            word for key in _inputs(rows) for word in ("--set", f"{key}={_short(best[1][key])}")
        ]
        print("\nNext, the scenario that is worth most:")
        print(f"  {shlex.join(['lineshaft', 'run', *same, *sets])}")


def _span(rows: Any, name: str) -> str:
    """The lowest and the highest value of a figure, and the scenarios that have it."""
    from lineshaft.kpis import named
    from lineshaft.units import format_quantity

    what, ends = named(name), _ends(rows, name)
    if not ends:
        return f"  {what.title}: none"
    low, high = (format_quantity(row[name], what.unit) for row in ends)
    if low == high:
        return f"  {what.title}\n    always {low:>18}"
    lines = [f"  {what.title}"]
    for word, text, row in zip(("from", "to  "), (low, high), ends, strict=True):
        at = ", ".join(f"{key} = {_short(row[key])}" for key in _inputs(rows))
        lines.append(f"    {word} {text:>20}  at {at}")
    return "\n".join(lines)


def _ends(rows: Any, name: str) -> tuple[dict[str, Any], ...]:
    """The rows with the lowest and the highest value of a figure; none where none has one."""
    if name not in rows.column_names:
        return ()
    every = rows.select([*_inputs(rows), name]).to_pylist()
    known = sorted((row for row in every if row[name] is not None), key=lambda row: row[name])
    return (known[0], known[-1]) if known else ()


def _inputs(rows: Any) -> list[str]:
    return [field.name for field in rows.schema if field.metadata[b"role"] == b"input"]


def _tell_effects(results: Results, kpis: Sequence[str]) -> None:
    from lineshaft.kpis import named
    from lineshaft.units import format_quantity

    inputs = _inputs(results.table)
    for name in (name for name in kpis if name in results.info["kpis"]):
        found = results.morris(name)
        rows: list[tuple[str, ...]] = [("effect over the whole range", "mu*", "sigma")]
        for i in sorted(range(len(inputs)), key=lambda i: -found.mu_star[i]):
            pair = (found.mu_star[i], found.sigma[i])
            rows.append((inputs[i], *(format_quantity(float(x), named(name).unit) for x in pair)))
        print(f"\n{name}")
        _print(rows)


def _tell_indices(found: ScenarioIndices, folder: Path, as_json: bool) -> None:
    if as_json:
        print(json.dumps({"sweep": str(folder), **found.as_dict()}, allow_nan=False))
        return
    from lineshaft.kpis import named
    from lineshaft.units import format_quantity

    picked = f" of {found.screened} uncertain ones" if found.screened else ""
    print(
        f"{found.scenario}: {len(found.inputs)} inputs{picked}, {found.samples} "
        f"{'rows' if found.method == 'sobol' else 'walks'}, {found.evaluations} draws"
    )
    by_kpi: dict[str, list[dict[str, Any]]] = {}
    for row in found.rows():
        by_kpi.setdefault(row["kpi"], []).append(row)
    for kpi, rows in by_kpi.items():
        what = named(kpi)
        print(f"\n{what.title} ({kpi})")
        if found.method == "sobol":
            _tell_sobol(rows)
        else:
            _tell_morris(rows, lambda x, unit=what.unit: format_quantity(x, unit))  # type: ignore[misc]
    for note in found.notes:
        print(f"\nNote: {note}")
    print(f"\nIndices: {(folder / 'indices.parquet').resolve()}")


def _tell_sobol(rows: Sequence[dict[str, Any]]) -> None:
    table = [("input", "S1", "[95 %]", "ST", "[95 %]")]
    for row in rows:
        ends = [f"[{row[k + '_low']:.3f} – {row[k + '_high']:.3f}]" for k in ("s1", "st")]
        table.append((row["input"], f"{row['s1']:.3f}", ends[0], f"{row['st']:.3f}", ends[1]))
    _print(table)
    total = sum(row["s1"] for row in rows)
    print(f"  sum of S1 {total:.3f}: ", end="")
    print("what is left to 1 is what inputs do together" if total < 0.99 else "no interactions")
    widest = max(row[f"{k}_high"] - row[f"{k}_low"] for row in rows for k in ("s1", "st"))
    if widest > WIDE:
        times = 2 ** math.ceil(2 * math.log2(widest / WIDE))  # intervals narrow as 1 / sqrt(N)
        print(f"  the widest interval is {widest:.2f}: about {times} times the --samples narrow it")


def _tell_morris(rows: Sequence[dict[str, Any]], shown: Callable[[float], str]) -> None:
    table = [("input", "mu*", "[95 %]", "mu", "sigma")]
    for row in rows:
        ends = f"[{shown(row['mu_star_low'])} – {shown(row['mu_star_high'])}]"
        table.append(
            (row["input"], shown(row["mu_star"]), ends, shown(row["mu"]), shown(row["sigma"]))
        )
    _print(table)
    print("  mu*: mean size of the change over an input's whole range; sigma: how it differs")


def _print(rows: Sequence[tuple[str, ...]]) -> None:
    from lineshaft.words import aligned

    for line in aligned(rows):
        print(f"  {line}")


def _short(value: object) -> str:
    return f"{value:.6g}" if isinstance(value, float) else str(value)


def _listed(text: str | None) -> tuple[str, ...]:
    return tuple(word for part in (text or "").split(",") if (word := part.strip()))
