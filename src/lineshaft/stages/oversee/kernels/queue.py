"""The review desk, event by event: tasks are finished, chosen, wait, are reviewed, come back.

Four things can be next: a task is finished, a reviewer is done, a rejected task comes back, the
roster turns. Patience and expiry need no event of their own: who would have left by now is found
when a reviewer reaches him, because nobody else is moved by his leaving.

Whatever a task brings (class, defect, minutes, patience) is drawn when it is finished, always the
same number of draws, from `tasks`; what happens to it later is drawn from `later`. So the same seed
gives the same tasks to desks of any size.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import numpy as np
from numba import njit
from numpy.typing import NDArray

from lineshaft.stages.oversee.kernels.desk import (
    ABANDONED,
    ACCEPTED,
    ALARMED,
    ARRIVED,
    BAD,
    BUSY,
    CHOSEN,
    CLEAN,
    CSP1,
    DEFECT,
    DEFECTS,
    ESCAPED,
    EXPIRED,
    EXPIRES,
    EXPONENTIAL,
    FIXED,
    FOUND,
    GONE,
    IDLE,
    INDEX,
    LOGNORMAL,
    MEASURED,
    OFF,
    OPEN,
    PASSED,
    PLANTED,
    PLANTED_SEEN,
    REJECTED,
    REST,
    RETURNED,
    REVIEWS,
    SEEDED,
    SEEN,
    SHARE,
    SIZE,
    WAITING,
    Desk,
    cramped,
    enqueue,
    inner,
    occupy,
    opened,
    pop,
    push,
    release,
    roomier,
    stand_by,
    stand_up,
)

Run = Callable[..., Any]


# --- tasks ----------------------------------------------------------------------------------------


@inner
def drawn_service(kind: Any, rng: Any) -> Any:
    """(service of a fresh reviewer in s, size in lines)."""
    z = rng.standard_normal() if kind.sigma > 0.0 else 0.0
    stretch = math.exp(kind.sigma * z - 0.5 * kind.sigma * kind.sigma)
    if kind.law == EXPONENTIAL:
        return kind.service_s * rng.standard_exponential(), kind.lines * stretch
    if kind.law == LOGNORMAL:
        return kind.service_s * stretch, kind.lines
    if kind.law == FIXED:
        return kind.service_s, kind.lines
    lines = kind.lines * stretch
    return kind.service_s * (min(lines, kind.lines_read) / kind.lines) ** kind.power, lines


@inner
def risk_of(kind: Any, rng: Any) -> float:
    """Probability that this task is defective: the class's, or beta around it."""
    if kind.spread <= 0.0 or kind.defects <= 0.0 or kind.defects >= 1.0:
        return float(kind.defects)
    weight = 1.0 / kind.spread - 1.0
    a = rng.standard_gamma(kind.defects * weight)
    b = rng.standard_gamma((1.0 - kind.defects) * weight)
    return float(a / (a + b)) if a + b > 0.0 else float(kind.defects)


# --- what happens ---------------------------------------------------------------------------------


@inner
def next_finished(d: Desk, t: float, rates: Any, slot_s: float, rng: Any) -> None:
    """When the next task is finished after t: unit exponential work through the rates."""
    n, need = d.n[0], rng.standard_exponential()
    while True:
        room = (n.slot_end - t) * rates[n.slot] if rates[n.slot] > 0.0 else 0.0
        if need < room:
            n.arrive = t + need / rates[n.slot]
            return
        need -= room
        t = n.slot_end
        n.slot = n.slot + 1 if n.slot + 1 < len(rates) else 0
        n.slot_end += slot_s


@inner
def chooses(d: Desk, k: int, risk: float, keen: float, service: float, pick: float) -> bool:
    """Whether the policy wants this task reviewed."""
    kind = d.classes[k]
    if kind.policy == SHARE:
        return bool(pick < kind.share)
    if kind.policy == CSP1:
        return bool(d.phase[k] % 2 == 0 or pick < kind.share)
    if kind.policy == INDEX:
        known_s = service if kind.law == SIZE else kind.service_s
        saved = risk * keen * kind.loss_usd * 60.0
        return bool(saved >= d.rule[0].least_usd_per_min * known_s)
    return True


@inner
def place(d: Desk, k: int, t: float, service: float, look: float, keen: float, flags: int) -> int:
    """A new task at the desk; its number."""
    j = d.n[0].free
    one = d.jobs[j]
    d.n[0].free = one.next
    one.queued = one.finished = t
    one.deadline = np.inf
    one.service, one.look, one.keen = service, look, keen
    one.cls, one.tries, one.flags = k, 0, flags
    return int(j)


