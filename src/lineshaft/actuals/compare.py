"""A run beside a log: what was planned, what happened, and what the log's gaps could explain."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from datetime import date
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from lineshaft import daa
from lineshaft.actuals.export import MARK
from lineshaft.actuals.observed import Observed, observe
from lineshaft.actuals.planned import Planned
from lineshaft.errors import InputError, Problem
from lineshaft.meter.reading import Reading
from lineshaft.runs import Run
from lineshaft.units import format_quantity
from lineshaft.words import aligned, or_none, paragraph

Array = NDArray[np.float64]
_EPOCH = date(1970, 1, 1).toordinal()
SAME = 1e-3
"""A difference below this share of the plan is none, and needs no explanation."""
CLOSE = 0.05
"""A difference below this share of the plan is not looked into."""


@dataclass(frozen=True, slots=True)
class Figure:
    """One figure of the plan and of the log."""

    name: str
    unit: str
    meaning: str
    plan: tuple[float | None, ...]
    """[month]; None where there is none."""
    actual: tuple[float | None, ...]
    plan_all: float | None
    """Over all months compared: means of days, and sums over sums."""
    actual_all: float | None
    explained: float | None
    """Share of the difference that what is missing in the log could make up, 0 to 1; None where
    there is no difference, or the log does not tell what is missing."""
    look_at: str
    """What to look at where they differ."""

    @property
    def difference(self) -> float | None:
        """Actual less plan, over the plan; None where one of them is missing, or the plan is 0."""
        if self.plan_all is None or self.actual_all is None or self.plan_all == 0:
            return None
        return (self.actual_all - self.plan_all) / abs(self.plan_all)


@dataclass(frozen=True, slots=True)
class Comparison:
    """A run beside a log."""

    run: str
    log: str
    kinds: tuple[str, ...]
    months: tuple[tuple[str, str, int, int], ...]
    """(month of the run, month of the log, days of the log in it, days of it) of each pair."""
    figures: tuple[Figure, ...]
    notes: tuple[str, ...]

    def text(self) -> str:
        """The comparison for people."""
        rows = [("", "plan", "actual", "difference", "gaps explain")]
        for f in self.figures:
            share = "" if f.explained is None else f"{100 * f.explained:.0f} %"
            rows.append(
                (f.meaning, _said(f.plan_all, f.unit), _said(f.actual_all, f.unit), _off(f), share)
            )
        lines = [f"{self.run} against {self.log}: {', '.join(self.kinds)}", ""]
        lines += [*map(paragraph, self.notes), *([""] if self.notes else [])]
        lines += [*aligned(rows), "", *self._monthly()]
        off = [f for f in self.figures if f.difference is not None and abs(f.difference) > CLOSE]
        if off:
            lines += ["", "Look at"]
            lines += [paragraph(f"  {f.meaning}: {f.look_at}", "    ") for f in off]
        return "\n".join(lines)

    def _monthly(self) -> list[str]:
        by_name = {f.name: f for f in self.figures}
        shown = [by_name[name] for name in ("daa_b", "accepted_per_day")]
        rows = [("", *(x for f in shown for x in (f"plan: {f.unit}", "actual")))]
        for i, (planned, real, _, _) in enumerate(self.months):
            label = planned if planned == real else f"{planned} / {real}"
            cells = [_said(v, f.unit) for f in shown for v in (f.plan[i], f.actual[i])]
            rows.append((label, *cells))
        return aligned(rows)

    def to_dict(self) -> dict[str, Any]:
        """Plain data; None for what there is not."""
        plain = asdict(self)
        for figure, row in zip(self.figures, plain["figures"], strict=True):
            row["difference"] = figure.difference
        return plain


def compare(
    run: Run | Path | str,
    reading: Reading,
    *,
    kinds: Sequence[str] | None = None,
    outcomes: Path | str | None = None,
    tasks: Observed | None = None,
) -> Comparison:
    """The median case of a run beside a log, in the months that both have.

    Where they have none in common, months are paired from the start of each, and a note says so.
    `kinds` are the run's kinds of work that the log is of; by default all that have agents. `tasks`
    are the log's tasks for shares of success, rejection and escape; by default they are read from
    the log, where it is a log of events, with the table of `outcomes` that the reading was given.
    A log that `export` made of a run at a scale is counted at that scale. Raises RunError where
    there is no run, InputError where the log has no days.
    """
    run = run if isinstance(run, Run) else Run.read(run)
    if not reading.measures.days:
        raise InputError(Problem(reading.path, "", "the log has no days to compare"))
    plan = Planned.of(run, kinds)
    scale = _scale(Path(reading.path))
    months, notes = _pairs(plan, reading, scale is not None)
    plan = plan.chosen([plan.months.index(pair[0]) for pair in months])
    if scale not in (None, 1.0):
        notes.append(f"The log is made of a run, one for {scale:,g}: its counts are multiplied.")
    actual = _Actual(reading, [pair[1] for pair in months], [p[2] for p in months], scale or 1.0)
    figures = [*_figures(plan, actual, reading)]
    if tasks is None:
        try:
            tasks = observe(
                reading.path, reading.definition, outcomes=outcomes, as_of_us=reading.as_of_us
            )
        except (InputError, OSError):
            notes.append("The log's tasks are not there to read: no shares of success and escape.")
    if tasks is not None and len(tasks.kind):
        figures += _shares(plan, tasks)
        if len(months) < len(set(actual.labels)):
            notes.append("Shares of success, rejection and escape are of the whole log.")
    return Comparison(
        run.folder.name, reading.path, plan.kinds, tuple(months), tuple(figures), tuple(notes)
    )


def _scale(path: Path) -> float | None:
    """Agents for one of a log that was made of a run; None for a real log."""
    try:
        found = json.loads((path / MARK).read_text("utf-8"))
    except (OSError, ValueError):
        return None
    return float(found["scale"])


def _pairs(
    plan: Planned, reading: Reading, made: bool
) -> tuple[list[tuple[str, str, int, int]], list[str]]:
    """(month of the run, of the log, days of the log in it, days of it), and what to say of it."""
    m = reading.measures
    days = [date.fromordinal(_EPOCH + m.first_day + i) for i in range(m.days)]
    counts: dict[str, int] = {}
    for day in days:
        counts[f"{day:%Y-%m}"] = counts.get(f"{day:%Y-%m}", 0) + 1
    full = {month: int(n) for month, n in zip(plan.months, plan.days, strict=True)}
    both = [month for month in plan.months if month in counts]
    pairs = [(month, month) for month in both]
    notes = []
    if not both:
        pairs = list(zip(plan.months, counts, strict=False))
        notes.append(
            f"The run ({plan.months[0]} to {plan.months[-1]}) and the log ({min(counts)} to "
            f"{max(counts)}) have no month in common: months since the start of each are compared."
        )
    # of a log made of a run, days without an agent are days all the same
    found = [(a, b, full[a] if made else counts[b], full[a]) for a, b in pairs]
    part = [b for a, b, n, of in found if a == b and n < of]
    if part:
        notes.append(f"The log has only some days of {', '.join(part)}: means are over those.")
    provisional = sum(status != "final" for status in reading.status)
    if provisional:
        notes.append(f"{provisional:,} days of the log are provisional: later events may follow.")
    return found, notes


class _Actual:
    """Sums of the log over the months compared."""

    def __init__(
        self, reading: Reading, months: Sequence[str], days: Sequence[int], scale: float
    ) -> None:
        m = reading.measures
        self.labels = labels = [
            f"{date.fromordinal(_EPOCH + m.first_day + i):%Y-%m}" for i in range(m.days)
        ]
        place = {month: k for k, month in enumerate(months)}
        self.month = np.array([place.get(label, -1) for label in labels])
        self.days, self.scale, self.size = np.array(days, float), scale, len(months)
        self.measures = m

    def sum(self, daily: NDArray[Any]) -> Array:
        """[month] sums of a daily figure, counts of a run's model at its size."""
        inside = self.month >= 0
        counts = np.bincount(self.month[inside], np.asarray(daily)[inside], minlength=self.size)
        found: Array = counts.astype(np.float64) * self.scale
        return found


