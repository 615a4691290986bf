"""`lineshaft run`: one scenario, from watts to worth."""

from __future__ import annotations

import json
import time
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from lineshaft.cli.common import OverrideOption, Progress, ScenarioArgument, VariantOption

if TYPE_CHECKING:
    from lineshaft.line import Outcome

HEADLINES = (
    "build.energised_mw",
    "build.first_power_month",
    "serve.empty_share",
    "plant.pue",
    "agents.fielded",
    "oversee.daa",
    "oversee.accepted_tasks_per_daa",
    "oversee.human_minutes_per_task",
    "value.usd_per_mtok",
    "value.usd_per_task",
    "value.revenue_usd",
    "value.enterprise_value_usd",
    "value.irr",
)


def run(
    scenario: ScenarioArgument = None,
    variant: VariantOption = None,
    draws: Annotated[int, typer.Option("--draws", min=0, help="Monte Carlo draws.")] = 0,
    seed: Annotated[int | None, typer.Option("--seed", help="Seed of all randomness.")] = None,
    override: OverrideOption = None,
    output: Annotated[
        Path | None, typer.Option("-o", "--output", help="Run folder; must not exist yet.")
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="NDJSON on stdout.")] = False,
) -> None:
    """Run a scenario: ten years, month by month, into a run folder with a report."""
    from lineshaft.api import read, seeded
    from lineshaft.runs import next_folder, writing

    progress = Progress()
    started = time.perf_counter()
    asked = seeded(read(scenario, variant=variant, overrides=override or []), seed)
    folder = output or next_folder(Path("runs"), _stem(scenario, variant))
    with writing(folder) as part:
        info = _run(part, asked, draws, progress, as_json, started)
    report = folder / "report.html"
    if as_json:
        last = {"run": str(folder), "kpis": info["kpis"], "checks": info["checks"]}
        print(json.dumps(last, allow_nan=False))
        return
    print(f"\n{info['scenario']}: {info['months']} months from {info['start']}", end="")
    print(f", {info['draws']} draws [p10 – p90]" if info["draws"] else "")
    for kpi in (info["kpis"][name] for name in HEADLINES):
        if kpi["value"]:
            when = kpi["month"] if kpi["window"] != "at once" else ""
            line = f"  {kpi['meaning'] + ', ' + kpi['window']:64} {kpi['text']:>34}  {when}"
            print(line.rstrip())
    if info["binding"]:
        print("\nWhat limits the work, by year (in brackets the demand that is not done)")
        for year, reasons in info["binding"].items():
            print(f"  {year}  {reasons}")
    for name, verdicts in info["claims"].items():
        print(f"\nClaim: {name}")
        for verdict in verdicts:
            print(f"  {verdict}")
    for note in info["notes"]:
        print(f"\nNote: {note}")
    print(f"\nReport: {report.resolve()}")
    print("\nNext:")
    again = scenario or ""
    if not draws:
        print(f"  lineshaft run {again} --draws 1000".replace("  -", " -"))
    print(f"  lineshaft run {again} --set capital.runway_months=6".replace("  -", " -"))
    print("  lineshaft catalog accelerators")


def _run(
    part: Path,
    asked: Any,
    draws: int,
    progress: Progress,
    as_json: bool,
    started: float,
) -> dict[str, Any]:
    from lineshaft.balances import residuals
    from lineshaft.cache import Cache
    from lineshaft.characterise import characterise
    from lineshaft.line import run as run_line
    from lineshaft.parameters.notes import notes
    from lineshaft.parameters.value import claim_checks
    from lineshaft.report import write_report
    from lineshaft.runs import write
    from lineshaft.scenario.writing import dump
    from lineshaft.stations import concerns, stations

    read_s = time.perf_counter() - started
    curves = characterise(
        asked,
        Cache.default(),
        lambda stage: progress.note(f"characterising {stage} … (compiled once, then kept)"),
    )
    curves_s = time.perf_counter() - started - read_s
    outcome: Outcome = run_line(
        asked,
        curves,
        draws=draws,
        progress=lambda done, total: progress.note(f"months and draws: {done} of {total} chunks"),
    )
    line_s = time.perf_counter() - started - read_s - curves_s
    made = {c.stage: c for c in curves.made}
    for station in stations(outcome.tables):
        curve = made.get(station.stage)
        spent = "cached" if curve and curve.cached else f"{curve.seconds:.2f} s" if curve else ""
        progress.line(f"{station.stage:8} {spent:>7}  {station.headline:58} {station.binding}")
        if as_json:
            print(
                json.dumps(
                    {
                        "stage": station.stage,
                        "curves": None if curve is None else "cached" if curve.cached else "made",
                        "seconds": None if curve is None else curve.seconds,
                        "headline": station.headline,
                        "binding": station.binding,
                    }
                )
            )
    info = write(
        part,
        outcome,
        scenario_name=asked.name,
        scenario_text=dump(asked),
        seed=asked.seed,
        timings={"read": read_s, "curves": curves_s, "line": line_s},
        characterised=curves.made,
        checks=residuals(outcome.tables),
        notes=(*concerns(outcome.tables), *notes(asked)),
        claims={
            claim.name: check.verdicts
            for claim, check in zip(asked.value.claim, claim_checks(asked), strict=True)
        },
    )
    write_report(part / "report.html", info, outcome, curves)
    return info


def _stem(scenario: str | None, variant: str | None) -> str:
    name = "gigawatt" if scenario is None else "stdin" if scenario == "-" else Path(scenario).stem
    return f"{name}-{variant}" if variant else name
