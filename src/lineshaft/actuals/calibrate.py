"""What a log shows, as the `agents` and `oversee` sections of a scenario, with ranges.

Every value has a comment: from how many tasks it comes, and what was taken for it. What the log
cannot say is left out and named, so that the scenario's default stays, with its source.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from lineshaft.actuals.estimates import FEW, LEAST, Estimate, mean, share, spread
from lineshaft.actuals.observed import Observed, observe
from lineshaft.contracts.calendar import Calendar
from lineshaft.errors import InputError, Problem
from lineshaft.meter.definition import Definition
from lineshaft.meter.events import METHODS
from lineshaft.meter.reading import Reading
from lineshaft.meter.zones import DAY_US, changes
from lineshaft.parameters.agents import engine_inputs, public_log2_horizon
from lineshaft.parameters.dims import dims
from lineshaft.scenario import Scenario
from lineshaft.scenario.draws import Draws
from lineshaft.scenario.work import EMBODIED, WORK
from lineshaft.stages.agents.engine import characterise
from lineshaft.words import paragraph, suggestion

if TYPE_CHECKING:
    from tomlkit import TOMLDocument

_VERIFIER = METHODS.index("verifier")
_ANY_MODEL = {"name": "any", "source": "provider", "model": "OpenAI GPT-5 mini"}
"""A kind must think with some model; which one does not touch its success here."""


@dataclass(frozen=True, slots=True)
class _Line:
    """A key with its value and ground, or what is left out and why."""

    key: str
    value: str
    why: str

    def __str__(self) -> str:
        if self.value:
            return f"{self.key} = {self.value}  # {self.why}"
        return paragraph(f"# {self.key}: left out, {self.why}", "#   ")


def calibrate(
    reading: Reading | Path | str,
    *,
    definition: Definition | None = None,
    outcomes: Path | str | None = None,
    kinds: Mapping[str, str] | None = None,
    work: Mapping[str, str] | None = None,
) -> str:
    """TOML text of `[[agents.kind]]`, `[[oversee.policy]]` and `[[oversee.role]]` from a log.

    Ranges are 90 % intervals. `kinds` names kinds of work, each with a pattern of agent ids
    ("coder-*"); without it software agents are one kind, robots another. `work` gives the class of
    work of each, whose defaults stand for what the log does not say; else it is coder. Put it into
    a scenario with `merge`. Raises InputError where there is no log, or for an unknown class.
    """
    as_of = None
    if isinstance(reading, Reading):
        definition, as_of = definition or reading.definition, reading.as_of_us
        path: Path | str = reading.path
    else:
        path = reading
    definition = definition or Definition()
    classes = dict(work or {})
    wrong = [name for name in classes.values() if name not in WORK]
    if wrong:
        raise InputError(
            Problem("", "work", repr(name), ", ".join(WORK), suggestion(name, WORK))
            for name in wrong
        )
    seen = observe(path, definition, outcomes=outcomes, kinds=kinds, as_of_us=as_of)
    lines = [
        f"# From the log {Path(path).name}: {seen.days:,} days, {len(seen.kind):,} tasks"
        + ("" if seen.share == 1 else f" ({100 * seen.share:.3g} % of them, drawn by their ids)"),
        '# "a to b" is a 90 % interval. What is not here the log does not say: defaults stay.',
    ]
    strangers = len(np.unique(seen.agent[seen.kind < 0]))
    if strangers:
        lines.append(f"# {strangers:,} agents are of no kind that was named, and left out.")
    for number, name in enumerate(seen.kinds):
        own = seen.of(seen.kind == number)
        body = bool(seen.embodied[number])
        section = list(_kind(name, own, definition, classes.get(name), body))
        policy = list(_policy(name, own))
        if body and classes.get(name) not in EMBODIED:
            section = ["", f"# {name}: robots. Say which ({', '.join(EMBODIED)}) and add their"]
            section += ["# [[floor.robots]]; until then their tasks are left out."]
            policy = []
        lines += section + policy
    people = int(seen.reviewers.max(initial=0))
    if people:
        lines += ["", "[[oversee.role]]", 'name = "reviewer"']
        lines.append(f"headcount = {people}  # different reviewers in the log")
    return "\n".join(lines) + "\n"


def merge(scenario: str, calibrated: str) -> str:
    """A scenario's TOML text with calibrated sections put in: items of the same name take the new
    values and keep their others, new ones are added."""
    import tomlkit

    base, new = tomlkit.parse(scenario), tomlkit.parse(calibrated)
    for section, name in (("agents", "kind"), ("oversee", "policy"), ("oversee", "role")):
        for item in new.get(section, {}).get(name, ()):
            _put(base, section, name, item)
    return tomlkit.dumps(base)


def _put(base: TOMLDocument, section: str, name: str, item: Any) -> None:
    import tomlkit

    if section not in base:
        base[section] = tomlkit.table(is_super_table=True)
    table: Any = base[section]
    if name not in table:
        table[name] = tomlkit.aot()
    for known in table[name]:
        if known.get("name") == item["name"]:
            known.update(item)
            return
    table[name].append(item)


def _kind(
    name: str, seen: Observed, d: Definition, work: str | None, embodied: bool
) -> Iterator[str]:
    """The lines of an `[[agents.kind]]`."""
    yield ""
    yield "[[agents.kind]]"
    yield f'name = "{name}"'
    yield f'work = "{work or "coder"}"  # ' + ("as told" if work else "not in the log: say which")
    yield 'adoption = "all"  # the log is of work that agents are given already'
    agents = len(np.unique(seen.agent[seen.agent >= 0]))
    yield f"seats = {agents}  # agents in the log"
    yield str(_demand(seen))
    finished = seen.submitted & ~seen.failed
    minutes = seen.human_equiv_min
    long = np.where(minutes > 0, minutes, np.nan)
    length = mean(np.log(long), seen.agent)
    yield str(
        _range("human_minutes", length, "min", "median length", np.exp)
        or _Line("human_minutes, sigma", "", "too few tasks state human-equivalent minutes")
    )
    sigma = float(np.nanstd(np.log(long))) if length else np.nan
    if length:
        yield f"sigma = {min(sigma, 4.0):.3g}  # spread of the logarithm of the same lengths"
    yield from map(str, _success(name, seen, finished, length, sigma, work, embodied))
    paid = seen.accepted & np.isfinite(seen.value_usd)
    yield str(
        _range("price_usd", mean(seen.value_usd[paid], seen.agent[paid]), "", "value stated, USD")
        or _Line("price_usd", "", "too few accepted tasks state a value")
    )
    yield from map(str, _tokens(seen))
    steered = np.nan_to_num(seen.steer_s)  # where others state it, silence is none
    steer = _minutes(steered, seen.agent) if np.isfinite(seen.steer_s).any() else None
    yield str(
        _range("steer_minutes", steer, "min", "besides decisions, silence as none")
        or _Line("steer_minutes", "", "no task states human time besides decisions")
    )
    alone = seen.accepted & ~seen.reviewed
    yield str(
        _range("verified", share(seen.method[alone] == _VERIFIER, seen.agent[alone]), "%",
               "of accepted tasks without a reviewer: by a verifier")
        or _Line("verified", "", "too few tasks were accepted without a reviewer")
    )  # fmt: skip
    done = seen.accepted
    big = (minutes >= d.least_human_equiv_min) | (seen.value_usd >= d.least_value_usd)
    yield str(
        _range("eligible", share(big[done], seen.agent[done]), "%", "of accepted tasks, circles in")
        or _Line("eligible", "", "too few accepted tasks")
    )
    yield from map(str, _load(seen, d))
    yield (
        str(
            _Line(
                "tool_s",
                "",
                f"a try takes {_typical(seen):.3g} s in the median; thinking is inside",
            )
        )
        if np.isfinite(_typical(seen))
        else str(_Line("tool_s", "", "the log shows no durations"))
    )


def _policy(name: str, seen: Observed) -> Iterator[str]:
    """The lines of an `[[oversee.policy]]`."""
    finished = seen.submitted & ~seen.failed
    reviewed, judged = seen.reviewed, seen.reviewed & finished
    looked = share(judged[finished], seen.agent[finished])
    if looked is None:
        return
    yield ""
    yield "[[oversee.policy]]"
    yield f'name = "{name}"'
    if looked.value == 0:
        yield f'review = "none"  # no human decided in {looked.ground}'
    else:
        yield 'review = "share"'
        yield str(_range("share", looked, "%", "of finished tasks: a human decided"))
    seconds = np.where(seen.rejected, seen.review_s - np.nan_to_num(seen.reject_s), seen.review_s)
    passed = reviewed & ~seen.rejected
    yield str(
        _range("minutes", _minutes(seconds[passed], seen.agent[passed]), "min", "per acceptance")
        or _Line("minutes", "", "too few reviews state human time")
    )
    wrong, found = reviewed & seen.reverted, reviewed & seen.rejected
    known = wrong | found
    if wrong.any() and found.any():
        detected = share(found[known], seen.agent[known])
        yield str(
            _range("detection", detected, "%", "of wrong work that came to light: found in review")
            or _Line("detection", "", f"only {int(known.sum())} wrong tasks came to light")
        )
    else:
        why = "no reviewed task was reverted later" if not wrong.any() else "nothing was rejected"
        yield str(_Line("detection", "", f"{why}; measure it with seeded defects"))
    again = share(seen.returned[seen.rejected], seen.agent[seen.rejected])
    yield str(
        _range("rework", again, "%", "of rejected tasks: begun again")
        or _Line("rework", "", f"only {int(seen.rejected.sum())} tasks were rejected")
    )
    back = seen.reviewed & seen.rejected
    extra = _minutes(seen.reject_s[back], seen.agent[back])
    each = _minutes(seconds[passed], seen.agent[passed])
    if extra and each and extra.value > each.value:
        more = Estimate(
            extra.value - each.value,
            max(extra.low - each.value, 0.01),
            max(extra.high - each.value, 0.02),
            extra.tasks,
            extra.agents,
        )
        yield str(_range("rework_minutes", more, "min", "a rejection takes more than a review"))
    else:
        yield str(_Line("rework_minutes", "", "rejections take no longer than reviews, or are few"))
    yield str(_Line("expiry", "", "how long work would have been wanted does not show"))
    counts = np.bincount(seen.agent[seen.agent >= 0], seen.accepted[seen.agent >= 0])
    counts = counts[np.unique(seen.agent[seen.agent >= 0])]
    even = spread(counts.astype(float), len(counts))
    yield str(
        _range("shape", even, "", "spread of accepted tasks over agents")
        or _Line("shape", "", f"fewer than {FEW} agents, or too few tasks")
    )


def _success(
    name: str,
    seen: Observed,
    finished: Any,
    length: Estimate | None,
    sigma: float,
    work: str | None,
    embodied: bool,
) -> Iterator[_Line]:
    """Attempts, and the kind's own horizon over the public one that gives the success seen."""
    ended = finished | seen.failed
    tries = seen.attempts[ended]
    most = int(np.clip(np.quantile(tries, 0.99, method="higher"), 1, 100)) if tries.size else 1
    yield _Line("attempts", str(most), f"most tries of 99 % of {tries.size:,} ended tasks")
    done = share(finished[ended], seen.agent[ended])
    if embodied or length is None or done is None or not seen.failed.any():
        why = (
            "the log shows no failed task" if done and length else "success or lengths are missing"
        )
        yield _Line("deployment", "", "robots' success is the floor's" if embodied else why)
        return
    middle = datetime.fromtimestamp(float(np.median(seen.start_us)) / 1e6, UTC)
    month = f"{middle.year:04d}-{middle.month:02d}"
    kind = {"name": name, "work": work or "coder", "sigma": min(sigma, 4.0), "attempts": most}
    minutes = float(np.exp(length.value))
    kind["human_minutes"] = minutes
    asked = {"agents": {"kind": [kind]}, "serve": {"model": [_ANY_MODEL]}}
    scenario = Scenario.model_validate({"start": month, "months": 1, **asked})
    calendar = Calendar.of(month, 1)
    log2_h = float(public_log2_horizon(scenario, Draws(0, {}), calendar)[0, 0])
    curve = characterise(engine_inputs(scenario, dims(scenario, calendar, 1), calendar))
    success = curve.success[0]
    if not success[0] < done.low < done.high < success[-1]:
        allowed = f"{100 * scenario.agents.kind[0].sensitivity:.3g} %"
        why = f"{100 * done.value:.3g} % succeed, and the verifier's sensitivity is {allowed}"
        yield _Line("deployment", "", why)
        return
    margins = np.interp([done.low, done.value, done.high], success, curve.log2_margin)
    low, value, high = np.exp2(margins + np.log2(60 * minutes) - log2_h)
    found = Estimate(value, low, high, done.tasks, done.agents)
    told = _range("deployment", found, "", f"so that {100 * done.value:.3g} % succeed in {month}")
    if told:
        yield told