@inner
def limit(d: Desk, j: int, t: float, patience: float) -> None:
    """Until when it waits, and why no longer."""
    one = d.jobs[j]
    kind = d.classes[one.cls]
    one.deadline = t + min(patience * kind.patience_s, kind.expiry_s)
    if kind.expiry_s < patience * kind.patience_s:
        one.flags |= EXPIRES


@inner
def finished(d: Desk, t: float, counted: bool, tasks: Any, later: Any) -> None:
    """A task is finished: passed on without review, or queued."""
    u, k = tasks.random(), 0
    while k < len(d.classes) - 1 and u >= d.classes[k].upto:
        k += 1
    kind = d.classes[k]
    risk = risk_of(kind, tasks)
    defect = tasks.random() < risk
    service, lines = drawn_service(kind, tasks)
    patience = tasks.standard_exponential()
    look, pick, plant = tasks.random(), tasks.random(), tasks.random()
    keen = kind.detection * (kind.lines_read / lines if lines > kind.lines_read else 1.0)
    chosen = chooses(d, k, risk, keen, service, pick)
    if counted:
        row = d.counts[k]
        row[ARRIVED] += 1
        row[DEFECTS] += defect
        row[CHOSEN] += chosen
        if not chosen:
            row[PASSED] += 1
            row[ESCAPED] += defect
    if not chosen:
        return
    flags = MEASURED if counted else 0
    j = place(d, k, t, service, look, keen, flags | (DEFECT if defect else 0))
    limit(d, j, t, patience)
    enqueue(d, j)
    if kind.policy == CSP1:
        at = d.chosen[k] % d.result.shape[1]
        d.jobs[j].place, d.chosen_in[k, at] = at, d.phase[k]
        d.chosen[k] += 1
    if plant < d.rule[0].seeds:
        # A planted defect rides in a piece of work of the same size, and waits as long as it takes.
        again = place(d, k, t, service, later.random(), keen, flags | SEEDED | DEFECT)
        enqueue(d, again)
        if counted:
            d.counts[k, PLANTED] += 1


@inner
def returned(d: Desk, t: float, rng: Any) -> None:
    """A rejected task comes back, tried anew; it is reviewed whatever the policy."""
    j = d.back_i[0]
    pop(d.back_t, d.back_i, d.n[0].back)
    d.n[0].back -= 1
    one = d.jobs[j]
    kind = d.classes[one.cls]
    defect = rng.random() < kind.retry_defects
    one.service, lines = drawn_service(kind, rng)
    one.keen = kind.detection * (kind.lines_read / lines if lines > kind.lines_read else 1.0)
    one.look = rng.random()
    one.queued = t
    one.tries += 1
    one.flags = (one.flags & MEASURED) | (DEFECT if defect else 0)
    limit(d, j, t, rng.standard_exponential())
    enqueue(d, j)


@inner
def learnt(d: Desk, j: int, result: int) -> None:
    """What became of a task that the stream was sampled by; results are read in the order of
    production, or the first to be known, which are the quick ones, would decide. A phase is ended
    by what was chosen in it: what was chosen before says nothing new."""
    k = d.jobs[j].cls
    kind = d.classes[k]
    if kind.policy != CSP1:
        return
    places = d.result.shape[1]
    d.result[k, d.jobs[j].place] = result
    while d.read[k] < d.chosen[k]:
        at = d.read[k] % places
        known = d.result[k, at]
        if known == OPEN:
            break
        d.read[k] += 1
        d.result[k, at] = OPEN
        if known == GONE or d.chosen_in[k, at] != d.phase[k]:
            continue
        d.clean[k] = 0 if known == BAD else d.clean[k] + 1
        full = d.phase[k] % 2 == 0
        if (full and d.clean[k] >= kind.clearance) or (not full and known == BAD):
            d.phase[k] += 1
            d.clean[k] = 0


