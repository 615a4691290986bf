"""Simulated months of a run as canonical events: metered back, they give the run's own figures.

Every agent-day of the run's mean day becomes agents of that day, its tasks become tasks with a life
of their own, and the month's tokens, minutes, dollars and joules are shared out over them. Whole
agents and whole tasks are rounded once for the month and kind, so a month's sums lie within one of
the run's. All that happens to a task happens on one UTC day.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from lineshaft.actuals.planned import Planned
from lineshaft.contracts.calendar import month_after
from lineshaft.errors import InputError, Problem
from lineshaft.files import whole
from lineshaft.meter.events import COLUMNS, schema
from lineshaft.meter.log import Log
from lineshaft.runs import Run

if TYPE_CHECKING:
    import pyarrow as pa

Array = NDArray[np.float64]
Ints = NDArray[np.int64]

MOST_EVENTS = 1_000_000
"""Where a run has more, its agents and tasks are divided by a power of ten."""
MARK = "simulated.json"
"""What in a log folder says that the log is made of a run."""
TENANT = "simulated"
DAY_S = 86_400
_LAST_S = DAY_S - 600
"""Second of the day by which work is judged: what follows on it stays on the day."""
_EVENTS_PER_TASK = 5.0
OUTCOMES = ("human", "verifier", "implicit", "ineligible", "rejected", "expired", "failed")
"""What becomes of a task: accepted by a method, accepted and too small to count, or not."""


@dataclass(frozen=True, slots=True)
class Exported:
    """What was written."""

    folder: str
    run: str
    months: tuple[str, ...]
    kinds: tuple[str, ...]
    scale: float
    """Agents and tasks of the run for one of the log."""
    events: int
    tasks: int
    agents: int

    def __str__(self) -> str:
        span = self.months[0] + (f" to {self.months[-1]}" if len(self.months) > 1 else "")
        lines = [
            f"{self.events:,} events of {self.agents:,} agents, {self.tasks:,} tasks",
            f"made of {self.run}, {span}: agent-days and tasks are whole by month and kind",
            self.folder,
        ]
        if self.scale != 1:
            lines.append(f"one agent and task stands for {self.scale:,g} of the run")
        return "\n".join(lines)


def export(
    run: Run | Path | str,
    log_folder: Path | str,
    *,
    months: str | Sequence[str] | None = None,
    kinds: Sequence[str] | None = None,
    scale: float | None = None,
    seed: int = 1,
) -> Exported:
    """Write months of a run into a new log folder, as canonical events.

    `months` is "2027-01", "2027-01:2027-03" or a list; by default the last one. `scale` divides
    agents and tasks; by default a power of ten that keeps the log within `MOST_EVENTS`. Accepted
    tasks carry the method that the run's policy implies: human where a reviewer passed them,
    verifier where the kind is verified, else implicit. Operator minutes fall on the share of tasks
    that the plan has touched. Same run, months, scale and seed give the same bytes.

    Raises RunError where there is no run or the folder cannot be written, InputError where months
    or kinds are not in the run, or where the folder holds something already.
    """
    run = run if isinstance(run, Run) else Run.read(run)
    folder = Path(log_folder)
    if folder.exists() and (not folder.is_dir() or any(folder.iterdir())):
        raise InputError(
            Problem(
                "",
                "log folder",
                f"'{folder}' is there already",
                "a new folder",
                "simulated events must not stand among real ones",
            )
        )
    plan = Planned.of(run, kinds)
    plan = plan.chosen(_months(months, plan.months))
    if scale is None:
        tasks = float((plan.accepted + plan.rejected + plan.expired + plan.failed).sum())
        over = tasks * _EVENTS_PER_TASK / MOST_EVENTS
        scale = 10.0 ** max(np.ceil(np.log10(over)), 0.0) if over > 0 else 1.0
    if not (np.isfinite(scale) and scale > 0):
        raise InputError(Problem("", "scale", f"{scale!r}", "a number above 0"))
    log = Log.open(folder, create=True)
    events = done = 0
    agents: set[tuple[int, int]] = set()
    for m, month in enumerate(plan.months):
        for k, kind in enumerate(plan.kinds):
            rng = np.random.default_rng([seed, *month.encode(), *kind.encode()])
            tasks_of = _tasks(plan, m, k, scale, rng)
            if not len(tasks_of.day):
                continue
            table = _events(plan, m, k, scale, tasks_of)
            log.append(table, name=f"{month}-{_slug(kind)}-{k}")
            events += table.num_rows
            done += len(tasks_of.day)
            agents.update((k, int(a)) for a in np.unique(tasks_of.agent))
    found = Exported(
        str(folder), run.folder.name, plan.months, plan.kinds, scale, events, done, len(agents)
    )
    with whole(folder / MARK) as part:
        part.write_text(json.dumps(asdict(found), indent=1), "utf-8")
    return found


@dataclass(frozen=True, slots=True)
class _Tasks:
    """Tasks of one month and kind, [task] each."""

    day: Ints
    """Day number since 1970-01-01."""
    agent: Ints
    outcome: Ints
    """Place in OUTCOMES."""
    start_s: Ints
    """Second of the day."""
    end_s: Ints
    minutes: Array
    """Human-equivalent; 0 for those too small to count."""

    def of(self, *outcomes: str) -> Ints:
        """Places of the tasks with one of these outcomes."""
        return np.flatnonzero(np.isin(self.outcome, [OUTCOMES.index(name) for name in outcomes]))


def _tasks(plan: Planned, m: int, k: int, scale: float, rng: np.random.Generator) -> _Tasks:
    """Whole agent-days and tasks of a month, and who does what when."""
    days = round(float(plan.days[m]))
    first = int(np.datetime64(plan.months[m], "D").astype(np.int64))

    def whole_of(amount: Array) -> int:
        return round(float(amount[m, k]) / scale)

    counted, by_human = whole_of(plan.counted), whole_of(plan.by_human)
    hard = min(whole_of(plan.by_human + plan.by_verifier), counted)
    by_human = min(by_human, hard)
    soft = counted - hard
    # agent-days; who is active did something, and what is done was done by somebody
    active_a = min(max(whole_of(plan.daa_a * days), min(hard, 1)), hard)
    active = min(max(whole_of(plan.daa_b * days), active_a, min(counted, 1)), active_a + soft)
    day = np.repeat(np.arange(days), np.diff(_steps(active, days)))
    is_hard = np.diff(_steps(active_a, active)).astype(bool)
    most = int(np.bincount(day, minlength=1).max(initial=0))
    pool = max(most, whole_of(plan.agents), 1)
    agent = np.concatenate(
        [rng.permutation(pool)[:n] for n in np.bincount(day, minlength=days)] or [day]
    )
    places = np.concatenate(
        [
            _shared(hard, np.flatnonzero(is_hard), np.flatnonzero(is_hard), rng),
            _shared(soft, np.flatnonzero(~is_hard), np.arange(active), rng),
        ]
    )
    outcome = np.full(counted, OUTCOMES.index("implicit"))
    outcome[:hard] = OUTCOMES.index("verifier")
    outcome[rng.permutation(hard)[:by_human]] = OUTCOMES.index("human")
    who, when = [agent[places]], [day[places]]
    outcomes = [outcome]
    for name, amount in (
        ("ineligible", plan.accepted - plan.counted),
        ("rejected", plan.rejected),
        ("expired", plan.expired),
        ("failed", plan.failed),
    ):
        count = whole_of(amount)
        outcomes.append(np.full(count, OUTCOMES.index(name)))
        if active:
            at = rng.integers(0, active, count)
            who.append(agent[at])
            when.append(day[at])
        else:
            who.append(rng.integers(0, pool, count))
            when.append(np.repeat(np.arange(days), np.diff(_steps(count, days))))
    outcome = np.concatenate(outcomes)
    day = np.concatenate(when)
    start_s = _starts(first + day, plan.hours[k], rng)
    end_s = np.minimum(start_s + max(round(float(plan.wall_s[m, k])), 1), _LAST_S)
    return _Tasks(
        first + day,
        np.concatenate(who),
        outcome,
        np.minimum(start_s, end_s - 1),
        end_s,
        _lengths(plan, m, k, outcome, counted, rng),
    )


def _steps(total: int, parts: int) -> Ints:
    """[parts + 1] rounded cumulative shares of a whole number."""
    return (np.arange(parts + 1) * total + parts // 2) // max(parts, 1)


def _shared(count: int, first: Ints, others: Ints, rng: np.random.Generator) -> Ints:
    """Places for `count` tasks: one for each of `first`, the rest by chance among `others`."""
    rest = count - len(first)
    more = rng.choice(others, rest) if rest > 0 and len(others) else others[:0]
    return np.concatenate([first, more])[:count]


def _starts(day: Ints, hours: Array, rng: np.random.Generator) -> Ints:
    """Second of the day at which tasks come, by the hours of weekdays and of weekends."""
    weekend = (day + 3) % 7 >= 5  # 1970-01-01 was a Thursday
    out = np.empty(len(day), np.int64)
    for which, shape in ((~weekend, hours[:24]), (weekend, hours[24:])):
        shape = shape if shape.sum() > 0 else np.ones(24)
        hour = rng.choice(24, int(which.sum()), p=shape / shape.sum())
        out[which] = hour * 3600 + rng.integers(0, 3600, len(hour))
    return np.minimum(out, _LAST_S - 1)


def _lengths(
    plan: Planned, m: int, k: int, outcome: Ints, counted: int, rng: np.random.Generator
) -> Array:
    """Human-equivalent minutes, lognormal, whose mean over the tasks that count is the plan's."""
    mean = float(plan.human_equiv_min[m, k])
    drawn = np.exp(rng.normal(0.0, plan.sigma[k], len(outcome)))
    if plan.price_usd[m, k] < 0.01:  # then a short task would be too small to count
        drawn[:] = 1.0
    if counted:
        drawn *= 1.0 / drawn[:counted].mean()
    drawn *= mean
    drawn[outcome == OUTCOMES.index("ineligible")] = 0.0
    return drawn


