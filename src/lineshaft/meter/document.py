"""The report as plain data: what `lineshaft meter report --json` prints, and the page shows.

Shares lie in 0 to 1, times are ISO 8601 in UTC, days are local days of the definition's zone. What
a log does not state is null, and not 0. `docs/meter/report.md` names every key.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, date, datetime
from typing import Any

import numpy as np
from numpy.typing import NDArray

from lineshaft import daa
from lineshaft.errors import InputError, Problem
from lineshaft.meter.definition import STANDARD
from lineshaft.meter.events import FAULTS
from lineshaft.meter.measures import Grade
from lineshaft.meter.reading import Reading
from lineshaft.words import or_none

Floats = NDArray[np.float64]

LETTERS = ("a", "b", "c")
FLOWS = ("new", "retained", "reactivated", "resurrected", "lost", "dormant")
COVERED = ("method", "value", "human_equiv", "cost", "human_time")
RETAINED = (1, 7, 28)
"""The n of R(n) that a summary tells."""
EVERY_DAY = 28
"""Up to here retention is told for every n, from here on for every seventh."""
EPOCH = date(1970, 1, 1).toordinal()


def document(
    reading: Reading, first: date | None = None, last: date | None = None
) -> dict[str, Any]:
    """The DAA/1 report of a reading, ready for `json.dumps`.

    `first` and `last` are the first and last day to tell; everything is still measured on the
    whole log, and retention, L28 and the eDAA of all days stay those of the whole log.
    InputError where `last` lies before `first`, or no day of the log between them.
    """
    days = _days(reading)
    span = _span(reading, first, last)
    told = days[span]
    closed = [day for day in told if day["status"] == "final"]
    return {
        "standard": STANDARD,
        "definition": reading.definition.to_dict(),
        "zone": reading.definition.zone,
        "as_of": moment(reading.as_of_us) if reading.as_of_us else None,
        "log": _log(reading),
        "summary": {
            "basis": "closed" if closed else "all",
            "closed": _summary(reading, closed),
            "all": _summary(reading, told),
            "retention": {f"r{n}": _retained(reading, n) for n in RETAINED},
            "value_basis": reading.definition.value_basis,
            "wage_usd_per_h": reading.definition.wage_usd_per_h,
            "cost_parts": _cost_parts(reading),
        },
        "days": told,
        "l28": _active_days(reading),
        "retention": _retention(reading),
        "kinds": _kinds(told),
        "completeness": _completeness(reading),
        "faults": _faults(reading),
        "restatements": _restatements(reading),
        "assumed": list(reading.assumed),
    }


def day_name(day: int) -> str:
    """The ISO date of a day number (days since 1970-01-01)."""
    return date.fromordinal(EPOCH + day).isoformat()


def moment(us: int) -> str:
    """ISO 8601 of microseconds UTC, to the second."""
    return datetime.fromtimestamp(us // 1_000_000, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def plain(value: Any) -> float | None:
    """A number for JSON: null for NaN and infinity."""
    return or_none(float(value))


def _log(reading: Reading) -> dict[str, Any]:
    embodied = int(np.count_nonzero(reading.agents.embodied))
    empty = not reading.events
    return {
        "path": reading.path,
        "received": reading.received,
        "events": reading.events,
        "sources": dict(sorted(reading.sources.items())),
        "agents": len(reading.agents.agent_id),
        "software": len(reading.agents.agent_id) - embodied,
        "embodied": embodied,
        "first": None if empty else moment(reading.first_us),
        "last": None if empty else moment(reading.last_us),
    }


def _span(reading: Reading, first: date | None, last: date | None) -> slice:
    """The places of the days from `first` to `last`."""
    if first and last and last < first:
        raise InputError(Problem("", "--to", f"{last}", f"a day from {first} on"))
    start, count = reading.measures.first_day, reading.measures.days
    low = 0 if first is None else max(first.toordinal() - EPOCH - start, 0)
    high = count if last is None else min(last.toordinal() - EPOCH - start + 1, count)
    if count and high <= low:
        known = f"{day_name(start)} to {day_name(start + count - 1)}"
        asked = f"{first or 'the beginning'} to {last or 'the end'}"
        raise InputError(Problem("", "days", asked, f"days of the log: {known}"))
    return slice(low, high)


def _value(reading: Reading, grade: Grade) -> Floats:
    """[day] value of the accepted tasks; NaN where tasks were accepted and none states any."""
    wage = reading.definition.wage_usd_per_h
    if reading.definition.value_basis == "wage" and wage is not None:
        return _stated(grade.human_equiv_min, grade.unmeasured, grade.accepted) * wage / 60.0
    return _stated(grade.value_usd, grade.unvalued, grade.accepted)


def _stated(total: Floats, unstated: NDArray[np.int64], accepted: NDArray[np.int64]) -> Floats:
    """The sums; NaN where not one of a day's tasks states its part, or none of the log."""
    nothing = (accepted > 0) & (unstated >= accepted)
    never = accepted.any() and bool(nothing[accepted > 0].all())
    return np.where(nothing | never, np.nan, np.asarray(total, np.float64))


