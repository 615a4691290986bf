"""The simulated desk: limits with known answers, conservation, and what the formulas leave out."""

from __future__ import annotations

import random
from dataclasses import replace

import numpy as np
import pytest
import simpy
from hypothesis import given, settings
from hypothesis import strategies as st

from lineshaft.errors import InputError
from lineshaft.stages.oversee import (
    csp1_fraction,
    erlang_a,
    erlang_c,
    mean_wait_s,
    priority_waits_s,
    wait_quantile_s,
)
from lineshaft.stages.oversee.outcome import Outcome, estimate
from lineshaft.stages.oversee.simulate import (
    ReviewDesk,
    Reviewers,
    Rework,
    Work,
    simulate,
    with_on_duty,
)

OFFICE = tuple(3 if 9 <= hour < 17 else 0 for hour in range(24))


def run(desk: ReviewDesk, tasks: int = 400_000, seed: int = 0) -> Outcome:
    return simulate(desk, tasks=tasks, seed=seed)


def balance(found: Outcome) -> np.ndarray:
    ends = ("passed", "accepted", "rejected", "abandoned", "expired", "waiting")
    return found.count("arrived") - sum(found.count(name) for name in ends)


def test_erlang_c() -> None:
    found = run(ReviewDesk((Work(0.04, 60.0),), Reviewers((3,))), 1_000_000)
    wait = mean_wait_s(3, 0.04, 60.0)
    assert found.mean_wait_s().holds(float(wait))
    assert found.within(0.0).holds(1.0 - float(erlang_c(3, 2.4)))
    assert found.wait_quantile_s(0.9).holds(float(wait_quantile_s(3, 0.04, 60.0, 0.9)))
    assert found.utilisation.holds(0.8)
    assert found.queue.holds(0.04 * float(wait))


def test_erlang_a() -> None:
    found = run(ReviewDesk((Work(0.8, 60.0, patience_s=120.0),), Reviewers((50,))), 2_000_000)
    exact = erlang_a(50, 0.8, 60.0, 120.0)
    assert found.share("abandoned").holds(float(exact.p_abandon))
    assert found.mean_wait_s().holds(float(exact.mean_wait_s))
    assert found.queue.holds(float(exact.queue))
    assert found.utilisation.holds(float(exact.utilisation))
    assert found.within(0.0).holds(1.0 - float(exact.p_wait))


def test_priorities() -> None:
    rates = (0.2, 0.3, 0.2)
    desk = ReviewDesk(tuple(Work(rate, 60.0) for rate in rates), Reviewers((50,)))
    found = run(desk, 2_000_000)
    for k, exact in enumerate(priority_waits_s(50, rates, 60.0)):
        assert found.mean_wait_s(k).holds(float(exact))


@pytest.mark.parametrize(("law", "cv"), [("fixed", 1.0), ("lognormal", 2.0), ("lognormal", 0.5)])
def test_pollaczek_khinchine(law: str, cv: float) -> None:
    """One reviewer and any service: W = rho s (1 + cv^2) / (2 (1 - rho))."""
    found = run(ReviewDesk((Work(0.01, 60.0, law=law, cv=cv),), Reviewers((1,))), 3_000_000)
    spread = 0.0 if law == "fixed" else cv
    assert found.mean_wait_s().holds(0.6 * 60.0 * (1 + spread**2) / (2 * 0.4))


def test_sizes_keep_the_mean_time() -> None:
    work = Work(0.01, 60.0, law="size", cv=1.5, lines=300.0, lines_read=400.0, power=0.8)
    found = run(ReviewDesk((work,), Reviewers((3,))))
    assert found.utilisation.holds(0.01 * 60.0 / 3)
    # What is beyond the lines that are read is missed: all sizes 800, half of each is read.
    half = Work(
        0.01, 60.0, law="size", cv=0.0, lines=800.0, lines_read=400.0, defects=1.0, detection=0.9
    )
    found = run(ReviewDesk((half,), Reviewers((3,))))
    assert found.share("rejected").holds(0.45)


