"""`lineshaft require`: the line from right to left."""

from __future__ import annotations

import json
import shlex
from pathlib import Path
from typing import Annotated

import typer

from lineshaft.cli.common import OverrideOption, Progress, ScenarioArgument, VariantOption, again


def require(
    scenario: ScenarioArgument = None,
    value: Annotated[
        str | None, typer.Option("--value", metavar="USD", help="A worth, such as 9.3T.")
    ] = None,
    revenue: Annotated[
        str | None, typer.Option("--revenue", metavar="USD", help="Revenue of twelve months.")
    ] = None,
    daa: Annotated[
        str | None, typer.Option("--daa", metavar="AGENTS", help="Daily active agents.")
    ] = None,
    by: Annotated[
        str | None, typer.Option("--by", help="Year or month of the revenue or the agents.")
    ] = None,
    share: Annotated[
        list[str] | None,
        typer.Option("--share", metavar="POOL=SHARE", help="What one firm may take of a pool."),
    ] = None,
    variant: VariantOption = None,
    override: OverrideOption = None,
    output: Annotated[
        Path | None, typer.Option("-o", "--output", help="Write the scenario that it takes.")
    ] = None,
    run: Annotated[
        Path | None,
        typer.Option("--run", help="Run that scenario forward into this folder, with a report."),
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="One JSON object on stdout.")] = False,
) -> None:
    """What must be true for a worth, a revenue or so many agents, joint by joint and year by year.

    Exactly one of --value, --revenue and --daa. The scenario is scaled until its forward run gives
    the target; every joint is compared with what supply can reach.
    """
    from lineshaft.api import read, record
    from lineshaft.errors import RunError
    from lineshaft.require import require as ask
    from lineshaft.require import write
    from lineshaft.require.write import free

    if output is not None:
        free(output)
    if run is not None and run.exists():
        raise RunError(f"{run} exists; choose another folder with --run, or remove it first")
    progress = Progress()
    found = ask(
        read(scenario, variant=variant, overrides=override or []),
        value_usd=value,
        revenue_usd=revenue,
        daa=daa,
        by=by,
        shares=_shares(share or []),
        progress=lambda text: progress.note(f"{text} …"),
    )
    if output is not None:
        progress.line(f"Scenario: {write(found, output)}")
    if run is not None:
        record(found.scenario, run, sensitivity=False, required=found, note=progress.note)
        progress.line(f"Report: {(run / 'report.html').resolve()}")
    if as_json:
        print(json.dumps(found.to_dict(), allow_nan=False))
        return
    progress.line("")
    print(found.text())
    print("\nNext:")
    same = ["require", *again(scenario, variant, override or ())]
    asked = {"--value": value, "--revenue": revenue, "--daa": daa, "--by": by}
    same += [word for name, text in asked.items() if text for word in (name, text)]
    same += [word for text in share or () for word in ("--share", text)]
    steps = [["run", str(output)] if output else [*same, "-o", "required.toml"]]
    steps += [] if run else [[*same, "--run", "runs/required"]]
    for words in (*steps, ["catalog", "pools"]):
        print(f"  {shlex.join(['lineshaft', *words])}")


def _shares(texts: list[str]) -> dict[str, float]:
    """Shares by pool of "packages=40 %" and the like; InputError with all that are none."""
    from lineshaft.errors import InputError, Problem
    from lineshaft.units import QuantityError, parse

    found, problems = {}, []
    for text in texts:
        name, equals, share = text.partition("=")
        try:
            if not equals:
                raise QuantityError(f"{text!r} gives no share")
            found[name.strip()] = parse(share, "1")
        except QuantityError as error:
            allowed = "POOL=SHARE, for example packages=40%"
            problems.append(Problem("", "--share", error.found, allowed, error.fix))
    if problems:
        raise InputError(problems)
    return found
