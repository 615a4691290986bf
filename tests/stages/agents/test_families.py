"""Task families: what siblings and peers say, against brute force and in the limits."""

from __future__ import annotations

import numpy as np
import pytest
from numpy.typing import NDArray

from lineshaft.errors import InputError
from lineshaft.stages.agents import (
    FamilyEffect,
    HorizonFit,
    Spread,
    TaskResults,
    family_effects,
    predict_success,
)

SMALL = Spread(1.2, 0.8, 0.5)


def results(*rows: tuple[str, str, float, int, int]) -> TaskResults:
    """(agent, family/task, logit, wins, runs) each."""
    agent, task, logit, wins, runs = (np.array(column) for column in zip(*rows, strict=True))
    family = np.array([name.split("/")[0] for name in task.tolist()])
    return TaskResults(agent, task, family, logit.astype(float), wins * 1.0, runs * 1.0)


def by_sampling(asked: float, known: list[tuple[float, int, int]], peer: bool) -> float:
    """Success on one task by weighing a million draws with the likelihood of one known result,
    on a sibling or, with `peer`, by another agent on the same task."""
    rng = np.random.default_rng(1)
    family, task, other = (
        sd * rng.standard_normal(1_000_000) for sd in (SMALL.family, SMALL.task, SMALL.task)
    )
    own, theirs = (SMALL.own * rng.standard_normal(1_000_000) for _ in range(2))
    ((logit, wins, runs),) = known

    def chance(z: NDArray[np.float64]) -> NDArray[np.float64]:
        return 1.0 / (1.0 + np.exp(-z))

    q = chance(SMALL.scale * logit + family + (task if peer else other) + theirs)
    weight = q**wins * (1.0 - q) ** (runs - wins)
    p = chance(SMALL.scale * asked + family + task + own)
    return float((weight * p).sum() / weight.sum())


def test_nothing_known_is_the_plain_logistic() -> None:
    asked = results(("a", "f/1", -2.0, 0, 1), ("a", "g/1", 0.0, 0, 1), ("a", "h/1", 2.5, 0, 1))
    plain = 1.0 / (1.0 + np.exp(-asked.logit))
    for spread in (Spread(0.0, 0.0, 0.0), SMALL, Spread()):
        assert predict_success(asked, spread=spread) == pytest.approx(plain, abs=0.02)


@pytest.mark.parametrize("wins", [0, 2, 5])
@pytest.mark.parametrize("peer", [False, True])
def test_one_result_says_what_sampling_says(wins: int, peer: bool) -> None:
    asked = results(("a", "f/1", 0.3, 0, 1))
    known = results(("b", "f/1", -0.2, wins, 5)) if peer else results(("a", "f/2", -0.2, wins, 5))
    told = float(predict_success(asked, known, spread=SMALL)[0])
    # Laplace's approximation of a skewed posterior
    assert told == pytest.approx(by_sampling(0.3, [(-0.2, wins, 5)], peer), abs=0.03)


def test_siblings_and_peers_move_the_answer_their_way_and_strangers_do_not() -> None:
    asked = results(("a", "f/1", 0.0, 0, 1))
    stranger = predict_success(asked, results(("b", "g/9", 0.0, 0, 6)))[0]
    sibling = predict_success(asked, results(("b", "f/9", 0.0, 0, 6)))[0]
    peer = predict_success(asked, results(("b", "f/1", 0.0, 0, 6)))[0]
    assert stranger == pytest.approx(0.5)
    assert peer < sibling < stranger


def test_effects_known_beforehand_are_the_results_that_gave_them() -> None:
    known = results(("a", "f/2", 1.0, 1, 6), ("b", "f/3", 0.0, 0, 6), ("a", "g/1", -1.0, 6, 6))
    asked = results(("a", "f/1", 0.5, 0, 1), ("b", "g/2", 0.5, 0, 1))
    direct = predict_success(asked, known)
    effects = family_effects(known)
    assert predict_success(asked, effects=effects) == pytest.approx(direct, abs=1e-9)
    assert effects["f"].mean < 0 < effects["g"].mean
    assert all(0 < e.sd < Spread().family for e in effects.values())


def test_what_is_asked_may_not_be_known() -> None:
    asked = results(("a", "f/1", 0.0, 0, 1))
    with pytest.raises(InputError, match="asked for"):
        predict_success(asked, results(("a", "f/1", 0.0, 1, 1)))


def test_many_results_that_all_agree_still_have_a_most_likely_difficulty() -> None:
    known = results(*((a, f"f/{i}", 3.0, 0, 8) for i in range(20) for a in "ab"))
    effects = family_effects(known, Spread(4.0, 3.0, 2.0))
    assert np.isfinite(effects["f"].mean) and effects["f"].mean < -3.0


def test_logits_come_from_each_agent_s_own_fit() -> None:
    known = results(("a", "f/1", 0.0, 1, 1), ("b", "f/1", 0.0, 1, 1))
    fits = {"a": HorizonFit(4.0, 0.5, 0), "b": HorizonFit(2.0, 1.0, 0)}
    assert known.explained_by(fits, np.array([16.0, 16.0])).logit.tolist() == [2.0, -2.0]


def test_an_effect_of_no_doubt_shifts_by_itself() -> None:
    asked = results(("a", "f/1", 0.0, 0, 1))
    told = predict_success(asked, effects={"f": FamilyEffect(1.5, 0.0)}, spread=Spread(1.0, 0.0, 0))
    assert told[0] == pytest.approx(1.0 / (1.0 + np.exp(-1.5)))