@pytest.mark.parametrize("detection", [1.0, 0.7])
def test_csp1_at_once(detection: float) -> None:
    work = Work(1.0, 0.0, defects=0.03, detection=detection, policy="csp1", share=0.1, clearance=40)
    found = run(ReviewDesk((work,), Reviewers((1,))), 3_000_000)
    share = float(csp1_fraction(0.03, 0.1, 40, detection))
    assert found.share("chosen").holds(share)
    escaped = 0.03 * (1 - detection * share)
    accepted = 1 - 0.03 * detection * share
    assert found.outgoing.holds(escaped / accepted)


def test_csp1_with_late_results() -> None:
    """A phase is longer by what comes until its last result: with reviews of one length that is
    their time, and the share that is reviewed lies between Dodge's and the middle of the phases."""
    work = Work(1.0, 400.0, law="fixed", defects=0.05, policy="csp1", share=0.1, clearance=60)
    found = run(ReviewDesk((work,), Reviewers((1000,))), 3_000_000)
    late = float(csp1_fraction(0.05, 0.1, 60, delays=(400.0, 400.0)))
    assert found.share("chosen").mean == pytest.approx(late, rel=0.02)
    assert abs(late - float(csp1_fraction(0.05, 0.1, 60))) > 0.05


def test_share_and_index() -> None:
    work = Work(0.1, 60.0, defects=0.1, policy="share", share=0.3)
    assert run(ReviewDesk((work,), Reviewers((5,)))).share("chosen").holds(0.3)
    # Equal risks: all or nothing, at the price where p e L covers the minutes.
    work = Work(0.1, 60.0, defects=0.1, detection=0.5, policy="index", loss_usd=40.0)
    desk = ReviewDesk((work,), Reviewers((10,)), least_usd_per_h=119.0)
    assert run(desk, 10_000).share("chosen").mean == 1.0
    assert run(replace(desk, least_usd_per_h=121.0), 10_000).share("chosen").mean == 0.0
    # Known risks: the same number of reviews finds more defects than at random.
    risky = replace(desk, work=(replace(work, spread=0.3),), least_usd_per_h=200.0)
    found = run(risky)
    share = found.share("chosen").mean
    blind = replace(desk, work=(replace(work, spread=0.3, policy="share", share=share),))
    assert 0.05 < share < 0.5
    assert found.outgoing.high < run(blind).outgoing.low


def test_rework_comes_back() -> None:
    """Geometric retries: every round rejects p e of what it gets."""
    work = Work(0.01, 60.0, defects=0.4, detection=0.5, retry_defects=0.3)
    desk = ReviewDesk((work,), Reviewers((5,)), Rework(0.5, 600.0, 2, 30.0))
    found = run(desk, 1_000_000)
    first, again = 0.2, 0.15
    second, third = first * 0.5, first * 0.5 * again * 0.5
    assert found.share("reviews").holds(1 + second + third)
    assert found.share("returned").holds(second + third)
    assert found.share("escaped").holds(0.2 + (second + third) * 0.15)
    # 30 s for every rejection on top of 60 s for every review.
    rejections = first + (second + third) * again
    busy = 0.01 * (60 * (1 + second + third) + 30 * rejections) / 5
    assert found.utilisation.holds(busy)


def test_seeded_defects_tell_the_detection() -> None:
    work = Work(0.01, 60.0, defects=0.05, detection=0.6)
    desk = ReviewDesk((work,), Reviewers((3,), bias=0.2), seeds=0.1)
    covered = 0
    for seed in range(20):
        share, low, high = run(desk, 20_000, seed).detection(0.95)
        assert low <= share <= high
        covered += low <= 0.6 * 0.8 <= high
    assert covered >= 17  # of 20 at 95 %: fewer would be one chance in sixty
    alone = run(replace(desk, seeds=0.0), 20_000)
    assert np.isnan(alone.detection()[0])
    # They take reviewers' time, and nothing of what goes out.
    seeded = run(desk)
    assert seeded.utilisation.mean > 1.08 * run(replace(desk, seeds=0.0)).utilisation.mean
    assert seeded.outgoing.holds(0.05 * (1 - 0.48) / (1 - 0.05 * 0.48))