def _figures(plan: Planned, actual: _Actual, reading: Reading) -> list[Figure]:
    a, b, c = reading.measures.grades
    m, cover, wage = reading.measures, reading.coverage, reading.definition.wage_usd_per_h

    def planned(array: Array) -> Array:
        total: Array = array.sum(axis=1)
        return total

    def gap(stated: int) -> float:
        """What a sum would be if the tasks that state nothing were as those that do, over it."""
        return cover.accepted / stated if stated else np.nan

    days_p, days_a = plan.days, actual.days
    accepted_p, accepted_a = planned(plan.counted), actual.sum(b.accepted)
    daa_p = planned(plan.daa_b) * days_p
    daa_a = actual.sum(b.active)
    human_p, human_a = planned(plan.human_min), actual.sum(m.human_s) / 60.0
    direct_p = planned(plan.direct_usd + plan.escape_usd)
    direct_a = actual.sum(m.cost_usd)
    equiv_p = planned(plan.counted * plan.human_equiv_min)
    equiv_a = actual.sum(b.human_equiv_min)
    hard_p, hard_a = planned(plan.by_human + plan.by_verifier), actual.sum(a.accepted)
    worth_p = planned(plan.counted * plan.price_usd)
    tokens_a = actual.sum(m.tokens_in + m.tokens_out)
    nothing = np.full(len(days_a), np.nan)
    has_human = cover.with_human_time > 0 or m.human_s.any()
    has_cost = cover.with_cost > 0 or m.cost_usd.any()
    human_a = human_a if has_human else nothing
    cost_p, cost_a, cost_of = direct_p, direct_a if has_cost else nothing, "direct cost"
    if wage is not None:
        cost_p, cost_of = direct_p + planned(plan.human_usd), "cost with human time"
        cost_a = (np.nan_to_num(cost_a) if has_human else cost_a) + human_a * wage / 60.0
    agents = "agents.kind: market_tasks_per_day, adoption, seats; oversee.policy: shape"
    work = "agents.kind: market_tasks_per_day, deployment, attempts; oversee.role: headcount"
    money = "serve: prices; agents.kind: tokens_per_attempt; oversee.role: headcount and wage, idle"
    money += " time too"
    return [
        _figure("daa_b", "agent", "daily active agents, B", daa_p, daa_a, days_p, days_a, agents,
                actual.sum(c.active)),
        _figure("daa_a", "agent", "daily active agents, A", planned(plan.daa_a) * days_p,
                actual.sum(a.active), days_p, days_a, f"oversee.policy: verified; {agents}",
                actual.sum(c.active)),
        _figure("accepted_per_day", "task/day", "accepted tasks a day", accepted_p, accepted_a,
                days_p, days_a, work, actual.sum(c.accepted)),
        _figure("tasks_per_agent", "task/agent/day", "accepted tasks per DAA (TPA)", accepted_p,
                accepted_a, daa_p, daa_a, "agents.kind: seats, hours_per_day; oversee.policy: shape"
                "; one agent split into many in the log"),
        _figure("hard_share", "1", "accepted by a human or a verifier", hard_p, hard_a,
                accepted_p, accepted_a, "agents.kind: verified; oversee.policy: share"),
        _figure("tokens_per_task", "token/task", "tokens per accepted task",
                planned(plan.tokens_in + plan.tokens_out), tokens_a if tokens_a.any() else nothing,
                accepted_p, accepted_a, "agents.kind: tokens_per_attempt, attempts, deployment"),
        _figure("cost_usd_per_task", "USD/task", f"{cost_of} per accepted task", cost_p, cost_a,
                accepted_p, accepted_a, money, cost_a * gap(cover.with_cost)),
        _figure("human_min_per_task", "min/task", "human minutes per accepted task (OM)", human_p,
                human_a, accepted_p, accepted_a,
                "agents.kind: review_minutes, steer_minutes; oversee.policy: share, minutes",
                human_a * gap(cover.with_human_time)),
        _autonomy(human_p, equiv_p, human_a, equiv_a if cover.with_human_equiv else nothing),
        _figure("value_usd_per_task", "USD/task", "value per accepted task", worth_p,
                actual.sum(b.value_usd) if cover.with_value else nothing, accepted_p, accepted_a,
                "agents.kind: price_usd; a price paid is not a declared value",
                actual.sum(b.value_usd) * gap(cover.with_value)),
    ]  # fmt: skip


