"""`lineshaft run`: one scenario, from watts to worth."""

from __future__ import annotations

import json
import shlex
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from lineshaft.cli.common import (
    OverrideOption,
    Progress,
    ScenarioArgument,
    SeedOption,
    VariantOption,
    again,
    stem,
)

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
    seed: SeedOption = None,
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
    """Run a scenario month by month, into a run folder with a report."""
    from lineshaft.api import read, record, seeded
    from lineshaft.kpis import named
    from lineshaft.runs import next_folder
    from lineshaft.words import aligned, paragraph

    progress = Progress()
    asked = seeded(read(scenario, variant=variant, overrides=override or []), seed)
    folder = output or next_folder(Path("runs"), stem(scenario, variant), begun=True)
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
    print(f"\n{info['scenario']}: {_counted(info['months'], 'month')} from {info['start']}", end="")
    print(f", {_counted(info['draws'], 'draw')} [p10 – p90]" if info["draws"] else "")
    rows = []
    for name in HEADLINES:
        what, kpi = named(name), info["kpis"][name]
        if kpi["value"]:
            rows.append((what.title, kpi["text"], kpi["month"] if what.window != "at once" else ""))
    for line in aligned(rows) or ["Nothing is built, served, sold or spent."]:
        print(f"  {line}")
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
            print(paragraph(f"  {verdict}", indent="    "))
    for note in info["notes"]:
        print(f"\n{paragraph(f'Note: {note}')}")
    print(f"\nReport: {report.resolve()}")
    print("\nNext:")
    same = again(scenario, variant, override or (), seed)
    if scenario == "-":
        same = [str(folder / "scenario.toml")]
    for words in _next(same, folder, info):
        print(f"  {shlex.join(['lineshaft', *words])}")


def _next(same: Sequence[str], folder: Path, info: Mapping[str, Any]) -> Iterator[list[str]]:
    """What to ask next, as words after `lineshaft`; `same` are those that ask for the scenario."""
    from lineshaft.units import format_quantity

    if not info["draws"]:
        yield ["run", *same, "--draws", "1000"]
    yield ["explain", str(folder), "value.enterprise_value_usd"]
    yield ["sweep", *same, "--indices", "sobol"]
    for target in ("value.enterprise_value_usd", "value.revenue_usd"):
        worth = info["kpis"][target]["value"] or 0.0
        if worth > 0:
            option = "--value" if target == "value.enterprise_value_usd" else "--revenue"
            yield ["require", *same, option, format_quantity(10 * worth, "USD").removeprefix("$")]
            return


def _counted(number: int, noun: str) -> str:
    return f"{number} {noun}" if number == 1 else f"{number} {noun}s"


def _show_stations(outcome: Outcome, curves: Curves, progress: Progress, as_json: bool) -> None:
    """The line at a glance, a stage a line."""
    from lineshaft.stations import stations

    made = {c.stage: c for c in curves.made}
    for station in stations(outcome.tables):
        curve = made.get(station.stage)
        spent = "cached" if curve and curve.cached else f"{curve.seconds:.2f} s" if curve else ""
        progress.line(
            f"{station.stage:8} {spent:>7}  {station.headline:58} {station.binding}".rstrip()
        )
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