def _cost_parts(reading: Reading) -> list[str]:
    """What cost per accepted task is made of: what some event states."""
    m, c = reading.measures, reading.coverage
    parts = []
    if c.with_cost or np.any(m.cost_usd):
        parts.append("direct")
    if c.with_human_time or np.any(m.human_s):
        parts.append("human")
    return parts


def _effort(reading: Reading) -> tuple[Floats, Floats, Floats]:
    """[day] direct cost, human minutes, and cost with the human minutes at their wage; NaN for
    what no event of the log states."""
    m, parts = reading.measures, _cost_parts(reading)
    nothing = np.full(m.days, np.nan)
    direct = np.asarray(m.cost_usd, np.float64) if "direct" in parts else nothing
    minutes = np.asarray(m.human_s, np.float64) / 60.0 if "human" in parts else nothing
    wage = reading.definition.wage_usd_per_h
    if not parts or (wage is None and "human" in parts):
        return direct, minutes, nothing
    full = np.nan_to_num(direct) + np.nan_to_num(minutes) * (wage or 0.0) / 60.0
    return direct, minutes, full


def _days(reading: Reading) -> list[dict[str, Any]]:
    """Every day of the log; figures without a grade are those of grade B."""
    m, b = reading.measures, reading.measures.grades[1]
    if not m.days:
        return []
    direct, minutes, full = _effort(reading)
    value = _value(reading, b)
    equivalent = _stated(b.human_equiv_min, b.unmeasured, b.accepted)
    columns: dict[str, Sequence[Any] | NDArray[Any]] = {
        "day": [day_name(m.first_day + i) for i in range(m.days)],
        "status": reading.status,
    }
    for figure, name in (("daa", "active"), ("waa", "week"), ("maa", "month")):
        for letter, grade in zip(LETTERS, m.grades, strict=True):
            columns[f"{figure}_{letter}"] = getattr(grade, name)
    for letter, row in zip(LETTERS, reading.closed, strict=True):
        columns[f"closed_{letter}"] = np.where(row < 0, np.nan, row)
    for letter, grade in zip(LETTERS, m.grades, strict=True):
        columns[f"embodied_{letter}"] = grade.embodied
        columns[f"accepted_{letter}"] = grade.accepted
    columns |= {name: getattr(b, name) for name in FLOWS}
    columns |= {
        "seen": m.seen,
        "events": m.events,
        "accepted": b.accepted,
        "untouched": b.untouched,
        "tpa": daa.tasks_per_agent(b.accepted, b.active),
        "autonomy": daa.autonomy(b.untouched, b.accepted),
        "autonomy_of_time": daa.autonomy_of_time(minutes, equivalent),
        "human_min": minutes,
        "human_min_per_task": daa.oversight_minutes_per_task(minutes, 0, 0, 0, b.accepted),
        "human_equiv_min": equivalent,
        "leverage": daa.leverage(equivalent, minutes),
        "fte_eq": daa.fte_equivalent(equivalent),
        "direct_cost_usd": direct,
        "cost_usd": full,
        "cost_per_task_usd": daa.cost_per_accepted_task(full, 0, 0, 0, b.accepted),
        "value_usd": value,
        "value_per_daa_usd": daa.value_per_daa(value, b.active),
        "effective_daa": np.where(np.isnan(value), np.nan, b.effective),
        "tokens_in": m.tokens_in,
        "tokens_out": m.tokens_out,
        "tokens_cached": m.tokens_cached,
        "energy_j": m.energy_j,
    }
    return [{name: _cell(column[i]) for name, column in columns.items()} for i in range(m.days)]