def _figure(
    name: str,
    unit: str,
    meaning: str,
    plan_top: Array,
    actual_top: Array,
    plan_bottom: Array,
    actual_bottom: Array,
    look_at: str,
    complete_top: Array | None = None,
) -> Figure:
    """A ratio of sums; `complete_top` is the log's sum if it said all that it may have left out."""
    plan, actual = _ratio(plan_top, plan_bottom), _ratio(actual_top, actual_bottom)
    explained = None
    if complete_top is not None:
        explained = _explained(plan, actual, _ratio(complete_top, actual_bottom))
    return Figure(
        name,
        unit,
        meaning,
        _plain(daa.tasks_per_agent(plan_top, plan_bottom)),
        _plain(daa.tasks_per_agent(actual_top, actual_bottom)),
        or_none(plan),
        or_none(actual),
        explained,
        look_at,
    )


def _ratio(top: Any, bottom: Any) -> float:
    """Ratio of the sums, NaN where the lower one is 0."""
    return float(daa.tasks_per_agent(top.sum(), bottom.sum()))


def _autonomy(human_p: Array, equiv_p: Array, human_a: Array, equiv_a: Array) -> Figure:
    return Figure(
        "autonomy_of_time",
        "1",
        "autonomy of time (A_t)",
        _plain(daa.autonomy_of_time(human_p, equiv_p)),
        _plain(daa.autonomy_of_time(human_a, equiv_a)),
        or_none(float(daa.autonomy_of_time(human_p.sum(), equiv_p.sum()))),
        or_none(float(daa.autonomy_of_time(human_a.sum(), equiv_a.sum()))),
        None,
        "agents.kind: human_minutes, review_minutes, steer_minutes; oversee.policy: share",
    )


