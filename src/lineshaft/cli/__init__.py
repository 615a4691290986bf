"""The command line: one module per verb. Data on stdout, messages and progress on stderr.

Exit status 0: done; 1: a check failed; 2: bad input.
"""

from __future__ import annotations

import io
import os
import sys
from collections.abc import Sequence
from contextlib import suppress

import typer

from lineshaft import __version__
from lineshaft.cli import (
    catalog,
    check,
    claims,
    compare,
    explain,
    meter,
    oversee,
    report,
    require,
    run,
    schema,
    serve,
    sweep,
    validate,
)

HELP = """Plans, simulates and meters the AI factory, from watts to worth.

\b
  lineshaft run                              the shipped gigawatt example
  lineshaft run my.toml --draws 1000         with quantiles of every headline figure
  lineshaft run --set serve.trace=trace.csv  with the shape of your own requests
  lineshaft explain RUN oversee.daa          where a number comes from
  lineshaft compare RUN RUN                  what moved the value
  lineshaft require --value 9.3T             from worth back to watts
  lineshaft sweep --vary value.wacc=8%,12%   many scenarios, one table
  lineshaft validate                         model against measured
  lineshaft claims                           what is said, and what the runs say to it
  lineshaft check my.toml                    all errors of a scenario at once
  lineshaft catalog accelerators             the facts, each with its source
  lineshaft serve plan --model … --slo …     the cheapest deployment for a service level
  lineshaft oversee staff --daa 10000 …      how many humans a fleet of agents needs
  lineshaft meter report LOG                 daily active agents in a log of your own
"""

app = typer.Typer(
    help=HELP,
    no_args_is_help=True,
    add_completion=False,
    rich_markup_mode=None,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)
app.command("run")(run.run)
app.command("report")(report.report)
app.command("explain")(explain.explain)
app.command("compare")(compare.compare)
app.command("require")(require.require)
app.command("sweep")(sweep.sweep)
app.command("validate")(validate.validate)
app.command("claims")(claims.claims)
app.command("check")(check.check)
app.command("catalog")(catalog.catalog)
app.command("schema")(schema.schema)
app.add_typer(serve.app, name="serve")
app.add_typer(oversee.app, name="oversee")
app.add_typer(meter.app, name="meter")


@app.callback(invoke_without_command=True)
def _options(version: bool = typer.Option(False, "--version", help="Print the version.")) -> None:
    if version:
        print(f"lineshaft {__version__}")
        raise typer.Exit


def main(arguments: Sequence[str] | None = None) -> None:
    """Run the command line. Input and run errors are told without a traceback, with status 2."""
    from lineshaft.errors import ConservationError, InputError, RunError

    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):  # a terminal may know fewer letters than names do
            stream.reconfigure(errors="replace")
    try:
        try:
            app(list(arguments) if arguments is not None else None, prog_name="lineshaft")
        finally:
            sys.stdout.flush()
    except SystemExit as end:  # typer ends with it after an interrupt and a closed pipe too
        if _met(end, KeyboardInterrupt):
            print("\nlineshaft: stopped; nothing half-written was kept", file=sys.stderr)
        if _met(end, BrokenPipeError):
            sys.exit(0)
        raise
    except InputError as error:
        count = len(error.problems)
        print(error, file=sys.stderr)
        print(f"\n{count} problem{'s' if count > 1 else ''} found", file=sys.stderr)
        sys.exit(2)
    except RunError as error:
        print(f"lineshaft: {error}", file=sys.stderr)
        sys.exit(2)
    except ConservationError as error:
        print(f"lineshaft: {error}", file=sys.stderr)
        print(
            "This is a fault of lineshaft, not of the scenario: please report it.", file=sys.stderr
        )
        sys.exit(1)
    except BrokenPipeError:  # nobody reads on, as with `| head`
        _close_output()
        sys.exit(0)
    except OSError as error:
        where = f"{error.filename}: " if error.filename else ""
        print(f"lineshaft: {where}{error.strerror or error}", file=sys.stderr)
        _close_output()
        sys.exit(2)


def _met(error: BaseException | None, kind: type[BaseException]) -> bool:
    """Whether the error, or what it was raised for, is of that kind."""
    while error is not None and not isinstance(error, kind):
        error = error.__cause__ or (None if error.__suppress_context__ else error.__context__)
    return error is not None


def _close_output() -> None:
    """Forget what could not be written, or Python would try and complain again when it ends."""
    with suppress(OSError, ValueError):
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