def _events(plan: Planned, m: int, k: int, scale: float, tasks: _Tasks) -> pa.Table:
    """The canonical events of the tasks of one month and kind."""
    every = np.arange(len(tasks.day))
    embodied = bool(plan.embodied[k])
    start, end = tasks.start_s, tasks.end_s
    middle = (start + end) // 2

    def total(amount: Array) -> float:
        return float(amount[m, k]) / scale

    found = _Rows(tasks, f"{plan.months[m]}-{_slug(plan.kinds[k])}", _slug(plan.kinds[k]), embodied)
    found.add("assign", every, start, requester_id="customer", human_equiv_min=tasks.minutes)
    starts = max(round(total(plan.attempts * plan.attempted)), len(every))
    tries = np.diff(_steps(starts, len(every)))
    found.add("start", np.repeat(every, tries), np.repeat(start, tries))
    work = {
        name: np.diff(_steps(round(total(amount)), len(every)))
        for name, amount in (
            ("tokens_in", plan.tokens_in),
            ("tokens_out", plan.tokens_out),
            ("tokens_cached", plan.tokens_cached),
        )
    }
    work |= {"cost_usd": _even(total(plan.direct_usd), every)}
    work |= {"energy_j": _even(total(plan.energy_j), every)} if embodied else {}
    found.add("act" if embodied else "llm", every, middle, **work)
    operator_min = total(plan.operator_min)
    if operator_min > 0:
        count = min(max(round(plan.touched[m, k] * len(every)), 1), len(every))
        touched = every[np.diff(_steps(count, len(every))).astype(bool)]
        found.add(
            "human_touch",
            touched,
            middle[touched],
            actor="human",
            human_s=_even(60 * operator_min, touched),
        )
    done = tasks.of(*OUTCOMES[:-1])
    found.add("submit", done, end[done])
    failed, expired = tasks.of("failed"), tasks.of("expired")
    found.add("fail", failed, end[failed])
    found.add("expire", expired, end[expired] + 60)
    human, rejected = tasks.of("human"), tasks.of("rejected")
    judged = np.concatenate([human, rejected])
    review_s = np.zeros(len(every))
    review_s[judged] = _even(60 * total(plan.review_min), judged)
    review_s[rejected] += _even(60 * total(plan.rework_min), rejected)
    spent = 60 * total(plan.review_min + plan.rework_min)
    if spent > review_s.sum() * (1 + 1e-9):  # reviews or rejections of less than half a task
        some = every[:1]
        found.add("act", some, end[some], actor="human", human_s=spent - review_s.sum())
    priced = {"value_usd": float(plan.price_usd[m, k])}
    by = {"actor": "human", "reviewer_id": "reviewer"}
    found.add("reject", rejected, end[rejected] + 60, human_s=review_s[rejected], **by)
    found.add(
        "accept", human, end[human] + 60, method="human", human_s=review_s[human], **by, **priced
    )
    for method, actor in (("verifier", "verifier"), ("implicit", None)):
        these = tasks.of(method)
        found.add("accept", these, end[these] + 60, method=method, actor=actor, **priced)
    small = tasks.of("ineligible")
    found.add("accept", small, end[small] + 60, method="implicit")
    if len(done) and total(plan.escape_usd) > 0:
        escapes = min(max(round(total(plan.escaped)), 1), len(done))
        wrong = done[np.diff(_steps(escapes, len(done))).astype(bool)]
        loss = _even(total(plan.escape_usd), wrong)
        found.add("act", wrong, end[wrong] + 120, actor="human", cost_usd=loss)
    return found.table()