def _cell(value: Any) -> Any:
    if isinstance(value, str):
        return value
    number = plain(value)
    whole = number is not None and number.is_integer() and abs(number) < 2**53
    return int(number) if whole and number is not None else number


def _sum(days: Sequence[dict[str, Any]], name: str) -> float:
    """Sum over the days that know it; NaN where none does."""
    known = [day[name] for day in days if day[name] is not None]
    return float(np.sum(known)) if known else np.nan


def _mean(days: Sequence[dict[str, Any]], name: str) -> float:
    known = [day[name] for day in days if day[name] is not None]
    return float(np.mean(known)) if known else np.nan


def _summary(reading: Reading, days: Sequence[dict[str, Any]]) -> dict[str, Any]:
    """Means over the days, and ratios of their sums; null throughout where there is no day."""
    agent_days, accepted = _sum(days, "daa_b"), _sum(days, "accepted")
    minutes, equivalent = _sum(days, "human_min"), _sum(days, "human_equiv_min")
    found: dict[str, Any] = {"days": len(days)}
    for figure in ("daa", "waa", "maa"):
        found |= {f"{figure}_{letter}": _mean(days, f"{figure}_{letter}") for letter in LETTERS}
    for letter in LETTERS:
        shares = [d[f"daa_{letter}"] / d[f"maa_{letter}"] for d in days if d[f"maa_{letter}"]]
        found[f"stickiness_{letter}"] = float(np.mean(shares)) if shares else np.nan
    value, cost = _sum(days, "value_usd"), _sum(days, "cost_usd")
    found |= {f"{name}_per_day": _mean(days, name) for name in FLOWS}
    found |= {
        "seen": _mean(days, "seen"),
        "accepted": accepted,
        "accepted_per_day": _mean(days, "accepted"),
        "tpa": daa.tasks_per_agent(accepted, agent_days),
        "autonomy": daa.autonomy(_sum(days, "untouched"), accepted),
        "autonomy_of_time": daa.autonomy_of_time(minutes, equivalent),
        "human_min": minutes,
        "human_min_per_task": daa.oversight_minutes_per_task(minutes, 0, 0, 0, accepted),
        "leverage": daa.leverage(equivalent, minutes),
        "fte_eq": _mean(days, "fte_eq"),
        "human_fte": daa.fte_equivalent(_mean(days, "human_min")),
        "cost_usd": cost,
        "cost_per_task_usd": daa.cost_per_accepted_task(cost, 0, 0, 0, accepted),
        "value_usd": value,
        "value_per_daa_usd": daa.value_per_daa(value, agent_days),
        "effective_daa": _mean(days, "effective_daa"),
        "effective_daa_of_all_days": _whole(reading),
        "tokens_per_task": _ratio(_sum(days, "tokens_in") + _sum(days, "tokens_out"), accepted),
    }
    return {name: plain(value) for name, value in found.items()} | {"days": len(days)}


def _whole(reading: Reading) -> float:
    """eDAA of the value that each agent brought over all days; NaN where none is known."""
    known = _value(reading, reading.measures.grades[1])
    shares = reading.measures.grades[1].value_sum
    return float(daa.effective_daa(shares)) if np.nansum(known) and len(shares) else np.nan


