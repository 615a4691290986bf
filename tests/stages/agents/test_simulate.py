"""Tasks and slots simulated against the closed forms, inside their 99 % intervals."""

from __future__ import annotations

import dataclasses
import math

import numpy as np
import pytest

from lineshaft.errors import InputError
from lineshaft.stages.agents import (
    MEASURES,
    AgentKind,
    AgentsInputs,
    TokenPrice,
    TokenUse,
    Work,
    characterise,
    expected,
    sample,
    simulate_slots,
    simulate_tasks,
    slots_needed,
    tokens_in_flight,
)

CODER = Work(
    AgentKind("coder", 60.0, acceptance=0.7, slip=0.05),
    p50_min=120.0,
    ttft_s=2.0,
    tpot_s=0.02,
    tool_s=120.0,
    token_sigma=0.5,
    price=TokenPrice(3.0, 0.3, 15.0),
    attempt_usd=0.1,
    wage_usd_per_h=64.0,
    price_usd_per_h=20.0,
)
ROBOT = Work(
    AgentKind("arm", 0.25, sigma=0.3, attempts=1, sensitivity=1.0, embodied=True,
              use=TokenUse(60 * 400.0)),
    p50_min=300.0,
    physical_s=15.0,
    physical_success=0.93,
)  # fmt: skip
FAMILIES = dataclasses.replace(
    CODER, kind=AgentKind("in families", 30.0, family_sd=1.5, rho=0.3, attempts=2)
)
BUDGET = dataclasses.replace(
    CODER, kind=AgentKind("on a budget", 45.0, attempts=4, budget_tokens=2e6)
)
CERTAIN = dataclasses.replace(
    CODER, kind=AgentKind("all or nothing", 60.0, rho=1.0, verifier_rho=1.0)
)


@pytest.mark.parametrize(
    "work", [CODER, ROBOT, FAMILIES, BUDGET, CERTAIN], ids=lambda w: w.kind.name
)
def test_the_simulation_is_the_closed_form(work: Work) -> None:
    exact, drawn = expected(work), simulate_tasks(work, 400_000, seed=3)
    for name in MEASURES:
        low, high = drawn.interval(name)
        # nine measures of five works: three in a hundred tests may lie outside 99 %, none outside
        # four standard errors
        slack = drawn.error[name] * (4.0 - 2.5758)
        assert low - slack - 1e-12 <= exact.mean[name] <= high + slack + 1e-12, name
    assert drawn.cost_usd == pytest.approx(exact.cost_usd, rel=0.01)


def test_the_closed_form_is_the_curve_of_the_line() -> None:
    for work in (CODER, FAMILIES, BUDGET):
        x = math.log2(work.p50_min / work.kind.median_min)
        curve = characterise(AgentsInputs((work.kind,), np.array([x, x + 1.0])))
        exact = expected(work)
        assert exact.success == pytest.approx(curve.success[0, 0], rel=1e-9)
        assert exact.mean["attempts"] == pytest.approx(curve.attempts[0, 0], rel=1e-9)
        right = curve.success[0, 0] * curve.correct[0, 0]
        assert exact.mean["accepted"] == pytest.approx(right, rel=1e-9)


def test_the_same_seed_is_the_same_on_any_number_of_threads() -> None:
    one, two, other = (
        simulate_tasks(CODER, 200_001, seed=s, threads=t) for s, t in ((7, 1), (7, 2), (8, 2))
    )
    assert one == two
    assert one.mean != other.mean


def test_tasks_one_by_one_are_those_of_the_sum() -> None:
    rows = sample(CODER, 70_000, seed=5)
    total = simulate_tasks(CODER, 70_000, seed=5)
    for name in MEASURES:
        assert rows[name].mean() == pytest.approx(total.mean[name], rel=1e-9)
    assert set(np.unique(rows["attempts"])) <= {1.0, 2.0, 3.0}
    assert (rows["accepted"] <= rows["right"]).all() and (rows["right"] <= rows["passed"]).all()
    assert np.median(rows["minutes"]) == pytest.approx(60.0, rel=0.02)


def test_outcomes_add_up() -> None:
    told = expected(CODER)
    assert told.defects == pytest.approx(told.mean["passed"] - told.mean["right"])
    assert told.human_usd == pytest.approx(told.mean["human_min"] * 64.0 / 60.0)
    assert told.cost_usd == pytest.approx(told.agent_usd + told.human_usd)
    assert 0.0 < told.cost_ratio < 1.0
    assert told.value_usd == pytest.approx(told.mean["accepted_min"] / 3.0)
    # long tasks take more attempts, so tokens are more than mean attempts of a mean attempt
    mean_tokens = 1.1e6 * math.exp(0.5)
    assert told.mean["tokens"] > told.mean["attempts"] * mean_tokens


def test_siblings_share_their_luck() -> None:
    few = dataclasses.replace(FAMILIES, families=20)
    alike = [simulate_tasks(few, 20_000, seed=s).success for s in range(12)]
    own = [simulate_tasks(FAMILIES, 20_000, seed=s).success for s in range(12)]
    assert np.std(alike) > 5.0 * np.std(own)
    one = simulate_tasks(few, 20_000)
    assert abs(one.success - expected(few).success) < 4.0 * one.error["passed"]


def test_ample_slots_are_little_s_law() -> None:
    works, rates = (CODER, ROBOT), (0.05, 2.0)
    needed = slots_needed(works, rates)
    queue = simulate_slots(works, rates, slots=int(needed * 3 + 50), tasks=300_000, seed=2)
    assert queue.wait_s == 0.0 and queue.waited == 0.0
    assert abs(queue.busy - needed) < 4.0 * queue.busy_error
    assert queue.offered == pytest.approx(needed, rel=0.02)
    assert queue.tokens_in_flight == pytest.approx(tokens_in_flight(works, rates), rel=0.02)


def test_one_slot_waits_as_pollaczek_and_khinchine_say() -> None:
    work = dataclasses.replace(CODER, kind=AgentKind("short", 5.0, sigma=0.5), token_sigma=0.0)
    wall = sample(work, 400_000)["wall_s"]
    rate = 0.6 / wall.mean()
    wait = rate * (wall**2).mean() / (2.0 * (1.0 - 0.6))
    queue = simulate_slots([work], [rate], slots=1, tasks=400_000, seed=4)
    assert abs(queue.wait_s - wait) < 4.0 * queue.wait_error_s + 0.01 * wait
    assert abs(queue.waited - 0.6) < 4.0 * queue.waited_error
    assert queue.utilisation == pytest.approx(0.6, rel=0.02)


def test_bad_input_is_told_at_once() -> None:
    wrong = dataclasses.replace(CODER, p50_min=-1.0, physical_success=2.0, kind=AgentKind("x", 0.0))
    with pytest.raises(InputError) as told:
        expected(wrong)
    keys = {problem.key for problem in told.value.problems}
    assert {"agents.x.median_min", "work.x.p50_min", "work.x.physical_success"} <= keys
    with pytest.raises(InputError, match="slots"):
        simulate_slots([CODER], [1.0], slots=3, tasks=10_000)
    with pytest.raises(InputError, match="tasks_per_s"):
        simulate_slots([CODER], [0.0], slots=3, tasks=10_000)
    with pytest.raises(InputError, match="at least 4,000"):
        simulate_slots([CODER], [0.0001], slots=3, tasks=100)
