"""METR's results by task: the plain logistic, and what siblings and peers add to it.

Three predictors of the success of an agent on a task that it has not been seen on:

* plain: the agent's own two-parameter logistic of length;
* families: the same, with what both agents' results on *other* tasks say of the task's family;
* peers: that, with what *other* agents did on the very task.

Tasks that the shipped fit has not seen are predicted with what ships. Those that it was fitted on
are predicted in cross-validation: logistics and families are fitted anew without them.
"""

from __future__ import annotations

import json
import zlib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from importlib import resources
from itertools import pairwise
from typing import Any

import numpy as np
from numpy.typing import NDArray

from lineshaft.errors import InputError
from lineshaft.stages.agents import (
    SPREAD,
    FamilyEffect,
    HorizonFit,
    Spread,
    TaskResults,
    beta_moment,
    family_effects,
    fit_horizon,
    predict_success,
)

Array = NDArray[np.float64]
FOLDS = 10
BUCKETS_MIN = (0.0, 1.0, 4.0, 16.0, 60.0, 240.0, 960.0, np.inf)
"""Human minutes between which calibration is told."""
REFERENCES: dict[tuple[str, int], tuple[float, float]] = {
    ("GPT-5.4", 149): (0.58300, 4.87813),
    ("Claude Mythos Preview", 149): (0.47504, 4.91554),
    ("GPT-5.4", 228): (0.520, 4.378),
    ("Claude Mythos Preview", 228): (0.557, 5.582),
}
"""Slope and intercept by agent and number of its tasks: of 149 tasks fitted apart with
scikit-learn, of all 228 as METR publishes them (metr.org/time-horizons)."""


@dataclass(frozen=True)
class Tasks:
    """Results by agent and task; arrays [result]. Logits are those of no fit."""

    results: TaskResults
    minutes: Array
    weight: Array

    def __len__(self) -> int:
        return len(self.results)

    @property
    def share(self) -> Array:
        """Of the runs that succeeded."""
        return self.results.wins / self.results.runs

    @property
    def agents(self) -> list[str]:
        """In order of their first result."""
        return list(dict.fromkeys(self.results.agent.tolist()))

    def where(self, keep: NDArray[np.bool_]) -> Tasks:
        """The results that a mask keeps."""
        return Tasks(self.results.where(keep), self.minutes[keep], self.weight[keep])

    def of(self, agent: str) -> Tasks:
        """The results of one agent."""
        return self.where(self.results.agent == agent)

    def fits(self) -> dict[str, HorizonFit]:
        """Each agent's plain logistic."""
        found = {}
        for agent in self.agents:
            own = self.of(agent)
            r = own.results
            try:
                found[agent] = fit_horizon(own.minutes, r.wins, r.runs, own.weight)
            except (
                InputError
            ):  # too few tasks, or all alike: half a success and half a failure more
                wins, runs = r.wins + 0.5, r.runs + 1.0
                found[agent] = fit_horizon(own.minutes, wins, runs, own.weight, 1e-2)
        return found

    def explained_by(self, fits: Mapping[str, HorizonFit]) -> TaskResults:
        """The results with the logits of these fits."""
        return self.results.explained_by(fits, self.minutes)


def read(rows: Sequence[Mapping[str, str]]) -> Tasks:
    """Results from the lines of the file."""

    def number(column: str) -> Array:
        return np.array([float(row[column]) for row in rows])

    task = np.array([row["task_id"] for row in rows])
    family = np.array([name.split("/")[0] for name in task.tolist()])
    agent = np.array([row["agent"] for row in rows])
    wins, runs = number("n_successes"), number("n_runs")
    results = TaskResults(agent, task, family, np.zeros(len(rows)), wins, runs)
    return Tasks(results, number("human_minutes"), number("task_weight"))


@dataclass(frozen=True)
class Shipped:
    """What was fitted on public results and ships: `bench/fit_agents.py` writes it."""

    fits: Mapping[str, HorizonFit]
    effects: Mapping[str, FamilyEffect]
    seen: frozenset[str]
    """Tasks of the fit."""


@lru_cache
def shipped() -> Shipped:
    """The logistics and families that ship."""
    text = (resources.files("lineshaft.measured") / "agents_fit.json").read_text("utf-8")
    document = json.loads(text)
    families = document["families"]
    return Shipped(
        {n: HorizonFit(f["intercept"], f["slope"], 0) for n, f in document["agents"].items()},
        {n: FamilyEffect(f["mean"], f["sd"]) for n, f in families.items()},
        frozenset(f"{n}/{task}" for n, f in families.items() for task in f["tasks"]),
    )


