"""The Python session: read a scenario, solve it, keep the run in a folder."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from importlib import resources
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from lineshaft.characterise import Curves
    from lineshaft.line import Outcome
    from lineshaft.require import Required
    from lineshaft.runs import Run
    from lineshaft.scenario import Scenario

DEFAULT = "gigawatt"


def examples() -> tuple[str, ...]:
    """Names of the shipped scenarios."""
    folder = resources.files("lineshaft") / "examples"
    names = (p.name for p in folder.iterdir())
    return tuple(sorted(name.removesuffix(".toml") for name in names if name.endswith(".toml")))


def locate(source: str | Path | None) -> str | Path:
    """What to read for `source`: a shipped example by its name, a file, a TOML text, or "-".

    Raises InputError where it is none of them.
    """
    text = DEFAULT if source is None else str(source)
    if text == "-" or "\n" in text:
        return text
    path = Path(text)
    if text in examples() and not path.is_file():
        return Path(str(resources.files("lineshaft") / "examples" / f"{text}.toml"))
    if not path.exists():
        from lineshaft.errors import InputError, Problem
        from lineshaft.words import suggestion

        allowed = f"a TOML file, '-' for standard input, or one of {', '.join(examples())}"
        fix = suggestion(text, (*examples(), *(p.name for p in Path().glob("*.toml"))))
        fix = fix or "`lineshaft run gigawatt` runs the shipped example"
        raise InputError(Problem("", text, "no such file", allowed, fix))
    return path


def read(
    source: str | Path | None = None,
    *,
    variant: str | None = None,
    overrides: Sequence[str] = (),
) -> Scenario:
    """The checked scenario of a file, a TOML text or a shipped example (default: gigawatt).

    An override is "key.path=value". Raises InputError with all problems at once.
    """
    from lineshaft.parameters.check import cross_check
    from lineshaft.scenario import Scenario
    from lineshaft.scenario.reading import read as read_scenario

    origin = locate(source)
    found = read_scenario(origin, model=Scenario, variant=variant, overrides=list(overrides))
    if isinstance(origin, Path):
        found = found.with_trace_from(origin.parent)
    cross_check(found)
    return found


def solve(scenario: Scenario, *, draws: int = 0, seed: int | None = None) -> Outcome:
    """Characterise (from the cache where it can) and run the line. See `lineshaft.line.run`."""
    from lineshaft.characterise import characterise
    from lineshaft.line import run

    asked = seeded(scenario, seed)
    return run(asked, characterise(asked), draws=draws)


def record(
    scenario: Scenario,
    folder: Path | str,
    *,
    draws: int = 0,
    sensitivity: bool = True,
    required: Required | None = None,
    note: Callable[[str], None] = lambda text: None,
    solved: Callable[[Outcome, Curves], None] = lambda outcome, curves: None,
) -> Run:
    """The run in `folder`, with its report: written whole or not at all.

    With `sensitivity` it also says what moves the value and what one more of each scarce thing is
    worth; `required` is the way back whose scenario this is, to be shown beside it. `note` is told
    what is being done; `solved` is told the outcome before it is written. Raises RunError where
    the folder exists already or cannot be written, and what `solve` raises.
    """
    from lineshaft.balances import residuals
    from lineshaft.characterise import characterise
    from lineshaft.line import run
    from lineshaft.parameters.notes import notes
    from lineshaft.parameters.value import claim_checks
    from lineshaft.report import write_report
    from lineshaft.runs import Run, write, writing
    from lineshaft.scenario.writing import dump
    from lineshaft.stations import concerns

    with writing(Path(folder)) as part:
        started = time.perf_counter()
        curves = characterise(
            scenario,
            progress=lambda stage: note(f"characterising {stage} … (compiled once, then kept)"),
        )
        curves_s = time.perf_counter() - started
        outcome = run(
            scenario,
            curves,
            draws=draws,
            progress=lambda done, total: note(f"months and draws: {done} of {total} chunks"),
        )
        line_s = time.perf_counter() - started - curves_s
        solved(outcome, curves)
        questions: dict[str, Any] = {"required": required and required.to_dict()}
        if sensitivity:
            note("what moves the value, what one more is worth …")
            questions |= _moves(scenario, outcome, curves)
        moves_s = time.perf_counter() - started - curves_s - line_s
        write(
            part,
            outcome,
            scenario_name=scenario.name,
            scenario_text=dump(scenario),
            seed=scenario.seed,
            timings={"curves": curves_s, "line": line_s, "sensitivity": moves_s},
            curves=curves,
            checks=residuals(outcome.tables),
            notes=(*concerns(outcome.tables), *notes(scenario)),
            claims={
                claim.name: check.verdicts
                for claim, check in zip(scenario.value.claim, claim_checks(scenario), strict=True)
            },
            questions=questions,
        )
        write_report(part / "report.html", Run.read(part))
    return Run.read(folder)


def _moves(scenario: Scenario, outcome: Outcome, curves: Curves) -> dict[str, Any]:
    from lineshaft.asking import answered
    from lineshaft.confidence import confidence_share
    from lineshaft.one_more import one_more_question
    from lineshaft.sensitivity import summary, tornado_question

    moves, things = answered(tornado_question(scenario, curves), one_more_question(scenario))
    return summary(moves, things, confidence_share(scenario, outcome))


def seeded(scenario: Scenario, seed: int | None) -> Scenario:
    """The scenario with another seed; itself where `seed` is None. InputError for one below 0."""
    if seed is not None and seed < 0:
        from lineshaft.errors import InputError, Problem

        raise InputError(Problem("", "--seed", f"{seed} is below 0", "0 or more"))
    return scenario if seed is None else scenario.model_copy(update={"seed": seed})
