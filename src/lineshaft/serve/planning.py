"""`plan`: the cheapest deployment that meets a service level with its error bar."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass, replace
from typing import Any

from lineshaft import catalog
from lineshaft.errors import InputError, Problem
from lineshaft.parallel import processors
from lineshaft.parameters.hardware import architecture, chip
from lineshaft.serve.bounds import most_rps
from lineshaft.serve.breaking import Break, breaks
from lineshaft.serve.candidates import BUDGETS, SEATS, WIDEST, Shape, layouts, limits
from lineshaft.serve.flags import commands
from lineshaft.serve.fleets import Deployment, rent_usd_per_h, saturation_rps
from lineshaft.serve.instance import Asked, Instance
from lineshaft.serve.result import Result, plain
from lineshaft.serve.search import Candidate, Ruled, Search, search
from lineshaft.serve.simulation import result
from lineshaft.units import format_quantity

Progress = Callable[[int, int], None]

ROUND = 16
"""Shapes searched side by side; what they find prunes the next ones. Fixed, so that the result does
not depend on the number of processors."""
NEAR = 1.3
"""How far behind the front, in price and TPOT, a layout may lie to be looked at more closely."""
CONFIRMATIONS = 40
"""Most deployments simulated in full until one holds."""


@dataclass(frozen=True, slots=True, eq=False)
class Plan:
    """The cheapest deployment that meets the service level, and what else there is."""

    winner: Result
    """Simulated in full."""
    front: tuple[Candidate, ...]
    """Deployments that meet the level and that no other beats in both price and TPOT, cheapest
    first."""
    found: tuple[Candidate, ...]
    """The cheapest deployment of every shape that meets the level."""
    ruled: tuple[Ruled, ...]
    """Shapes without one, and why."""
    why: tuple[str, ...]
    """Why the winner wins, in sentences."""
    broken: Break
    """What breaks first when there is more to do."""
    commands: dict[str, str]
    """By engine, how to start one instance (with two pools: one of each)."""
    tokens_per_h: float
    """Prompt and answer tokens that the deployment serves in an hour."""

    def usd_per_mtok(self, one: Candidate) -> float:
        """Rent per million tokens served, prompt and answer."""
        return one.usd_per_h / self.tokens_per_h * 1e6

    def to_dict(self) -> dict[str, Any]:
        """All of it as plain data."""

        def row(one: Candidate) -> dict[str, Any]:
            asked = one.deployment.one.asked
            return {
                "name": one.deployment.name,
                "instances": one.deployment.instances,
                "decode_instances": one.deployment.decode_instances,
                "accelerators": one.deployment.accelerators,
                "max_num_seqs": asked.max_num_seqs,
                "max_num_batched_tokens": asked.max_num_batched_tokens,
                "usd_per_h": one.usd_per_h,
                "usd_per_mtok": self.usd_per_mtok(one),
                "ttft_s": one.ttft_s,
                "tpot_s": one.tpot_s,
            }

        return plain(
            {
                "winner": self.winner.to_dict(),
                "front": [row(one) for one in self.front],
                "found": [row(one) for one in self.found],
                "ruled_out": Counter(one.why.split(":")[0] for one in self.ruled),
                "why": self.why,
                "breaks_first": self.broken.to_dict(),
                "commands": self.commands,
            }
        )


def shapes(
    model: str, accelerators: Sequence[str], base: Asked, widest: int = WIDEST
) -> list[Shape]:
    """Every shape with one pool and usual limits of the scheduler: accelerators x layouts."""
    arch = architecture(model)
    found = []
    for name in accelerators:
        row = catalog.find("accelerators", name)
        for layout in layouts(arch, chip(row), widest):
            asked = replace(base, model=model, accelerator=row.text("name"), layout=layout)
            found += [Shape(one) for one in limits(asked, SEATS[1:2], BUDGETS[1:2])]
    return found


def finer(todo: Sequence[Shape], near: Sequence[Candidate]) -> list[Shape]:
    """The shapes of layouts that came near the front, with all other limits."""
    kinds = {_kind(one.deployment) for one in near}
    return [
        Shape(one)
        for shape in todo
        if ((shape.asked.accelerator, shape.asked.layout),) in kinds
        for one in limits(shape.asked, SEATS, BUDGETS)
        if one != shape.asked
    ]


def two_pools(common: Search, todo: Sequence[Shape], near: Sequence[Candidate]) -> list[Shape]:
    """Shapes that split prompts and answers over two pools of the same accelerator.

    For accelerators of which something came near the front: the layouts that do most prompts per
    accelerator are paired with those that do most answers.
    """
    wanted = {one.deployment.one.chip.name for one in near}
    fits: dict[str, list[Instance]] = {}
    for shape in todo:
        if shape.asked.accelerator in wanted:
            with suppress(InputError):
                fits.setdefault(shape.asked.accelerator, []).append(common.instance(shape.asked))
    requests = common.traffic.requests
    found = []
    for instances in fits.values():

        def best(part: str, count: int, of: list[Instance] = instances) -> list[Instance]:
            rank = {id(one): most_rps(one, requests, part) / one.accelerators for one in of}
            return sorted(of, key=lambda one: -rank[id(one)])[:count]

        for prompts in best("prompts", 2):
            for answers in best("answers", 3):
                for seats in SEATS[1:]:
                    decode = replace(
                        answers.asked, max_num_seqs=seats, max_num_batched_tokens=BUDGETS[0]
                    )
                    found.append(Shape(prompts.asked, decode))
    return found


def near(found: Sequence[Candidate], ruled: Sequence[Ruled]) -> list[Candidate]:
    """What may come to the front with other limits: no other is better by `NEAR` in both price and
    TPOT, or it misses the level by no more than that."""
    front = front_of(found)
    close = [
        one
        for one in found
        if not any(
            other.usd_per_h * NEAR < one.usd_per_h and other.tpot_s * NEAR < one.tpot_s
            for other in front
        )
    ]
    missed = (one.closest for one in ruled if not one.why.startswith("dominated"))
    return close + [one for one in missed if one is not None and one.miss <= NEAR]


def front_of(candidates: Sequence[Candidate]) -> list[Candidate]:
    """Those that no other beats in both price and TPOT, cheapest first."""
    found: list[Candidate] = []
    for one in sorted(candidates, key=lambda c: (c.usd_per_h, c.tpot_s)):
        if not found or one.tpot_s < found[-1].tpot_s:
            found.append(one)
    return found


def explore(
    common: Search,
    todo: Sequence[Shape],
    *,
    before: Sequence[Candidate] = (),
    progress: Progress = lambda done, total: None,
    workers: int | None = None,
) -> tuple[list[Candidate], list[Ruled]]:
    """The cheapest deployment of every shape, or why there is none; the same for any `workers`.

    `before` was found earlier, and rules out what it dominates.
    """
    found: list[Candidate] = []
    ruled: list[Ruled] = []
    progress(0, len(todo))
    with ThreadPoolExecutor(workers or processors()) as pool:
        for start in range(0, len(todo), ROUND):
            front = [(c.usd_per_h, c.tpot_s) for c in front_of([*before, *found])]
            batch = todo[start : start + ROUND]
            for one in pool.map(lambda shape: search(common, shape, front), batch):  # noqa: B023
                if isinstance(one, Ruled):
                    ruled.append(one)
                else:
                    found.append(one)
            progress(min(start + ROUND, len(todo)), len(todo))
    return found, ruled


def planned(
    common: Search,
    todo: Sequence[Shape],
    *,
    path: str,
    split: bool = True,
    progress: Progress = lambda done, total: None,
    workers: int | None = None,
) -> Plan:
    """The plan among these shapes, coarse to fine: usual limits of the scheduler first, then all
    limits and, with `split`, two pools, where something came near the front.

    Raises:
        InputError: no shape fits, or none meets the service level: the closest, and how far off.
    """

    def coarse(done: int, total: int) -> None:
        progress(done, 3 * total)  # the finer shapes are not known yet

    found, ruled = explore(common, todo, progress=coarse, workers=workers)
    close = near(found, ruled)
    fine = [*finer(todo, close), *(two_pools(common, todo, close) if split else ())]
    tried = len(todo)
    more, also = explore(
        common,
        fine,
        before=found,
        progress=lambda done, total: progress(tried + done, tried + total),
        workers=workers,
    )
    found, ruled = [*found, *more], [*ruled, *also]
    if not found:
        raise InputError(_none(ruled))
    winner, best, found = _confirmed(common, found)
    tokens = sum(winner.tokens_per_s.values()) * 3600.0
    return Plan(
        winner=winner,
        front=tuple(front_of(found)),
        found=tuple(sorted(found, key=lambda one: one.usd_per_h)),
        ruled=tuple(ruled),
        why=tuple(_why(common, best, found, ruled)),
        broken=breaks(common, best),
        commands=commands(best.deployment, path),
        tokens_per_h=tokens,
    )


def _confirmed(
    common: Search, found: Sequence[Candidate]
) -> tuple[Result, Candidate, list[Candidate]]:
    """The cheapest that holds when it is simulated in full, and all that are left: one that does
    not hold so has more instances."""
    todo = list(found)
    for _ in range(CONFIRMATIONS):
        best = min(todo, key=lambda one: (one.usd_per_h, one.tpot_s))
        deployed = best.deployment
        full = common.traffic.stretched(deployed.instances + deployed.decode_instances)
        told = result(
            deployed,
            full,
            slos=common.slos,
            definition=common.definition,
            prices=common.prices,
            accuracy=common.accuracy,
            saturation=saturation_rps(deployed, common.traffic),
        )
        if told.holds:
            return told, best, todo
        todo.remove(best)
        more = _larger(deployed, told)
        todo.append(replace(best, deployment=more, usd_per_h=common.usd_per_h(more)))
    raise InputError(_none([Ruled(Shape(best.deployment.one.asked), "misses the level", best)]))


def _larger(deployed: Deployment, told: Result) -> Deployment:
    """With more instances, in the pool that is too small."""
    missed = {one.key.split("_")[0] for one in told.verdicts if not one.sure}
    if deployed.decode is not None and "ttft" not in missed:
        count = deployed.decode_instances
        return replace(deployed, decode_instances=count + max(1, count // 50))
    count = deployed.instances
    return replace(deployed, instances=count + max(1, count // 50))


def _why(
    common: Search, best: Candidate, found: Sequence[Candidate], ruled: Sequence[Ruled]
) -> list[str]:
    """Sentences: the next cheapest of another kind, one instance fewer, what was ruled out."""
    lines = []
    others = [
        one
        for one in sorted(found, key=lambda c: c.usd_per_h)
        if _kind(one.deployment) != _kind(best.deployment)
    ]
    if others:
        second = others[0]
        more = second.usd_per_h / best.usd_per_h - 1.0
        lines.append(
            f"The next best is {second.deployment.name}: {more:+.1%} in price, TPOT "
            f"{format_quantity(second.tpot_s, 's')} against {format_quantity(best.tpot_s, 's')}."
        )
    if best.deployment.instances > 1:
        fewer = common.candidate(replace(best.deployment, instances=best.deployment.instances - 1))
        missed = [v for v in fewer.verdicts if not v.sure]
        if missed:
            worst = max(missed, key=lambda v: v.high_s / v.limit_s)
            lines.append(
                f"With one instance fewer {worst.key} would reach "
                f"{format_quantity(worst.high_s, 's')} at the high end of its error bar "
                f"(asked: {format_quantity(worst.limit_s, 's')})."
            )
    cheap = [
        one
        for one in ruled
        if one.closest
        and not one.why.startswith("dominated")
        and one.closest.usd_per_h < best.usd_per_h
    ]
    if cheap:
        lines.append(f"{len(cheap)} shapes would be cheaper and miss the service level.")
    return lines


def _kind(deployed: Deployment) -> tuple[object, ...]:
    """What tells deployments apart, but for numbers of instances and limits."""
    parts = [one.asked for one in (deployed.one, deployed.decode) if one]
    return tuple((asked.accelerator, asked.layout) for asked in parts)


def _none(ruled: Sequence[Ruled]) -> Problem:
    """What to say where nothing meets the level."""
    near = [one for one in ruled if one.closest is not None]
    if not near:
        reasons = Counter(one.why for one in ruled).most_common(1)
        found = f"none of {len(ruled)} shapes can be: {reasons[0][0] if reasons else 'no shape'}"
        fix = "take more or larger accelerators, or a lower precision"
        return Problem("", "plan", found, "a model that fits", fix)
    best = min(near, key=lambda one: one.closest.miss if one.closest else 0.0)
    closest = best.closest
    assert closest is not None
    worst = max(closest.verdicts, key=lambda v: v.high_s / v.limit_s)
    found = (
        f"none of {len(ruled)} shapes meets it; the closest is {closest.deployment.name}: "
        f"{worst.key} {format_quantity(worst.value_s, 's')}, up to "
        f"{format_quantity(worst.high_s, 's')} with its error bar "
        f"({worst.high_s / worst.limit_s:.3g} times what is asked)"
    )
    fix = f"ask {worst.key}={worst.high_s * 1.02:.3g}s, or give more accelerators to choose from"
    return Problem("", "slo", found, f"{worst.key} from {format_quantity(worst.high_s, 's')}", fix)


def priced(accelerators: Sequence[str], prices: Mapping[str, float]) -> list[str]:
    """Names in the catalog of these accelerators; without any, of all that have a rent.

    Raises:
        InputError: unknown names, and accelerators without a rent.
    """
    problems: list[Problem] = []
    names = []
    for name in accelerators:
        try:
            row = catalog.find("accelerators", name)
        except InputError as error:
            problems += error.problems
            continue
        names.append(row.text("name"))
        if math.isnan(rent_usd_per_h(row, prices)):
            found = f"the catalog has no rent for {names[-1]}: no public source was found"
            fix = f"give one, for example --price '{names[-1]}=5'"
            problems.append(Problem("", "price", found, "USD per accelerator and hour", fix))
    if problems:
        raise InputError(problems)
    rows = catalog.table("accelerators")
    usual = [row.text("name") for row in rows if not math.isnan(rent_usd_per_h(row, prices))]
    return list(dict.fromkeys(names or usual))
