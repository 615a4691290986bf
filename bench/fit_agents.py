"""Fits what the work model of agents knows from measurements, and says how well it would predict.

    python bench/fit_agents.py FOLDER [--write]

FOLDER (or FOLDER/agents) holds tau2_leaderboard.csv (tau2-bench's leaderboard,
github.com/sierra-research/tau2-bench, MIT) and metr_task_results_th11.csv (METR's results by task,
github.com/METR/eval-analysis-public, MIT).

- The slip of an attempt: one value for all entries, least sum of the errors of pass^3 and pass^4.
- The spread of families, tasks and agents: three values of a coarse grid, for the Brier score of
  tasks that are left out, with and without what other agents did on them, over random halves.
- Each agent's logistic, and what is known of each family: not fitted but inferred, with these.

--write puts the last into the package; slip and spread are printed and stand in
`stages/agents/retries.py` and `families.py`.
"""

from __future__ import annotations

import argparse
import json
from pathlib import Path

import numpy as np

from lineshaft.measured.models import agents_sets, agents_tasks
from lineshaft.stages.agents import Spread, family_effects, predict_success

SPLITS, KEPT = 16, 0.65
"""Random splits of the tasks, and the share of them that is known."""
GRID = [
    Spread(family, task, own)
    for family in (1.0, 1.5, 2.0, 3.0, 4.0)
    for task in (0.5, 1.0, 2.0, 3.0)
    for own in (0.5, 1.0, 2.0)
]
TARGET = Path(agents_sets.__file__).parents[1] / "agents_fit.json"


def fit_spread(tasks: agents_tasks.Tasks) -> dict[Spread, tuple[float, float]]:
    """What families, and families and peers, take off the plain Brier score on tasks left out, by
    spread, best first."""
    names = np.unique(tasks.results.task)
    errors = {spread: np.zeros(3) for spread in GRID}
    for seed in range(SPLITS):
        order = np.random.default_rng(seed).permutation(names)
        known = np.isin(tasks.results.task, order[: int(KEPT * len(order))])
        train, left = tasks.where(known), tasks.where(~known)
        fits = train.fits()
        explained = train.explained_by(fits)
        for spread in GRID:
            effects = family_effects(explained, spread)
            for agent in left.agents:
                own = left.results.agent == agent
                asked = left.where(own).explained_by(fits)
                peers = left.where(~own).explained_by(fits)
                for i, p in enumerate(
                    (
                        fits[agent].probability(left.minutes[own]),
                        predict_success(asked, effects=effects, spread=spread),
                        predict_success(asked, peers, effects, spread),
                    )
                ):
                    errors[spread][i] += ((p - left.share[own]) ** 2).sum()
    gains = {s: (1 - e[1] / e[0], 1 - e[2] / e[0]) for s, e in errors.items()}
    return dict(sorted(gains.items(), key=lambda item: -sum(item[1])))


def main() -> None:
    """Fit, print, and write where asked."""
    parser = argparse.ArgumentParser()
    parser.add_argument("folder", type=Path)
    parser.add_argument("--write", action="store_true")
    asked = parser.parse_args()
    passes = agents_sets.entries(agents_sets.rows(asked.folder, "tau2_leaderboard"))
    print(f"slip {agents_sets.fit_slip(passes.shares):.3f}, on {len(passes.model)} entries")
    for name in ("model", "domain"):
        print(f"  each {name} predicted without it: {agents_sets.crossed_slip(passes, name)}")
    tasks = agents_tasks.read(agents_sets.rows(asked.folder, "metr_task_results_th11"))
    gains = fit_spread(tasks)
    for shown in list(gains)[:5]:
        families, peers = gains[shown]
        print(f"{shown}: families {families:.3f}, peers {peers:.3f}, on tasks left out")
    spread = next(iter(gains))
    for key in ("task", "family"):
        found = agents_tasks.crossed(tasks, tasks, lambda r, key=key: getattr(r, key), spread)
        print(f"  each {key} predicted without it: {agents_tasks.briers(tasks, found)}")
    if asked.write:
        text = json.dumps(agents_tasks.document(tasks, spread), indent=1, ensure_ascii=False)
        TARGET.write_text(text + "\n", encoding="utf-8")
        print(f"written: {TARGET}")


if __name__ == "__main__":
    main()