def document(tasks: Tasks, spread: Spread = SPREAD) -> dict[str, Any]:
    """What is to ship, from results."""
    fits = tasks.fits()
    effects = family_effects(tasks.explained_by(fits), spread)
    names = sorted(set(tasks.results.task.tolist()))
    return {
        "agents": {
            agent: {"intercept": round(fit.intercept, 6), "slope": round(fit.slope, 6)}
            for agent, fit in fits.items()
        },
        "families": {
            family: {
                "mean": round(effect.mean, 4),
                "sd": round(effect.sd, 4),
                "tasks": [n.partition("/")[2] for n in names if n.split("/")[0] == family],
            }
            for family, effect in effects.items()
        },
    }


@dataclass(frozen=True)
class Predicted:
    """Success probabilities by the three predictors, arrays [result]."""

    plain: Array
    families: Array
    peers: Array


def with_shipped(asked: Tasks, every: Tasks) -> Predicted:
    """What ships, on tasks that it has not seen; `every` has the peers. An agent that does not
    ship takes its logistic from its other tasks, in cross-validation."""
    ours = shipped()
    plain = np.empty(len(asked))
    parts = np.empty((2, len(asked)))
    known = [agent for agent in asked.agents if agent in ours.fits]
    others = [agent for agent in asked.agents if agent not in ours.fits]
    all_fits = every.fits() | dict(ours.fits)
    for agent in known:
        mine = asked.results.agent == agent
        one = asked.where(mine).explained_by(ours.fits)
        plain[mine] = _plain(one)
        parts[0, mine] = predict_success(one, effects=ours.effects)
        peers = every.where(every.results.agent != agent)
        peers = peers.where(~np.isin(peers.results.task, list(ours.seen)))
        parts[1, mine] = predict_success(one, peers.explained_by(all_fits), ours.effects)
    if others:
        mine = np.isin(asked.results.agent, others)
        found = crossed(asked.where(mine), every, _task)
        plain[mine], parts[0, mine], parts[1, mine] = found.plain, found.families, found.peers
    return Predicted(plain, parts[0], parts[1])


def crossed(
    asked: Tasks,
    every: Tasks,
    key: Callable[[TaskResults], NDArray[np.str_]],
    spread: Spread = SPREAD,
) -> Predicted:
    """Cross-validation: tasks, or whole families, are left out of all that predicts them."""
    fold, of_every = _folds(key(asked.results)), _folds(key(every.results))
    out = Predicted(*(np.empty(len(asked)) for _ in range(3)))
    for number in np.unique(fold):
        rest = every.where(of_every != number)
        fits = rest.fits()
        known = rest.explained_by(fits)
        for agent in asked.agents:
            mine = (fold == number) & (asked.results.agent == agent)
            if not mine.any():
                continue
            one = asked.where(mine).explained_by({agent: _mean(fits)} | fits)
            out.plain[mine] = _plain(one)
            out.families[mine] = predict_success(one, known, spread=spread)
            peers = every.where((of_every == number) & (every.results.agent != agent))
            peers = peers.where(np.isin(peers.results.agent, list(fits)))
            both = _joined(known, peers.explained_by(fits))
            out.peers[mine] = predict_success(one, both, spread=spread)
    return out


def score(tasks: Tasks) -> dict[str, Any]:
    """What is told of the set; see `agents_sets.score`."""
    unseen = ~np.isin(tasks.results.task, list(shipped().seen))
    asked = tasks.where(unseen) if unseen.any() else tasks
    found = with_shipped(asked, tasks) if unseen.any() else crossed(asked, tasks, _task)
    by_family = crossed(tasks, tasks, _family)
    both = briers(asked, found)
    return {
        "rows": len(tasks),
        "tasks": len(set(tasks.results.task.tolist())),
        "unseen_tasks": len(set(tasks.results.task[unseen].tolist())),
        "predicted": "what ships, on tasks it has not seen"
        if unseen.any()
        else f"cross-validation, {FOLDS} parts of the tasks",
        "brier_uses": "length, families, and other agents on the same task",
        "brier": both["brier_peers"],
        "brier_gain": both["gain_peers"],
        **both,
        "new_families": briers(tasks, by_family),
        **_refits(tasks),
        "agents": {agent: _agent(tasks.of(agent), asked, found, agent) for agent in tasks.agents},
    }