def _tokens(seen: Observed) -> Iterator[_Line]:
    total = seen.tokens_in + np.nan_to_num(seen.tokens_out)
    tokens = mean(total, seen.agent, seen.attempts)
    if tokens is None or tokens.value <= 0:
        yield _Line("tokens_per_attempt", "", "too few tasks state tokens")
        return
    for key, top, bottom, unit, what in (
        ("tokens_per_attempt", total, seen.attempts, "", "failed tries inside"),
        ("input_share", seen.tokens_in, total, "%", "prompt, of all tokens"),
        ("cached_share", seen.tokens_cached, seen.tokens_in, "%", "from a cache, of the prompt"),
        ("calls_per_attempt", seen.calls, seen.attempts, "", "calls of a model"),
    ):
        found = _range(key, mean(top, seen.agent, bottom), unit, what)
        yield found or _Line(key, "", "too few tasks state it")


def _demand(seen: Observed) -> _Line:
    """Tasks a day, with the spread of the days."""
    day = seen.start_us // DAY_US
    counts = np.bincount(day - day.min(), minlength=1) if len(day) else np.zeros(1)
    whole = counts[1:-1] if len(counts) > 3 else counts  # the first and the last may be cut
    middle = float(whole.mean()) / seen.share
    error = 1.645 * float(whole.std()) / seen.share / np.sqrt(len(whole))
    found = Estimate(middle, max(middle - error, middle / 10), middle + error, len(day), len(whole))
    return _Line(
        "market_tasks_per_day",
        _interval(found, "tasks"),
        f"{middle:,.4g}; {len(day):,} tasks on {len(whole):,} whole days",
    )