def _shares(plan: Planned, tasks: Observed) -> list[Figure]:
    """Success, rejection and escape: over the months of the plan, and over the whole log."""
    judged = tasks.reviewed & (tasks.accepted | tasks.rejected)
    ended = tasks.submitted
    rows = (
        ("success", "tasks finished, of those begun", plan.finished, plan.attempted,
         ended & ~tasks.failed, ended, tasks.failed.any(), "agents.kind: deployment, attempts"),
        ("rejected_share", "tasks rejected, of those reviewed", plan.rejected, plan.reviewed,
         judged & tasks.rejected, judged, judged.any(),
         "agents.kind: deployment; oversee.policy: detection"),
        ("rework_share", "rejected tasks that come back", plan.rework, plan.rejected,
         tasks.returned, tasks.rejected, tasks.rejected.any(), "oversee.policy: rework"),
        ("escaped_share", "accepted tasks found wrong later", plan.escaped, plan.accepted,
         tasks.reverted, tasks.accepted | tasks.reverted, tasks.reverted.any(),
         "oversee.policy: detection, share; what nobody found is not in the log"),
    )  # fmt: skip
    found = []
    for name, meaning, top, bottom, so, of, shown, look_at in rows:
        planned = _ratio(top, bottom)
        actual = _ratio(so, of) if shown else np.nan
        by_month = _plain(daa.tasks_per_agent(top.sum(axis=1), bottom.sum(axis=1)))
        none = (None,) * len(by_month)
        found.append(
            Figure(
                name, "1", meaning, by_month, none, or_none(planned), or_none(actual), None, look_at
            )
        )
    return found


def _explained(plan: float, actual: float, complete: float) -> float | None:
    """Share of the way from the log's figure to the plan's that the complete one would go."""
    if not np.isfinite([plan, actual, complete]).all():
        return None
    if abs(plan - actual) <= SAME * abs(plan) or plan == actual:
        return None
    return min(max((complete - actual) / (plan - actual), 0.0), 1.0)


def _plain(values: Array) -> tuple[float | None, ...]:
    return tuple(or_none(float(v)) for v in np.atleast_1d(values))


def _said(value: float | None, unit: str) -> str:
    return "not stated" if value is None else format_quantity(value, unit)


def _off(figure: Figure) -> str:
    if figure.difference is None:
        return ""
    return f"{100 * figure.difference:+.1f} %" if abs(figure.difference) < 10 else "over 10 times"