def test_attention_fades_without_breaks() -> None:
    tired = Reviewers(
        (2,), fade_from_s=3600.0, fade_to_s=5400.0, fade_detection=0.5, fade_speed=0.2,
        break_s=1e9,
    )  # fmt: skip
    work = Work(0.004, 300.0, defects=0.5, detection=0.8)
    worn = run(ReviewDesk((work,), tired), 100_000)
    assert worn.share("found", "defects").holds(0.4)  # nobody ever rests
    assert worn.utilisation.holds(0.004 * 360.0 / 2)
    rested = replace(tired, work_s=3600.0, break_s=600.0)
    found = run(ReviewDesk((work,), rested), 100_000)
    assert found.share("found", "defects").low > 0.7


def test_shifts_close_the_desk() -> None:
    work = Work(1 / 300, 600.0)
    found = run(ReviewDesk((work,), Reviewers(OFFICE), shape=OFFICE), 200_000)
    late = Work(1 / 300, 600.0, expiry_s=3600.0)
    hurried = run(ReviewDesk((late,), Reviewers(OFFICE), shape=OFFICE), 200_000)
    assert found.wait_quantile_s(1.0).mean > 16 * 3600  # over night
    assert found.duty_s == pytest.approx(3 * found.measured_s / 3)
    assert found.overtime_h.low > 0
    assert hurried.share("expired").low > 0
    assert hurried.wait_quantile_s(1.0).high <= 3600.0 + 1e-6


def test_successors_read_themselves_in() -> None:
    work = Work(0.004, 600.0)
    desk = ReviewDesk((work,), Reviewers((4,), shift_h=8))
    slow = replace(desk, reviewers=replace(desk.reviewers, handover_s=1200.0))
    more = run(slow, 200_000).mean_wait_s().mean - run(desk, 200_000).mean_wait_s().mean
    assert more > 10


def test_abandoned_work_can_go_out() -> None:
    work = Work(0.1, 60.0, defects=0.2, patience_s=60.0)
    desk = ReviewDesk((work,), Reviewers((3,)))
    dropped, merged = run(desk), run(replace(desk, merges=True))
    assert dropped.outgoing.mean == 0.0
    left = merged.share("abandoned").mean
    assert merged.share("escaped").mean == pytest.approx(0.2 * left, rel=0.05)
    assert (merged.count("abandoned") == dropped.count("abandoned")).all()


def test_same_on_any_number_of_threads() -> None:
    desk = ReviewDesk(
        (Work(0.1, 60.0, defects=0.1, patience_s=600.0), Work(0.1, 30.0, law="lognormal")),
        Reviewers((11,)),
        Rework(0.5, 600.0),
    )
    one, two = (simulate(desk, tasks=20_000, seed=3, threads=n) for n in (1, 2))
    assert (one.counts == two.counts).all()
    assert all((a == b).all() for a, b in zip(one.waits_s, two.waits_s, strict=True))
    other = simulate(desk, tasks=20_000, seed=4)
    assert (one.counts != other.counts).any()
    # The same tasks come to desks of any size.
    more = simulate(with_on_duty(desk, (30,)), tasks=20_000, seed=3)
    assert (more.count("arrived") == one.count("arrived")).all()
    assert (more.count("defects") == one.count("defects")).all()