def _load(seen: Observed, d: Definition) -> Iterator[_Line]:
    """Demand by hour of weekdays and weekends, and the busiest day."""
    if len(seen.start_us) < 10 * LEAST or seen.days < 7:
        yield _Line("load", "", "it takes a week, and 200 tasks")
        return
    us = seen.start_us
    starts, offsets = changes(d.zone, int(us.min()), int(us.max()))
    local = us + offsets[np.searchsorted(starts, us, side="right") - 1]
    day, hour = local // DAY_US, local % DAY_US // (DAY_US // 24)
    days = np.arange(day.min(), day.max() + 1)
    weekend, on_weekend = (days + 3) % 7 >= 5, (day + 3) % 7 >= 5  # 1970-01-01 was a Thursday
    rates = [
        np.bincount(hour[on_weekend == which], minlength=24) / max(int((weekend == which).sum()), 1)
        for which in (False, True)
    ]
    if not rates[0].any():
        yield _Line("load", "", "there is no work on weekdays")
        return
    top = max(float(r.max()) for r in rates)
    shapes = [np.round(r / top, 3) for r in rates]
    if not shapes[1].any():
        shapes[1] = np.full(24, 0.001)  # a night of rest is not nothing at all
    counts = np.bincount(day - days[0], minlength=len(days))
    usual = np.where(weekend, rates[1].sum(), rates[0].sum())
    peak = float(np.max(counts / np.maximum(usual, 1e-9), initial=1.0, where=usual > 0))
    told = [f"[{', '.join(f'{v:g}' for v in shape)}]" for shape in shapes]
    yield _Line("load.weekday", told[0], f"tasks begun by hour, zone {d.zone}")
    yield _Line("load.weekend", told[1], "relative to the weekdays'")
    yield _Line("load.peak_day", f"{max(peak, 1.0):.3g}", "the busiest day over a usual one")


