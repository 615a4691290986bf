"""Answers for people: aligned lines of three significant figures."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING

import numpy as np

from lineshaft.units import format_quantity
from lineshaft.words import aligned, paragraph

if TYPE_CHECKING:
    from lineshaft.oversee.asked import Asked
    from lineshaft.oversee.desk import Case, Simulated
    from lineshaft.oversee.limits import Ceiling
    from lineshaft.oversee.staffing import Staffing
    from lineshaft.stages.oversee.plans import Flow, Plan


def staffing_lines(found: Staffing) -> Iterator[str]:
    """How many reviewers, why, and what it rests on."""
    a, out = found.asked, found.outcome
    yield (
        f"{found.daa:,.0f} daily active agents with {a.tasks_per_agent:g} accepted tasks a day: "
        f"{found.on_duty:,} reviewers on duty, {found.payroll_whole:,} on the payroll"
    )
    yield ""
    reviews = f"{_number(found.reviews_per_h)} an hour, {_hours(a)}: {found.load:,.1f} people busy"
    slack = f"{found.square_root:,.1f} by square-root staffing"
    on_duty = f"{found.formula:,} by Erlang's formula, {slack}, {found.on_duty:,} simulated"
    mean = _s(out.mean_wait_s().mean)
    waits = f"{found.within:.1%} within {_s(a.wait_s)} (asked {a.share:.0%}), mean {mean}"
    some = [
        ("on duty", on_duty),
        ("waits", waits),
        ("busy", f"{out.utilisation.mean:.0%} of the time on duty, overtime counted"),
    ]
    cost = f"{_usd(found.usd_per_month)} a month, {_usd(found.usd_per_task)} per accepted task"
    yield from _indented(
        [
            *_plan_rows(a, found.plan, found.each),
            ("finished", f"{_number(found.finished_per_day)} tasks a day"),
            ("reviews", reviews),
            *(some if found.on_duty else []),
            ("binds", found.binds),
            ("cost", cost),
        ]
    )
    yield from _assumed(found.assumed())


def ceiling_lines(found: Ceiling) -> Iterator[str]:
    """The highest DAA, what one more is worth, what moves it."""
    a = found.asked
    yield (
        f"{found.reviewers:,.0f} reviewers allow {_number(found.daa)} daily active agents with "
        f"{a.tasks_per_agent:g} accepted tasks a day"
    )
    yield ""
    yield from _indented(
        [
            ("on duty", f"{found.on_duty:,.1f}, {_hours(a)}"),
            *_plan_rows(a, found.plan, found.each),
            (
                "ceiling",
                (
                    f"{_number(found.daa)} simulated, {_number(found.formula_daa)} by Erlang's "
                    f"formula, {_number(found.minutes_daa)} if waits did not matter"
                ),
            ),
            ("binds", found.binds),
            ("busy", f"{found.outcome.utilisation.mean:.0%} of the time on duty"),
            (
                "one more",
                (
                    f"{_number(found.more_daa)} DAA, {_number(found.more_tasks_per_month)} tasks a "
                    f"month, worth {_usd(found.more_usd_per_month)} a month above his wage of "
                    f"{_usd(a.reviewer_usd_per_month)}"
                ),
            ),
            (
                "a minute",
                (
                    f"{_usd(found.shadow_usd_per_min)} above its wage (shadow price), "
                    f"{found.daa_per_min:.3g} DAA if there is one more every day"
                ),
            ),
        ]
    )
    yield ""
    yield "  What a tenth of it would do:"
    rows = [(one.name, one.change, f"{one.gain:+.1%}", _number(one.daa)) for one in found.levers]
    yield from _indented(rows, (0, 1), "    ")
    stated = "stated" if a.value is not None else f"{a.task_min:g} human minutes at the wage"
    yield ""
    yield f"  An accepted task is worth {_usd(a.value_usd)} ({stated})."
    yield from _assumed(found.assumed())


def simulated_lines(found: Simulated) -> Iterator[str]:
    """The desk, case beside case."""
    a, now = found.asked, found.cases[0]
    yield (
        f"{now.on_duty:,} reviewers on duty, {_number(now.finished_per_day)} finished tasks a day, "
        f"{_hours(a)}"
    )
    if found.ai_share is not None:
        yield (
            f"AI writes {found.ai_share:.0%} of the work instead of {found.ai_share_now:.0%}, "
            f"people as much as before: {found.more:.3g} times the work"
        )
    yield ""
    yield from _indented([*_plan_rows(a, now.plan, now.each)])
    yield ""
    columns = [_case_rows(case) for case in found.cases]
    head = ("", *(case.name for case in found.cases)) if len(columns) > 1 else ()
    rows = [(first[0], *(column[k][1] for column in columns)) for k, first in enumerate(columns[0])]
    yield from _indented([head, *rows] if head else rows)
    if now.outcome.count("planted").sum():
        seen, low, high = now.outcome.detection()
        yield ""
        yield (
            f"  Planted defects: {seen:.1%} of {now.outcome.count('planted').sum():,} found "
            f"[{low:.1%} to {high:.1%}]; the reviewers' detection as stated is {a.detection:.0%}"
        )
    full = [case for case in found.cases if case.load >= 1]
    if full:
        days = full[0].outcome.measured_s / (24.0 / full[0].per_day * a.day_s)
        yield ""
        yield paragraph(
            "  At a load of 100 % or more the queue grows as long as it lasts: waits are those of "
            f"the {days:.0f} days with work simulated, of those who still wait until the end."
        )
    yield from _assumed(found.assumed())


def _case_rows(case: Case) -> list[tuple[str, str]]:
    out = case.outcome
    rows = [
        ("on duty", f"{case.on_duty:,}"),
        ("tasks a day", _number(case.finished_per_day)),
        ("reviewed", f"{case.plan.reviewed:.1%}"),
        ("load", f"{case.load:.0%}"),
        ("busy", f"{out.utilisation.mean:.0%}"),
    ]
    for name, k in case.classes():
        word = "" if k is None else f", {name}"
        rows += [
            (f"wait, mean{word}", _s(out.mean_wait_s(k).mean)),
            (f"wait, 95 %{word}", _s(out.wait_quantile_s(0.95, k).mean)),
        ]
    rows += [
        (f"within {_s(case.asked.wait_s)}", f"{out.within(case.asked.wait_s).mean:.1%}"),
        ("abandoned", f"{out.share('abandoned').mean:.1%}"),
        ("expired", f"{out.share('expired').mean:.1%}"),
        ("accepted a day", _number(case.accepted_per_day)),
        ("escaped a day", _number(case.escaped_per_day)),
        ("of what goes out", f"{out.outgoing.mean:.2%}"),
        ("wages a day", _usd(case.wages_usd_per_day)),
    ]
    if case.asked.loss:
        rows.append(("losses a day", _usd(case.loss_usd_per_day)))
    return rows


def _plan_rows(a: Asked, plan: Plan, each: Flow) -> Iterator[tuple[str, str]]:
    long_run = f"; {plan.reviewed:.1%} in the long run" if plan.kind in ("csp1", "lots") else ""
    yield ("reviewed", f"{plan}{long_run}")
    if a.irreversible:
        yield ("", f"and {a.irreversible:.2%} of the tasks always: they cannot be undone")
    if a.aoql is not None:
        yield (
            "goes out",
            (
                f"{plan.outgoing:.2%} defective at {a.defects:.1%}; at most {a.aoql:.2%} up to "
                f"{plan.holds_to:.1%} defects"
            ),
        )
        limit = a.aoql / (1 - a.detection * (1 - a.bias)) if a.detection < 1 else np.inf
        if limit < 1:
            yield (
                "",
                f"above {limit:.1%} defects no sampling holds it, everything reviewed or not",
            )
    else:
        yield ("goes out", f"{each.outgoing:.2%} defective at {a.defects:.1%}")


def _assumed(rows: Sequence[dict[str, str]]) -> Iterator[str]:
    if not rows:
        return
    yield ""
    yield "Assumed where nothing was said, with confidence:"
    for row in rows:
        yield paragraph(f"  {row['what']}: {row['confidence']}; {row['source']}", "    ")


def _hours(a: Asked) -> str:
    if a.hours_a_week == 168:
        return "around the clock"
    return f"{a.hours_a_day} hours a day, {a.day[2]} days a week"


def _indented(
    rows: Sequence[Sequence[str]], left: Sequence[int] | None = None, by: str = "  "
) -> Iterator[str]:
    two = all(len(row) == 2 for row in rows)
    yield from (by + line for line in aligned(rows, left or ((0, 1) if two else (0,))))


def _number(value: float) -> str:
    return f"{value:,.0f}" if value >= 100 else f"{value:.3g}"


def _s(seconds: float) -> str:
    return format_quantity(seconds, "s") if np.isfinite(seconds) else "-"


def _usd(value: float) -> str:
    return format_quantity(value, "USD")