def _ratio(top: float, bottom: float) -> float:
    return top / bottom if bottom else np.nan


def _retained(reading: Reading, n: int) -> dict[str, Any]:
    """R(n) of grade B over all cohorts, exactly and unbounded, with how many agents it rests on."""
    g = reading.measures.grades[1]
    if g.retention.ndim < 2 or n >= g.retention.shape[1]:
        return {"exact": None, "unbounded": None, "agents": 0}
    seen = int(g.retention_seen[:, n].sum())
    found = (g.retention[:, n].sum(), g.retention_open[:, n].sum())
    exact, unbounded = (plain(_ratio(float(v), seen)) for v in found)
    return {"exact": exact, "unbounded": unbounded, "agents": seen}


def _retention(reading: Reading) -> dict[str, Any]:
    """Grade B by cohort week; null where no agent of the cohort has come to day n yet."""
    m, g = reading.measures, reading.measures.grades[1]
    width = g.retention.shape[1] if g.retention.ndim == 2 else 0
    n = [i for i in range(width) if i <= EVERY_DAY or i % 7 == 0]
    used = np.flatnonzero(g.cohort_size)

    def shares(counts: NDArray[np.int64]) -> list[list[float | None]]:
        return [
            [plain(_ratio(float(counts[c, i]), float(g.retention_seen[c, i]))) for i in n]
            for c in used
        ]

    return {
        "n": n,
        "cohorts": [
            {"week": day_name(int(m.cohort_first_day[c])), "agents": int(g.cohort_size[c])}
            for c in used
        ],
        "exact": shares(g.retention),
        "unbounded": shares(g.retention_open),
    }


def _active_days(reading: Reading) -> dict[str, Any]:
    """L28: of agents that were ever active, how many were so on 0, 1, … of the last days."""
    m = reading.measures
    most = reading.definition.month_days
    found: dict[str, Any] = {"ends": day_name(m.first_day + m.days - 1) if m.days else None}
    for letter, grade in zip(LETTERS, m.grades, strict=True):
        counts = np.bincount(np.asarray(grade.active_days, np.int64), minlength=most + 1)
        counts[0] = int(grade.cohort_size.sum()) - int(counts[1:].sum())
        found[letter] = [int(v) for v in counts]
    return found


def _kinds(days: Sequence[dict[str, Any]]) -> dict[str, Any]:
    """Mean DAA of software and of embodied agents."""
    found: dict[str, Any] = {"software": {}, "embodied": {}}
    for letter in LETTERS:
        name = f"daa_{letter}"
        embodied, every = _mean(days, f"embodied_{letter}"), _mean(days, name)
        found["embodied"][name] = plain(embodied)
        found["software"][name] = plain(every - embodied)
    return found


def _completeness(reading: Reading) -> dict[str, Any]:
    """Completeness, and the shares of accepted tasks that state what."""
    c = reading.coverage
    return {
        "share": reading.completeness,
        "late_share": plain(reading.loss),
        "root_tasks": c.root_tasks,
        "decided": c.decided,
        "accepted": c.accepted,
        "ineligible": c.ineligible,
        "circular": c.circular,
        "reverted": c.reverted,
        "stated": {
            name: plain(_ratio(float(getattr(c, f"with_{name}")), float(c.accepted)))
            for name in COVERED
        },
    }


def _faults(reading: Reading) -> list[dict[str, Any]]:
    counts = reading.faults.counts
    return [
        {
            "fault": what,
            "count": counts[what],
            "meaning": FAULTS[what],
            "examples": list(reading.faults.examples.get(what, ())),
        }
        for what in FAULTS
        if counts.get(what)
    ]


def _restatements(reading: Reading) -> list[dict[str, Any]]:
    return [
        {
            "day": day_name(one.day),
            "grade": one.grade,
            "closed": one.closed,
            "restated": one.restated,
            "at": moment(one.at_us),
            "late_events": one.late_events,
        }
        for one in reading.restatements
    ]