desks = st.builds(
    lambda service, defects, detection, patience, expiry, policy, rework, c, office, seeds: (
        ReviewDesk(
            (
                Work(0.002, service, defects=defects, detection=detection, patience_s=patience),
                Work(
                    0.01,
                    service,
                    law="lognormal",
                    defects=defects,
                    detection=detection,
                    false_alarms=0.1,
                    expiry_s=expiry,
                    policy=policy,
                    share=0.2,
                    clearance=5,
                ),
            ),
            Reviewers(
                tuple(c * (hour > 0) for hour in OFFICE) if office else (c,),
                work_s=3600.0,
                break_s=600.0,
                shift_h=8,
                handover_s=60.0,
            ),
            Rework(rework, 3600.0, 3, 60.0),
            seeds=seeds,
            merges=office,
        )
    ),
    st.floats(1.0, 2000.0),
    st.floats(0, 1),
    st.floats(0, 1),
    st.sampled_from([np.inf, 60.0, 7200.0]),
    st.sampled_from([np.inf, 600.0, 86_400.0]),
    st.sampled_from(["all", "share", "csp1"]),
    st.floats(0, 1),
    st.integers(1, 9),
    st.booleans(),
    st.sampled_from([0.0, 0.3]),
)


@settings(max_examples=40, deadline=None)
@given(desks)
def test_conservation(desk: ReviewDesk) -> None:
    found = simulate(desk, tasks=4000, replications=2, threads=1)
    assert (balance(found) == 0).all()
    assert (found.counts >= 0).all()
    assert (found.count("planted_found") <= found.count("planted")).all()
    assert (found.count("escaped") <= found.count("arrived")).all()
    reviews = found.count("accepted") + found.count("rejected") + found.count("returned")
    assert (found.count("reviews") == reviews).all()
    assert all((waits >= 0).all() for waits in found.waits_s)


def peer(tasks: int, seed: int) -> tuple[float, float, float]:
    """(abandoned, mean wait of the first, of the second class) by SimPy, lognormal reviews."""
    env, rng = simpy.Environment(), random.Random(seed)
    desk = simpy.PriorityResource(env, 4)
    left, waits = 0, {0: [], 1: []}
    sigma = np.sqrt(np.log1p(1.5**2))

    def task(rank: int):
        nonlocal left
        came = env.now
        with desk.request(priority=rank) as wanted:
            got = yield wanted | env.timeout(rng.expovariate(1 / 300.0))
            waits[rank].append(env.now - came)
            if wanted in got:
                yield env.timeout(100.0 * rng.lognormvariate(-(sigma**2) / 2, sigma))
            else:
                left += 1

    def source():
        for _ in range(tasks):
            yield env.timeout(rng.expovariate(0.04))
            env.process(task(int(rng.random() >= 0.3)))

    env.process(source())
    env.run()
    return left / tasks, float(np.mean(waits[0])), float(np.mean(waits[1]))


def test_against_simpy() -> None:
    """Priorities, patience and lognormal reviews together have no formula: another simulator."""
    work = tuple(
        Work(0.04 * part, 100.0, law="lognormal", cv=1.5, patience_s=300.0) for part in (0.3, 0.7)
    )
    found = run(ReviewDesk(work, Reviewers((4,))), 1_000_000)
    peers = np.array([peer(4000, seed) for seed in range(8)])
    for mine, theirs in zip(
        (found.share("abandoned"), found.mean_wait_s(0), found.mean_wait_s(1)), peers.T, strict=True
    ):
        other = estimate(theirs)
        assert other.low <= mine.high and mine.low <= other.high
        assert mine.mean == pytest.approx(other.mean, rel=0.1)


def test_all_problems_at_once() -> None:
    bad = ReviewDesk(
        (Work(-1.0, 60.0, law="gamma", policy="some", defects=2.0),), Reviewers((0,)), shape=(0.0,)
    )
    with pytest.raises(InputError) as error:
        simulate(bad)
    keys = {problem.key for problem in error.value.problems}
    assert {"work.0.per_s", "work.0.law", "work.0.policy", "work.0.defects"} <= keys
    assert {"reviewers.on_duty", "shape"} <= keys
    uneven = ReviewDesk((Work(1.0, 1.0),), Reviewers((1,) * 24), shape=(1.0,) * 168)
    with pytest.raises(InputError, match="24 and 168"):
        simulate(uneven)
