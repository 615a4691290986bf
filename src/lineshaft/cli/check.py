"""`lineshaft check`: all errors of a scenario at once."""

from __future__ import annotations

from lineshaft.cli.common import OverrideOption, ScenarioArgument, VariantOption


def check(
    scenario: ScenarioArgument = None,
    variant: VariantOption = None,
    override: OverrideOption = None,
) -> None:
    """Check a scenario and show all its errors at once, each with line, key, and fix."""
    from lineshaft.api import locate, read
    from lineshaft.errors import InputError, Problem
    from lineshaft.scenario.reading import variants

    origin = locate(scenario)
    names = [variant] if variant or origin == "-" else [None, *variants(origin)]
    problems: dict[Problem, None] = {}
    for name in names:
        try:
            read(scenario, variant=name, overrides=override or [])
        except InputError as error:
            problems.update(dict.fromkeys(error.problems))
    if problems:
        raise InputError(problems)
    more = len(names) - 1
    what = "no error" if not more else "its variant too" if more == 1 else f"{more} variants too"
    print(f"{origin if origin != '-' else 'standard input'}: ok ({what})")