def _even(total: float, tasks: Ints) -> Array:
    return np.full(len(tasks), total / max(len(tasks), 1))


class _Rows:
    """Events, kind by kind."""

    def __init__(self, tasks: _Tasks, batch: str, kind: str, embodied: bool) -> None:
        self.tasks, self.batch, self.kind = tasks, batch, kind
        self.agent_kind = "embodied" if embodied else "software"
        self.parts: list[dict[str, Any]] = []

    def add(self, kind: str, of: Ints, second: Ints, **columns: Any) -> None:
        """Events of one kind, of the tasks at the places `of`."""
        if len(of):
            self.parts.append({"kind": kind, "of": of, "second": second, **columns})

    def table(self) -> pa.Table:
        """All of them, in the order of time."""
        import pyarrow as pa

        wanted = schema()
        counts = [len(part["of"]) for part in self.parts]
        of = np.concatenate([part["of"] for part in self.parts])
        second = np.concatenate([part["second"] for part in self.parts])
        ts = (self.tasks.day[of] * DAY_S + second) * 1_000_000
        order = np.argsort(ts, kind="stable")
        columns: dict[str, Any] = {
            "event_id": [f"{self.batch}-{n}" for n in range(len(of))],
            "ts": ts,
            "tenant": [TENANT] * len(of),
            "agent_id": [f"{self.kind}-{n:06d}" for n in self.tasks.agent[of].tolist()],
            "agent_kind": [self.agent_kind] * len(of),
            "task_id": [f"{self.batch}-t{n}" for n in of.tolist()],
            "src": ["run"] * len(of),
        }
        for name in COLUMNS:
            if name in columns:
                continue
            parts = [
                pa.array(np.broadcast_to(value, count)) if isinstance(value, (np.ndarray, float))
                else pa.array([value] * count, wanted.field(name).type)
                for part, count in zip(self.parts, counts, strict=True)
                for value in [part.get(name)]
            ]  # fmt: skip
            columns[name] = pa.concat_arrays([p.cast(wanted.field(name).type) for p in parts])
        table = pa.Table.from_pydict({n: columns[n] for n in wanted.names}, schema=wanted)
        return table.take(order)


def _slug(text: str) -> str:
    return "".join(c if c.isalnum() else "-" for c in text.lower())


def _months(asked: str | Sequence[str] | None, known: tuple[str, ...]) -> list[int]:
    """Places of the months that are asked for."""
    if asked is None:
        return [len(known) - 1]
    names = [asked] if isinstance(asked, str) else list(asked)
    if isinstance(asked, str) and ":" in asked:
        first, _, last = asked.partition(":")
        names = [first]
        while names[-1] < last and len(names) <= len(known):
            names.append(month_after(names[-1], 1))
    wrong = [name for name in names if name not in known]
    if wrong or not names:
        raise InputError(
            Problem("", "months", f"{name!r} is not in the run", f"{known[0]} to {known[-1]}")
            for name in wrong or ["nothing"]
        )
    return [known.index(name) for name in names]