def _agent(own: Tasks, asked: Tasks, found: Predicted, agent: str) -> dict[str, Any]:
    mine = asked.results.agent == agent
    part = Predicted(found.plain[mine], found.families[mine], found.peers[mine])
    fit = own.fits()[agent]
    ends = np.isin(own.share, (0.0, 1.0)).mean()
    return {
        "slope": fit.slope,
        "intercept": fit.intercept,
        "p50_min": fit.horizon_min(0.5),
        "p80_min": fit.horizon_min(0.8),
        "brier_in_sample": float(np.mean((fit.probability(own.minutes) - own.share) ** 2)),
        "all_or_nothing": float(ends),
        "all_or_nothing_model": _ends(own, fit),
        **briers(asked.where(mine), part),
        "buckets": _buckets(asked.where(mine), part),
    }


def _refits(tasks: Tasks) -> dict[str, float | None]:
    """Largest differences from the published coefficients, where the rows are those."""
    slopes, intercepts, p50s = [], [], []
    for agent, fit in tasks.fits().items():
        reference = REFERENCES.get((agent, len(tasks.of(agent))))
        if reference is not None:
            known = HorizonFit(reference[1], reference[0], 0)
            slopes.append(abs(fit.slope - known.slope))
            intercepts.append(abs(fit.intercept - known.intercept))
            p50s.append(abs(fit.horizon_min() / known.horizon_min() - 1.0))
    return {
        "slope_off": max(slopes, default=None),
        "intercept_off": max(intercepts, default=None),
        "p50_off": max(p50s, default=None),
    }


def briers(tasks: Tasks, found: Predicted) -> dict[str, float]:
    """Mean squared errors of the share of successful runs, every task alike, and what each
    predictor takes off the plain one's, as a share of it."""

    def brier(p: Array) -> float:
        return float(np.mean((p - tasks.share) ** 2))

    plain, families, peers = brier(found.plain), brier(found.families), brier(found.peers)
    return {
        "brier_plain": plain,
        "brier_families": families,
        "gain_families": 1.0 - families / plain,
        "brier_peers": peers,
        "gain_peers": 1.0 - peers / plain,
    }


def _buckets(tasks: Tasks, found: Predicted) -> list[dict[str, float]]:
    """Observed and predicted shares by length."""
    out = []
    for low, high in pairwise(BUCKETS_MIN):
        here = (tasks.minutes >= low) & (tasks.minutes < high)
        if here.any():
            out.append(
                {
                    "from_min": low,
                    "tasks": int(here.sum()),
                    "observed": float(tasks.share[here].mean()),
                    "plain": float(found.plain[here].mean()),
                    "families": float(found.families[here].mean()),
                    "peers": float(found.peers[here].mean()),
                }
            )
    return out


def _ends(own: Tasks, fit: HorizonFit) -> float:
    """Share of tasks passed or failed in all runs by a Beta distribution around the fit, its
    correlation by moments: of pairs of runs of one task against all."""
    wins, runs = own.results.wins, own.results.runs
    p = fit.probability(own.minutes)
    pairs = wins * (wins - 1.0) / (runs * (runs - 1.0))
    rho = float(np.clip((pairs - p * p).sum() / (p * (1.0 - p)).sum(), 0.0, 1.0))
    ends = [
        float(beta_moment(m, rho, int(n), 0) + beta_moment(m, rho, 0, int(n)))
        for m, n in zip(p, runs, strict=True)
    ]
    return float(np.mean(ends))


def _mean(fits: Mapping[str, HorizonFit]) -> HorizonFit:
    """What is expected of an agent with no other results: the mean of all agents."""
    known = list(fits.values())
    intercept, slope = (
        float(np.mean([getattr(fit, name) for fit in known])) if known else 0.0
        for name in ("intercept", "slope")
    )
    return HorizonFit(intercept, slope, 0)


def _plain(one: TaskResults) -> Array:
    return np.asarray(1.0 / (1.0 + np.exp(-one.logit)))


def _joined(first: TaskResults, second: TaskResults) -> TaskResults:
    names = TaskResults.__slots__
    return TaskResults(*(np.concatenate([getattr(first, n), getattr(second, n)]) for n in names))


def _folds(names: NDArray[np.str_]) -> NDArray[np.int64]:
    """The part of the cross-validation that each name belongs to, whatever else is there."""
    return np.array([zlib.crc32(name.encode()) % FOLDS for name in names.tolist()])


def _task(results: TaskResults) -> NDArray[np.str_]:
    return results.task


def _family(results: TaskResults) -> NDArray[np.str_]:
    return results.family