def _typical(seen: Observed) -> float:
    """Median seconds from begin to end of a try."""
    took = np.where(seen.end_us > seen.start_us, (seen.end_us - seen.start_us) / 1e6, np.nan)
    return float(np.nanmedian(took / seen.attempts)) if np.isfinite(took).any() else np.nan


def _minutes(seconds: Any, agent: Any) -> Estimate | None:
    return mean(seconds / 60.0, agent)


def _range(
    key: str,
    found: Estimate | None,
    unit: str,
    what: str,
    turned: Callable[[Any], Any] | None = None,
) -> _Line | None:
    """The line of an estimate, in the unit as written; `turned` maps it first."""
    if found is None:
        return None
    if turned is not None:
        low, value, high = (float(turned(v)) for v in (found.low, found.value, found.high))
        found = Estimate(value, low, high, found.tasks, found.agents)
    middle = f"{_number((100 if unit == '%' else 1) * found.value)} {unit}".strip()
    return _Line(key, _interval(found, unit), f"{middle}, {what}; {found.ground}")


def _interval(found: Estimate, unit: str) -> str:
    """The TOML value: "a to b" with units, or one number where both are the same."""
    by = 100.0 if unit == "%" else 1.0
    low, high = (_number(by * v) for v in (found.low, found.high))
    unit = f" {unit}" if unit else ""
    if float(low) >= float(high):
        return f'"{low}{unit}"' if unit else low
    return f'"{low}{unit} to {high}{unit}"'


def _number(value: float) -> str:
    """Four digits, without an exponent."""
    return f"{float(f'{value:.4g}'):.12g}"