@inner
def judged(d: Desk, j: int, t: float, rng: Any) -> None:
    """The review of a task is over: accepted, rejected, or sent back."""
    one = d.jobs[j]
    k, found, defect = one.cls, (one.flags & FOUND) != 0, (one.flags & DEFECT) != 0
    counted = (one.flags & MEASURED) != 0
    row = d.counts[k]
    if one.flags & SEEDED:
        if counted:
            row[PLANTED_SEEN] += found
        release(d, j)
        return
    if one.tries == 0:
        learnt(d, j, BAD if found else CLEAN)
    back = found and one.tries < d.rule[0].rework_limit and rng.random() < d.rule[0].rework_share
    if counted:
        row[REVIEWS] += 1
        if found:
            row[SEEN if defect else ALARMED] += 1
            row[RETURNED if back else REJECTED] += 1
        else:
            row[ACCEPTED] += 1
            row[ESCAPED] += defect
            d.settled_s[k] += t - one.finished
    if back:
        push(
            d.back_t,
            d.back_i,
            d.n[0].back,
            t + d.rule[0].rework_delay_s * rng.standard_exponential(),
            j,
        )
        d.n[0].back += 1
    else:
        release(d, j)


@inner
def left(d: Desk, i: int) -> None:
    """Counts a task that left the queue at its deadline."""
    one = d.jobs[i]
    row = d.counts[one.cls]
    if one.flags & EXPIRES:
        row[EXPIRED] += 1
    else:
        row[ABANDONED] += 1
        if d.rule[0].merges and one.flags & DEFECT:
            row[ESCAPED] += 1


@inner
def next_task(d: Desk, t: float) -> int:
    """The first of the highest rank who is still there, out of the queue; -1 if nobody is."""
    for k in range(len(d.classes)):
        while d.first[k] >= 0:
            j = d.first[k]
            one = d.jobs[j]
            d.first[k] = one.next
            if one.next < 0:
                d.last[k] = -1
            d.n[0].queued -= 1
            gone = one.deadline <= t
            if one.flags & MEASURED and (one.flags & SEEDED) == 0:
                waited = min(one.deadline, t) - one.queued
                d.waits[d.n[0].visits], d.kinds[d.n[0].visits] = waited, k
                d.n[0].visits += 1
                d.totals[2] += waited
                if gone:
                    left(d, j)
            if not gone:
                return int(j)
            if one.tries == 0 and (one.flags & SEEDED) == 0:
                learnt(d, j, GONE)
            release(d, j)
    return -1


@inner
def begin(d: Desk, s: int, j: int, t: float, warm_s: float, end_s: float) -> None:
    """The reviewer takes the task; what he will find is settled here."""
    rule, one, who = d.rule[0], d.jobs[j], d.people[s]
    tired, fade = t - who.spell - rule.fade_from_s, 0.0
    if tired > 0.0:
        fade = min(1.0, tired / (rule.fade_to_s - rule.fade_from_s))
    service = one.service * (1.0 + rule.fade_speed * fade)
    if one.flags & DEFECT:
        sees = one.keen * (1.0 - rule.bias) * (1.0 - rule.fade_detection * fade)
    else:
        sees = d.classes[one.cls].false_alarms
    if one.look < sees:
        one.flags |= FOUND
        service += rule.send_back_s
    who.job = j
    occupy(d, s, BUSY, t + service)
    d.totals[0] += max(min(t + service, end_s) - max(t, warm_s), 0.0)


@inner
def done(d: Desk, t: float, warm_s: float, rng: Any) -> int:
    """A reviewer is done: who looks for work now, or -1."""
    s = d.done_i[0]
    pop(d.done_t, d.done_i, d.n[0].done)
    d.n[0].done -= 1
    who = d.people[s]
    if who.extra > 0.0:
        extra, who.extra = who.extra, 0.0
        occupy(d, s, who.state, t + extra)
        return -1
    rested = who.state == REST
    if rested:
        who.spell = t
    else:
        judged(d, who.job, t, rng)
        who.job = -1
    if who.on == 0:
        who.state = OFF
        d.totals[1] += max(t - max(who.off, warm_s), 0.0)
        who.off = np.inf
        return -1
    if t - who.spell >= d.rule[0].work_s:
        occupy(d, s, REST, t + d.rule[0].break_s)
        return -1
    return int(s)


@inner
def roster_turns(d: Desk, now: int, t: float, warm_s: float, shift: bool) -> None:
    """`now` reviewers are on duty from here on; at the end of a shift others take their places.

    Whoever goes finishes what he has begun; a successor first reads himself into it.
    """
    if shift:
        for s in range(min(d.n[0].on, now)):
            d.people[s].spell = t
            if d.people[s].state == BUSY:
                d.people[s].extra += d.rule[0].handover_s
    for s in range(now, d.n[0].on):
        who = d.people[s]
        who.on = 0
        if who.state == IDLE:
            stand_up(d, s)
            who.state = OFF
        else:
            who.off = t if who.state == BUSY else np.inf
    for s in range(d.n[0].on, now):
        who = d.people[s]
        who.on = 1
        if who.state == OFF:
            who.spell = t
            stand_by(d, s, t)
        else:
            d.totals[1] += max(t - max(who.off, warm_s), 0.0)
            who.off = np.inf
    d.n[0].on = now


