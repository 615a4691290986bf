"""`lineshaft run`: one scenario, from watts to worth."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from lineshaft.cli.common import OverrideOption, Progress, ScenarioArgument, VariantOption

if TYPE_CHECKING:
    from lineshaft.characterise import Curves
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
    sensitivity: Annotated[
        bool,
        typer.Option(
            "--sensitivity/--no-sensitivity", help="What moves the value; what one more is worth."
        ),
    ] = True,
    as_json: Annotated[bool, typer.Option("--json", help="NDJSON on stdout.")] = False,
) -> None:
    """Run a scenario: ten years, month by month, into a run folder with a report."""
    from lineshaft.api import read, record, seeded
    from lineshaft.runs import next_folder

    progress = Progress()
    asked = seeded(read(scenario, variant=variant, overrides=override or []), seed)
    folder = output or next_folder(Path("runs"), _stem(scenario, variant))
    info = record(
        asked,
        folder,
        draws=draws,
        sensitivity=sensitivity,
        note=progress.note,
        solved=lambda outcome, curves: _show_stations(outcome, curves, progress, as_json),
    ).info
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
    if sensitivity:
        from lineshaft.sensitivity import told

        for line in told(info):
            print(line if line.startswith(" ") else f"\n{line}")
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
    print(f"  lineshaft explain {folder} value.enterprise_value_usd")
    print(f"  lineshaft sweep {again} --indices sobol".replace("  -", " -"))
    print(f"  lineshaft require {again} --value 9.3T".replace("  -", " -"))


def _show_stations(outcome: Outcome, curves: Curves, progress: Progress, as_json: bool) -> None:
    """The line at a glance, a stage a line."""
    from lineshaft.stations import stations

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


def _stem(scenario: str | None, variant: str | None) -> str:
    name = "gigawatt" if scenario is None else "stdin" if scenario == "-" else Path(scenario).stem
    return f"{name}-{variant}" if variant else name