@inner
def close(d: Desk, warm_s: float, end_s: float) -> None:
    """Count who is still there at the end."""
    for k in range(len(d.classes)):
        j = d.first[k]
        while j >= 0:
            one = d.jobs[j]
            if one.flags & MEASURED and (one.flags & SEEDED) == 0:
                waited = min(one.deadline, end_s) - one.queued
                d.waits[d.n[0].visits], d.kinds[d.n[0].visits] = waited, k
                d.n[0].visits += 1
                d.totals[2] += waited
                if one.deadline > end_s:
                    d.counts[k, WAITING] += 1
                else:
                    left(d, j)
            j = one.next
    for s in range(len(d.people)):
        who = d.people[s]
        if who.job >= 0:
            one = d.jobs[who.job]
            if one.flags & MEASURED and (one.flags & SEEDED) == 0:
                d.counts[one.cls, WAITING] += 1
        if who.off < np.inf:
            d.totals[1] += max(end_s - max(who.off, warm_s), 0.0)
    for i in range(d.n[0].back):
        one = d.jobs[d.back_i[i]]
        if one.flags & MEASURED:
            d.counts[one.cls, WAITING] += 1


@inner
def advance(
    d: Desk,
    rates: Any,
    duty: Any,
    slot_s: float,
    warm_s: float,
    end_s: float,
    tasks: Any,
    later: Any,
) -> bool:
    """Event after event; True at the end, False where the arrays are too small to go on."""
    n, rule = d.n[0], d.rule[0]
    while not cramped(d):
        t, what = n.arrive, 0
        if n.done > 0 and d.done_t[0] < t:
            t, what = d.done_t[0], 1
        if n.back > 0 and d.back_t[0] < t:
            t, what = d.back_t[0], 2
        if n.turn <= t:
            t, what = n.turn, 3
        if t >= end_s:
            return True
        if what == 0:
            finished(d, t, t >= warm_s, tasks, later)
            next_finished(d, t, rates, slot_s, tasks)
        elif what == 1:
            s = done(d, t, warm_s, later)
            if s >= 0:
                j = next_task(d, t)
                if j >= 0:
                    begin(d, s, j, t, warm_s, end_s)
                else:
                    stand_by(d, s, t)
        elif what == 2:
            returned(d, t, later)
        else:
            shift = rule.shift_slots > 0 and n.turns > 0 and n.turns % rule.shift_slots == 0
            roster_turns(d, duty[n.turns % len(duty)], t, warm_s, shift)
            n.turns += 1
            n.turn += slot_s
        while n.idle_first >= 0 and n.queued > 0:
            j = next_task(d, t)
            if j >= 0:
                s = n.idle_first
                stand_up(d, s)
                if t - d.people[s].idle >= rule.break_s:
                    d.people[s].spell = t
                begin(d, s, j, t, warm_s, end_s)
    return False


def build(sources: str) -> Run:
    """The compiled desk. `sources` stands for the code of this folder, so that a compiled one on
    disk is not taken for one of other code."""

    @njit(cache=True, nogil=True, error_model="numpy")
    def run(
        classes: Any,
        rule: Any,
        rates: NDArray[np.float64],
        duty: NDArray[np.int64],
        slot_s: float,
        warm_s: float,
        end_s: float,
        tasks: np.random.Generator,
        later: np.random.Generator,
    ) -> Any:
        """One desk from 0 to `end_s`.

        `classes` [class] CLASS in order of rank, `rule` [1] RULES, `rates` [slot] tasks per s and
        `duty` [slot] reviewers by slot of `slot_s`, over and over. Counted are tasks finished from
        `warm_s` on. Returns of the `Desk`: waits, kinds, settled_s, counts, totals.
        """
        if len(sources) == 0:
            raise ValueError("the sources of the desk must be known")
        d = opened(classes, rule, duty.max())
        d.n[0].slot_end = slot_s
        next_finished(d, 0.0, rates, slot_s, tasks)
        while not advance(d, rates, duty, slot_s, warm_s, end_s, tasks, later):
            d = roomier(d)
        if cramped(d):
            d = roomier(d)
        close(d, warm_s, end_s)
        visits = d.n[0].visits
        return d.waits[:visits].copy(), d.kinds[:visits].copy(), d.settled_s, d.counts, d.totals

    compiled: Run = run
    return compiled
